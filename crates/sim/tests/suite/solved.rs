//! Tests of markets that take solutions: the solutions that are proposed, refused and taken.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::rc::Rc;

use quorate_sim::adversary::Manner;
use quorate_sim::scenario::Scenario;
use quorate_sim::{Line, Plan, SimReport, Simulation};

/// A swarm whose agents ask the same price, so that a solution can be better by the tie rule alone.
/// The last agent proposes false solutions.
const ALIKE: &str = r#"
name = "Solutions in a calm market"
heights = 30
heal_at = "8s"
patience = "60s"

[[validators]]
name = "site"
count = 4

[[agents]]
name = "maker"
count = 3
slots = 2
price = 5
work = "300ms"
solves = true

[[agents]]
name = "liar"
price = 5
work = "300ms"
manner = "false-solver"

[market]
mechanism = "gap"
window = "300ms"
solve = "500ms"

[[tasks]]
count = 4
from = "1s"

[[tasks]]
count = 4
from = "1s"

[[tasks]]
count = 4
from = "1s"

[[tasks]]
count = 4
from = "1s"

[links]
regions = ["plant"]
round_trip_ms = [[6]]
"#;

fn plan() -> Plan {
    Scenario::parse(ALIKE).unwrap().plan(5, None).unwrap()
}

/// Runs a plan; returns the report and the texts of all that its clients learned.
fn run(plan: Plan) -> (SimReport, String) {
    let learned = Rc::new(RefCell::new(String::new()));
    let lines = Rc::clone(&learned);
    let trace = move |line: &Line| {
        if line.what == "learned" {
            lines.borrow_mut().push_str(&line.text);
        }
    };
    let report = Simulation::new(plan).unwrap().traced(trace).run();
    assert!(report.holds(), "{:?}", report.violations);
    (report, learned.take())
}

fn count(report: &SimReport, what: &str) -> u64 {
    report.outcomes.get(what).copied().unwrap_or(0)
}

#[test]
fn m31_better_solutions_are_taken_in_open_and_sealed_markets() {
    for reveal_ms in [None, Some(300)] {
        let mut plan = plan();
        plan.market.reveal_ms = reveal_ms;
        let (report, _) = run(plan);
        assert!(
            count(&report, "bettered") > 0,
            "{reveal_ms:?}: {:?}",
            report.outcomes
        );
        assert!(report.completed_tasks > 10, "{}", report.completed_tasks);
    }
}

/// The reason `withdraw_late` is the one of M-5: in the last part of a window no bid is withdrawn.
#[test]
fn m29_what_does_not_hold_is_refused_for_every_reason_there_is() {
    let (report, learned) = run(plan());
    let reasons = [
        "late_bid",
        "bid_malformed",
        "no_bid",
        "withdraw_late",
        "not_solving",
        "not_better",
        "over_budget",
    ];
    let missing = reasons
        .into_iter()
        .filter(|reason| !learned.contains(reason));
    let missing: Vec<&str> = missing.collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(count(&report, "canceled") > 0, "{:?}", report.outcomes);
    assert!(report.faults.contains_key(Manner::FalseSolver.name()));
}

#[test]
fn m28_without_solutions_the_market_clears_as_well() {
    let mut plan = plan();
    plan.agents
        .iter_mut()
        .for_each(|agent| agent.solves = false);
    plan.agents
        .iter_mut()
        .for_each(|agent| agent.manner = Manner::Honest);
    let (report, _) = run(plan);
    assert_eq!(
        (count(&report, "solved"), count(&report, "bettered")),
        (0, 0)
    );
    assert_eq!(report.completed_tasks, 16);
}
