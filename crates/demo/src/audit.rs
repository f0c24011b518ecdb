//! The end of a run: every certificate is verified as by an auditor, and the report is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_certificate::{
    Auctions, Certificate, DOSSIER_EXTENSION, Dossier, Judgement, Policy, TrustRoot, verify,
};
use quorate_console::rfc3339;
use quorate_types::outcome::Assignment;
use quorate_types::{FencingToken, Outcome, PublicKey, TaskId};
use serde::Serialize;

use crate::record::Record;
use crate::report::{DemoReport, Summary, Task, Validator};
use crate::setting::{Member, Setting};

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
        let root = read_trust_root(&setting.trust_root())?;
        let mut audit = Self::default();
        let mut auctions = Auctions::default();
        for path in files_in(&setting.certificates())? {
            let name = path.display().to_string();
            let bytes = std::fs::read(&path).with_context(|| name.clone())?;

            if is_dossier(&path) {
                auctions.add_dossier(name, &bytes);
                audit.dossiers.extend(Dossier::decode(&bytes));
            } else {
                audit.judge(name, &bytes, &root, &mut auctions);
            }
        }

        // Only now are all certificates known that an auction must agree with.
        audit.replay(&auctions, &root);
        Ok(audit)
    }

    fn replay(&mut self, auctions: &Auctions, root: &TrustRoot) {
        for auction in auctions.replay(root) {
            self.auctions += 1;
            self.replayed += u64::from(auction.judgement() == Judgement::Verified);
            self.disagreeing.extend(auction.complaints());
        }
    }

    fn judge(&mut self, name: String, bytes: &[u8], root: &TrustRoot, auctions: &mut Auctions) {
        self.files += 1;
        let verdict = verify(bytes, root, &Policy::default());

        if verdict.is_verified() {
            self.take(name, bytes, auctions);
        } else {
            let why = verdict
                .reason
                .map_or_else(String::new, |reason| reason.to_string());
            self.refused.push(format!("{name}: {why}"));
        }
    }

    fn take(&mut self, name: String, bytes: &[u8], auctions: &mut Auctions) {
        self.verified += 1;
        // Bytes that verify can be decoded.
        let Ok(certificate) = Certificate::decode(bytes) else {
            return;
        };

        auctions.certify(name, &certificate.outcome);
        match certificate.outcome {
            Outcome::Assignment(Assignment {
                task, token, agent, ..
            }) => {
                // The first certificate decides; a different one is a fault.
                let owner = *self.owners.entry((task, token)).or_insert(agent);
                if owner != agent {
                    self.double.push(format!("{task:?} token {token}"));
                }
            }

            Outcome::Receipt(receipt) if receipt.operation.payload.body.name() == "complete" => {
                self.completed.insert(receipt.task);
            }
            _ => {}
        }
    }

    /// Returns the report of a run, with everything that does not depend on the demonstration.
    /// Title, agents, refusals and trading are left empty.
    pub(super) fn report(
        &self,
        setting: &Setting,
        record: &Record,
        tasks: Vec<Task>,
    ) -> DemoReport {
        let genesis = &setting.genesis;

        DemoReport {
            title: String::new(),
            swarm_id: genesis.swarm_id().to_string(),
            fingerprint: fingerprint(setting),
            started: rfc3339(genesis.created.seconds()),
            duration_ms: record.now(),
            certificate_dir: "certificates".to_owned(),
            trust_root: "genesis.toml".to_owned(),
            summary: self.summary(record, &tasks),
            validators: validators(setting, record),
            agents: Vec::new(),
            tasks,
            heights: record.heights.values().cloned().collect(),
            refusals: Vec::new(),
            trading: None,
        }
    }

    /// Returns the counts that every demonstration takes from its tasks, its record and its audit.
    /// Completed tasks, refused bids and killed drones are left at none.
    pub(super) fn summary(&self, record: &Record, tasks: &[Task]) -> Summary {
        // A task with a second assignment went to market again.
        let reassigned = tasks.iter().filter(|task| task.assignments.len() > 1);

        Summary {
            tasks: tasks.len() as u64,
            completed: 0,
            reassigned: reassigned.count() as u64,
            refused_bids: 0,
            killed_drones: None,
            killed_validators: u64::from(record.killed_validator.is_some()),
            heights: record.greatest_height(),
            certificates: self.files,
            certificates_verified: self.verified,
            auctions: self.auctions,
            auctions_replayed: self.replayed,
        }
    }

    /// Returns the faults of a run in which `completed` tasks were done. Empty for a good run.
    pub(super) fn faults(&self, record: &Record, completed: u64) -> Vec<String> {
        let mut faults = self.refused.clone();
        faults.extend(self.disagreeing.iter().cloned());
        for task in &self.double {
            faults.push(format!("two agents are certified for {task}"));
        }

        faults.extend(self.missing(record, completed));
        faults
    }

    /// Returns the faults of certificates that are missing. They must account for every completed
    /// task.
    fn missing(&self, record: &Record, completed: u64) -> Vec<String> {
        let assigned: BTreeSet<_> = self.owners.keys().map(|(task, _)| task).collect();

        unmet(&[
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
        ])
    }
}

/// Returns whether a file is a dossier, by its name.
fn is_dossier(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == DOSSIER_EXTENSION)
}

fn read_trust_root(path: &Path) -> Result<TrustRoot> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(TrustRoot::parse(&text)?)
}

/// Returns the paths of the files in a folder, sorted, so that faults are listed in the same order
/// each time.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Returns the faults of expectations that do not hold. Each comes with the text of its fault.
pub(super) fn unmet(expected: &[(bool, &str)]) -> Vec<String> {
    let unmet = expected.iter().filter(|(holds, _)| !holds);
    unmet.map(|(_, fault)| (*fault).to_owned()).collect()
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
pub(super) fn write_report(setting: &Setting, report: &DemoReport) -> Result<()> {
    write(
        &setting.folder.join("report.json"),
        &serde_json::to_string_pretty(report)?,
    )?;
    write(&setting.folder.join("report.html"), &report.to_html())
}

/// Prints the one object of `--json`: `summary`, and where the files are.
pub(super) fn print_json(
    setting: &Setting,
    report: &DemoReport,
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
pub(super) fn print_end(setting: &Setting, report: &DemoReport) {
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

    let certificates = setting.certificates();
    let certificates = certificates.display();
    let trust_root = setting.trust_root();
    let trust_root = trust_root.display();
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
fn validators(setting: &Setting, record: &Record) -> Vec<Validator> {
    let validator = |member: &Member| Validator {
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
fn fingerprint(setting: &Setting) -> String {
    let root = TrustRoot::from_genesis(&setting.genesis);
    root.map_or_else(|_| String::new(), |root| root.fingerprint())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
