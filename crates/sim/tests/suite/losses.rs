//! Tests of disks that lose data which was durable. A validator that forgot its statements stays
//! silent until it cannot contradict them. The swarm goes on if the others are a quorum, and waits
//! if they are not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::rc::Rc;

use quorate_replica::VotingStatus;
use quorate_sim::faults::{Fault, LogLost, TimedFault, Wipe};
use quorate_sim::{Line, Plan, Profile, Scenario, Simulation, Size};

/// The time at which disks lose their data, in milliseconds since the start.
const LOST_MS: u64 = 3_000;

/// The plan of a calm run of `validators` validators in which these faults happen together.
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

/// Two validators lose all of their data.
fn wiped(validators: usize) -> Plan {
    plan(
        validators,
        [0, 1].map(|validator| Fault::Wipe(Wipe { validator })),
    )
}

/// Runs the simulation until a time, or until an invariant is violated.
fn until(simulation: &mut Simulation, time_ms: u64) {
    while simulation.world().now() < time_ms && simulation.violations().is_empty() {
        assert!(simulation.step());
    }
}

/// N-29: five of seven answer, which is more than two thirds, so both validators vote again.
#[test]
fn two_wiped_validators_of_seven_come_back() {
    let mut simulation = Simulation::new(wiped(7)).unwrap();
    until(&mut simulation, LOST_MS + 5_000);
    for host in simulation.world().validators() {
        assert_eq!(
            host.replica().unwrap().standing(),
            VotingStatus::Votes,
            "{}",
            host.index()
        );
    }
    let report = simulation.run();
    assert!(report.holds(), "{:?}", report.violations);
}

#[test]
fn the_example_with_two_wiped_disks_holds() {
    let text = include_str!("../../../../examples/sim/two-wiped.toml");
    let plan = Scenario::parse(text).unwrap().plan(3, None).unwrap();
    let report = Simulation::new(plan).unwrap().run();
    assert!(
        report.holds() && report.faults["wipe"] == 2,
        "{:?}",
        report.violations
    );
}

/// N-29: two of four answer, which is not enough, so the wiped validators go on waiting.
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
        "half of the power must not decide a block"
    );
    let standings = simulation.world().validators().iter();
    let standings: Vec<_> = standings
        .map(|host| host.replica().unwrap().standing())
        .collect();
    let waits = VotingStatus::Rejoins { heard: 2, total: 4 };
    assert_eq!(
        standings,
        [waits, waits, VotingStatus::Votes, VotingStatus::Votes]
    );
    let broken: Vec<u8> = simulation
        .run()
        .violations
        .iter()
        .map(|found| found.invariant)
        .collect();
    assert_eq!(
        broken,
        [10, 11],
        "only the invariants on progress must be violated"
    );
}

/// The validator starts, reports that its log is gone, and no invariant is violated.
#[test]
fn a_lost_log_costs_its_validator_a_height_and_nobody_else_anything() {
    for validator in 0..4 {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let found = Rc::clone(&lines);
        let plan = plan(4, [Fault::LogLost(LogLost { validator })]);
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
            "validator {validator} must notice once that its log is gone"
        );
    }
}
