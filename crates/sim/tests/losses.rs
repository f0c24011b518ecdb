//! Disks that lose what they had made durable: who forgot what it said stays silent until it
//! cannot contradict itself; the swarm goes on where the others are a quorum, and waits where they
//! are not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::rc::Rc;

use quorate_replica::Standing;
use quorate_sim::plan::{Fault, TimedFault};
use quorate_sim::{Line, Plan, Profile, Scenario, Simulation, Size};

/// When disks lose what they held.
const LOST_MS: u64 = 3_000;

/// A calm run of so many validators in which these faults happen together.
fn plan(validators: usize, faults: impl IntoIterator<Item = Fault>) -> Plan {
    let size = Size {
        validators,
        tasks: 8,
        heights: 20,
        ..Size::default()
    };
    let mut plan = Profile::Calm.plan(5, size);
    let timed = |fault| TimedFault {
        at: LOST_MS,
        lasts: 500,
        fault,
    };
    plan.faults = faults.into_iter().map(timed).collect();
    plan.patience = 20_000;
    plan
}

fn wiped(validators: usize) -> Plan {
    plan(
        validators,
        [0, 1].map(|validator| Fault::Wipe { validator }),
    )
}

fn until(simulation: &mut Simulation, time_ms: u64) {
    while simulation.world().now() < time_ms && simulation.violations().is_empty() {
        assert!(simulation.step());
    }
}

#[test]
fn two_wiped_validators_of_seven_come_back() {
    let mut simulation = Simulation::new(wiped(7)).unwrap();
    until(&mut simulation, LOST_MS + 5_000);
    for host in simulation.world().validators() {
        assert_eq!(
            host.replica().unwrap().standing(),
            Standing::Votes,
            "{}",
            host.index()
        );
    }
    let report = simulation.run();
    assert!(report.holds(), "{:?}", report.violations);
}

#[test]
fn the_example_with_two_wiped_disks_holds() {
    let text = include_str!("../../../examples/sim/two-wiped.toml");
    let plan = Scenario::parse(text).unwrap().plan(3, None).unwrap();
    let report = Simulation::new(plan).unwrap().run();
    assert!(
        report.holds() && report.faults["wipe"] == 2,
        "{:?}",
        report.violations
    );
}

#[test]
fn two_wiped_validators_of_four_wait_and_say_so() {
    let mut simulation = Simulation::new(wiped(4)).unwrap();
    until(&mut simulation, LOST_MS + 2_000);
    let height = simulation.height();
    until(&mut simulation, LOST_MS + 20_000);
    assert!(
        simulation.violations().is_empty(),
        "{:?}",
        simulation.violations()
    );
    assert_eq!(
        simulation.height(),
        height,
        "a block was decided by half of the power"
    );
    let standings = simulation.world().validators().iter();
    let standings: Vec<_> = standings
        .map(|host| host.replica().unwrap().standing())
        .collect();
    let waits = Standing::Rejoins { heard: 2, total: 4 };
    assert_eq!(standings, [waits, waits, Standing::Votes, Standing::Votes]);
    let broken: Vec<u8> = simulation
        .run()
        .violations
        .iter()
        .map(|found| found.invariant)
        .collect();
    assert_eq!(
        broken,
        [10, 11],
        "what says that it goes on, and nothing else"
    );
}

#[test]
fn a_lost_log_costs_its_validator_a_height_and_nobody_else_anything() {
    for validator in 0..4 {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let found = Rc::clone(&lines);
        let plan = plan(4, [Fault::LogLost { validator }]);
        let simulation = Simulation::new(plan).unwrap();
        let is_found = |line: &Line| line.what == "unopened" && line.text.contains("log");
        let trace = move |line: &Line| {
            found
                .borrow_mut()
                .extend(is_found(line).then_some(line.at_ms))
        };
        let report = simulation.traced(trace).run();
        assert!(report.holds(), "{:?}", report.violations);
        assert_eq!(report.faults["log-lost"], 1);
        assert_eq!(
            lines.borrow().len(),
            1,
            "{validator} did not notice that its log was gone"
        );
    }
}
