//! Test of three hosts with addresses of their own, set up by the commands of the book's chapter "A
//! first swarm on three machines". They have a task done by a user's agent, and the certificates
//! verify on a fourth host that has no network.
//!
//! The hosts are network namespaces of this machine. If these are not permitted, or if a program
//! that the chapter uses is missing, the test says so and does nothing.

use std::process::{Command, Stdio};

use quorate_tests::certificates::{assignees, audit};
use quorate_tests::host::Host;
use quorate_tests::process::{Process, wait_for_line};
use quorate_tests::{Checked, repository};

/// The hosts in the order of their addresses, and the validator of each.
const HOSTS: [(&str, &str); 3] = [
    ("alice", "192.0.2.1"),
    ("bob", "192.0.2.2"),
    ("carol", "192.0.2.3"),
];

/// The only address that anybody is told. W-14: knowing one peer is enough.
const BOOT: &str = "/ip4/192.0.2.1/tcp/7400";

#[test]
fn three_hosts_have_a_task_done_and_a_fourth_verifies_it() -> Checked {
    if let Some(reason) = why_not() {
        eprintln!("SKIPPED: three hosts on one machine: {reason}");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let network = Network::make()?;
    let host = |name: &str| {
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            Host::new(folder.path().join(name))?.within(&network.namespace(name)),
        )
    };
    let [alice, bob, carol] = [host("alice")?, host("bob")?, host("carol")?];
    let auditor = host("auditor")?;

    let fingerprint = found(&alice, &bob, &carol)?;
    let _validators = run_validators(&[&alice, &bob, &carol])?;
    admit(
        &alice,
        &bob,
        "worker",
        &["--label", "printer", "--amount", "slots=1"],
    )?;
    admit(&alice, &carol, "desk", &[])?;
    let _worker = run_worker(&bob)?;
    have_work_done(&carol)?;

    alice.carry("genesis.toml", &auditor)?;
    auditor.run(&[
        "audit",
        "fingerprint",
        "genesis.toml",
        "--expect",
        &fingerprint,
    ])?;
    let genesis = auditor.path("genesis.toml");
    let certified = audit(&auditor, &carol.path("certificates"), &genesis)?;
    assert_eq!(assignees(&certified)?.len(), 1);
    let completed = certified
        .iter()
        .filter(|summary| summary["operation"] == "complete");
    assert_eq!(completed.count(), 1);
    Ok(())
}

/// Does steps 1 to 3 of the chapter. Returns the fingerprint, which is read over the telephone
/// (C-9).
fn found(alice: &Host, bob: &Host, carol: &Host) -> Checked<String> {
    for (host, (name, address)) in [alice, bob, carol].into_iter().zip(HOSTS) {
        let tcp = format!("/ip4/{address}/tcp/7400");
        let quic = format!("/ip4/{address}/udp/7400/quic-v1");
        host.run(&[
            "init",
            name,
            "--operator",
            name,
            "--listen",
            &tcp,
            "--listen",
            &quic,
        ])?;
        host.carry(&format!("{name}/member.toml"), alice)?;
    }
    alice.run(&["init", "office", "--operator", "office"])?;
    bob.run(&["init", "worker", "--operator", "bob"])?;
    carol.run(&["init", "desk", "--operator", "carol"])?;
    let cards = ["alice/member.toml", "bob/member.toml", "carol/member.toml"];
    let genesis = ["genesis", "--name", "harbour", "--validator"];
    let attester = ["--attester", "office/member.toml"];
    let said = alice.run(&[&genesis[..], &cards, &attester].concat())?;
    let fingerprint = said
        .lines()
        .find_map(|line| line.strip_prefix("fingerprint "));
    for host in [bob, carol] {
        alice.carry("genesis.toml", host)?;
    }
    alice.run(&["join", "alice", "genesis.toml"])?;
    alice.run(&["join", "office", "genesis.toml"])?;
    bob.run(&["join", "bob", "genesis.toml", "--boot", BOOT])?;
    carol.run(&["join", "carol", "genesis.toml", "--boot", BOOT])?;
    Ok(fingerprint
        .ok_or("genesis tells no fingerprint")?
        .trim()
        .to_owned())
}

