//! Audits of a folder of certificates, as an outsider makes them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::Checked;
use crate::host::Host;

/// Copies certificates and a genesis to a new folder of `auditor` and verifies them there, with
/// nothing else at hand. Returns the summary of each certificate.
///
/// # Errors
/// Fails if there is no certificate, or if one does not verify.
pub fn audit(auditor: &Host, certificates: &Path, genesis: &Path) -> Checked<Vec<Value>> {
    let folder = tempfile::tempdir_in(auditor.path(""))?;
    let inside = |name: &str| folder.path().join(name).display().to_string();
    std::fs::copy(genesis, inside("trust.toml"))?;
    std::fs::create_dir(inside("certificates"))?;
    for entry in std::fs::read_dir(certificates)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        std::fs::copy(entry.path(), inside(&format!("certificates/{name}")))?;
    }
    let (files, trust) = (inside("certificates"), inside("trust.toml"));
    let said = auditor.run(&["audit", "verify", &files, "--trust", &trust, "--json"])?;
    let verdicts: Result<Vec<Value>, _> = said.lines().map(serde_json::from_str).collect();
    let verdicts = verdicts?;
    if verdicts.is_empty() {
        return Err("nothing was verified".into());
    }
    for verdict in &verdicts {
        let open = verdict["not_checked"]
            .as_array()
            .is_some_and(|open| !open.is_empty());
        if verdict["verdict"] != "verified" || !open {
            return Err(format!("not verified, or nothing is left open: {verdict}").into());
        }
    }
    Ok(verdicts
        .into_iter()
        .map(|mut verdict| verdict["certifies"].take())
        .collect())
}

/// Returns the assignee of each pair of task and fencing token in the summaries that [`audit`]
/// returned.
///
/// # Errors
/// Fails if a pair has two assignees.
pub fn assignees(certified: &[Value]) -> Checked<BTreeMap<(String, u64), String>> {
    let mut assignees = BTreeMap::new();
    for summary in certified
        .iter()
        .filter(|summary| summary["outcome"] == "assignment")
    {
        let (task, agent) = (text(&summary["task"])?, text(&summary["agent"])?);
        let token = summary["token"]
            .as_u64()
            .ok_or("an assignment without a token")?;
        let first = assignees
            .entry((task.clone(), token))
            .or_insert_with(|| agent.clone());
        if *first != agent {
            return Err(format!("{task}, token {token}: both {first} and {agent}").into());
        }
    }
    Ok(assignees)
}

/// Returns the text of a JSON string.
///
/// # Errors
/// Fails if the value is not a string.
pub fn text(value: &Value) -> Checked<String> {
    Ok(value
        .as_str()
        .ok_or_else(|| format!("{value} is not a string"))?
        .to_owned())
}
