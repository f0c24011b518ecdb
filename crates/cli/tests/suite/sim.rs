//! Tests of `quorate sim`: exit codes, the JSON keys that scripts read, and ranges of seeds that
//! are resumed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{quorate, run, text};
use serde_json::Value;
use tempfile::TempDir;

/// Arguments for a swarm that is done quickly.
const SMALL: [&str; 10] = [
    "--validators",
    "1",
    "--agents",
    "1",
    "--tasks",
    "1",
    "--heights",
    "1",
    "--faults",
    "calm",
];
/// The folder of the examples.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sim");

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs `sim --json`; returns the exit code and the object.
fn json(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(folder, &[&["sim", "--json"], arguments].concat());
    let errors = text(&output.stderr);
    let object = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        object
            .map_err(|error| format!("{error}: {errors}"))
            .unwrap(),
    )
}

/// Runs `sim` with arguments that it must refuse with code 2; returns its standard error.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, &[&["sim"], arguments].concat());
    assert_eq!(
        output.status.code(),
        Some(2),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    assert!(
        output.stdout.is_empty(),
        "{arguments:?}: {}",
        text(&output.stdout)
    );
    text(&output.stderr)
}

#[test]
fn one_seed_has_one_digest_and_every_key() {
    let folder = folder();
    let seed = |seed: &str| json(folder.path(), &[&SMALL[..], &["--seed", seed]].concat());
    let ((code, first), (_, again), (_, other)) = (seed("7"), seed("7"), seed("8"));
    assert_eq!(code, Some(0), "{first}");
    assert_eq!(first["digest"], again["digest"]);
    assert_ne!(first["digest"], other["digest"]);
    assert_eq!(first["seed"], 7);
    assert!(first["heights"].as_u64().unwrap() > 0, "{first}");
    assert_eq!(first["violations"], serde_json::json!([]));
    let keys = [
        "committed_tasks",
        "completed_tasks",
        "assignments",
        "faults",
        "tasks",
        "outcomes",
        "adversaries",
        "simulated_ms",
        "steps",
        "profile",
        "coverage",
        "elapsed_ms",
        "command",
    ];
    keys.iter()
        .for_each(|key| assert!(first.get(key).is_some(), "{key} in {first}"));
    assert_eq!(first["tasks"], serde_json::json!({"completed": 1}));
    assert_eq!(
        (
            &first["agents"][0]["completed"],
            &first["to_award"]["count"]
        ),
        (&1.into(), &1.into())
    );
    let waits = ["to_award", "to_completion"].map(|key| first[key]["max_ms"].as_u64().unwrap());
    let busy = first["agents"][0]["busy_ms"].as_u64().unwrap();
    assert!(
        waits[0] > 0 && busy > 0 && waits[0] + busy == waits[1],
        "{first}"
    );
}

#[test]
fn a_run_is_told_and_traced() {
    let folder = folder();
    let arguments = [
        &["sim"],
        &SMALL[..],
        &["--trace", "trace.jsonl", "--coverage"],
    ]
    .concat();
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    for part in [
        "faults: calm",
        "completed 1",
        "digest",
        "every invariant held",
        "never met: ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let trace = std::fs::read_to_string(folder.path().join("trace.jsonl")).unwrap();
    let lines: Vec<Value> = trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line["what"] == "committed" && line["who"] == "v0")
    );
    assert!(lines.iter().any(|line| line["what"] == "healed"));
}

#[test]
fn a_run_that_is_broken_off_shows_where_it_stood() {
    let folder = folder();
    let arguments = [&SMALL[..], &["--until-step", "40"]].concat();
    let (code, report) = json(folder.path(), &arguments);
    assert_eq!(
        (code, &report["steps"], &report["broken_off"]),
        (Some(0), &40.into(), &true.into())
    );
    assert!(!report["last"].as_array().unwrap().is_empty(), "{report}");
}

