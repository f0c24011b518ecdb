//! The end of the drone demonstration: audit, report and summary.

use std::process::ExitCode;

use anyhow::Result;
use quorate_drone::Track;

use super::Args;
use super::stage::Stage;
use crate::demo::audit::{self, Audit};
use crate::demo::record::Record;
use crate::report::{Agent, Place, Report, Stop, Summary, Task, TaskState};

pub(super) fn close(args: &Args, stage: &Stage, record: Record) -> Result<ExitCode> {
    // The audit reads what is on the disk, not what this process remembers.
    let audit = Audit::of(&stage.setting)?;
    let report = report(stage, &record, &audit);
    audit::write_report(&stage.setting, &report)?;

    let faults = faults(args, stage, &record, &audit, &report.summary);
    if args.json {
        audit::print_json(&stage.setting, &report, &report.summary, &faults)?;
    } else {
        print_summary(stage, &record, &report);
    }

    Ok(audit::conclude(&faults))
}

/// Returns what should not have happened. Empty for a good run.
fn faults(
    args: &Args,
    stage: &Stage,
    record: &Record,
    audit: &Audit,
    summary: &Summary,
) -> Vec<String> {
    let mut faults = audit.faults(record, summary.completed);

    let mut expect = |holds: bool, text: &str| {
        if !holds {
            faults.push(text.to_owned());
        }
    };

    expect(
        summary.completed == summary.tasks,
        "not every task was completed",
    );

    if !args.no_faults {
        // A small swarm is spared: see `Play::kill_drone` and `Play::kill_validator`.
        let drones = stage.setting.agents.len();
        let many = drones > 2;
        expect(
            !many || record.killed_agent.is_some(),
            "no drone was killed in flight",
        );
        expect(!many || summary.reassigned > 0, "nothing was reassigned");
        expect(
            drones < 2 || summary.refused_bids > 0,
            "no false bid was refused",
        );

        let committee = stage.setting.validators.len() > 3;
        expect(
            !committee || record.killed_validator.is_some(),
            "no validator was killed",
        );
    }

    faults
}

fn report(stage: &Stage, record: &Record, audit: &Audit) -> Report {
    let tasks = tasks(stage, record);
    let completed = tasks
        .iter()
        .filter(|task| task.state == TaskState::Completed)
        .count() as u64;

    // A task with a second assignment went to market again.
    let reassigned = tasks
        .iter()
        .filter(|task| task.assignments.len() > 1)
        .count() as u64;

    let genesis = &stage.setting.genesis;
    Report {
        title: format!("Drone swarm: {}", stage.mission.name),
        swarm_id: genesis.swarm_id().to_string(),
        fingerprint: audit::fingerprint(&stage.setting),
        started: audit::rfc3339(genesis.created),
        duration_ms: record.now(),
        certificate_dir: "certificates".to_owned(),
        trust_root: "genesis.toml".to_owned(),
        summary: Summary {
            tasks: tasks.len() as u64,
            completed,
            reassigned,
            refused_bids: record.refused_for(quorate_types::Reason::CapabilityNotAttested),
            killed_drones: Some(u64::from(record.killed_agent.is_some())),
            killed_validators: u64::from(record.killed_validator.is_some()),
            // Heights count from 1, so the greatest is also their number.
            heights: record.heights.keys().next_back().copied().unwrap_or(0),
            certificates: audit.files,
            certificates_verified: audit.verified,
            auctions: audit.auctions,
            auctions_replayed: audit.replayed,
        },
        validators: audit::validators(&stage.setting, record),
        agents: agents(stage, record, &tasks),
        tasks,
        heights: record.heights.values().cloned().collect(),
        refusals: record.refusals.clone(),
        trading: None,
    }
}

