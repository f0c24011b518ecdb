//! The end of a run: every certificate is verified as by an auditor, and the report is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_certificate::{Certificate, Dossier, Judgement, Policy, TrustRoot, verify};
use quorate_types::{FencingToken, Outcome, PublicKey, TaskId};
use serde::Serialize;

use super::record::Record;
use super::setting::Setting;
use crate::audit::bundle::Bundle;
use crate::audit::files::is_dossier;
use crate::report::{Report, Validator};

/// The judgement of the auditor's code on the certificates of a run.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) files: u64,
    pub(super) verified: u64,
    /// Files that do not verify, each with the reason.
    refused: Vec<String>,
    /// Pairs of a task and a token that two certificates assign differently.
    double: Vec<String>,
    owners: BTreeMap<(TaskId, FencingToken), PublicKey>,
    completed: BTreeSet<TaskId>,
    /// The number of auctions of which there is a dossier or a certificate.
    pub(super) auctions: u64,
    /// The number of auctions that were run again from their dossiers and gave what is certified.
    pub(super) replayed: u64,
    /// The dossiers that could be read.
    pub(super) dossiers: Vec<Dossier>,
    /// Auctions that do not give what is certified, each with the reason.
    disagreeing: Vec<String>,
}

impl Audit {
    /// Reads the trust root and the certificates from the disk, as an outsider would.
    pub(super) fn of(setting: &Setting) -> Result<Self> {
        let trust_root = setting.trust_root();
        let text = std::fs::read_to_string(&trust_root)
            .with_context(|| trust_root.display().to_string())?;
        let root = TrustRoot::parse(&text)?;

        let mut paths: Vec<_> = std::fs::read_dir(setting.certificates())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        // Sorted, so that faults are listed in the same order each time.
        paths.sort();

        let (mut audit, mut auctions) = (Self::default(), Bundle::default());
        for path in paths {
            let name = path.display().to_string();

            let bytes = std::fs::read(&path).with_context(|| name.clone())?;

            if is_dossier(&path) {
                auctions.add_dossier(name, &bytes);
                audit.dossiers.extend(Dossier::decode(&bytes));
                continue;
            }

            audit.files += 1;
            let verdict = verify(&bytes, &root, &Policy::default());
            if verdict.is_verified() {
                audit.take(name, &bytes, &mut auctions);
            } else {
                let why = verdict
                    .reason
                    .map_or_else(String::new, |reason| reason.to_string());
                audit.refused.push(format!("{name}: {why}"));
            }
        }

        // Only now are all certificates known that an auction must agree with.
        for auction in auctions.replay(&root) {
            audit.auctions += 1;
            audit.replayed += u64::from(auction.judgement() == Judgement::Verified);
            audit.disagreeing.extend(auction.complaints());
        }

        Ok(audit)
    }

    fn take(&mut self, name: String, bytes: &[u8], auctions: &mut Bundle) {
        self.verified += 1;
        // Bytes that verify can be decoded.
        let Ok(certificate) = Certificate::decode(bytes) else {
            return;
        };

        auctions.certify(name, &certificate.outcome);
        match certificate.outcome {
            Outcome::Assignment(assignment) => {
                let key = (assignment.task, assignment.token);
                // The first certificate decides; a different one is a fault.
                let owner = *self.owners.entry(key).or_insert(assignment.agent);
                if owner != assignment.agent {
                    self.double.push(format!("{:?} token {}", key.0, key.1));
                }
            }

            Outcome::Receipt(receipt) if receipt.operation.payload.body.name() == "complete" => {
                self.completed.insert(receipt.task);
            }
            _ => {}
        }
    }

