//! Tests of mistakes that must be refused: a validator with another genesis, a second process in a
//! folder, a key that others can read, the certificates of another swarm.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use quorate_tests::Checked;
use quorate_tests::host::Host;
use quorate_tests::process::{Log, Process, tail, wait_for_line};
use quorate_tests::wait::{self, LIMIT};
use serde_json::Value;

const VALIDATORS: [&str; 4] = ["v0", "v1", "v2", "v3"];

/// Makes the folders of four validators and of an attester, and the genesis files of two swarms.
fn founders(host: &Host) -> Checked {
    for name in VALIDATORS {
        host.run(&[
            "init",
            name,
            "--operator",
            name,
            "--listen",
            "/ip4/127.0.0.1/tcp/0",
        ])?;
    }
    host.run(&["init", "office", "--operator", "office"])?;
    let cards = VALIDATORS.map(|name| format!("{name}/member.toml"));
    let cards = cards.iter().map(String::as_str);
    for name in ["one", "other"] {
        let out = format!("{name}.toml");
        let head = [
            "genesis",
            "--name",
            name,
            "--out",
            &out,
            "--attester",
            "office/member.toml",
        ];
        let arguments = head.into_iter().chain(["--validator"]).chain(cards.clone());
        host.run(&arguments.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Starts a validator and returns the address at which it listens.
fn start(host: &Host, name: &str) -> Checked<(Process, String)> {
    let mut process = host.start(name, &["node", name])?;
    let line = wait_for_line(&mut process, "listening on /")?;
    let address = line
        .strip_prefix("listening on ")
        .ok_or("no address")?
        .to_owned();
    Ok((process, address))
}

/// Runs `quorate node` on a folder that it must refuse; returns its standard error.
fn refused(host: &Host, name: &str) -> Checked<String> {
    let output = host.output(&["node", name])?;
    assert_eq!(output.status.code(), Some(1));
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// W-6: peers of another swarm have no protocol in common with this one.
#[test]
fn a_validator_with_another_genesis_takes_no_part() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    founders(&host)?;
    host.run(&["join", "v0", "one.toml"])?;
    let (first, address) = start(&host, "v0")?;
    let mut processes = vec![first];
    for (name, genesis) in [("v3", "other.toml"), ("v1", "one.toml"), ("v2", "one.toml")] {
        host.run(&["join", name, genesis, "--boot", &address])?;
        processes.push(start(&host, name)?.0);
    }
    for name in ["v0", "v1", "v2"] {
        let mut log = Log::new(&host.log(name));
        wait::until(LIMIT, "three of four to commit", || {
            Ok(log
                .new_lines()?
                .iter()
                .any(|line| line.contains("committed"))
                .then_some(()))
        })
        .map_err(|error| format!("{error}; {}", tail(&host.log(name))))?;
    }
    let stranger = fs::read_to_string(host.log("v3"))?;
    assert!(!stranger.contains("committed"), "{stranger}");
    processes.iter_mut().try_for_each(Process::expect_running)
}

#[test]
fn a_folder_has_one_process() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    founders(&host)?;
    host.run(&["join", "v0", "one.toml"])?;
    let (mut first, _) = start(&host, "v0")?;
    let said = refused(&host, "v0")?;
    assert!(
        said.contains("v0/data is in use by another process"),
        "{said}"
    );
    first.expect_running()?;
    first.kill()?;
    let (_again, _) = start(&host, "v0")?;
    Ok(())
}

#[test]
fn a_key_that_others_can_read_is_refused() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    founders(&host)?;
    host.run(&["join", "v0", "one.toml"])?;
    let set = |mode| fs::set_permissions(host.path("v0/key"), fs::Permissions::from_mode(mode));
    for mode in [0o644, 0o640, 0o604] {
        set(mode)?;
        let said = refused(&host, "v0")?;
        assert!(said.contains(&format!("mode {mode:o}")), "{said}");
    }
    set(0o600)?;
    start(&host, "v0")?;
    Ok(())
}

/// C-10: the same validators found two swarms, and a certificate of one is not authentic under the
/// genesis of the other.
#[test]
fn a_certificate_of_another_swarm_is_not_authentic() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    founders(&host)?;
    host.run(&["join", "v0", "one.toml"])?;
    let (first, address) = start(&host, "v0")?;
    let mut processes = vec![first];
    for name in ["v1", "v2", "v3"] {
        host.run(&["join", name, "one.toml", "--boot", &address])?;
        processes.push(start(&host, name)?.0);
    }
    // An attester may submit without an attestation of its own.
    host.run(&["join", "office", "one.toml", "--boot", &address])?;
    let program = env!("CARGO_BIN_EXE_shouting-agent");
    host.run(&["init", "worker", "--operator", "worker"])?;
    host.run(&[
        "attest",
        "office",
        "--agent",
        "worker/member.toml",
        "--out",
        "worker.att",
    ])?;
    let join = [
        "join",
        "worker",
        "one.toml",
        "--boot",
        &address,
        "--attestation",
        "worker.att",
    ];
    host.run(&join)?;
    processes.push(host.start("worker", &["node", "worker", "--command", program, "."])?);
    host.run(&[
        "submit",
        "office",
        "--out",
        "certificates",
        "--timeout",
        "100s",
    ])?;

    let verify = |trust: &str| {
        host.output(&[
            "audit",
            "verify",
            "certificates",
            "--trust",
            trust,
            "--json",
        ])
    };
    assert_eq!(verify("one.toml")?.status.code(), Some(0));
    let output = verify("other.toml")?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout)?;
    for line in said.lines() {
        let verdict: Value = serde_json::from_str(line)?;
        assert_eq!(verdict["verdict"], "not_authentic", "{verdict}");
        assert_eq!(verdict["certifies"], Value::Null, "{verdict}");
    }
    assert_eq!(
        said.lines().count(),
        3,
        "assignment, completion, clearing: {said}"
    );
    Ok(())
}
