//! Setting the stage: run folder, keys, genesis, attestations, mission.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use quorate_drone::{Mission, Point};
use quorate_node::{Home, NodeConfig};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::{
    Claims, Genesis, Label, Market, PROTOCOL_VERSION, PublicKey, Validator, ValidatorSet,
};

use super::Args;
use crate::demo::worker::DroneFile;

/// The mission that ships, for a run without `--mission`.
const BRIDGES: &str = include_str!("../../../../../examples/drones/bridges.geojson");
const BRIDGES_NAME: &str = "bridges.geojson";
/// What some tasks require, some drones have, and the liar claims.
const THERMAL_CAMERA: &str = "thermal-camera";
/// Simulated seconds in one second.
const TIME_SCALE: f64 = 120.0;

/// Everything the run needs, written to its folder.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) mission: Mission,
    pub(super) validators: Vec<Member>,
    pub(super) drones: Vec<Member>,
    pub(super) drone_files: Vec<DroneFile>,
    pub(super) operator: Home,
    /// Whether the mission required nothing, and the demonstration added a requirement.
    pub(super) requirement_added: bool,
}

/// A process to be: its name, folder and key.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) home: Home,
    pub(super) key: PublicKey,
}

impl Stage {
    pub(super) fn set(args: &Args, started_unix_ms: u64) -> Result<Self> {
        let folder = match &args.keep {
            Some(folder) => folder.clone(),
            None => PathBuf::from("runs").join(format!("drones-{started_unix_ms}")),
        };
        let (mut mission, requirement_added) = read_mission(args)?;
        make_empty(&folder)?;
        mission.name = keep_mission(args, &folder)?;
        let thermal: Label = THERMAL_CAMERA.parse()?;
        if requirement_added {
            for task in mission.tasks.iter_mut().step_by(10) {
                task.requires.insert(thermal.clone());
            }
        }
        let validators = members(&folder, "validator", args.validators)?;
        let drones = members(&folder, "drone", args.drones)?;
        let operator = members(&folder, "operator", 1)?.remove(0);
        let genesis = genesis(&validators, &operator, started_unix_ms)?;
        let drone_files = drone_files(args, &mission, &thermal);
        let stage = Self {
            folder,
            genesis,
            mission,
            validators,
            drones,
            drone_files,
            operator: operator.home,
            requirement_added,
        };
        stage.write(started_unix_ms)?;
        Ok(stage)
    }