/// Does step 4: the validators are started and commit.
fn run_validators(hosts: &[&Host; 3]) -> Checked<Vec<Process>> {
    let mut processes = Vec::new();
    for (host, (name, _)) in hosts.iter().zip(HOSTS) {
        processes.push(host.start(name, &["node", name])?);
    }
    for (process, (_, address)) in processes.iter_mut().zip(HOSTS) {
        wait_for_line(process, &format!("listening on /ip4/{address}/"))?;
    }
    for process in &mut processes {
        wait_for_line(process, "committed")?;
    }
    Ok(processes)
}

/// Does the first part of step 5: the office attests a member of `host`, which joins.
fn admit(alice: &Host, host: &Host, name: &str, capabilities: &[&str]) -> Checked {
    let (card, file) = (format!("{name}/member.toml"), format!("{name}.att"));
    host.carry(&card, alice)?;
    let attest = ["attest", "office", "--agent", &card, "--out", &file];
    alice.run(&[&attest[..], capabilities].concat())?;
    alice.carry(&file, host)?;
    host.run(&[
        "join",
        name,
        "genesis.toml",
        "--boot",
        BOOT,
        "--attestation",
        &file,
    ])?;
    Ok(())
}

/// Does the second part of step 5: starts the agent, a program of ten lines.
fn run_worker(host: &Host) -> Checked<Process> {
    let program = repository::root().join("agents/command/examples/agent.py");
    let program = program.display().to_string();
    let mut worker = host.start(
        "worker",
        &["node", "worker", "--command", "python3", &program],
    )?;
    wait_for_line(&mut worker, "the swarm knows this agent")?;
    Ok(worker)
}

/// Does step 6: a task is submitted and done.
fn have_work_done(host: &Host) -> Checked {
    let what = [
        "submit",
        "desk",
        "--require-label",
        "printer",
        "--payload",
        "print this",
    ];
    let how = [
        "--max-price",
        "100",
        "--deadline",
        "10m",
        "--out",
        "certificates",
    ];
    let said = host.run(&[&what[..], &how, &["--timeout", "100s"]].concat())?;
    for part in [
        "submitted  task ",
        "awarded    task ",
        "for 10, fencing token 1",
        ": PRINT THIS",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    Ok(())
}

/// The reason why the test cannot run on this machine; `None` if it can.
fn why_not() -> Option<String> {
    let runs = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    if !runs("ip", "-V") {
        return Some("there is no program `ip` (iproute2)".to_owned());
    }
    if !runs("python3", "-V") {
        return Some("there is no program `python3`, which the chapter's agent needs".to_owned());
    }
    let probe = format!("quorate-{}-probe", std::process::id());
    match ip(&["netns", "add", &probe]).and_then(|()| ip(&["netns", "del", &probe])) {
        Ok(()) => None,
        Err(error) => Some(format!("network namespaces are not permitted: {error}")),
    }
}

/// The namespaces of three hosts on a switch, and of a fourth host without a network. They are
/// removed when it is dropped.
struct Network {
    prefix: String,
}

const SWITCH: &str = "switch";
const AUDITOR: &str = "auditor";

impl Network {
    fn make() -> Checked<Self> {
        let network = Self {
            prefix: format!("quorate-{}", std::process::id()),
        };
        for name in network.names() {
            ip(&["netns", "add", &network.namespace(name)])?;
        }
        let switch = network.namespace(SWITCH);
        ip(&["-n", &switch, "link", "add", "switch", "type", "bridge"])?;
        ip(&["-n", &switch, "link", "set", "switch", "up"])?;
        for (name, address) in HOSTS {
            let host = network.namespace(name);
            let peer = ["peer", "name", name, "netns", &switch];
            ip(&[
                &["-n", &host, "link", "add", "eth0", "type", "veth"][..],
                &peer,
            ]
            .concat())?;
            ip(&["-n", &switch, "link", "set", name, "master", "switch", "up"])?;
            ip(&[
                "-n",
                &host,
                "addr",
                "add",
                &format!("{address}/24"),
                "dev",
                "eth0",
            ])?;
            ip(&["-n", &host, "link", "set", "eth0", "up"])?;
            ip(&["-n", &host, "link", "set", "lo", "up"])?;
        }
        Ok(network)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        HOSTS
            .into_iter()
            .map(|(name, _)| name)
            .chain([SWITCH, AUDITOR])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.names() {
            // The namespace may not have been made.
            let _ = ip(&["netns", "del", &self.namespace(name)]);
        }
    }
}

fn ip(arguments: &[&str]) -> Checked {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), error.trim()).into())
}