#[test]
fn what_is_asked_wrongly_is_said_with_code_2() {
    let folder = folder();
    std::fs::write(folder.path().join("twins.json"), "{}").unwrap();
    std::fs::write(
        folder.path().join("bad.toml"),
        "[[validators]]\nname = \"a\"\npowr = 2\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("note.json"), "[]").unwrap();
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["--faults", "rain"],
            &["rain", "calm", "over-threshold", "all"],
        ),
        (&["--seeds", "9..3"], &["9..3"]),
        (&["--validators", "0"], &["1..=128"]),
        (
            &["--seed", "1", "--seeds", "1..2"],
            &["cannot be used with"],
        ),
        (&["--resume", "x"], &["--seeds"]),
        (
            &["--scenario", "twins.json"],
            &["twins.json", "line 1", "num_nodes"],
        ),
        (
            &["--scenario", "bad.toml"],
            &["bad.toml", "line 3", "powr", "power"],
        ),
        (&["--scenario", "none.toml"], &["none.toml", "No such file"]),
        (
            &["--seeds", "1..2", "--resume", "note.json"],
            &["note.json", "not a file that --resume wrote"],
        ),
    ];
    for (arguments, expected) in cases {
        let errors = refused(folder.path(), arguments);
        for part in expected {
            assert!(
                errors.contains(part),
                "{arguments:?}: `{part}` is not in: {errors}"
            );
        }
    }
}

#[test]
fn twins_scenarios_are_read_from_json() {
    let folder = folder();
    let example = format!("{EXAMPLES}/twins.json");
    let (code, report) = json(folder.path(), &["--scenario", &example]);
    let expected = (Some(0), &4.into(), &true.into());
    assert_eq!(
        (code, &report["scenarios"], &report["tolerated"]),
        expected,
        "{report}"
    );
    let split = r#"{"num_nodes": 4, "num_twins": 2, "partitions": 2, "rounds": 1, "scenarios":
        [[{"leader": 0, "partitions": [[0, 1, 2], [3, 4, 5]]}]]}"#;
    std::fs::write(folder.path().join("split.json"), split).unwrap();
    let (code, report) = json(folder.path(), &["--scenario", "split.json"]);
    assert_eq!(
        (code, &report["violations"][0]["scenario"]),
        (Some(1), &0.into()),
        "{report}"
    );
    let errors = refused(folder.path(), &["--scenario", "split.json", "--seed", "1"]);
    assert!(errors.contains("--json"), "{errors}");
}

#[test]
fn the_profiles_are_explained() {
    let help = text(&run(folder().path(), &["sim", "--help"]).stdout);
    for profile in quorate_sim::Profile::ALL {
        assert!(
            help.contains(profile.name()) && help.contains(profile.about()),
            "{help}"
        );
    }
    assert!(
        help.contains("Exit codes: 0 everything held, 1 an invariant was violated"),
        "{help}"
    );
}

#[test]
fn a_range_goes_on_where_it_stopped() {
    let folder = folder();
    let range = |seeds: &str| {
        let range = ["--seeds", seeds, "--resume", "done.json"];
        json(folder.path(), &[&SMALL[..], &range].concat())
    };
    let (code, first) = range("1..2");
    assert_eq!(
        (code, &first["seeds"], &first["finished"]),
        (Some(0), &2.into(), &true.into())
    );
    let (_, all) = range("1..3");
    assert_eq!(
        (&all["seeds"], &all["committed_tasks"]),
        (&3.into(), &3.into())
    );
    assert!(all["heights"].as_u64() > first["heights"].as_u64(), "{all}");
    assert!(
        all["coverage"]["honest"]["assigned"].as_u64() == Some(3),
        "{all}"
    );
    assert!(
        !all["empty"].as_array().unwrap().is_empty(),
        "a calm run meets no crash, so some kinds must be listed as never met"
    );
    let (_, again) = range("1..3");
    assert_eq!(again["heights"], all["heights"], "no seed may be run twice");

    let other = [
        "--seeds",
        "1..2",
        "--resume",
        "done.json",
        "--faults",
        "disk",
    ];
    let errors = refused(folder.path(), &other);
    assert!(
        errors.contains("done.json") && errors.contains("another"),
        "{errors}"
    );
}

/// A scenario whose agent works far longer than the run has patience for.
const IMPATIENT: &str = "patience = \"2s\"\n[[validators]]\nname = \"a\"\n[[tasks]]\n\
                         [[agents]]\nname = \"slow\"\nwork = \"1h\"\n";

