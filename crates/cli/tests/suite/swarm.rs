//! Runs a swarm of real processes on the loopback interface, from `init` to the audit of its
//! certificates by an outsider who has nothing but the genesis.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use crate::program::process::Process;
use crate::program::{fail, run, succeed, text};
use serde_json::Value;

/// An agent that bids 7 on every task and does each task with the result `done`.
const AGENT: &str = r#"
while IFS= read -r line; do
    id=${line#*\"id\":}; id=${id%%,*}
    case $line in
        *'"type":"call"'*) echo "{\"type\":\"bid\",\"id\":$id,\"price\":7}" ;;
        *'"type":"execute"'*) echo "{\"type\":\"outcome\",\"id\":$id,\"detail\":\"done\"}" ;;
    esac
done
"#;

const VALIDATORS: [&str; 4] = ["a", "b", "c", "d"];

/// Makes the folders of four validators, an attester, a worker and a requester; all have joined.
fn found(folder: &Path) {
    for name in VALIDATORS {
        let operator = format!("op-{name}");
        let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
        succeed(
            folder,
            &[&["init", name, "--operator", &operator], &listen[..]].concat(),
        );
    }
    for name in ["port", "worker", "desk"] {
        succeed(folder, &["init", name, "--operator", name]);
    }
    let cards = VALIDATORS.map(|name| format!("{name}/member.toml"));
    let cards: Vec<_> = cards.iter().map(String::as_str).collect();
    let attester = ["--attester", "port/member.toml"];
    let genesis = ["genesis", "--name", "harbour", "--validator"];
    succeed(folder, &[&genesis[..], &cards, &attester].concat());
    for name in VALIDATORS.into_iter().chain(["port", "worker", "desk"]) {
        succeed(folder, &["join", name, "genesis.toml"]);
    }
    for (name, word) in [
        ("worker", ["--label", "printer"]),
        ("desk", ["--amount", "slots=0"]),
    ] {
        let (card, file) = (format!("{name}/member.toml"), format!("{name}.att"));
        let attest = ["attest", "port", "--agent", &card, "--out", &file];
        succeed(folder, &[&attest[..], &word].concat());
        succeed(
            folder,
            &["join", name, "genesis.toml", "--attestation", &file],
        );
    }
    std::fs::write(folder.join("agent.sh"), AGENT).unwrap();
}

/// Starts the first validator, and all other nodes with its address. Returns that address too.
fn start(folder: &Path) -> (Vec<Process>, String) {
    let first = Process::start(folder, &["node", "--config", "a/node.toml"], "a.log");
    let boot = first.wait_for("listening on ");
    let mut nodes = vec![first];
    for name in &VALIDATORS[1..] {
        let node = ["node", name, "--boot", &boot];
        nodes.push(Process::start(folder, &node, &format!("{name}.log")));
    }
    let worker = [
        "node",
        "worker",
        "--boot",
        &boot,
        "--command",
        "sh",
        "agent.sh",
    ];
    nodes.push(Process::start(folder, &worker, "worker.log"));
    (nodes, boot)
}

/// Submits two tasks, waits until they are done, and returns the events that `submit` printed.
fn submit(folder: &Path) -> Vec<Value> {
    let task = [
        "submit",
        "desk",
        "--payload",
        "print this",
        "--require-label",
        "printer",
    ];
    let how = [
        "--tasks",
        "2",
        "--timeout",
        "60s",
        "--out",
        "certificates",
        "--json",
    ];
    let output = run(folder, &[&task[..], &how].concat());
    let lines = text(&output.stdout);
    assert!(output.status.success(), "{lines}{}", text(&output.stderr));
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn work_is_awarded_done_and_audited_by_an_outsider() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    found(folder);
    assert!(fail(folder, &["submit", "desk"]).contains("`boot` is empty"));
    assert!(fail(folder, &["submit", "a"]).contains("is a validator's"));
    let (nodes, boot) = start(folder);
    succeed(folder, &["join", "desk", "genesis.toml", "--boot", &boot]);

    let happened = submit(folder);
    let count = |name: &str| {
        happened
            .iter()
            .filter(|event| event["event"] == name)
            .count()
    };
    assert_eq!(
        (count("submitted"), count("awarded"), count("completed")),
        (2, 2, 2)
    );
    for event in happened.iter().filter(|event| event["event"] == "awarded") {
        assert_eq!(
            (&event["price"], &event["token"]),
            (&7.into(), &1.into()),
            "{event}"
        );
    }
    for event in happened
        .iter()
        .filter(|event| event["event"] == "completed")
    {
        assert_eq!(event["detail"], "done", "{event}");
    }

    for node in nodes {
        assert_eq!(node.terminate(), Some(0));
    }
    let log = std::fs::read_to_string(folder.join("a.log")).unwrap();
    assert!(
        log.contains("committed") && log.contains("stopping"),
        "{log}"
    );
    assert_eq!(
        succeed(folder, &["node", "repair", "a"]),
        "nothing is damaged\n"
    );
    audit_elsewhere(folder);
}

/// Audits the certificates in a folder that holds nothing else but the genesis. C-1: a certificate
/// holds all that shows that its swarm decided the outcome.
fn audit_elsewhere(folder: &Path) {
    let outside = tempfile::tempdir().unwrap();
    let to = outside.path();
    std::fs::copy(folder.join("genesis.toml"), to.join("genesis.toml")).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("certificates")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        names.push(entry.file_name().into_string().unwrap());
    }
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    let is_dossier = |name: &&str| name.ends_with(".dossier");
    let (dossiers, names): (Vec<_>, Vec<_>) = all.iter().copied().partition(is_dossier);
    // The tasks were sold in one auction or in two; each has a dossier and a certificate.
    assert!((1..=2).contains(&dossiers.len()), "{all:?}");
    let count = 4 + dossiers.len();
    assert_eq!(names.len(), count, "{all:?}");
    let how = ["--trust", "genesis.toml", "--min-operators", "3"];
    let said = succeed(to, &[&["audit", "verify"], &names[..], &how].concat());
    assert!(
        said.ends_with(&format!("{count} of {count} verified\n")),
        "{said}"
    );
    let said = succeed(to, &[&["audit", "replay"], &all[..], &how].concat());
    let auctions = dossiers.len();
    assert!(
        said.ends_with(&format!("{auctions} of {auctions} auctions agree\n")),
        "{said}"
    );

    let other = [
        "genesis",
        "--name",
        "harbour",
        "--attester",
        "port/member.toml",
        "--validator",
    ];
    let cards = [
        "a/member.toml",
        "b/member.toml",
        "c/member.toml",
        "--out",
        "other.toml",
    ];
    succeed(folder, &[&other[..], &cards].concat());
    let root = folder.join("other.toml");
    let how = ["--trust", root.to_str().unwrap()];
    let output = run(to, &[&["audit", "verify"], &names[..], &how].concat());
    assert_eq!(
        output.status.code(),
        Some(1),
        "no certificate may verify under the genesis of another swarm"
    );
}
