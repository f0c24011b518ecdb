//! The end of the drone demonstration: audit, report and summary.

use std::process::ExitCode;

use anyhow::Result;
use quorate_drone::mission::MissionTask;
use quorate_drone::{Point, Track};
use quorate_types::{PublicKey, Reason};

use super::args::Args;
use super::stage::DroneSetup;
use crate::audit::{self, Audit};
use crate::record::Record;
use crate::report::{Agent, DemoReport, GeoPoint, Stop, Summary, Task, TaskState};
use crate::setting::Member;
use crate::worker::DroneFile;

pub(super) fn close(args: &Args, stage: &DroneSetup, record: Record) -> Result<ExitCode> {
    // The audit reads what is on the disk, not what this process remembers.
    let audit = Audit::of(&stage.setting)?;
    let report = report(stage, &record, &audit);
    audit::write_report(&stage.setting, &report)?;

    let mut faults = audit.faults(&record, report.summary.completed);
    faults.extend(self::faults(args, stage, &record, &report.summary));

    if args.run.json {
        audit::print_json(&stage.setting, &report, &report.summary, &faults)?;
    } else {
        print_summary(stage, &record, &report);
    }

    Ok(audit::conclude(&faults))
}

/// Returns what should not have happened in the mission. Empty for a good run.
fn faults(args: &Args, stage: &DroneSetup, record: &Record, summary: &Summary) -> Vec<String> {
    let all_done = summary.completed == summary.tasks;
    let mut faults = audit::unmet(&[(all_done, "not every task was completed")]);
    if args.run.no_faults {
        return faults;
    }

    // A small swarm is spared: see `Play::kill_drone` and `Play::kill_validator`.
    let drones = stage.setting.agents.len();
    let few = drones <= 2;
    let small = stage.setting.validators.len() <= 3;

    faults.extend(audit::unmet(&[
        (
            few || record.killed_agent.is_some(),
            "no drone was killed in flight",
        ),
        (few || summary.reassigned > 0, "nothing was reassigned"),
        (
            drones < 2 || summary.refused_bids > 0,
            "no false bid was refused",
        ),
        (
            small || record.killed_validator.is_some(),
            "no validator was killed",
        ),
    ]));
    faults
}

fn report(stage: &DroneSetup, record: &Record, audit: &Audit) -> DemoReport {
    let tasks = tasks(stage, record);

    DemoReport {
        title: format!("Drone swarm: {}", stage.mission.name),
        summary: summary(&tasks, record, audit),
        agents: agents(stage, record, &tasks),
        refusals: record.refusals.clone(),
        ..audit.report(&stage.setting, record, tasks)
    }
}

fn summary(tasks: &[Task], record: &Record, audit: &Audit) -> Summary {
    let completed = tasks
        .iter()
        .filter(|task| task.state == TaskState::Completed);

    Summary {
        completed: completed.count() as u64,
        refused_bids: record.refused_for(Reason::CapabilityNotAttested),
        killed_drones: Some(u64::from(record.killed_agent.is_some())),
        ..audit.summary(record, tasks)
    }
}

fn tasks(stage: &DroneSetup, record: &Record) -> Vec<Task> {
    let pairs = stage.mission.tasks.iter().zip(&record.tasks);
    let tasks = pairs.map(|(task, facts)| Task {
        id: task.task.id.clone(),
        place: Some(geo_point(task.task.visit.point)),
        requires: requires(task),
        state: facts.final_state(),
        assignments: facts.assignments.clone(),
    });

    tasks.collect()
}

fn geo_point(point: Point) -> GeoPoint {
    GeoPoint {
        lat: point.lat,
        lng: point.lng,
    }
}

/// Returns the labels and amounts that a task requires, for a reader.
fn requires(task: &MissionTask) -> Vec<String> {
    let mut requires: Vec<_> = task.requires.iter().map(ToString::to_string).collect();
    let payload_g = task.task.demand_g;
    if payload_g > 0 {
        requires.push(format!("payload_g ≥ {payload_g}"));
    }

    requires
}

fn agents(stage: &DroneSetup, record: &Record, tasks: &[Task]) -> Vec<Agent> {
    let drones = stage.setting.agents.iter().zip(&stage.drone_files);
    let agents = drones.map(|(member, file)| {
        let path = path(&member.name, record, tasks);
        agent(member, file, record, path)
    });

    agents.collect()
}

fn agent(member: &Member, file: &DroneFile, record: &Record, path: Vec<Stop>) -> Agent {
    let done = path.iter().filter(|stop| stop.task.is_some());
    let killed = record.killed_agent.filter(|(key, _)| *key == member.key);

    Agent {
        name: member.name.clone(),
        key: member.key.to_string(),
        home: Some(geo_point(file.home)),
        killed_at_ms: killed.map(|(_, at)| at),
        liar: file.claims.is_some(),
        tasks_done: done.count() as u64,
        path,
    }
}

/// Returns the places where a drone was, from the tracks that it reported with its completions.
fn path(drone: &str, record: &Record, tasks: &[Task]) -> Vec<Stop> {
    let mut stops = Vec::new();
    for (task, facts) in tasks.iter().zip(&record.tasks) {
        // Only the last assignee of a task can have reported its completion.
        let last = task.assignments.last();
        let Some(award) = last.filter(|award| award.agent == drone) else {
            continue;
        };

        let Some(track) = facts.detail.as_deref().and_then(track) else {
            continue;
        };

        let ended = award.ended_at_ms.unwrap_or(award.at_ms);
        stops.extend(passed(&track, award.at_ms, ended));
        stops.extend(task.place.map(|place| Stop {
            place,
            t_ms: ended,
            task: Some(task.id.clone()),
        }));
    }

    stops.sort_by_key(|stop| stop.t_ms);
    stops
}

/// Returns the track that a detail tells; `None` if it is not a track.
fn track(detail: &[u8]) -> Option<Track> {
    serde_json::from_slice(detail).ok()
}

/// Returns the points of a track, spread evenly over the time from award to completion.
fn passed(track: &Track, awarded: u64, ended: u64) -> impl Iterator<Item = Stop> {
    let time = ended.saturating_sub(awarded);
    let count = track.path.len().max(1) as u64;

    track.path.iter().zip(0_u64..).map(move |(point, at)| {
        let (lat, lng, _) = *point;
        Stop {
            place: GeoPoint { lat, lng },
            t_ms: awarded + time * at / count,
            task: None,
        }
    })
}

fn print_summary(stage: &DroneSetup, record: &Record, report: &DemoReport) {
    let summary = &report.summary;
    let seconds = report.duration_ms as f64 / 1000.0;
    println!("\n{} in {seconds:.1} s", report.title);

    println!(
        "  tasks          {} of {} completed",
        summary.completed, summary.tasks
    );
    println!(
        "  killed drone   {}: its lease expired, {} task(s) went on under a higher token",
        victim(record, record.killed_agent),
        summary.reassigned
    );
    println!(
        "  false bids     {} refused: a capability that nobody attested",
        summary.refused_bids
    );
    println!(
        "  killed validator  {}: the committee went on",
        victim(record, record.killed_validator)
    );

    if stage.requirement_added {
        println!("  note           every tenth task was made to require a thermal camera");
    }
    audit::print_end(&stage.setting, report);
}

fn victim(record: &Record, killed: Option<(PublicKey, u64)>) -> String {
    killed.map_or_else(|| "nobody".to_owned(), |(key, _)| record.name(&key))
}
