//! Tests of `init`, `genesis`, `join` and `attest`: the files they make, and the input they refuse.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::program::{fail, run, succeed, text};
use tempfile::TempDir;

/// Makes the folders `a` (validator and attester), `worker` and `stranger`, and `genesis.toml`.
fn founders() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeed(
        path,
        &[
            "init",
            "a",
            "--operator",
            "op-a",
            "--listen",
            "/ip4/192.0.2.1/tcp/7400",
        ],
    );
    succeed(path, &["init", "worker", "--operator", "w"]);
    succeed(path, &["init", "stranger", "--operator", "s"]);
    let genesis = [
        "genesis",
        "--name",
        "test",
        "--validator",
        "a/member.toml",
        "--attester",
    ];
    succeed(path, &[&genesis[..], &["port=a/member.toml"]].concat());
    folder
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_key_is_secret_and_made_once() {
    let folder = founders();
    let mode = std::fs::metadata(folder.path().join("a/key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = read(folder.path(), "a/key");
    assert!(fail(folder.path(), &["init", "a", "--operator", "x"]).contains("made once"));
    assert_eq!(read(folder.path(), "a/key"), before);
    let card = read(folder.path(), "a/member.toml");
    assert!(
        card.contains("/ip4/192.0.2.1/tcp/7400/p2p/12D3Koo"),
        "{card}"
    );
    assert!(
        !card.contains(before.trim()),
        "the card must not hold the secret key"
    );
}

#[test]
fn a_genesis_warns_and_is_not_overwritten() {
    let folder = founders();
    let arguments = ["genesis", "--name", "test", "--validator", "a/member.toml"];
    assert!(fail(folder.path(), &arguments).contains("genesis.toml: exists"));
    let output = run(
        folder.path(),
        &[&arguments[..], &["--out", "other.toml"]].concat(),
    );
    let warnings = text(&output.stderr);
    for expected in [
        "no fault is tolerated",
        "operator `op-a`",
        "without an attester",
    ] {
        assert!(warnings.contains(expected), "{expected}: {warnings}");
    }
    let twice = [&arguments[..], &["a/member.toml", "--out", "twice.toml"]].concat();
    assert!(fail(folder.path(), &twice).contains("already that of another validator"));
}

#[test]
fn a_market_file_adds_to_the_default_market() {
    let folder = founders();
    let market = "[[markets]]\nname = \"drones\"\nmechanism = \"first-price\"\nwindow_ms = 500\n\
                  lease_ms = 30000\nattempts = 3\n";
    std::fs::write(folder.path().join("markets.toml"), market).unwrap();
    let arguments = [
        "genesis",
        "--name",
        "m",
        "--validator",
        "a/member.toml",
        "--market-file",
    ];
    let market = [&arguments[..], &["markets.toml", "--out", "m.toml"]].concat();
    succeed(folder.path(), &market);
    let genesis = read(folder.path(), "m.toml");
    for name in ["tasks", "drones"] {
        assert!(genesis.contains(&format!("name = \"{name}\"")), "{genesis}");
    }
    let unknown = std::fs::read_to_string(folder.path().join("markets.toml")).unwrap();
    let unknown = unknown.replace("first-price", "coin-toss");
    std::fs::write(folder.path().join("markets.toml"), unknown).unwrap();
    let error = fail(folder.path(), &market);
    assert!(
        error.contains("market `drones`: this program has no mechanism `coin-toss`"),
        "{error}"
    );
    let solved = "[[markets]]\nname = \"drones\"\nmechanism = \"MECHANISM\"\nwindow_ms = 500\n\
                  solve_ms = 500\nlease_ms = 30000\nattempts = 3\n";
    let write = |mechanism| {
        let text = solved.replace("MECHANISM", mechanism);
        std::fs::write(folder.path().join("markets.toml"), text).unwrap();
    };
    write("assignment");
    let error = fail(folder.path(), &market);
    assert!(
        error.contains("markets.toml: market `drones`: `assignment` takes no solutions")
            && error.contains("solve_ms"),
        "{error}"
    );
    write("gap");
    let arguments = [&arguments[..], &["markets.toml", "--out", "gap.toml"]].concat();
    succeed(folder.path(), &arguments);
    assert!(read(folder.path(), "gap.toml").contains("solve_ms = 500"));
    std::fs::write(
        folder.path().join("markets.toml"),
        "[[markets]]\nname = \"x\"\n",
    )
    .unwrap();
    let error = fail(folder.path(), &market);
    assert!(
        error.contains("markets.toml") && error.contains("missing field"),
        "{error}"
    );
}

#[test]
fn a_guard_is_made_once_and_a_node_has_one_swarm() {
    let folder = founders();
    let path = folder.path();
    assert!(succeed(path, &["join", "a", "genesis.toml"]).contains("guard is made"));
    assert!(succeed(path, &["join", "a", "genesis.toml"]).contains("left as it is"));
    let genesis = ["genesis", "--name", "other", "--validator", "a/member.toml"];
    succeed(path, &[&genesis[..], &["--out", "other.toml"]].concat());
    assert!(fail(path, &["join", "a", "other.toml"]).contains("belongs to swarm"));
}

#[test]
fn boot_addresses_come_from_cards_and_keep_the_comments() {
    let folder = founders();
    succeed(
        folder.path(),
        &["join", "worker", "genesis.toml", "--boot", "a/member.toml"],
    );
    let config = read(folder.path(), "worker/node.toml");
    assert!(
        config.contains("boot = [\"/ip4/192.0.2.1/tcp/7400/p2p/"),
        "{config}"
    );
    assert!(
        config.contains("# Addresses of members to start from"),
        "{config}"
    );
    let error = fail(
        folder.path(),
        &["join", "worker", "genesis.toml", "--boot", "nowhere"],
    );
    assert!(error.contains("`nowhere` is neither an address"), "{error}");
}

#[test]
fn only_an_attester_attests_and_only_for_who_it_names() {
    let folder = founders();
    let path = folder.path();
    for name in ["a", "worker", "stranger"] {
        succeed(path, &["join", name, "genesis.toml"]);
    }
    let attest = |by: &str, out: &str| {
        let agent = [
            "attest",
            by,
            "--agent",
            "worker/member.toml",
            "--label",
            "printer",
        ];
        run(
            path,
            &[&agent[..], &["--amount", "slots=2", "--out", out]].concat(),
        )
    };
    assert!(attest("a", "worker.att").status.success());
    let refused = attest("worker", "self.att");
    assert!(
        text(&refused.stderr).contains("is not an attester"),
        "{}",
        text(&refused.stderr)
    );

    let join = |name: &str, file: &str| {
        run(path, &["join", name, "genesis.toml", "--attestation", file])
            .status
            .code()
    };
    assert_eq!(join("worker", "worker.att"), Some(0));
    assert_eq!(
        join("stranger", "worker.att"),
        Some(1),
        "the attestation is about the worker"
    );
    let mut bytes = std::fs::read(path.join("worker.att")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path.join("forged.att"), bytes).unwrap();
    assert_eq!(join("worker", "forged.att"), Some(1));
}

/// N-21: a key without its guard does not sign, and `join` must not make it a new guard.
#[test]
fn a_validator_that_lost_its_guard_does_not_join_again() {
    let folder = founders();
    succeed(folder.path(), &["join", "a", "genesis.toml"]);
    succeed(folder.path(), &["join", "a", "genesis.toml"]);
    std::fs::remove_dir_all(folder.path().join("a/data")).unwrap();
    let error = fail(folder.path(), &["join", "a", "genesis.toml"]);
    assert!(error.contains("the signing guard is gone"), "{error}");
}
