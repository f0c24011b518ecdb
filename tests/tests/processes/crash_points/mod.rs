//! Tests that a crash of any one of four validators, at each named point of its write path, loses
//! no committed assignment and never yields two certificates for one pair of task and fencing
//! token (N-21, L-16).
//!
//! Four validators, two agents and a requester each have a process. A run kills a validator and
//! starts it again so that it aborts at a crash point. The other three go on, which takes the vote
//! of each of them. Then the validator is started once more and has to catch up. Its vote is needed
//! in the next run, which takes away another validator. By default there are twenty runs, with each
//! point at least once; with `QUORATE_SOAK=1` there are a hundred, with each point at each of the
//! four.

mod committee;
mod traffic;

use std::collections::BTreeSet;

use quorate_store::CRASH_POINTS;
use quorate_tests::certificates::{assignees, audit, text};
use quorate_tests::host::Host;
use quorate_tests::{Checked, wait};

use committee::{Committee, MEMBERS};
use traffic::Traffic;

/// The crash points that a validator does not pass, with the reasons.
const OUT_OF_REACH: [(&str, &str); 2] = [
    (
        "meta.write.before",
        "a validator keeps no named values, so it writes none",
    ),
    ("meta.write.after", "as for meta.write.before"),
];

/// The number of runs with one swarm. A longer history makes every start slower and shows nothing
/// new.
const RUNS_OF_A_SWARM: usize = 20;

/// One crash: a validator aborts at a point.
struct Run {
    victim: usize,
    point: &'static str,
    /// The number of times that the validator passes the point until it aborts, from 1.
    count: usize,
}

#[test]
fn a_kill_at_any_point_loses_no_assignment_and_doubles_none() -> Checked {
    let runs = runs(if soaking() { 100 } else { RUNS_OF_A_SWARM });
    let start = wait::now();
    for (number, runs) in runs.chunks(RUNS_OF_A_SWARM).enumerate() {
        let folder = tempfile::tempdir()?;
        let result = live_through(folder.path(), runs);
        if let Err(error) = result {
            let kept = folder.keep();
            return Err(format!("{error}\nswarm {number} is kept in {}", kept.display()).into());
        }
    }
    eprintln!("{} runs in {:.1?}", runs.len(), start.elapsed());
    Ok(())
}

#[test]
fn every_point_is_reached_or_says_why_not() {
    let points: BTreeSet<&str> = CRASH_POINTS.iter().copied().collect();
    for (point, _) in OUT_OF_REACH {
        assert!(points.contains(point), "{point} is not a crash point");
    }
    for count in [RUNS_OF_A_SWARM, 100] {
        let reached: BTreeSet<&str> = runs(count).iter().map(|run| run.point).collect();
        assert_eq!(
            reached.len() + OUT_OF_REACH.len(),
            points.len(),
            "{count} runs"
        );
    }
    let pairs: BTreeSet<_> = runs(100)
        .iter()
        .map(|run| (run.point, run.victim))
        .collect();
    assert_eq!(pairs.len(), (points.len() - OUT_OF_REACH.len()) * MEMBERS);
}

fn soaking() -> bool {
    std::env::var("QUORATE_SOAK").is_ok_and(|value| value == "1")
}

/// Plans `count` runs. Points and victims take turns. No victim comes twice in a row, so that the
/// vote of the last victim is needed while the next one is away. The number of points and that of
/// members have no common divisor, so in the end each point meets each member.
fn runs(count: usize) -> Vec<Run> {
    let out = |point: &str| OUT_OF_REACH.iter().any(|(out, _)| *out == point);
    let points: Vec<&str> = CRASH_POINTS
        .iter()
        .copied()
        .filter(|point| !out(point))
        .collect();
    let run = |number: usize| Run {
        victim: number % MEMBERS,
        point: points[number % points.len()],
        count: 1 + number % 7,
    };
    (0..count).map(run).collect()
}

/// Makes a swarm and does all runs with it, while a requester has tasks done.
fn live_through(folder: &std::path::Path, runs: &[Run]) -> Checked {
    let host = Host::new(folder)?;
    let mut committee = Committee::found(&host)?;
    let traffic = Traffic::start(&host)?;
    committee.wait_for_heights(None, 2)?;
    for run in runs {
        let start = wait::now();
        let Run {
            victim,
            point,
            count,
        } = run;
        committee.crash(*victim, &format!("{point}:{count}"))?;
        committee.wait_for_heights(Some(*victim), 2)?;
        committee.restart(*victim)?;
        traffic.expect_well()?;
        eprintln!("{point}:{count} at {victim}, {:.1?}", start.elapsed());
    }
    committee.prove_that_it_votes(runs.last().map_or(0, |run| run.victim))?;
    let tasks = traffic.finish()?;
    check(&host, &mut committee, &tasks)
}

/// Audits the certificates of the requester and of the agents with the genesis alone, and compares
/// them with the blocks that were committed.
fn check(host: &Host, committee: &mut Committee, tasks: &BTreeSet<String>) -> Checked {
    let certified = audit(host, &host.path("certificates"), &host.path("genesis.toml"))?;
    let assigned = assignees(&certified)?;
    let completed: Result<BTreeSet<String>, _> = certified
        .iter()
        .filter(|summary| summary["operation"] == "complete")
        .map(|summary| text(&summary["task"]))
        .collect();
    let assigned: BTreeSet<_> = assigned.keys().map(|(task, _)| task.clone()).collect();
    assert_eq!(assigned, *tasks, "each task must be certified as assigned");
    assert_eq!(
        completed?, *tasks,
        "each task must be certified as completed"
    );
    let blocks = committee.blocks()?;
    for summary in &certified {
        let height = summary["height"]
            .as_u64()
            .ok_or("a certificate without a height")?;
        let (block, kept) = (text(&summary["block"])?, blocks.get(&height));
        assert!(
            kept.is_some_and(|kept| block.starts_with(kept)),
            "{height}: {block}, {kept:?}"
        );
    }
    eprintln!(
        "{} tasks, {} certificates, {} heights",
        tasks.len(),
        certified.len(),
        blocks.len()
    );
    Ok(())
}
