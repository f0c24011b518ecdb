//! Tests of scenario files: their meaning, and the messages about wrong ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate_sim::adversary::Manner;
use quorate_sim::faults::{AgentCut, Crash, Fault, Partition, TearPlan};
use quorate_sim::scenario::{RoundTrips, Scenario};

/// The shortest scenario: one validator.
const LEAST: &str = "[[validators]]\nname = \"a\"\n";

fn plan(text: &str) -> Result<quorate_sim::Plan, String> {
    let scenario = Scenario::parse(text).map_err(|error| error.to_string())?;
    scenario.plan(3, None).map_err(|error| error.to_string())
}

#[test]
fn what_is_left_out_has_a_default() {
    let plan = plan(LEAST).unwrap();
    assert_eq!(
        (plan.seed, plan.validators.len(), plan.validators[0].power),
        (3, 1, 1)
    );
    assert_eq!(
        (plan.agents.len(), plan.tasks.len(), plan.faults.len()),
        (0, 0, 0)
    );
    assert_eq!(
        (plan.heal_at, plan.patience, plan.min_heights),
        (5_000, 240_000, 0)
    );
    assert_eq!(
        (
            plan.market.window_ms,
            plan.market.lease_ms,
            plan.market.attempts
        ),
        (300, 3000, 5)
    );
    assert_eq!(plan.links.latency_ms, [[1]]);
    assert!(!plan.over_threshold);
}

#[test]
fn groups_regions_and_times_become_indices_and_milliseconds() {
    let text = r#"
        heal_at = "1m"
        [[validators]]
        name = "v"
        count = 3
        region = "west"
        [[validators]]
        name = "far"
        region = "east"
        power = 2
        lie = "silent"
        [[agents]]
        name = "drone"
        count = 2
        region = "east"
        work = "2s"
        manner = "forger"
        [[tasks]]
        count = 2
        from = "4s"
        every = "500ms"
        deadline = "10s"
        [[tasks]]
        at = ["6s", "1s"]
        [links]
        regions = ["west", "east"]
        round_trip_ms = [[1, 40.0], [44, 2]]
        [[faults]]
        kind = "crash"
        at = "5s"
        lasts = "2s"
        validators = ["v-2", "far"]
        tear = "sectors"
        [[faults]]
        kind = "partition"
        at = "20s"
        groups = [["v"], ["far"]]
    "#;
    let plan = plan(text).unwrap();
    assert_eq!(
        plan.validators
            .iter()
            .map(|v| (v.region, v.power))
            .collect::<Vec<_>>(),
        [(0, 1), (0, 1), (0, 1), (1, 2)]
    );
    assert_eq!(plan.links.latency_ms, [[1, 20], [22, 1]]);
    assert_eq!(plan.agents[1].manner, Manner::Forger);
    let times: Vec<_> = plan
        .tasks
        .iter()
        .map(|task| (task.at, task.deadline_after))
        .collect();
    let deadline = Some(10_000);
    assert_eq!(
        times,
        [
            (1000, None),
            (4000, deadline),
            (4500, deadline),
            (6000, None)
        ]
    );
    let crash = |validator| {
        Fault::from(Crash {
            validator,
            tear: TearPlan::Sectors,
        })
    };
    let partition = Fault::from(Partition {
        groups: vec![vec![0, 1, 2], vec![3]],
    });
    let faults: Vec<_> = plan
        .faults
        .iter()
        .map(|f| (f.at, f.lasts, f.fault.clone()))
        .collect();
    let expected = [
        (5_000, 2_000, crash(1)),
        (5_000, 2_000, crash(3)),
        (20_000, 40_000, partition),
    ];
    assert_eq!(faults, expected);
    assert!(
        plan.over_threshold,
        "the liar has two of five powers, which is over a third"
    );
}

#[test]
fn a_region_that_is_cut_off_takes_its_agents_with_it() {
    let text = r#"
        [[validators]]
        name = "a"
        count = 3
        [[validators]]
        name = "b"
        region = "valley"
        [[agents]]
        name = "x"
        work = "1s"
        [[agents]]
        name = "y"
        work = "1s"
        region = "valley"
        [links]
        regions = ["town", "valley"]
        round_trip_ms = [[1, 9], [9, 1]]
        [[faults]]
        kind = "cut-region"
        at = "1s"
        lasts = "1s"
        region = "valley"
    "#;
    let faults: Vec<_> = plan(text)
        .unwrap()
        .faults
        .into_iter()
        .map(|timed| timed.fault)
        .collect();
    let partition = Fault::from(Partition {
        groups: vec![vec![0, 1, 2], vec![3]],
    });
    assert_eq!(faults, [AgentCut { agent: 1 }.into(), partition]);
}

