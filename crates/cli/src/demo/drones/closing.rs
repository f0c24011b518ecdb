//! The end of a run: every certificate is verified as an auditor would, then it is told and drawn.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_certificate::{Certificate, Policy, TrustRoot, verify};
use quorate_drone::Track;
use quorate_types::Outcome;
use serde::Serialize;

use super::Args;
use super::record::Record;
use super::stage::Stage;
use crate::report::{Agent, Place, Report, Stop, Summary, Task, TaskState, Validator};

/// What `--json` prints. Names may be added, not changed.
#[derive(Debug, Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    certificate_dir: String,
    trust_root: String,
    report: String,
    swarm_id: String,
    duration_ms: u64,
    faults: Vec<String>,
}

/// What the auditor's code says of the certificates of a run.
#[derive(Debug, Default)]
struct Audit {
    files: u64,
    verified: u64,
    /// Files that do not verify, and why.
    refused: Vec<String>,
    /// (task, token) pairs that two certificates assign differently.
    double: Vec<String>,
    assigned: BTreeSet<String>,
    completed: BTreeSet<String>,
}

pub(super) fn close(args: &Args, stage: &Stage, record: Record) -> Result<ExitCode> {
    let trust_root = stage.folder.join("genesis.toml");
    let certificates = stage.folder.join("certificates");
    let audit = Audit::of(&certificates, &trust_root)?;
    let report = report(stage, &record, &audit);
    write(&stage.folder.join("report.json"), &serde_json::to_string_pretty(&report)?)?;
    let page = stage.folder.join("report.html");
    write(&page, &report.to_html())?;
    let faults = faults(args, stage, &record, &audit, &report.summary);
    if args.json {
        let json = Json {
            summary: &report.summary,
            certificate_dir: certificates.display().to_string(),
            trust_root: trust_root.display().to_string(),
            report: page.display().to_string(),
            swarm_id: report.swarm_id.clone(),
            duration_ms: report.duration_ms,
            faults: faults.clone(),
        };
        println!("{}", serde_json::to_string(&json)?);
    } else {
        print_summary(stage, &record, &report);
    }
    for fault in &faults {
        eprintln!("FAULT: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Audit {
    /// Reads trust root and certificates from the disk, as a stranger would.
    fn of(certificates: &Path, trust_root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(trust_root)
            .with_context(|| trust_root.display().to_string())?;
        let root = TrustRoot::parse(&text)?;
        let mut paths: Vec<_> = std::fs::read_dir(certificates)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.sort();
        let mut audit = Self::default();
        let mut owners = std::collections::BTreeMap::new();
        for path in paths {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            audit.files += 1;
            let verdict = verify(&bytes, &root, &Policy::default());
            if !verdict.is_verified() {
                let why = verdict.reason.map_or_else(String::new, |reason| reason.to_string());
                audit.refused.push(format!("{}: {why}", path.display()));
                continue;
            }
            audit.verified += 1;
            let Ok(certificate) = Certificate::decode(&bytes) else { continue };
            match certificate.outcome {
                Outcome::Assignment(assignment) => {
                    let key = (assignment.task, assignment.token);
                    let owner = *owners.entry(key).or_insert(assignment.agent);
                    if owner != assignment.agent {
                        audit.double.push(format!("{:?} token {}", key.0, key.1));
                    }
                    audit.assigned.insert(assignment.task.to_string());
                }
                Outcome::Receipt(receipt)
                    if receipt.operation.payload.body.name() == "complete" =>
                {
                    audit.completed.insert(receipt.task.to_string());
                }
                _ => {}
            }
        }
        Ok(audit)
    }
}

/// What should not be. Empty for a good run.
fn faults(
    args: &Args,
    stage: &Stage,
    record: &Record,
    audit: &Audit,
    summary: &Summary,
) -> Vec<String> {
    let mut faults = audit.refused.clone();
    faults.extend(audit.double.iter().map(|task| format!("two agents are certified for {task}")));
    let mut expect = |holds: bool, text: &str| {
        if !holds {
            faults.push(text.to_owned());
        }
    };
    expect(summary.completed == summary.tasks, "not every task was completed");
    expect(audit.completed.len() as u64 == summary.completed, "a completion has no certificate");
    expect(audit.assigned.len() as u64 >= summary.completed, "an assignment has no certificate");
    expect(audit.files > 0, "there are no certificates");
    expect(record.unwritten == 0, "a certificate could not be written");
    if !args.no_faults {
        let many = stage.drones.len() > 2;
        expect(!many || record.killed_drone.is_some(), "no drone was killed in flight");
        expect(!many || summary.reassigned > 0, "nothing was reassigned");
        expect(stage.drones.len() < 2 || summary.refused_bids > 0, "no false bid was refused");
        let committee = stage.validators.len() > 3;
        expect(!committee || record.killed_validator.is_some(), "no validator was killed");
    }
    faults
}

fn report(stage: &Stage, record: &Record, audit: &Audit) -> Report {
    let tasks = tasks(stage, record);
    let completed = tasks.iter().filter(|task| task.state == TaskState::Completed).count() as u64;
    let reassigned = tasks.iter().filter(|task| task.assignments.len() > 1).count() as u64;
    let root = TrustRoot::from_genesis(&stage.genesis);
    Report {
        title: format!("Drone swarm: {}", stage.mission.name),
        swarm_id: stage.genesis.swarm_id().to_string(),
        fingerprint: root.map_or_else(|_| String::new(), |root| root.fingerprint()),
        started: rfc3339(stage.genesis.created),
        duration_ms: record.now(),
        certificate_dir: "certificates".to_owned(),
        trust_root: "genesis.toml".to_owned(),
        summary: Summary {
            tasks: tasks.len() as u64,
            completed,
            reassigned,
            refused_bids: record.refused_bids,
            killed_drones: u64::from(record.killed_drone.is_some()),
            killed_validators: u64::from(record.killed_validator.is_some()),
            heights: record.heights.keys().next_back().copied().unwrap_or(0),
            certificates: audit.files,
            certificates_verified: audit.verified,
        },
        validators: validators(stage, record),
        agents: agents(stage, record, &tasks),
        tasks,
        heights: record.heights.values().cloned().collect(),
        refusals: record.refusals.clone(),
    }
}

fn validators(stage: &Stage, record: &Record) -> Vec<Validator> {
    let members = stage.validators.iter();
    let validator = |member: &super::stage::Member| Validator {
        name: member.name.clone(),
        key: member.key.to_string(),
        killed_at_ms: record.killed_validator.filter(|(key, _)| *key == member.key).map(|k| k.1),
    };
    members.map(validator).collect()
}

fn tasks(stage: &Stage, record: &Record) -> Vec<Task> {
    let pairs = stage.mission.tasks.iter().zip(&record.tasks);
    let task =
        |(task, facts): (&quorate_drone::mission::MissionTask, &super::record::TaskRecord)| {
            let point = task.task.visit.point;
            let mut requires: Vec<_> = task.requires.iter().map(ToString::to_string).collect();
            if task.task.demand_g > 0 {
                requires.push(format!("payload_g ≥ {}", task.task.demand_g));
            }
            let held = match facts.assignments.last() {
                Some(_) => TaskState::Assigned,
                None => TaskState::Open,
            };
            Task {
                id: task.task.id.clone(),
                place: Place { lat: point.lat, lng: point.lng },
                requires,
                state: facts.state.unwrap_or(held),
                assignments: facts.assignments.clone(),
            }
        };
    pairs.map(task).collect()
}

fn agents(stage: &Stage, record: &Record, tasks: &[Task]) -> Vec<Agent> {
    let drones = stage.drones.iter().zip(&stage.drone_files);
    let agent = |(member, file): (&super::stage::Member, &crate::demo::worker::DroneFile)| {
        let path = path(&member.name, record, tasks);
        Agent {
            name: member.name.clone(),
            key: member.key.to_string(),
            home: Place { lat: file.home.lat, lng: file.home.lng },
            killed_at_ms: record.killed_drone.filter(|(key, _)| *key == member.key).map(|k| k.1),
            liar: file.claims.is_some(),
            tasks_done: path.iter().filter(|stop| stop.task.is_some()).count() as u64,
            path,
        }
    };
    drones.map(agent).collect()
}

/// Where a drone was, out of the tracks it reported with what it completed.
fn path(drone: &str, record: &Record, tasks: &[Task]) -> Vec<Stop> {
    let mut stops = Vec::new();
    for (task, facts) in tasks.iter().zip(&record.tasks) {
        let last = task.assignments.last().filter(|a| a.agent == drone);
        let (Some(award), Some(detail)) = (last, &facts.detail) else { continue };
        let Ok(track) = serde_json::from_slice::<Track>(detail) else { continue };
        let ended = award.ended_at_ms.unwrap_or(award.at_ms);
        let count = track.path.len().max(1) as u64;
        for (at, (lat, lng, _)) in track.path.iter().enumerate() {
            let place = Place { lat: *lat, lng: *lng };
            let t_ms = award.at_ms + ended.saturating_sub(award.at_ms) * at as u64 / count;
            stops.push(Stop { place, t_ms, task: None });
        }
        stops.push(Stop { place: task.place, t_ms: ended, task: Some(task.id.clone()) });
    }
    stops.sort_by_key(|stop| stop.t_ms);
    stops
}

fn print_summary(stage: &Stage, record: &Record, report: &Report) {
    let summary = &report.summary;
    let name = |victim: Option<(quorate_types::PublicKey, u64)>| {
        let names = stage.names();
        victim.and_then(|(key, _)| names.get(&key).cloned()).unwrap_or_else(|| "nobody".to_owned())
    };
    let seconds = report.duration_ms as f64 / 1000.0;
    println!("\n{} in {seconds:.1} s", report.title);
    println!("  tasks          {} of {} completed", summary.completed, summary.tasks);
    println!(
        "  killed drone   {}: its lease expired, {} task(s) went on under a higher token",
        name(record.killed_drone),
        summary.reassigned
    );
    println!("  false bids     {} refused: a capability nobody attested", summary.refused_bids);
    println!("  killed validator  {}: the committee went on", name(record.killed_validator));
    println!("  heights        {} decided", summary.heights);
    println!(
        "  certificates   {} of {} verified with the trust root alone",
        summary.certificates_verified, summary.certificates
    );
    println!("  fingerprint    {}", report.fingerprint);
    if stage.requirement_added {
        println!("  note           every tenth task was made to require a thermal camera");
    }
    println!("  report         {}", stage.folder.join("report.html").display());
    println!(
        "  audit          quorate audit verify {} --trust {}",
        stage.folder.join("certificates").display(),
        stage.folder.join("genesis.toml").display()
    );
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// Unix milliseconds as RFC 3339 in UTC, to the second (days from civil, H. Hinnant).
fn rfc3339(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
