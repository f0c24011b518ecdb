//! Tests of `quorate solve` and `quorate markets`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use crate::program::{fail, succeed};
use serde_json::{Value, json};
use tempfile::TempDir;

const BIDS: &str = "task,agent,price,limit\nroof,ann,70,90\nroof,bob,60,90\nwall,ann,20,90\n\
                    wall,bob,50,90\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Runs `solve --json`; returns one object for each problem.
fn solved(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let text = succeed(folder, &[&["solve", "--json"], arguments].concat());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The pairs of task and agent in an answer, in the order of the tasks in the file.
fn pairs(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let awards = answer["assignment"].as_array().unwrap().iter();
    awards
        .map(|award| (text(&award["task"]), text(&award["agent"])))
        .collect()
}

/// M-13 pays each winner as bid. M-20 pays it its price and the sum that there would be without it,
/// less the sum there is: 90 to bob and 80 to ann.
#[test]
fn each_mechanism_decides_the_same_bids_by_its_rule() {
    let folder = folder(&[("bids.csv", BIDS)]);
    let table = [
        ("assignment", 80, 80, json!(true)),
        ("vcg", 80, 170, json!(true)),
        ("sequential", 80, 80, Value::Null),
    ];
    for (mechanism, objective, paid, optimal) in table {
        let answer = &solved(folder.path(), &["bids.csv", "--mechanism", mechanism])[0];
        assert_eq!(answer["mechanism"], mechanism);
        assert_eq!(answer["objective"], objective, "{answer}");
        assert_eq!(answer["paid"], paid, "{answer}");
        assert_eq!(answer["optimal"], optimal, "{answer}");
        let expected = [("roof", "bob"), ("wall", "ann")];
        let expected = expected.map(|(task, agent)| (task.to_owned(), agent.to_owned()));
        assert_eq!(pairs(answer), expected, "{answer}");
    }
}

#[test]
fn every_mechanism_takes_the_bids_and_has_all_keys() {
    let folder = folder(&[("bids.csv", BIDS)]);
    let listed = succeed(folder.path(), &["markets", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let listed = listed.as_array().unwrap();
    assert!(listed.len() >= 8, "{listed:?}");
    for mechanism in listed {
        let name = mechanism["name"].as_str().unwrap();
        let answer = &solved(folder.path(), &["bids.csv", "--mechanism", name])[0];
        let keys = [
            "objective",
            "assignment",
            "payments",
            "optimal",
            "duals",
            "milliseconds",
            "bound",
        ];
        for key in keys {
            assert!(answer.get(key).is_some(), "{name}: {key}: {answer}");
        }
        assert!(
            answer["charged"].as_i64() >= answer["paid"].as_i64(),
            "{answer}"
        );
        for key in [
            "class",
            "guarantee",
            "limits",
            "bidding",
            "version",
            "worst_case_cost",
        ] {
            assert!(!mechanism[key].is_null(), "{key}: {mechanism}");
        }
        assert_eq!(mechanism["takes_solutions"], name == "gap");
        assert!(succeed(folder.path(), &["markets"]).contains(name));
    }
    assert_eq!(
        succeed(folder.path(), &["markets"])
            .matches(", takes solutions\n")
            .count(),
        1
    );
}

/// M-13: the prices of tasks and agents prove that an assignment is the best.
#[test]
fn the_duals_prove_an_assignment_also_of_gains() {
    let folder = folder(&[("gains.txt", "3\n7 2 1\n6 8 3\n5 5 9\n")]);
    for (arguments, sign, objective) in [
        (&["gains.txt"][..], 1, 10),
        (&["gains.txt", "--maximize"], -1, 24),
    ] {
        let answer = &solved(folder.path(), arguments)[0];
        assert_eq!(answer["objective"], objective, "{answer}");
        let dual = |side: &str, name: usize| answer["duals"][side][name.to_string()].as_i64();
        let matrix = [[7, 2, 1], [6, 8, 3], [5, 5, 9]];
        let mut sum = 0;
        for (row, prices) in matrix.iter().enumerate() {
            for (column, price) in prices.iter().enumerate() {
                let bound = dual("agents", row + 1).unwrap() + dual("tasks", column + 1).unwrap();
                assert!(sign * bound <= sign * price, "{row} {column}: {answer}");
            }
            sum += dual("agents", row + 1).unwrap() + dual("tasks", row + 1).unwrap();
        }
        assert_eq!(sum, objective, "strong duality must hold");
    }
}

/// M-22: an agent wins several tasks within its budget.
#[test]
fn budgets_in_several_dimensions_are_kept() {
    let text = r#"{
        "tasks": [{"id": "a", "demand": {"kg": 3, "hours": 1}}, {"id": "b", "demand": {"kg": 3}}],
        "agents": [{"id": "x", "budget": {"kg": 5, "hours": 9}}, {"id": "y", "budget": {"kg": 3}}],
        "bids": [{"task": "a", "agent": "x", "price": 1}, {"task": "b", "agent": "x", "price": 1},
                 {"task": "a", "agent": "y", "price": 1}, {"task": "b", "agent": "y", "price": 50}]
    }"#;
    let folder = folder(&[("bids.json", text)]);
    let answer = &solved(folder.path(), &["bids.json", "--mechanism", "gap"])[0];
    assert_eq!(
        (&answer["objective"], &answer["optimal"]),
        (&json!(51), &json!(true)),
        "{answer}"
    );
    assert_eq!(answer["payments"], json!({"x": 1, "y": 50}));
}

#[test]
fn a_file_of_several_problems_gives_an_answer_to_each() {
    let two = "2\n 1 2  5 6  1 1  2\n 2 1  7 4  1 1  1 1\n";
    let folder = folder(&[("gap.txt", two)]);
    let answers = solved(folder.path(), &["gap.txt"]);
    let objectives: Vec<_> = answers
        .iter()
        .map(|answer| answer["objective"].as_i64())
        .collect();
    assert_eq!(objectives, [Some(11), Some(4)]);
    let second = solved(folder.path(), &["gap.txt", "--problem", "2", "--maximize"]);
    assert_eq!((second.len(), &second[0]["objective"]), (1, &json!(7)));
    let text = succeed(folder.path(), &["solve", "gap.txt"]);
    assert!(text.contains("problem 2 of 2"), "{text}");
}

#[test]
fn what_cannot_be_solved_is_said_with_file_and_place() {
    let folder = folder(&[
        ("bids.csv", "task,agent,price\nroof,ann,cheap\n"),
        ("below.csv", "task,agent,price\nroof,ann,-3\n"),
        ("odd.txt", "3 1 2\n"),
        ("gap.txt", "1 2  5 6  1 1  2"),
        ("empty.txt", ""),
        ("twice.csv", "task,agent,price\nroof,ann,3\nroof,ann,4\n"),
    ]);
    let table: [(&[&str], &str); 8] = [
        (&["missing.csv"], "missing.csv"),
        (&["bids.csv"], "bids.csv: the columns task, agent and price"),
        (
            &["below.csv", "--mechanism", "vcg"],
            "the price -3 of agent ann for task roof",
        ),
        (&["odd.txt"], "odd.txt: 3 numbers that begin with 3 1"),
        (
            &["gap.txt", "--mechanism", "first-price"],
            "only gap can take",
        ),
        (&["gap.txt", "--problem", "2"], "problem 2 of 1"),
        (&["empty.txt"], "empty.txt: no numbers"),
        (&["twice.csv"], "agent ann bids twice on task roof"),
    ];
    for (arguments, part) in table {
        let error = fail(folder.path(), &[&["solve"], arguments].concat());
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

/// Returns the path of an OR-Library file, whose optimum is published, or `None` if it is missing.
/// These files are not part of this repository. They are looked for under `QUORATE_DATA` if it is
/// set, otherwise under `../shared/data` beside the workspace.
fn data(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("QUORATE_DATA").map_or(PathBuf::from(beside), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: no {}", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn published_assignments_are_reached() {
    let folder = folder(&[]);
    let table = [
        ("assign100", 305),
        ("assign200", 475),
        ("assign300", 626),
        ("assignp800", 2239),
    ];
    for (name, optimum) in table {
        let Some(path) = data(&format!("assignment/{name}.txt")) else {
            continue;
        };
        let answer = &solved(folder.path(), &[path.to_str().unwrap()])[0];
        assert_eq!(answer["objective"], optimum, "{name}");
        assert_eq!(answer["optimal"], true, "{name}");
    }
}

#[test]
fn published_generalised_assignments_are_reached_within_half_a_percent() {
    let folder = folder(&[]);
    let Some(bounds) = data("gap/bounds.txt") else {
        return;
    };
    for line in std::fs::read_to_string(bounds)
        .unwrap()
        .lines()
        .filter(|line| line.contains('_'))
    {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, sense) = fields[0].rsplit_once('_').unwrap();
        let (low, high): (f64, f64) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let Some(path) = data(&format!("gap/{name}")) else {
            continue;
        };
        let sense: &[&str] = if sense == "Max" { &["--maximize"] } else { &[] };
        let arguments = [path.to_str().unwrap(), "--effort", "50"];
        let answer = &solved(folder.path(), &[&arguments, sense].concat())[0];
        let objective = answer["objective"].as_f64().unwrap();
        let far = if sense.is_empty() {
            objective / high
        } else {
            low / objective
        };
        assert!(far <= 1.005, "{line}: {objective}");
        assert!(
            (low..=high).contains(&objective) || far > 1.0,
            "{line}: {objective} is too good"
        );
    }
}
