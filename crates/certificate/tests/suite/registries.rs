//! Checks that `protocols/reason-codes.md` lists exactly the reasons of the code, in its words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use quorate_certificate::Refused;
use quorate_types::Reason;

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocols/reason-codes.md");
    std::fs::read_to_string(path).unwrap()
}

/// The rows of the table under a heading, without its head.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let after = text.split(heading).nth(1).unwrap();
    let section = after.split("\n## ").next().unwrap();
    section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect()
}

#[test]
fn r1_refusals_of_the_ledger_are_in_the_registry() {
    let expected: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| {
            format!(
                "| {} | `{}` | {} |",
                reason.code(),
                reason.name(),
                reason.text()
            )
        })
        .collect();
    assert_eq!(
        rows(&text(), "## Refusals of the ledger"),
        expected,
        "{}",
        expected.join("\n")
    );
}

#[test]
fn r2_refusals_of_the_verifier_are_in_the_registry() {
    let expected: Vec<_> = Refused::ALL
        .iter()
        .map(|reason| {
            format!(
                "| `{}` | `{}` | {} |",
                reason.name(),
                reason.judgement(),
                reason.text()
            )
        })
        .collect();
    let text = text();
    assert_eq!(
        rows(&text, "## Refusals of the verifier"),
        expected,
        "{}",
        expected.join("\n")
    );
}

#[test]
fn names_are_distinct() {
    let names: std::collections::BTreeSet<_> = Refused::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), Refused::ALL.len());
}