/// The mistake, the text after the one validator of [`LEAST`], and the parts of the message.
const WRONG: [(&str, &str, &[&str]); 16] = [
    (
        "an unknown key",
        "[market]\nwindw = \"1s\"",
        &["line 4", "windw", "window"],
    ),
    (
        "an unknown table",
        "[[agnts]]\nname = \"x\"",
        &["line 3", "agnts", "agents"],
    ),
    (
        "a time without a unit",
        "[market]\nwindow = 5",
        &["line 4", "\"500ms\""],
    ),
    (
        "a time with a wrong unit",
        "[market]\nwindow = \"5x\"",
        &["line 4", "5x", "\"500ms\""],
    ),
    (
        "no such validator",
        "[[faults]]\nkind = \"crash\"\nat = \"1s\"\nvalidators = [\"b\"]",
        &["line 6", "no validator is called `b`", "there are: a"],
    ),
    (
        "no such fault",
        "[[faults]]\nkind = \"craash\"\nat = \"1s\"",
        &["line 4", "crash-at-write"],
    ),
    (
        "a fault without its key",
        "[[faults]]\nkind = \"crash\"\nat = \"1s\"",
        &["line 4", "needs `validators`"],
    ),
    (
        "a key too many",
        "[[faults]]\nkind = \"ring\"\nat = \"1s\"\nregion = \"x\"",
        &["line 4", "does not take `region`", "at, lasts"],
    ),
    (
        "no such region",
        "[[agents]]\nname = \"x\"\nwork = \"1s\"\nregion = \"y\"",
        &["line 6", "no region is called `y`", "here"],
    ),
    (
        "regions without distances",
        "[links]\nregions = [\"x\", \"y\"]",
        &["2 rows of 2"],
    ),
    (
        "a name twice",
        "[[validators]]\nname = \"a\"",
        &["line 4", "`a`", "give each its own"],
    ),
    (
        "a name that is not a valid label",
        "[[validators]]\nname = \"A\"",
        &["line 4", "`A` is not a valid label"],
    ),
    (
        "too many validators",
        "[[validators]]\nname = \"b\"\ncount = 500",
        &["500", "1 to 128"],
    ),
    (
        "tasks by two ways",
        "[[tasks]]\nat = [\"1s\"]\ncount = 4",
        &["tasks.at", "not both"],
    ),
    (
        "an unknown lie",
        "lie = \"white\"",
        &["line 3", "white", "silent"],
    ),
    (
        "a loss beyond all",
        "[links]\nloss_permille = 1001",
        &["loss_permille", "0 to 1000"],
    ),
];

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_write() {
    for (what, rest, expected) in WRONG {
        let message = plan(&format!("{LEAST}{rest}\n")).unwrap_err();
        for part in expected {
            assert!(
                message.contains(part),
                "{what}: `{part}` is not in: {message}"
            );
        }
    }
}

#[test]
fn powers_and_prices_beyond_all_measure_are_borne_or_refused() {
    let power = format!("power = {}\n", i64::MAX);
    let many = format!("{LEAST}count = 9\n{power}");
    assert!(!plan(&many).unwrap().over_threshold);
    let message = plan(&format!(
        "{LEAST}[[agents]]\nname = \"x\"\nwork = \"1s\"\nprice = {}",
        i64::MAX
    ));
    assert!(message.unwrap_err().contains("agents.price"));
}

#[test]
fn a_fault_after_the_healing_is_refused() {
    let fault = "[[faults]]\nkind = \"ring\"\nat = \"90s\"";
    let message = plan(&format!("heal_at = \"9s\"\n{LEAST}{fault}")).unwrap_err();
    assert!(
        message.contains("line 6") && message.contains("heal_at"),
        "{message}"
    );
}

#[test]
fn round_trips_come_as_json_or_csv() {
    let json = r#"{"about": "x", "data": {"a": {"a": 2, "b": 76.5}, "b": {"b": 3}}}"#;
    let csv = ",a,b\na,2,76.5\nb,,3\n";
    let table = RoundTrips::parse(json).unwrap();
    assert_eq!(RoundTrips::parse(csv).unwrap(), table);
    let scenario = Scenario::parse(&format!("{LEAST}region = \"b\"\n")).unwrap();
    let plan = scenario.plan(0, Some(&table)).unwrap();
    assert_eq!(plan.links.regions, ["a", "b"]);
    assert_eq!(
        plan.links.latency_ms,
        [[1, 38], [38, 2]],
        "a latency must be half of the round trip, and the same both ways"
    );
    assert_eq!(plan.validators[0].region, 1);
}

#[test]
fn a_table_that_is_none_is_refused_with_its_line() {
    let wrong = [
        ("{\"data\": 5}", "line 1"),
        ("{\"data\": {\"a\": {\"a\": -1}}}", "`-1`"),
        (",a\na,x\n", "line 2: `x`"),
        (",a\na,1,2\n", "line 2: more cells"),
    ];
    for (text, expected) in wrong {
        let message = RoundTrips::parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let text = format!("{LEAST}[links]\nregions = [\"a\", \"c\"]\n");
    let table = RoundTrips::parse(",a,b\na,2,3\nb,3,2\n").unwrap();
    let error = Scenario::parse(&text)
        .unwrap()
        .plan(0, Some(&table))
        .unwrap_err();
    assert!(error.to_string().contains("between `a` and `c`"), "{error}");
}

#[test]
fn hosts_have_names_in_the_legend() {
    let text = "[[validators]]\nname = \"a\"\n[[validators]]\nname = \"b\"\ncount = 3\n\
                [[agents]]\nname = \"x\"\nwork = \"1s\"\n";
    let legend = Scenario::parse(text).unwrap().legend();
    let expected = [
        ("v0", "a"),
        ("v1-v3", "b"),
        ("c0", "x"),
        ("c1", "the requester"),
    ];
    assert_eq!(
        legend,
        expected.map(|(who, name)| (who.to_owned(), name.to_owned()))
    );
}
