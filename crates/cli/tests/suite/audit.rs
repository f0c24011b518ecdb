//! Tests the exit codes and the JSON of `quorate audit` on the pinned certificates of
//! `protocols/vectors/`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use crate::program::{quorate, run, text};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with `genesis.toml`, the pinned certificates in `good`, one forged certificate, and one
/// of a newer version. The pinned ones have outcomes of every kind (C-2); one has hand-overs (C-7).
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(
            vectors().join("genesis.toml"),
            folder.path().join("genesis.toml"),
        )
        .unwrap();
        let desk = Self { folder };
        for (index, bytes) in certificates().iter().enumerate() {
            desk.write(&format!("good/{index}.cbor"), bytes);
        }
        let mut forged = certificates()[1].clone();
        *forged.last_mut().unwrap() ^= 1;
        desk.write("forged.cbor", &forged);
        let mut newer = certificates()[1].clone();
        newer[1] = 2;
        desk.write("newer.cbor", &newer);
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Runs `audit verify` with these arguments and the trust root; returns the exit code.
    fn verify(&self, arguments: &[&str]) -> Option<i32> {
        let all = [&["audit", "verify", "--trust", "genesis.toml"], arguments].concat();
        run(self.path(), &all).status.code()
    }

    /// Runs the same with `--json`; returns the lines.
    fn verify_json(&self, arguments: &[&str]) -> Vec<Value> {
        let all = [
            &["audit", "verify", "--trust", "genesis.toml", "--json"],
            arguments,
        ]
        .concat();
        let output = text(&run(self.path(), &all).stdout);
        output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocols/vectors")
}

fn certificates() -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(vectors().join("certificates.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let hex = vectors.iter().map(|vector| vector["hex"].as_str().unwrap());
    hex.map(|digits| hex::decode(digits).unwrap()).collect()
}

/// C-10: each of the four judgements has its exit code.
#[test]
fn the_exit_code_is_the_gravest_verdict() {
    let desk = Desk::new();
    for (arguments, code) in [
        (&["good"][..], 0),
        (&["good/1.cbor"], 0),
        (&["good", "forged.cbor"], 1),
        (&["forged.cbor", "newer.cbor", "--min-operators", "4"], 1),
        (&["good", "--min-operators", "4"], 2),
        (&["good", "newer.cbor"], 3),
        (&["good", "newer.cbor", "--min-operators", "4"], 3),
    ] {
        assert_eq!(desk.verify(arguments), Some(code), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_neither_success_nor_verdict() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path().join("empty")).unwrap();
    for arguments in [
        &["audit"][..],
        &["audit", "verify"],
        &["audit", "verify", "good"],
        &["audit", "verify", "--trust", "genesis.toml"],
        &["audit", "verify", "--trust", "genesis.toml", "empty"],
        &["audit", "verify", "--trust", "genesis.toml", "missing.cbor"],
        &["audit", "verify", "--trust", "missing.toml", "good"],
        &["audit", "verify", "--trust", "good/1.cbor", "good"],
        &[
            "audit",
            "verify",
            "--trust",
            "genesis.toml",
            "good",
            "--min-operators",
            "few",
        ],
        &["audit", "fingerprint", "good/1.cbor"],
        &["audit", "explain"],
    ] {
        let output = run(desk.path(), arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
        assert!(
            !output.stderr.is_empty(),
            "{arguments:?}: standard error must say why"
        );
    }
    assert_eq!(
        run(desk.path(), &["audit", "verify", "--help"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(run(desk.path(), &["nonsense"]).status.code(), Some(2));
}

/// a refusal is told by its name, with the judgement that follows from it.
#[test]
fn json_has_one_object_for_each_file_in_their_order() {
    let desk = Desk::new();
    let lines = desk.verify_json(&["good/1.cbor", "forged.cbor", "newer.cbor"]);
    let fields = |name: &str| {
        lines
            .iter()
            .map(|line| line[name].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(fields("file"), ["good/1.cbor", "forged.cbor", "newer.cbor"]);
    assert_eq!(
        fields("verdict"),
        ["verified", "not_authentic", "cannot_evaluate"]
    );
    assert_eq!(fields("reason")[0], Value::Null);
    assert_eq!(fields("reason")[2], "unsupported_version");
    for line in &lines {
        assert!(
            !line["not_checked"].as_array().unwrap().is_empty(),
            "{line}"
        );
        assert_eq!(
            line["certifies"].is_null(),
            line["verdict"] != "verified",
            "{line}"
        );
    }
    let certified = &lines[0]["certifies"];
    assert_eq!(certified["outcome"], "assignment");
    assert_eq!(
        (&certified["token"], &certified["signers"]),
        (&2.into(), &3.into())
    );
    let policy = desk.verify_json(&["good/1.cbor", "--min-operators", "4"]);
    assert_eq!(policy[0]["verdict"], "policy_failed");
    assert_eq!(policy[0]["reason"], "policy_operators");
}

/// C-13: the verdict is printed with the list of things that it leaves open.
#[test]
fn a_person_is_told_what_was_not_checked() {
    let desk = Desk::new();
    let arguments = [
        "audit",
        "verify",
        "good",
        "forged.cbor",
        "--trust",
        "genesis.toml",
    ];
    let output = text(&run(desk.path(), &arguments).stdout);
    assert!(output.contains("Not checked:\n  - "), "{output}");
    assert!(
        output.ends_with("8 of 9 verified, 1 not authentic\n"),
        "{output}"
    );
}

#[test]
fn explaining_says_that_it_verifies_nothing() {
    let desk = Desk::new();
    let output = run(desk.path(), &["audit", "explain", "good"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout)
            .matches("NOTHING HERE WAS VERIFIED")
            .count(),
        8
    );
    desk.write("noise.cbor", b"noise");
    let output = run(desk.path(), &["audit", "explain", "noise.cbor"]);
    assert_eq!(output.status.code(), Some(1));
}

/// C-9: case, blanks and hyphens do not matter in a fingerprint that is read back.
#[test]
fn a_fingerprint_is_compared_as_it_is_spoken() {
    let desk = Desk::new();
    let shown = text(&run(desk.path(), &["audit", "fingerprint", "genesis.toml"]).stdout);
    let line = shown
        .lines()
        .find(|line| line.starts_with("fingerprint"))
        .unwrap();
    let spoken = line
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_lowercase()
        .replace('-', " ");
    for (expected, code) in [(spoken.as_str(), 0), ("0000 0000", 1)] {
        let mut command = quorate(desk.path());
        command.args(["audit", "fingerprint", "genesis.toml", "--expect", expected]);
        assert_eq!(
            command.output().unwrap().status.code(),
            Some(code),
            "{expected}"
        );
    }
}