#[test]
fn a_violation_is_shown_with_what_shows_it_again() {
    let folder = folder();
    std::fs::write(folder.path().join("slow.toml"), IMPATIENT).unwrap();
    let output = run(
        folder.path(),
        &["sim", "--scenario", "slow.toml", "--seed", "4"],
    );
    let told = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{told}{}",
        text(&output.stderr)
    );
    let step = told
        .split_once("--until-step ")
        .unwrap()
        .1
        .trim()
        .to_owned();
    let again = format!("quorate sim --seed 4 --scenario slow.toml --until-step {step}");
    for part in [
        "VIOLATED: invariant 10 (progress), seed 4, step ",
        &again,
        "healed",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let again = [
        "--seed",
        "4",
        "--scenario",
        "slow.toml",
        "--until-step",
        &step,
    ];
    let (code, report) = json(folder.path(), &again);
    let expected = step.parse::<u64>().unwrap();
    assert_eq!(
        (code, report["violations"][0]["step"].as_u64()),
        (Some(1), Some(expected))
    );
}

#[test]
fn a_range_ends_at_the_first_violation_unless_it_is_to_go_on() {
    let folder = folder();
    std::fs::write(folder.path().join("slow.toml"), IMPATIENT).unwrap();
    let range = |more: &[&str]| {
        let range = ["--scenario", "slow.toml", "--seeds", "1..3", "--jobs", "1"];
        json(folder.path(), &[&range[..], more].concat())
    };
    let (code, first) = range(&["--resume", "done.json"]);
    assert_eq!(
        (code, first["finished"].as_bool()),
        (Some(1), Some(false)),
        "{first}"
    );
    let violations = first["violations"].as_array().unwrap();
    assert_eq!((violations.len(), &violations[0]["seed"]), (1, &1.into()));
    let (code, all) = range(&["--resume", "done.json", "--keep-going"]);
    assert_eq!((code, &all["seeds"]), (Some(1), &3.into()), "{all}");
    let seeds = all["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["seed"].as_u64());
    assert_eq!(seeds.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    let told = [
        "sim",
        "--scenario",
        "slow.toml",
        "--seeds",
        "1..3",
        "--resume",
        "done.json",
    ];
    let told = text(&run(folder.path(), &told).stdout);
    assert_eq!(
        told.matches("VIOLATED: invariant 10 (progress)").count(),
        3,
        "{told}"
    );
}

#[test]
fn what_was_finished_survives_an_interrupt() {
    let folder = folder();
    let range = ["--seeds", "1..1000000", "--resume", "done.json"];
    let mut command = quorate(folder.path());
    command
        .arg("sim")
        .args(SMALL)
        .args(range)
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let file = folder.path().join("done.json");
    let begun = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        file.exists()
    });
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let status = child.wait().unwrap();
    assert!(begun, "nothing was written in a minute");
    assert_eq!(status.code(), Some(130));
    let state: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (done, tasks) = (&state["done"], state["committed_tasks"].as_u64().unwrap());
    let ranges = done.as_array().unwrap().iter();
    let count: u64 = ranges
        .map(|r| r[1].as_u64().unwrap() - r[0].as_u64().unwrap() + 1)
        .sum();
    assert!(
        count > 0 && count == tasks,
        "{count} seeds of one task: {done}, {tasks}"
    );
}

#[test]
fn the_examples_run_and_hold() {
    let folder = folder();
    for (name, tasks) in [
        ("drones.toml", 20),
        ("five-regions.toml", 10),
        ("two-wiped.toml", 15),
        ("sealed-market.toml", 30),
        ("solved-market.toml", 30),
    ] {
        let path = format!("{EXAMPLES}/{name}");
        let (code, report) = json(folder.path(), &["--scenario", &path]);
        assert_eq!(
            (code, &report["violations"]),
            (Some(0), &serde_json::json!([])),
            "{name}"
        );
        assert_eq!(
            report["tasks"]["completed"], tasks,
            "{name}: {}",
            report["tasks"]
        );
        assert!(
            !report["faults"].as_object().unwrap().is_empty(),
            "{name}: {}",
            report["faults"]
        );
    }
}