    /// Writes genesis, guards, attestations and configurations into the folders.
    fn write(&self, now: u64) -> Result<()> {
        let swarm = self.genesis.swarm_id();
        self.operator.store_genesis(&self.genesis)?;
        quorate_node::write_genesis(&self.folder.join("genesis.toml"), &self.genesis)?;
        for validator in &self.validators {
            validator.home.store_genesis(&self.genesis)?;
            validator.home.create_guard(&validator.key, &swarm)?;
        }
        let attester = self.operator.key()?;
        for (drone, file) in self.drones.iter().zip(&self.drone_files) {
            drone.home.store_genesis(&self.genesis)?;
            let claims = Claims {
                issuer: attester.public_key(),
                subject: drone.key,
                audience: swarm,
                expires: now / 1000 + 24 * 3600,
                not_before: now / 1000 - 60,
                issued_at: now / 1000,
                id: drone.name.clone().into_bytes(),
                capabilities: file.config().attested(),
            };
            drone.home.store_attestation(&attester.sign(claims).into_inner())?;
            let path = drone.home.root().join("drone.json");
            std::fs::write(&path, serde_json::to_string_pretty(file)?)
                .with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Tells a member where to start from. The first validator starts from nothing.
    pub(super) fn configure(home: &Home, listens: bool, boot: &[String]) -> Result<()> {
        let any = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
        let listen = any.into_iter().filter(|_| listens).map(str::parse);
        let config = NodeConfig {
            listen: listen.collect::<Result<_, _>>()?,
            boot: boot.iter().map(|address| address.parse()).collect::<Result<_, _>>()?,
            ..NodeConfig::default()
        };
        Ok(home.store_config(&config)?)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// Names by key, of validators and drones.
    pub(super) fn names(&self) -> BTreeMap<PublicKey, String> {
        let all = self.validators.iter().chain(&self.drones);
        all.map(|member| (member.key, member.name.clone())).collect()
    }
}

fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() && std::fs::read_dir(folder)?.next().is_some() {
        bail!("{}: exists and is not empty; choose another folder", folder.display());
    }
    for part in ["logs", "certificates"] {
        let path = folder.join(part);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Reads the mission, and says whether a requirement is to be added: a swarm in which nobody can
/// lie about a capability would not show that liars are refused.
fn read_mission(args: &Args) -> Result<(Mission, bool)> {
    let mission = match &args.mission {
        Some(path) => Mission::read(path)?,
        None => Mission::parse(BRIDGES_NAME, BRIDGES)?,
    };
    if mission.tasks.is_empty() {
        bail!("{}: the mission has no tasks", mission.name);
    }
    let requires = mission.tasks.iter().any(|task| !task.requires.is_empty());
    Ok((mission, !requires && !args.no_faults))
}

/// Keeps a copy of the mission in the run folder; gives its file name.
fn keep_mission(args: &Args, folder: &Path) -> Result<String> {
    let (name, text) = match &args.mission {
        Some(path) => {
            let name = path.file_name().context("--mission is no file")?.to_string_lossy();
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            (name.into_owned(), text)
        }
        None => (BRIDGES_NAME.to_owned(), BRIDGES.to_owned()),
    };
    let path = folder.join(&name);
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    Ok(name)
}

fn members(folder: &Path, role: &str, count: usize) -> Result<Vec<Member>> {
    let member = |number: usize| {
        let name = if count == 1 && role == "operator" {
            role.to_owned()
        } else {
            format!("{role}-{number}")
        };
        let home = Home::new(folder.join("nodes").join(&name));
        let key = home.create_key()?.public_key();
        Ok(Member { name, home, key })
    };
    (1..=count).map(member).collect()
}

fn genesis(validators: &[Member], operator: &Member, now: u64) -> Result<Genesis> {
    let set = validators.iter().enumerate().map(|(at, member)| {
        Ok(Validator { key: member.key, power: 1, operator: format!("op-{}", at + 1).parse()? })
    });
    let genesis = Genesis {
        name: "drones".parse()?,
        created: now.saturating_sub(1),
        markets: vec![Market {
            name: "drones".parse()?,
            reserve: None,
            trusted: false,
            attempts: 10,
            lease_ms: 3_000,
            mechanism: "assignment".parse()?,
            reveal_ms: None,
            window_ms: 600,
        }],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester { key: operator.key, name: "airworthiness".parse()? }],
        parameters: Parameters::default(),
        validators: ValidatorSet::new(set.collect::<Result<_>>()?)?,
    };
    genesis.check()?;
    Ok(genesis)
}

/// The drones stand around the middle of the mission; every other one has a thermal camera, and
/// the last one only says so.
fn drone_files(args: &Args, mission: &Mission, thermal: &Label) -> Vec<DroneFile> {
    let center = mission.center().unwrap_or(Point { lat: 0.0, lng: 0.0 });
    let heaviest = mission.tasks.iter().map(|task| task.task.demand_g).max().unwrap_or(0);
    let liar = (!args.no_faults && args.drones > 1).then_some(args.drones - 1);
    let drone = |at: usize| {
        let angle = std::f64::consts::TAU * (at as f64 + 0.5 + (args.seed % 7) as f64 / 7.0)
            / args.drones as f64;
        let home =
            Point { lat: center.lat + 0.006 * angle.sin(), lng: center.lng + 0.010 * angle.cos() };
        let lies = liar == Some(at);
        DroneFile {
            home,
            speed_mps: 15.0,
            range_m: 60_000.0,
            payload_g: heaviest.max(500),
            equipment: if at.is_multiple_of(2) && !lies {
                vec![thermal.clone()]
            } else {
                Vec::new()
            },
            time_scale: TIME_SCALE,
            seed: args.seed.wrapping_mul(1000).wrapping_add(at as u64),
            claims: lies.then(|| thermal.clone()),
        }
    };
    (0..args.drones).map(drone).collect()
}
