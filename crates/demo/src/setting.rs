//! The setting of every demonstration: a run folder, keys, a genesis, attestations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use quorate_node::{DataDir, NodeConfig};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::{
    Capabilities, Claims, Genesis, Market, PROTOCOL_VERSION, PublicKey, UnixMillis, Validator,
    ValidatorSet,
};
use serde::Serialize;

/// The folder, the members and the genesis of a run.
pub(super) struct Setting {
    pub(super) folder: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) validators: Vec<Member>,
    pub(super) agents: Vec<Member>,
    /// The node of this process, which is requester and attester.
    pub(super) operator: DataDir,
    started: UnixMillis,
}

/// A member that will run as a process: its name, folder and key.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) data_dir: DataDir,
    pub(super) key: PublicKey,
}

/// The parameters of [`Setting::make`].
pub(super) struct Wanted<'a> {
    /// The name of the swarm, with which the names of its run folders begin.
    pub(super) name: &'a str,
    /// The word that agents' names begin with, before a number; also the role of their processes.
    pub(super) role: &'a str,
    pub(super) validators: usize,
    pub(super) agents: usize,
    /// The name of the attester.
    pub(super) attester: &'a str,
    /// The markets, ascending by name.
    pub(super) markets: Vec<Market>,
    /// The folder of the run, if the user chose one.
    pub(super) out: Option<&'a Path>,
    pub(super) started: UnixMillis,
}

impl Setting {
    /// Makes the folder, all keys and the genesis.
    pub(super) fn make(wanted: Wanted<'_>) -> Result<Self> {
        let started = wanted.started;
        let folder = match wanted.out {
            Some(folder) => folder.to_path_buf(),
            None => PathBuf::from("runs").join(format!("{}-{started}", wanted.name)),
        };
        // A run must not be mixed with an earlier one.
        make_empty(&folder)?;

        let validators = members(&folder, "validator", wanted.validators)?;
        let agents = members(&folder, wanted.role, wanted.agents)?;
        // The operator has a folder like all others, but no process of its own.
        let operator = member(&folder, "operator".to_owned())?;
        let genesis = genesis(&wanted, &validators, &operator)?;
        let operator = operator.data_dir;

        Ok(Self {
            folder,
            genesis,
            validators,
            agents,
            operator,
            started,
        })
    }

    /// Writes the genesis into all folders, and makes the signing guards of the validators.
    pub(super) fn write(&self) -> Result<()> {
        self.operator.store_genesis(&self.genesis)?;
        quorate_node::write_genesis(&self.trust_root(), &self.genesis)?;

        for validator in &self.validators {
            validator.data_dir.store_genesis(&self.genesis)?;
            // A key without its guard does not sign (N-21).
            validator
                .data_dir
                .create_guard(&validator.key, &self.genesis.swarm_id())?;
        }
        for agent in &self.agents {
            agent.data_dir.store_genesis(&self.genesis)?;
        }

        Ok(())
    }

    /// Has the operator attest an agent's capabilities, for a day.
    pub(super) fn attest(&self, agent: &Member, capabilities: Capabilities) -> Result<()> {
        let attester = self.operator.key()?;
        // Claims carry seconds of Unix time.
        let now = self.started.seconds();
        let claims = Claims {
            issuer: attester.public_key(),
            subject: agent.key,
            audience: self.genesis.swarm_id(),
            expires: now + 24 * 3600,
            not_before: now - 60,
            issued_at: now,
            id: agent.name.clone().into_bytes(),
            capabilities,
        };

        Ok(agent
            .data_dir
            .store_attestation(&attester.sign(claims).into_inner())?)
    }