    /// Returns the faults of a run in which `completed` tasks were done. Empty for a good run.
    pub(super) fn faults(&self, record: &Record, completed: u64) -> Vec<String> {
        let mut faults = self.refused.clone();
        faults.extend(self.disagreeing.iter().cloned());
        faults.extend(
            self.double
                .iter()
                .map(|task| format!("two agents are certified for {task}")),
        );

        // Certificates must account for every completed task.
        let assigned: BTreeSet<_> = self.owners.keys().map(|(task, _)| task).collect();
        let expected = [
            (
                self.completed.len() as u64 == completed,
                "a completion has no certificate",
            ),
            (
                assigned.len() as u64 >= completed,
                "an assignment has no certificate",
            ),
            (self.files > 0, "there are no certificates"),
            (
                self.auctions > 0 || completed == 0,
                "tasks were completed, but there is no dossier of an auction",
            ),
            (record.unwritten == 0, "a certificate could not be written"),
        ];

        let missed = expected.into_iter().filter(|(holds, _)| !holds);
        faults.extend(missed.map(|(_, text)| text.to_owned()));

        faults
    }
}

/// The object that `--json` prints. Keys may be added, not changed.
#[derive(Debug, Serialize)]
struct Json<'a, S> {
    #[serde(flatten)]
    summary: &'a S,
    certificate_dir: String,
    trust_root: String,
    report: String,
    swarm_id: String,
    duration_ms: u64,
    faults: &'a [String],
}

/// Writes the report as `report.json` and as `report.html`.
pub(super) fn write_report(setting: &Setting, report: &Report) -> Result<()> {
    write(
        &setting.folder.join("report.json"),
        &serde_json::to_string_pretty(report)?,
    )?;
    write(&setting.folder.join("report.html"), &report.to_html())
}

/// Prints the one object of `--json`: `summary`, and where the files are.
pub(super) fn print_json(
    setting: &Setting,
    report: &Report,
    summary: &impl Serialize,
    faults: &[String],
) -> Result<()> {
    let json = Json {
        summary,
        certificate_dir: setting.certificates().display().to_string(),
        trust_root: setting.trust_root().display().to_string(),
        report: setting.folder.join("report.html").display().to_string(),
        swarm_id: report.swarm_id.clone(),
        duration_ms: report.duration_ms,
        faults,
    };

    println!("{}", serde_json::to_string(&json)?);
    Ok(())
}

/// Prints the last lines of a summary: what was verified, and where the files are.
pub(super) fn print_end(setting: &Setting, report: &Report) {
    let summary = &report.summary;
    println!("  heights        {} decided", summary.heights);
    println!(
        "  certificates   {} of {} verified with the trust root alone",
        summary.certificates_verified, summary.certificates
    );
    println!(
        "  auctions       {} of {} run again from their dossiers, with the same result",
        summary.auctions_replayed, summary.auctions
    );

    println!("  fingerprint    {}", report.fingerprint);
    println!(
        "  report         {}",
        setting.folder.join("report.html").display()
    );

    let (certificates, trust_root) = (setting.certificates(), setting.trust_root());
    let (certificates, trust_root) = (certificates.display(), trust_root.display());
    println!("  audit          quorate audit verify {certificates} --trust {trust_root}");
    println!("                 quorate audit replay {certificates} --trust {trust_root}");
}

/// Prints every fault, and returns the exit code.
pub(super) fn conclude(faults: &[String]) -> ExitCode {
    for fault in faults {
        eprintln!("FAULT: {fault}");
    }
    if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the committee as the report lists it.
pub(super) fn validators(setting: &Setting, record: &Record) -> Vec<Validator> {
    let validator = |member: &super::setting::Member| Validator {
        name: member.name.clone(),
        key: member.key.to_string(),
        killed_at_ms: record
            .killed_validator
            .filter(|(key, _)| *key == member.key)
            .map(|k| k.1),
    };

    setting.validators.iter().map(validator).collect()
}

/// Returns the fingerprint of the trust root.
pub(super) fn fingerprint(setting: &Setting) -> String {
    let root = TrustRoot::from_genesis(&setting.genesis);
    root.map_or_else(|_| String::new(), |root| root.fingerprint())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// Formats Unix milliseconds as RFC 3339 in UTC, to the second (`civil_from_days` of H. Hinnant).
pub(super) fn rfc3339(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));

    // Days since the 1st of March of year 0: such a year ends with its leap day.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);

    // Months count from March, so that February is the last one; five of them have 153 days.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);

    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
