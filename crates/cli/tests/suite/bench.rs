//! Runs `quorate bench` with real processes and checks the JSON keys that scripts read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .current_dir(folder)
        .args(["bench", "--json", "--warmup", "0s"])
        .args(arguments)
        .output()
        .unwrap()
}

fn report(folder: &Path, arguments: &[&str]) -> Value {
    let output = bench(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn positive(report: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let value = report.pointer(pointer).and_then(Value::as_f64);
        assert!(
            value.is_some_and(|value| value > 0.0),
            "{pointer} in {report}"
        );
    }
}

#[test]
fn a_loaded_committee_is_measured_in_every_respect() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(
        folder.path(),
        &[
            "--duration",
            "2s",
            "--mix",
            "assignment",
            "--in-flight",
            "4",
        ],
    );
    assert_eq!(
        (&report["validators"], &report["dead"]),
        (&4.into(), &0.into())
    );
    positive(
        &report,
        &[
            "/commit_ms/p50",
            "/commit_ms/p99",
            "/submit_to_commit_ms/p50",
            "/submit_to_commit_ms/p99",
            "/operations_per_s",
            "/assignments_per_s",
            "/floor_ratio",
            "/messages_per_commit",
            "/bytes_per_commit",
            "/cpu_ms_per_height",
            "/cpu_us_per_operation",
            "/rss_mib",
        ],
    );
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the folder of the run must be removed");
}

#[test]
fn open_tasks_do_not_pile_up_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // Eight agents, each with one task under way.
    let most = 8.0;
    let figures = |arguments: &[&str]| {
        let report = report(folder.path(), arguments);
        let of = |key: &str| report[key].as_f64().unwrap();
        let operations = of("operations_per_s") * of("duration_s");
        let open = (of("open_tasks_at_begin"), of("open_tasks_at_end"));
        (operations, open.0, open.1, report)
    };

    let (operations, begin, end, report) = figures(&["--duration", "2s"]);
    assert!(operations > 2.0 * most, "too few to pile up: {report}");
    assert!(begin <= most && end <= most, "{report}");

    let (operations, begin, end, report) = figures(&["--duration", "2s", "--mix", "pile-up"]);
    assert!(operations > 2.0 * most, "too few to pile up: {report}");
    // Every operation opens a task, and nothing ends one.
    assert!(end > most && end > begin, "{report}");
}

#[test]
fn an_idle_committee_has_memory_and_no_operations() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let report = report(
        folder.path(),
        &[
            "--duration",
            "500ms",
            "--idle",
            "--out",
            kept.to_str().unwrap(),
        ],
    );
    positive(&report, &["/rss_mib", "/floor_ms"]);
    assert_eq!(report["operations_per_s"], 0.0);
    assert!(
        kept.join("validator-4/data/guard").exists(),
        "the folder of --out must stay"
    );
}

#[test]
fn a_committee_with_one_dead_still_commits() {
    let folder = tempfile::tempdir().unwrap();
    // Eight seconds leave time for a first round whose proposer is dead, with its timeout not yet
    // adapted.
    let report = report(
        folder.path(),
        &["--duration", "8s", "--dead", "1", "--rate", "50"],
    );
    assert_eq!(report["dead"], 1);
    positive(&report, &["/heights", "/operations_per_s"]);
}

#[test]
fn a_committee_without_a_quorum_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--dead", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("--dead"), "{errors}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