    /// Tells a member which addresses to start from. The first validator starts from none.
    pub(super) fn configure(data_dir: &DataDir, listens: bool, boot: &[String]) -> Result<()> {
        // TCP and QUIC, each on any free port.
        let any = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
        let listen = any.into_iter().filter(|_| listens).map(str::parse);

        let config = NodeConfig {
            listen: listen.collect::<Result<_, _>>()?,
            boot: boot
                .iter()
                .map(|address| address.parse())
                .collect::<Result<_, _>>()?,
            ..NodeConfig::default()
        };

        Ok(data_dir.store_config(&config)?)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    pub(super) fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    pub(super) fn trust_root(&self) -> PathBuf {
        self.folder.join("genesis.toml")
    }

    /// Tells the user, who stopped the run, where its files are. Returns the exit code.
    pub(super) fn stopped(&self) -> ExitCode {
        eprintln!(
            "stopped; the files of the run so far are in {}",
            self.folder.display()
        );
        ExitCode::from(130)
    }

    /// Returns the names of validators and agents by key.
    pub(super) fn names(&self) -> BTreeMap<PublicKey, String> {
        let all = self.validators.iter().chain(&self.agents);
        all.map(|member| (member.key, member.name.clone()))
            .collect()
    }
}

impl Member {
    /// Writes the settings of its process into a file of its folder.
    pub(super) fn tell(&self, file: &str, what: &impl Serialize) -> Result<()> {
        let path = self.data_dir.root().join(file);
        let text = serde_json::to_string_pretty(what)?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

/// The input of a run: the name of a file, and its text.
pub(super) struct Input {
    name: String,
    text: String,
}

impl Input {
    /// Reads the file that the user chose. If there is none, the input is the file that ships with
    /// the program under this name.
    pub(super) fn of(chosen: Option<&Path>, shipped_name: &str, shipped: &str) -> Result<Self> {
        let Some(path) = chosen else {
            return Ok(Self {
                name: shipped_name.to_owned(),
                text: shipped.to_owned(),
            });
        };

        let shown = || path.display().to_string();
        let name = path.file_name().with_context(shown)?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            text: std::fs::read_to_string(path).with_context(shown)?,
        })
    }

    /// Writes it into the folder of a run, and returns the file name.
    pub(super) fn keep(self, folder: &Path) -> Result<String> {
        let path = folder.join(&self.name);
        std::fs::write(&path, self.text).with_context(|| path.display().to_string())?;
        Ok(self.name)
    }
}

fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() && std::fs::read_dir(folder)?.next().is_some() {
        bail!(
            "{}: the folder is not empty; choose an empty or absent one with --out",
            folder.display()
        );
    }

    for part in ["logs", "certificates"] {
        let path = folder.join(part);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    }

    Ok(())
}

/// Makes the folders and the keys of this many members, which are numbered from 1.
fn members(folder: &Path, role: &str, count: usize) -> Result<Vec<Member>> {
    (1..=count)
        .map(|number| member(folder, format!("{role}-{number}")))
        .collect()
}

fn member(folder: &Path, name: String) -> Result<Member> {
    let data_dir = DataDir::new(folder.join("nodes").join(&name));
    let key = data_dir.create_key()?.public_key();
    Ok(Member {
        name,
        data_dir,
        key,
    })
}

fn genesis(wanted: &Wanted<'_>, validators: &[Member], operator: &Member) -> Result<Genesis> {
    let genesis = Genesis {
        name: wanted.name.parse()?,
        created: wanted.started.saturating_sub(1),
        markets: wanted.markets.clone(),
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        // The operator attests all agents.
        attesters: vec![Attester {
            key: operator.key,
            name: wanted.attester.parse()?,
        }],
        parameters: Parameters::default(),
        validators: committee(validators)?,
    };

    genesis.check()?;
    Ok(genesis)
}

/// Returns the committee of these members. All have the same power, and each its own operator.
fn committee(members: &[Member]) -> Result<ValidatorSet> {
    let validators = members.iter().enumerate().map(|(at, member)| {
        Ok(Validator {
            key: member.key,
            power: 1,
            operator: format!("op-{}", at + 1).parse()?,
        })
    });

    let validators = validators.collect::<Result<_>>()?;
    Ok(ValidatorSet::new(validators)?)
}
