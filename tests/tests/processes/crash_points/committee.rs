//! A committee of four validators as processes, which can be crashed and restarted.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use quorate_tests::Checked;
use quorate_tests::certificates::text;
use quorate_tests::host::Host;
use quorate_tests::process::{Log, Process, tail, wait_for_line};
use quorate_tests::wait::{self, LIMIT};

/// The number of validators.
pub const MEMBERS: usize = 4;

/// The signal that ends a process that aborts.
const SIGABRT: i32 = 6;

/// The bytes of a segment of the log: so few that segments are rotated and removed all the time.
const SEGMENT_BYTES: &str = "4096";

/// The log levels: enough to see why a member lags behind.
const LOGGED: &str = "warn,quorate=debug,libp2p_gossipsub=error";

const MARKET: &str = "\
[[markets]]
name = \"tasks\"
mechanism = \"assignment\"
window_ms = 100
lease_ms = 30000
attempts = 10
";

/// The committee of a swarm with two agents and a requester.
pub struct Committee {
    host: Host,
    members: Vec<Member>,
    _agents: Vec<Process>,
}

struct Member {
    name: String,
    /// The address at which it listens; `None` until it is known.
    address: Option<String>,
    process: Option<Process>,
    log: Log,
    /// The blocks that it logged as committed, by height.
    blocks: BTreeMap<u64, String>,
}

impl Committee {
    /// Makes a swarm in the folder of a host and starts everything but the requester.
    pub fn found(host: &Host) -> Checked<Self> {
        let members: Vec<Member> = (0..MEMBERS)
            .map(|index| Member::new(host, &format!("v{index}")))
            .collect();
        write_genesis(host, &members)?;
        let mut committee = Self {
            host: host.clone(),
            members,
            _agents: Vec::new(),
        };
        for index in 0..MEMBERS {
            let name = committee.members[index].name.clone();
            let first = committee.members[0].address.clone();
            let boot = first.iter().flat_map(|address| ["--boot", address]);
            let join = ["join", &name, "genesis.toml"];
            host.run(&join.into_iter().chain(boot).collect::<Vec<_>>())?;
            committee.start(index, None)?;
        }
        let agents = ["worker-a", "worker-b"];
        for name in agents.into_iter().chain(["desk"]) {
            committee.admit(name)?;
        }
        std::fs::create_dir_all(host.path("certificates"))?;
        let program = env!("CARGO_BIN_EXE_shouting-agent");
        let start = |name| host.start(name, &["node", name, "--command", program, "certificates"]);
        committee._agents = agents.into_iter().map(start).collect::<Checked<_>>()?;
        Ok(committee)
    }

    fn admit(&self, name: &str) -> Checked {
        let (card, file) = (format!("{name}/member.toml"), format!("{name}.att"));
        self.host.run(&["init", name, "--operator", name])?;
        let attest = [
            "attest", "office", "--agent", &card, "--amount", "slots=20", "--out", &file,
        ];
        self.host.run(&attest)?;
        let addresses = self
            .members
            .iter()
            .filter_map(|member| member.address.as_deref());
        let boot = addresses.flat_map(|address| ["--boot", address]);
        let join = ["join", name, "genesis.toml", "--attestation", &file];
        self.host
            .run(&join.into_iter().chain(boot).collect::<Vec<_>>())?;
        Ok(())
    }

    /// Starts a member; if `crash` names a crash point, the member aborts there.
    fn start(&mut self, index: usize, crash: Option<&str>) -> Checked {
        let member = &mut self.members[index];
        let mut command = self.host.quorate(&["--log-json", "node", &member.name])?;
        command
            .env("QUORATE_WAL_SEGMENT_BYTES", SEGMENT_BYTES)
            .env("QUORATE_LOG", LOGGED);
        if let Some(point) = crash {
            command.env("QUORATE_CRASH_POINT", point);
        }
        if let Some(address) = &member.address {
            // The member takes its old port, since others know it by this address.
            command.args(["--listen", address.split("/p2p/").next().unwrap_or(address)]);
        }
        let path = self.host.log(&member.name);
        let mut process = Process::start(&mut command, &path)?;
        if member.address.is_none() {
            let line = wait_for_line(&mut process, "listening on ")?;
            member.address = line.strip_prefix("listening on ").map(str::to_owned);
        }
        member.process = Some(process);
        Ok(())
    }

    /// Kills a member, starts it again so that it aborts at a crash point, and waits until it does.
    pub fn crash(&mut self, index: usize, point: &str) -> Checked {
        self.process(index)?.kill()?;
        self.start(index, Some(point))?;
        let ended = self.process(index)?.wait_for_end();
        let ended = ended.map_err(|error| format!("{point} at {index}: {error}"))?;
        if ended.signal() != Some(SIGABRT) {
            let log = tail(&self.host.log(&self.members[index].name));
            return Err(format!("{point} at {index}: {ended}\n{log}").into());
        }
        Ok(())
    }

