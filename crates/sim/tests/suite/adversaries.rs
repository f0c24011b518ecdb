//! Tests of liars: each of them lies, yet the invariants hold, the tasks are done, and the same
//! plan gives the same run again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::rc::Rc;

use quorate_sim::adversary::{LieKind, Manner};
use quorate_sim::faults::{Mute, TimedFault};
use quorate_sim::{Line, Plan, Profile, SimReport, Simulation, Size};

/// The number of tasks of a run.
const TASKS: usize = 8;
/// The least number of heights of a run.
const HEIGHTS: u64 = 12;
/// The factor by which a run is shorter than its profile.
const FASTER: u64 = 3;

/// The plan of a calm run.
fn plan(seed: u64) -> Plan {
    let size = Size {
        tasks: TASKS,
        heights: HEIGHTS,
        ..Size::default()
    };
    let mut plan = Profile::Calm.plan(seed, size);
    plan.tasks.iter_mut().for_each(|task| task.at /= FASTER);
    plan
}

/// A calm run in which validator 1 tells this lie.
fn with_liar(lie: LieKind) -> Plan {
    let mut plan = plan(lie as u64);
    plan.heal_at /= FASTER;
    plan.validators[1].lie = Some(lie);
    if lie == LieKind::FalsePolka {
        // A false polka needs a second round. There is one if another validator is not heard.
        let mute = Mute {
            validators: vec![0],
        };
        plan.faults.push(TimedFault {
            at: 500,
            lasts: 2_500,
            fault: mute.into(),
        });
    }
    plan
}

/// A calm run in which agent 1 behaves in this manner.
fn with_manner(manner: Manner) -> Plan {
    let mut plan = plan(100 + manner as u64);
    plan.agents[1].manner = manner;
    // One task requires a label that the agent does not have, and a lease ends within the run.
    plan.agents[1].labels = vec!["air".to_owned()];
    plan.tasks[0].requires = vec!["sea".to_owned()];
    plan.market.lease_ms = 800;
    if manner == Manner::FalseSolver {
        plan.market.mechanism = "gap".parse().unwrap();
        plan.market.solve_ms = Some(400);
    }
    plan
}

fn run(plan: Plan) -> SimReport {
    Simulation::new(plan).unwrap().run()
}

/// Runs a plan twice. Returns an error unless the lie was told, every invariant held, the tasks
/// were done, and both runs have the same digest.
fn bears(plan: Plan, lie: &'static str) -> Result<SimReport, String> {
    let report = run(plan.clone());
    let told = report.faults.get(lie).copied().unwrap_or(0);
    let completed = report.completed_tasks;
    if !report.holds() {
        Err(format!("{:?}", report.violations))
    } else if told == 0 {
        Err("the lie was never told".to_owned())
    } else if completed + kept(lie) < TASKS as u64 {
        Err(format!("{completed} tasks completed"))
    } else if run(plan).digest != report.digest {
        Err("the same plan gives another run".to_owned())
    } else {
        Ok(report)
    }
}

/// The number of tasks that the agent may win and never do: no lease of it lapses, since it is
/// heard from.
fn kept(lie: &str) -> u64 {
    if lie == Manner::BidSpammer.name() {
        3
    } else {
        0
    }
}

/// Whether a lie convicts the validator that tells it, in a calm run of this length; `None` if
/// chance decides. N-24: conflicts and bad blocks convict, and nothing else.
fn convicts(lie: LieKind) -> Option<bool> {
    match lie {
        LieKind::Twin
        | LieKind::VoteEquivocator
        | LieKind::ProposalEquivocator
        | LieKind::BadBlock
        | LieKind::ForgedBid => Some(true),
        LieKind::Mutator => None,
        _ => Some(false),
    }
}

#[test]
fn the_swarm_bears_every_lie_of_a_validator() {
    let mut broken = Vec::new();
    for lie in LieKind::ALL {
        let name = lie.name();
        match bears(with_liar(*lie), name) {
            Err(how) => broken.push(format!("{name}: {how}")),
            Ok(report) => {
                let convicted = report.coverage.count(name, "convicted");
                if convicts(*lie).is_some_and(|expected| expected != (convicted > 0)) {
                    broken.push(format!("{name}: convicted {convicted} times"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A reason for which an agent of this manner is refused and an honest one never is. The codes are
/// those of M-9 (400), L-16 (500), M-4 (204) and M-29 (311).
fn refusal(manner: Manner) -> &'static str {
    match manner {
        Manner::CapabilityLiar => "capability_not_attested",
        Manner::WinAndAbandon => "stale_token",
        Manner::BidSpammer | Manner::Forger => "unknown_task",
        Manner::FalseSolver => "not_better",
        Manner::Honest => "nothing",
    }
}

/// The texts of all that the lying agent learned, with the reasons of its refusals.
fn refusals(plan: Plan) -> String {
    let learned = Rc::new(RefCell::new(String::new()));
    let lines = Rc::clone(&learned);
    let simulation = Simulation::new(plan).unwrap();
    let trace = move |line: &Line| {
        if line.who == "c1" && line.what == "learned" {
            lines.borrow_mut().push_str(&line.text);
        }
    };
    simulation.traced(trace).run();
    learned.take()
}

#[test]
fn the_swarm_bears_every_manner_of_an_agent() {
    let mut broken = Vec::new();
    for manner in Manner::ALL
        .iter()
        .copied()
        .filter(|manner| *manner != Manner::Honest)
    {
        let name = manner.name();
        if let Err(how) = bears(with_manner(manner), name) {
            broken.push(format!("{name}: {how}"));
        }
        if !refusals(with_manner(manner)).contains(refusal(manner)) {
            broken.push(format!("{name}: never refused with {}", refusal(manner)));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
