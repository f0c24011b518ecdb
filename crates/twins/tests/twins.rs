//! Tests with Twins: every small scenario, some larger ones by dice, and a committee with too many
//! twins, in which the violation must be found.
//!
//! With `QUORATE_SOAK=1` the spaces that take an hour are run too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate_twins::{Leaders, Precommits, Runner, Scenarios, Space, TwinsReport, Withheld};

/// Four nodes, one of them with a twin; two groups and two rounds.
const FOUR: Space = Space {
    nodes: 4,
    twins: 1,
    groups: 2,
    rounds: 2,
    leaders: Leaders::Any,
    precommits: Precommits::AlongOrNowhere,
};

/// Seven nodes, two of them with twins; three groups and six rounds.
const SEVEN: Space = Space {
    nodes: 7,
    twins: 2,
    groups: 3,
    rounds: 6,
    leaders: Leaders::Any,
    precommits: Precommits::Any,
};

fn is_soak() -> bool {
    std::env::var_os("QUORATE_SOAK").is_some()
}

fn run_all(space: &Space, withheld: Withheld) -> TwinsReport {
    let mut runner = Runner::new(space.nodes, space.twins).unwrap();
    let mut report = TwinsReport::new(space.nodes, space.twins);
    let run = |schedule: &[_]| {
        report.add(report.scenarios, runner.run(schedule, withheld));
        report.holds()
    };
    space.visit(run).unwrap();
    println!("{space:?}, {withheld:?}: {report:?}");
    report
}

fn run(scenarios: &Scenarios, withheld: Withheld) -> TwinsReport {
    let report = scenarios.run(withheld, |_| true).unwrap();
    println!("{withheld:?}: {report:?}");
    report
}

/// Checks that all scenarios of the space were run, that they held, and that some of them reached
/// decisions, locks, re-proposals and conflicts. N-24: a conflict convicts.
fn assert_exhausted(space: &Space, report: &TwinsReport) {
    assert_eq!(report.violations, []);
    assert_eq!(report.scenarios as u128, space.canonical().unwrap());
    let reached = [
        report.decided,
        report.locked,
        report.reproposed,
        report.conflicts,
    ];
    assert!(reached.iter().all(|count| *count > 0), "{report:?}");
    assert!(report.convicted >= report.conflicts);
}

#[test]
fn every_scenario_of_two_rounds_holds() {
    assert_exhausted(&FOUR, &run_all(&FOUR, Withheld::Lost));
}

#[test]
fn scenarios_by_dice_hold() {
    let many = if is_soak() { 100 } else { 1 };
    let four = Space {
        rounds: 5,
        groups: 3,
        precommits: Precommits::Any,
        ..FOUR
    };
    for (space, count) in [(four, 80), (SEVEN, 8)] {
        let scenarios = space.sample(7, count * many).unwrap();
        for withheld in [Withheld::Lost, Withheld::Late] {
            assert_eq!(run(&scenarios, withheld).violations, []);
        }
    }
}

/// W-10: a body can be asked for by its id. Once a node holds 32 bodies of a height, it takes those
/// of later rounds only on request. A request that waited until older ones were repeated came too
/// late in every round, for hours.
#[test]
fn the_body_of_each_round_is_asked_for_in_time() {
    let mut scenarios = SEVEN.sample(7, 36).unwrap();
    scenarios.scenarios.drain(..35);
    assert_eq!(run(&scenarios, Withheld::Late).violations, []);
}

#[test]
fn the_long_way_every_scenario_of_more_rounds_holds() {
    if !is_soak() {
        return;
    }
    let late = FOUR;
    assert_exhausted(&late, &run_all(&late, Withheld::Late));
    let three_groups = Space { groups: 3, ..FOUR };
    assert_exhausted(&three_groups, &run_all(&three_groups, Withheld::Lost));
    let twin_leads = Space {
        rounds: 4,
        leaders: Leaders::Twins,
        ..FOUR
    };
    assert_exhausted(&twin_leads, &run_all(&twin_leads, Withheld::Lost));
    let three_rounds = Space { rounds: 3, ..FOUR };
    assert_exhausted(&three_rounds, &run_all(&three_rounds, Withheld::Lost));
}

/// Two twins of four nodes are over the threshold: one round is enough to split the other nodes.
#[test]
fn two_twins_of_four_break_agreement() {
    let space = Space {
        twins: 2,
        rounds: 1,
        leaders: Leaders::Twins,
        precommits: Precommits::Along,
        ..FOUR
    };
    let mut runner = Runner::new(space.nodes, space.twins).unwrap();
    let mut report = TwinsReport::new(space.nodes, space.twins);
    let run = |schedule: &[_]| {
        report.add(report.scenarios, runner.run(schedule, Withheld::Lost));
        true
    };
    space.visit(run).unwrap();
    println!("{report:?}");
    assert!(!report.tolerated);
    assert!(
        report
            .violations
            .iter()
            .any(|violation| violation.how.contains("commit"))
    );
    let split = r#"{"num_nodes": 4, "num_twins": 2, "partitions": 2, "rounds": 1, "scenarios":
        [[{"leader": 0, "partitions": [[0, 1, 2], [3, 4, 5]]}]]}"#;
    let report = Scenarios::parse(split)
        .unwrap()
        .run(Withheld::Lost, |_| true)
        .unwrap();
    assert_eq!(report.violations.len(), 1, "{report:?}");
}