    /// Starts a member that aborted, and waits until it has caught up with the others.
    pub fn restart(&mut self, index: usize) -> Checked {
        let mut goal = 0;
        for other in 0..MEMBERS {
            goal = goal.max(self.height(other)?);
        }
        self.start(index, None)?;
        let what = format!("member {index} to catch up with height {goal}");
        let caught_up = wait::until(LIMIT, &what, || {
            self.process(index)?.expect_running()?;
            Ok((self.height(index)? >= goal).then_some(()))
        });
        self.explain(caught_up)
    }

    /// Waits until every member but one has committed `count` more heights.
    pub fn wait_for_heights(&mut self, without: Option<usize>, count: u64) -> Checked {
        let others: Vec<usize> = (0..MEMBERS)
            .filter(|index| Some(*index) != without)
            .collect();
        let mut goal = 0;
        for other in &others {
            goal = goal.max(self.height(*other)? + count);
        }
        let what = format!("members {others:?} to commit height {goal}");
        let committed = wait::until(LIMIT, &what, || {
            for other in &others {
                self.process(*other)?.expect_running()?;
                if self.height(*other)? < goal {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        });
        self.explain(committed)
    }

    /// Kills another member and waits for commits, none of which is made without the vote of member
    /// `index` then.
    pub fn prove_that_it_votes(&mut self, index: usize) -> Checked {
        let other = (index + 1) % MEMBERS;
        self.process(other)?.kill()?;
        self.wait_for_heights(Some(other), 2)?;
        self.restart(other)
    }

    /// Returns the block of each height that any member committed.
    ///
    /// # Errors
    /// Fails if two members differ on a height, or if a height is missing.
    pub fn blocks(&mut self) -> Checked<BTreeMap<u64, String>> {
        let mut blocks = BTreeMap::new();
        for index in 0..MEMBERS {
            self.height(index)?;
            for (height, block) in &self.members[index].blocks {
                let first = blocks.entry(*height).or_insert_with(|| block.clone());
                if first != block {
                    return Err(format!("height {height}: both {first} and {block}").into());
                }
            }
        }
        let last = blocks.keys().next_back().copied().unwrap_or(0);
        if blocks.len() as u64 != last {
            return Err(format!("{} of {last} heights were committed", blocks.len()).into());
        }
        Ok(blocks)
    }

    fn height(&mut self, index: usize) -> Checked<u64> {
        self.members[index].read_log()
    }

    fn process(&mut self, index: usize) -> Checked<&mut Process> {
        Ok(self.members[index]
            .process
            .as_mut()
            .ok_or("a member that was never started")?)
    }

    /// Adds the ends of all logs to an error.
    fn explain(&self, result: Checked) -> Checked {
        result.map_err(|error| {
            let logs = self
                .members
                .iter()
                .map(|member| tail(&self.host.log(&member.name)));
            format!("{error}\n{}", logs.collect::<Vec<_>>().join("\n")).into()
        })
    }
}

impl Member {
    fn new(host: &Host, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: None,
            process: None,
            log: Log::new(&host.log(name)),
            blocks: BTreeMap::new(),
        }
    }

    /// Reads the new lines of the log and returns the last height that was committed.
    fn read_log(&mut self) -> Checked<u64> {
        for object in self.log.new_objects()? {
            let fields = &object["fields"];
            if fields["message"] == "committed" && object["target"] == "quorate::node::validator" {
                let height = fields["height"]
                    .as_u64()
                    .ok_or("a commit without a height")?;
                let block = text(&fields["block"])?;
                if let Some(other) = self.blocks.insert(height, block.clone())
                    && other != block
                {
                    return Err(format!("{}, height {height}: {other}, {block}", self.name).into());
                }
            }
        }
        Ok(self.blocks.keys().next_back().copied().unwrap_or(0))
    }
}

fn write_genesis(host: &Host, members: &[Member]) -> Checked {
    let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
    for Member { name, .. } in members {
        let init = ["init", name, "--operator", name];
        host.run(&init.into_iter().chain(listen).collect::<Vec<_>>())?;
    }
    host.run(&["init", "office", "--operator", "office"])?;
    std::fs::write(host.path("markets.toml"), MARKET)?;
    let cards: Vec<String> = members
        .iter()
        .map(|member| format!("{}/member.toml", member.name))
        .collect();
    let head = [
        "genesis",
        "--name",
        "crashing",
        "--market-file",
        "markets.toml",
    ];
    let attester = ["--attester", "office/member.toml", "--validator"];
    let arguments = head
        .into_iter()
        .chain(attester)
        .chain(cards.iter().map(String::as_str));
    host.run(&arguments.collect::<Vec<_>>())?;
    host.run(&["join", "office", "genesis.toml"])?;
    Ok(())
}
