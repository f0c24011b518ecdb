//! Every liar lies, and the swarm bears it: rules hold, tasks are done, and the run repeats.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::rc::Rc;

use quorate_sim::adversary::LieKind;
use quorate_sim::plan::{Fault, Manner, TimedFault};
use quorate_sim::{Line, Plan, Profile, Report, Simulation, Size};

/// Tasks of a run.
const TASKS: usize = 8;
/// Heights of a run, at least.
const HEIGHTS: u64 = 12;
/// Runs take a third of the time that the profile gives them.
const FASTER: u64 = 3;

/// A calm run.
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

fn with_liar(lie: LieKind) -> Plan {
    let mut plan = plan(lie as u64);
    plan.heal_at /= FASTER;
    plan.validators[1].lie = Some(lie);
    if lie == LieKind::FalsePolka {
        // While one of the others is not heard, blocks need more than one round.
        let fault = Fault::Mute {
            validators: vec![0],
        };
        plan.faults.push(TimedFault {
            at: 500,
            lasts: 2_500,
            fault,
        });
    }
    plan
}

fn with_manner(manner: Manner) -> Plan {
    let mut plan = plan(100 + manner as u64);
    plan.agents[1].manner = manner;
    // Some tasks are beyond it, and its lease ends within the run.
    plan.agents[1].labels = vec!["air".to_owned()];
    plan.tasks[0].requires = vec!["sea".to_owned()];
    plan.market.lease_ms = 800;
    if manner == Manner::FalseSolver {
        plan.market.mechanism = "gap".parse().unwrap();
        plan.market.solve_ms = Some(400);
    }
    plan
}

fn run(plan: Plan) -> Report {
    Simulation::new(plan).unwrap().run()
}

/// Runs it twice: the lie was told, nothing broke, everything was done, and both are one run.
fn bears(plan: Plan, lie: &'static str) -> Result<Report, String> {
    let report = run(plan.clone());
    let told = report.faults.get(lie).copied().unwrap_or(0);
    let completed = report.completed_tasks;
    if !report.holds() {
        Err(format!("{:?}", report.violations))
    } else if told == 0 {
        Err("it was never told".to_owned())
    } else if completed + kept(lie) < TASKS as u64 {
        Err(format!("{completed} tasks completed"))
    } else if run(plan).digest != report.digest {
        Err("the same plan gives another run".to_owned())
    } else {
        Ok(report)
    }
}

/// Tasks that an agent may win and keep, never done: it is heard from.
fn kept(lie: &str) -> u64 {
    if lie == Manner::BidSpammer.name() {
        3
    } else {
        0
    }
}

/// Whether a lie convicts who tells it, in a calm run of this length; `None` where chance decides.
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

/// What an agent of this manner is refused with, where an honest one never is.
fn refusal(manner: Manner) -> &'static str {
    match manner {
        Manner::CapabilityLiar => "capability_not_attested",
        Manner::WinAndAbandon => "stale_token",
        Manner::BidSpammer | Manner::Forger => "unknown_task",
        Manner::FalseSolver => "not_better",
        Manner::Honest => "nothing",
    }
}

/// Reasons for which the liar's operations were refused, as it learned them.
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
        .into_iter()
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