/// Compares the number of all scenarios of a space with the number of those that differ in more
/// than names. The second is computed by a formula; if it is small, it is counted by enumeration
/// too.
#[test]
fn renaming_leaves_out_what_differs_in_names_only() {
    let along = Space {
        precommits: Precommits::Along,
        ..FOUR
    };
    let twin = Space {
        leaders: Leaders::Twins,
        ..FOUR
    };
    let table = [
        (
            "one round, 2 groups",
            Space {
                rounds: 1,
                ..along.clone()
            },
        ),
        ("2 rounds, 2 groups", along.clone()),
        (
            "3 rounds, 2 groups",
            Space {
                rounds: 3,
                ..along.clone()
            },
        ),
        (
            "4 rounds, 2 groups",
            Space {
                rounds: 4,
                ..along.clone()
            },
        ),
        (
            "4 rounds, 3 groups",
            Space {
                rounds: 4,
                groups: 3,
                ..along
            },
        ),
        ("2 rounds, 2 groups, precommits", FOUR),
        (
            "2 rounds, 3 groups, precommits",
            Space { groups: 3, ..FOUR },
        ),
        (
            "3 rounds, 2 groups, precommits",
            Space { rounds: 3, ..FOUR },
        ),
        (
            "4 rounds, 2 groups, precommits",
            Space { rounds: 4, ..FOUR },
        ),
        (
            "3 rounds, 2 groups, precommits, the twin leads",
            Space {
                rounds: 3,
                ..twin.clone()
            },
        ),
        (
            "4 rounds, 2 groups, precommits, the twin leads",
            Space { rounds: 4, ..twin },
        ),
    ];
    for (name, space) in table {
        let (generated, canonical) = (space.generated().unwrap(), space.canonical().unwrap());
        println!("{name}: {generated}, of which {canonical} differ in more than names");
        assert!(canonical < generated && generated <= 12 * canonical);
        if canonical < 5_000 {
            let mut visited = 0;
            space
                .visit(|_| {
                    visited += 1;
                    true
                })
                .unwrap();
            assert_eq!(visited, canonical, "{name}");
        }
    }
    assert_eq!(FOUR.generated().unwrap(), 16_384);
    assert_eq!(FOUR.canonical().unwrap(), 2_040);
}

#[test]
fn the_example_holds_and_repeats() {
    let text = include_str!("../../../examples/sim/twins.json");
    let scenarios = Scenarios::parse(text).unwrap();
    let report = run(&scenarios, Withheld::Lost);
    assert_eq!(report.violations, []);
    assert!(report.locked > 0 && report.conflicts > 0);
    assert_eq!(run(&scenarios, Withheld::Lost).digest, report.digest);
    assert_ne!(run(&scenarios, Withheld::Late).digest, report.digest);
    let written = serde_json::to_string(&scenarios).unwrap();
    assert_eq!(Scenarios::parse(&written), Ok(scenarios));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let file = |head: &str, scenarios: &str| {
        Scenarios::parse(&format!(
            "{{{head}, \"rounds\": 1, \"scenarios\": {scenarios}}}"
        ))
    };
    let head = "\"num_nodes\": 4, \"num_twins\": 1, \"partitions\": 1";
    let table = [
        (
            file(head, "[[{\"leader\": 4, \"partitions\": []}]]"),
            "leader 4",
        ),
        (
            file(head, "[[{\"leader\": 0, \"partitions\": [[5]]}]]"),
            "host 5",
        ),
        (
            file(head, "[[{\"leader\": 0, \"partitions\": [[1, 1]]}]]"),
            "host 1",
        ),
        (
            file(head, "[[{\"leader\": 0, \"partitions\": [[1], [2]]}]]"),
            "1 groups",
        ),
        (
            file(
                head,
                "[[{\"leader\": 0, \"partitions\": [], \"precommits\": [[9]]}]]",
            ),
            "host 9",
        ),
        (file(head, "[[]]"), "`rounds` is 1"),
        (
            file(head, "[[{\"leader\": 0, \"partitions\": [], \"x\": 1}]]"),
            "unknown field `x`",
        ),
        (
            file(
                "\"num_nodes\": 17, \"num_twins\": 1, \"partitions\": 1",
                "[]",
            ),
            "1 to 16",
        ),
        (
            file(
                "\"num_nodes\": 4, \"num_twins\": 5, \"partitions\": 1",
                "[]",
            ),
            "0 to 4",
        ),
        (
            file(
                "\"num_nodes\": 4, \"num_twins\": 1, \"partitions\": 0",
                "[]",
            ),
            "1 to 5",
        ),
    ];
    for (parsed, wanted) in table {
        let said = parsed.unwrap_err().to_string();
        assert!(said.contains(wanted), "`{said}` does not say `{wanted}`");
    }
}
