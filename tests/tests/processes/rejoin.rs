//! Test of a validator of four that loses its data folder: it is refused, and `quorate node
//! --rejoin` brings it back (N-27, N-28, N-29, N-30).

use quorate_tests::Checked;
use quorate_tests::host::Host;
use quorate_tests::process::{Log, Process, tail, wait_for_line};
use quorate_tests::wait::{self, LIMIT};
use serde_json::Value;

const NAMES: [&str; 4] = ["v0", "v1", "v2", "v3"];

/// Four validators with their processes.
struct Committee {
    host: Host,
    /// The addresses at which the validators listen, as far as they were started.
    addresses: Vec<String>,
    processes: Vec<Option<Process>>,
}

#[test]
fn a_validator_without_its_data_is_refused_and_comes_back_on_request() -> Checked {
    let folder = tempfile::tempdir()?;
    let mut committee = Committee::found(Host::new(folder.path())?)?;
    committee.commit(2, &[0, 1, 2, 3])?;

    committee.kill(3)?;
    std::fs::remove_dir_all(committee.host.path("v3/data"))?;
    let refusal = committee.refusal(&["node", "v3"])?;
    assert!(
        refusal.contains("a key without its guard never signs"),
        "{refusal}"
    );
    assert!(refusal.contains("quorate node DIR --rejoin"), "{refusal}");
    let refusal = committee.refusal(&["join", "v3", "genesis.toml"])?;
    assert!(refusal.contains("quorate node v3 --rejoin"), "{refusal}");
    let refusal = committee.refusal(&["node", "v0", "--rejoin"])?;
    assert!(refusal.contains("the key needs no way back"), "{refusal}");

    committee.kill(2)?;
    committee.start(3, &["--rejoin"])?;
    committee.wait_for(3, "heard by two of three others", |fields| {
        fields["heard"] == 2 && fields["total"] == 4
    })?;
    assert!(!committee.host.path("v3/data/guard").exists());
    committee.start(2, &[])?;
    committee.wait_for(3, "its vote", |fields| {
        fields["message"] == "this validator votes again"
    })?;
    assert!(committee.host.path("v3/data/guard").exists());

    // Without validator 1 nothing is decided without the vote of the validator that came back.
    committee.kill(1)?;
    committee.commit(2, &[0, 2, 3])?;
    committee.kill(3)?;
    let refusal = committee.refusal(&["node", "v3", "--rejoin"])?;
    assert!(refusal.contains("the key needs no way back"), "{refusal}");
    committee.start(3, &[])?;
    committee.commit(2, &[0, 2, 3])
}

impl Committee {
    /// Makes and starts four validators that make a block every second even if nothing happens.
    fn found(host: Host) -> Checked<Self> {
        for name in NAMES {
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
        let cards = NAMES.map(|name| format!("{name}/member.toml"));
        let head = [
            "genesis",
            "--name",
            "wiped",
            "--attester",
            "office/member.toml",
        ];
        let arguments = head.into_iter().chain(["--validator"]);
        host.run(
            &arguments
                .chain(cards.iter().map(String::as_str))
                .collect::<Vec<_>>(),
        )?;
        let path = host.path("genesis.toml");
        let genesis = std::fs::read_to_string(&path)?;
        let faster = genesis.replace(
            "max_block_interval_ms = 10000",
            "max_block_interval_ms = 1000",
        );
        std::fs::write(&path, faster)?;
        let processes = NAMES.map(|_| None).into();
        let mut committee = Self {
            host,
            addresses: Vec::new(),
            processes,
        };
        for (index, name) in NAMES.into_iter().enumerate() {
            let first = committee.addresses.first().cloned();
            let boot = first.iter().flat_map(|address| ["--boot", address]);
            let join = ["join", name, "genesis.toml"];
            committee
                .host
                .run(&join.into_iter().chain(boot).collect::<Vec<_>>())?;
            committee.start(index, &[])?;
        }
        Ok(committee)
    }

    fn start(&mut self, index: usize, flags: &[&str]) -> Checked {
        let name = NAMES[index];
        let mut command = self.host.quorate(&["--log-json", "node", name])?;
        command.args(flags);
        if let Some(address) = self.addresses.get(index) {
            // The validator takes its old port, since others know it by this address.
            command.args(["--listen", address.split("/p2p/").next().unwrap_or(address)]);
        }
        let mut process = Process::start(&mut command, &self.host.log(name))?;
        if self.addresses.len() == index {
            let line = wait_for_line(&mut process, "listening on ")?;
            self.addresses
                .push(line.trim_start_matches("listening on ").to_owned());
        }
        self.processes[index] = Some(process);
        Ok(())
    }

    fn kill(&mut self, index: usize) -> Checked {
        self.processes[index]
            .as_mut()
            .ok_or("never started")?
            .kill()
    }

    /// Runs a command that must fail; returns its standard error.
    fn refusal(&self, arguments: &[&str]) -> Checked<String> {
        let output = self.host.output(arguments)?;
        assert!(!output.status.success(), "{arguments:?} succeeds");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Waits until each of these members has logged `count` more commits from now on.
    fn commit(&mut self, count: usize, members: &[usize]) -> Checked {
        let mut logs = Vec::new();
        for index in members {
            let mut log = Log::new(&self.host.log(NAMES[*index]));
            log.new_lines()?;
            logs.push((*index, log));
        }
        for (index, mut log) in logs {
            let mut left = count;
            self.until(index, "a commit", || {
                let objects = log.new_objects()?;
                let commits = objects
                    .iter()
                    .filter(|of| of["fields"]["message"] == "committed");
                left = left.saturating_sub(commits.count());
                Ok((left == 0).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Waits until a line of the log of a member has fields for which `wanted` holds.
    fn wait_for(&mut self, index: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Checked {
        let mut log = Log::new(&self.host.log(NAMES[index]));
        self.until(index, what, || {
            let objects = log.new_objects()?;
            Ok(objects
                .iter()
                .any(|object| wanted(&object["fields"]))
                .then_some(()))
        })
    }

    /// Waits for an answer of `ask` while the process of a member runs; an error holds its log.
    fn until(
        &mut self,
        index: usize,
        what: &str,
        mut ask: impl FnMut() -> Checked<Option<()>>,
    ) -> Checked {
        let process = self.processes[index].as_mut().ok_or("never started")?;
        let found = wait::until(LIMIT, what, || {
            process.expect_running()?;
            ask()
        });
        let log = self.host.log(NAMES[index]);
        found.map_err(|error| format!("{error}\n{}", tail(&log)).into())
    }
}
