//! Tests of `quorate demo drones`: its summary is right, the folder that it leaves is complete for
//! an auditor, and a wrong certificate makes it fail.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use quorate_tests::certificates::{assignees, audit};
use quorate_tests::host::Host;
use quorate_tests::process::{Log, Process, tail};
use quorate_tests::wait::{self, LIMIT};
use quorate_tests::{Checked, repository};
use serde_json::Value;

/// A small mission that is shipped: twelve bridges, two of which require a thermal camera.
const MISSION: &str = "examples/drones/spree.csv";
const TASKS: u64 = 12;

#[test]
fn the_summary_is_right_and_the_run_folder_holds_by_itself() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    let mut demo = Process::start(&mut demo(&host, &["--json"])?, &host.log("demo"))?;
    let processes = wait::until(LIMIT, "twelve processes", || {
        let processes = workers(&host).unwrap_or_default();
        Ok((processes.len() >= 12 || demo.ended()?.is_some()).then_some(processes))
    })?;
    let ended = demo.wait_for_end()?;
    assert!(ended.success(), "{ended}; {}", tail(&host.log("demo")));
    let summary = Log::new(&host.log("demo"))
        .new_objects()?
        .pop()
        .ok_or("there is no summary")?;

    check_summary(&summary)?;
    check_processes(&host, &processes)?;
    check_certificates(&host, &summary)?;
    check_auctions(&host, &summary)?;
    check_page(&host.path("run/report.html"))
}

/// The demo verifies the certificates on the disk. One byte of one certificate is flipped as soon
/// as it is written, and the demo must find that.
#[test]
fn a_wrong_certificate_makes_it_fail() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    let mut process = Process::start(&mut demo(&host, &["--no-faults"])?, &host.log("demo"))?;
    let certificates = host.path("run/certificates");
    let spoiled = wait::until(LIMIT, "a certificate", || {
        process.expect_running()?;
        Ok(first_certificate(&certificates))
    })?;
    flip_a_byte(&spoiled)?;
    let ended = process.wait_for_end()?;
    assert_eq!(ended.code(), Some(1), "{ended}");
    let said = fs::read_to_string(host.log("demo"))?;
    let name = spoiled
        .file_name()
        .ok_or("a file without a name")?
        .to_string_lossy();
    let faults: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("FAULT: "))
        .collect();
    assert!(
        faults.iter().any(|fault| fault.contains(&*name)),
        "{name}: {faults:?}\n{said}"
    );
    Ok(())
}

/// The command that runs the demo with the small mission and keeps its folder in `run`.
fn demo(host: &Host, more: &[&str]) -> Checked<Command> {
    let mission = repository::root().join(MISSION).display().to_string();
    let folder = host.path("run").display().to_string();
    let usual = ["demo", "drones", "--mission", &mission, "--out", &folder];
    host.quorate(&[&usual[..], more].concat())
}

/// Checks the documented names of the summary, and the values of this mission.
fn check_summary(summary: &Value) -> Checked {
    let number = |name: &str| {
        summary[name]
            .as_u64()
            .ok_or_else(|| format!("{name}: {summary}"))
    };
    for (name, value) in [
        ("tasks", TASKS),
        ("completed", TASKS),
        ("killed_drones", 1),
        ("killed_validators", 1),
    ] {
        assert_eq!(number(name)?, value, "{name}");
    }
    for name in ["reassigned", "refused_bids", "heights"] {
        assert!(number(name)? > 0, "{name}: {summary}");
    }
    // Each task has at least the certificates of an assignment and of a completion.
    assert!(number("certificates")? >= 2 * TASKS, "{summary}");
    assert_eq!(number("certificates")?, number("certificates_verified")?);
    Ok(())
}

/// Checks that four validators and eight drones each had a process and a log.
fn check_processes(host: &Host, processes: &BTreeSet<u32>) -> Checked {
    if cfg!(target_os = "linux") {
        assert_eq!(processes.len(), 12, "{processes:?}");
    }
    let mut logs = BTreeSet::new();
    for entry in fs::read_dir(host.path("run/logs"))? {
        logs.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    let names = |role: &'static str, count| (1..=count).map(move |n| format!("{role}-{n}.log"));
    let expected: BTreeSet<String> = names("validator", 4).chain(names("drone", 8)).collect();
    assert_eq!(logs, expected);
    Ok(())
}

/// Verifies the certificates with the genesis alone. L-16: the token counts the assignments of a
/// task, so exactly the reassigned tasks have one above 1.
fn check_certificates(host: &Host, summary: &Value) -> Checked {
    let path = |name: &str| host.path(summary[name].as_str().unwrap_or("nothing"));
    let certified = audit(host, &path("certificate_dir"), &path("trust_root"))?;
    assert_eq!(
        Some(certified.len() as u64),
        summary["certificates_verified"].as_u64()
    );
    let assignees = assignees(&certified)?;
    let tasks: BTreeSet<&String> = assignees.keys().map(|(task, _)| task).collect();
    assert_eq!(tasks.len() as u64, TASKS);
    let again: BTreeSet<&String> = assignees
        .keys()
        .filter(|(_, token)| *token > 1)
        .map(|(task, _)| task)
        .collect();
    assert_eq!(Some(again.len() as u64), summary["reassigned"].as_u64());
    Ok(())
}

/// Runs each auction again from the kept folder, and checks that every award was made by one.
fn check_auctions(host: &Host, summary: &Value) -> Checked {
    let path = |name: &str| host.path(summary[name].as_str().unwrap_or("nothing"));
    let (kept, trust) = (path("certificate_dir"), path("trust_root"));
    let (kept, trust) = (kept.display().to_string(), trust.display().to_string());
    let said = host.run(&["audit", "replay", &kept, "--trust", &trust, "--json"])?;
    let said: Value = serde_json::from_str(&said)?;
    let auctions = said["auctions"].as_array().ok_or("no auctions")?;
    assert_eq!(said["verdict"], "verified", "{said}");
    assert!(
        !auctions.is_empty() && said["replayed"] == auctions.len(),
        "{said}"
    );
    let compared: u64 = auctions
        .iter()
        .filter_map(|auction| auction["compared"].as_u64())
        .sum();
    let reassigned = summary["reassigned"].as_u64().ok_or("no number")?;
    assert!(
        compared >= TASKS + reassigned,
        "{compared} assignments: {said}"
    );
    Ok(())
}

/// Checks that the report is complete and that a browser fetches nothing else for it.
fn check_page(path: &Path) -> Checked {
    let page = fs::read_to_string(path)?;
    assert!(
        page.contains("<svg") && page.contains("</html>"),
        "no map in the report"
    );
    for outside in [
        "src=\"",
        "href=\"http",
        "@import",
        "url(http",
        "<link",
        "fetch(",
    ] {
        assert!(!page.contains(outside), "the report holds `{outside}`");
    }
    Ok(())
}

/// The processes that the demo of a host has started; `None` if the system has no `/proc`.
fn workers(host: &Host) -> Option<BTreeSet<u32>> {
    let mark = host.path("run/nodes").display().to_string();
    let processes = fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ours = pids.filter(|pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("worker") && line.contains(&mark)
    });
    Some(ours.collect())
}

/// A certificate in the folder that is written already; `None` if there is none yet.
fn first_certificate(folder: &Path) -> Option<std::path::PathBuf> {
    let mut files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let file = files.find(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 0))?;
    Some(file.path())
}

fn flip_a_byte(path: &Path) -> Checked {
    let bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(middle as u64))?;
    file.write_all(&[bytes[middle] ^ 1])?;
    Ok(())
}