fn tasks(stage: &Stage, record: &Record) -> Vec<Task> {
    let pairs = stage.mission.tasks.iter().zip(&record.tasks);

    let task = |(task, facts): (&quorate_drone::mission::MissionTask, &_)| {
        let facts: &crate::demo::record::TaskRecord = facts;
        let point = task.task.visit.point;
        let mut requires: Vec<_> = task.requires.iter().map(ToString::to_string).collect();
        if task.task.demand_g > 0 {
            requires.push(format!("payload_g ≥ {}", task.task.demand_g));
        }

        Task {
            id: task.task.id.clone(),
            place: Some(Place {
                lat: point.lat,
                lng: point.lng,
            }),
            requires,
            state: facts.final_state(),
            assignments: facts.assignments.clone(),
        }
    };

    pairs.map(task).collect()
}

fn agents(stage: &Stage, record: &Record, tasks: &[Task]) -> Vec<Agent> {
    let drones = stage.setting.agents.iter().zip(&stage.drone_files);

    let agent = |(member, file): (&crate::demo::setting::Member, &_)| {
        let file: &crate::demo::worker::DroneFile = file;
        let path = path(&member.name, record, tasks);

        Agent {
            name: member.name.clone(),
            key: member.key.to_string(),
            home: Some(Place {
                lat: file.home.lat,
                lng: file.home.lng,
            }),
            killed_at_ms: record
                .killed_agent
                .filter(|(key, _)| *key == member.key)
                .map(|k| k.1),
            liar: file.claims.is_some(),
            tasks_done: path.iter().filter(|stop| stop.task.is_some()).count() as u64,
            path,
        }
    };

    drones.map(agent).collect()
}

/// Returns the places where a drone was, from the tracks that it reported with its completions. The
/// points of a track are spread evenly over the time from award to completion.
fn path(drone: &str, record: &Record, tasks: &[Task]) -> Vec<Stop> {
    let mut stops = Vec::new();
    for (task, facts) in tasks.iter().zip(&record.tasks) {
        // Only the last assignee of a task can have reported its completion.
        let last = task.assignments.last().filter(|a| a.agent == drone);
        let (Some(award), Some(detail)) = (last, &facts.detail) else {
            continue;
        };

        // A detail that is not a track tells no places.
        let Ok(track) = serde_json::from_slice::<Track>(detail) else {
            continue;
        };

        let ended = award.ended_at_ms.unwrap_or(award.at_ms);
        let count = track.path.len().max(1) as u64;
        for (at, (lat, lng, _)) in track.path.iter().enumerate() {
            let place = Place {
                lat: *lat,
                lng: *lng,
            };
            let t_ms = award.at_ms + ended.saturating_sub(award.at_ms) * at as u64 / count;
            stops.push(Stop {
                place,
                t_ms,
                task: None,
            });
        }

        let Some(place) = task.place else { continue };
        stops.push(Stop {
            place,
            t_ms: ended,
            task: Some(task.id.clone()),
        });
    }

    stops.sort_by_key(|stop| stop.t_ms);
    stops
}

fn print_summary(stage: &Stage, record: &Record, report: &Report) {
    let summary = &report.summary;
    let name = |victim: Option<(quorate_types::PublicKey, u64)>| {
        victim.map_or_else(|| "nobody".to_owned(), |(key, _)| record.name(&key))
    };

    let seconds = report.duration_ms as f64 / 1000.0;
    println!("\n{} in {seconds:.1} s", report.title);

    println!(
        "  tasks          {} of {} completed",
        summary.completed, summary.tasks
    );
    println!(
        "  killed drone   {}: its lease expired, {} task(s) went on under a higher token",
        name(record.killed_agent),
        summary.reassigned
    );
    println!(
        "  false bids     {} refused: a capability that nobody attested",
        summary.refused_bids
    );
    println!(
        "  killed validator  {}: the committee went on",
        name(record.killed_validator)
    );

    if stage.requirement_added {
        println!("  note           every tenth task was made to require a thermal camera");
    }
    audit::print_end(&stage.setting, report);
}
