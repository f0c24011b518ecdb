//! A process of a demonstration: a validator or an agent that reports to its parent in lines of
//! JSON, and ends when its parent does.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_drone::{Behaviour, Drone, DroneConfig, Point};
use quorate_node::{CommittedBlock, CrashPoints, DataDir};
use quorate_node::{Node, NodeEvent, NodeHandle, Validator, ValidatorEvent};
use quorate_trader::{MakerConfig, MarketMaker};
use quorate_types::{Label, PublicKey, TaskId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::sync::broadcast::error::RecvError;

/// Arguments of a worker.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, clap::Subcommand)]
enum Role {
    /// Run the validator of a folder
    Validator { data_dir: PathBuf },
    /// Fly the drone of a folder, described by `drone.json` in it
    Drone { data_dir: PathBuf },
    /// Make markets for the trader of a folder, described by `trader.json` in it
    Trader { data_dir: PathBuf },
}

/// A line that a worker sends to its parent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line {
    /// It is ready: a validator listens, an agent is admitted by the swarm.
    Ready {
        /// The addresses at which it can be reached; empty for an agent.
        addresses: Vec<String>,
    },
    /// A validator committed a height.
    Height(Decided),
    /// An agent was awarded this task. A drone takes off for it.
    Working { task: TaskId },
    /// A bid of an agent had no effect, or some of its offers had none. Each item has the task of
    /// an offer, or `None` for the whole bid, and the reason code; the certificate is hexadecimal.
    Refused {
        items: Vec<(Option<TaskId>, u16)>,
        certificate: String,
    },
}

/// A height as a validator committed it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) builder: PublicKey,
    pub(super) operations: usize,
    pub(super) outcomes: usize,
}

/// The file in its folder that holds a drone's settings.
pub(super) const DRONE_FILE: &str = "drone.json";
/// The file in its folder that holds a market maker's settings.
pub(super) const TRADER_FILE: &str = "trader.json";
/// The number of slices that a market maker may hold at one time. It fills each at once.
const TRADER_SLOTS: usize = 8;

/// The settings of a market maker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TraderFile {
    #[serde(flatten)]
    pub(super) config: MakerConfig,
    /// Whether it never opens its commitments.
    pub(super) withholds: bool,
}

/// The settings of a drone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DroneFile {
    pub(super) home: Point,
    pub(super) speed_mps: f64,
    pub(super) range_m: f64,
    pub(super) payload_g: i64,
    pub(super) equipment: Vec<Label>,
    pub(super) time_scale: f64,
    pub(super) seed: u64,
    /// Equipment that it claims although nobody attested it.
    pub(super) claims: Option<Label>,
}

impl DroneFile {
    pub(super) fn config(&self) -> DroneConfig {
        DroneConfig {
            home: self.home,
            speed_mps: self.speed_mps,
            range_m: self.range_m,
            payload_g: self.payload_g,
            equipment: self.equipment.clone(),
            time_scale: self.time_scale,
            seed: self.seed,
            behaviour: match &self.claims {
                Some(claims) => Behaviour::Liar {
                    claims: claims.clone(),
                },
                None => Behaviour::Honest,
            },
        }
    }
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    match args.role {
        Role::Validator { data_dir } => validator(DataDir::new(data_dir)).await,
        Role::Drone { data_dir } => drone(DataDir::new(data_dir)).await,
        Role::Trader { data_dir } => trader(DataDir::new(data_dir)).await,
    }
}

async fn validator(data_dir: DataDir) -> Result<ExitCode> {
    let mut validator = Validator::start(&data_dir, CrashPoints::default()).await?;
    let mut events = validator.subscribe();
    wait_for_addresses(&validator).await?;

    let addresses = validator.addresses();
    let addresses = addresses.iter().map(ToString::to_string).collect();
    say(&Line::Ready { addresses })?;

    loop {
        tokio::select! {
            () = parent_gone() => {
                validator.shutdown().await?;
                return Ok(ExitCode::SUCCESS);
            }

            // A validator that was not told to end has failed.
            ended = validator.wait() => {
                ended?;
                return Ok(ExitCode::FAILURE);
            }

            event = events.recv() => match event {
                Ok(ValidatorEvent::Committed(block)) => say(&Line::Height(decided(&block)))?,
                // The other validators report the heights that this one missed.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(ExitCode::FAILURE),
            },
        }
    }
}

fn decided(block: &CommittedBlock) -> Decided {
    Decided {
        height: block.height,
        round: block.round,
        builder: block.builder,
        operations: block.operations,
        outcomes: block.outcomes.len(),
    }
}

/// Waits until the sockets are bound, which takes a moment after the start.
async fn wait_for_addresses(validator: &Validator) -> Result<()> {
    let bound = async {
        // One address for TCP and one for QUIC.
        while validator.addresses().len() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };

    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, bound)
        .await
        .context("no socket could be bound within 10 s")
}

async fn drone(data_dir: DataDir) -> Result<ExitCode> {
    let file: DroneFile = read(&data_dir, DRONE_FILE)?;
    let node = Node::builder(data_dir)
        .agent(Drone::new(file.config()))
        .start()
        .await?;
    work(node).await
}

async fn trader(data_dir: DataDir) -> Result<ExitCode> {
    let file: TraderFile = read(&data_dir, TRADER_FILE)?;
    let mut node = Node::builder(data_dir);

    // One agent for each slice that it may hold.
    for _ in 0..TRADER_SLOTS {
        node = node.agent(MarketMaker::new(file.config.clone()));
    }

    if file.withholds {
        node = node.withhold_openings();
    }

    work(node.start().await?).await
}

fn read<T: DeserializeOwned>(data_dir: &DataDir, file: &str) -> Result<T> {
    let path = data_dir.root().join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Reports awards and refusals of an agent until the parent is gone.
async fn work(node: NodeHandle) -> Result<ExitCode> {
    let mut events = node.subscribe();
    tokio::select! {
        // The parent may be gone before the swarm has admitted this agent.
        () = parent_gone() => return Ok(ExitCode::SUCCESS),
        ready = node.ready() => ready?,
    }

    say(&Line::Ready {
        addresses: Vec::new(),
    })?;

    loop {
        tokio::select! {
            () = parent_gone() => {
                node.shutdown().await;
                return Ok(ExitCode::SUCCESS);
            }

            event = events.recv() => match event {
                Ok(event) => report(event)?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(ExitCode::FAILURE),
            },
        }
    }
}

/// Reports an award or a refusal.
fn report(event: NodeEvent) -> Result<()> {
    match event {
        NodeEvent::Award(award) => say(&Line::Working { task: award.task }),
        NodeEvent::Refused {
            items, certificate, ..
        } => {
            let items = items.into_iter();
            say(&Line::Refused {
                items: items.map(|(task, why)| (task, why.code())).collect(),
                certificate: hex::encode(certificate.bytes()),
            })
        }
        _ => Ok(()),
    }
}

/// Waits until the parent is gone. The parent keeps the other end of standard input open until
/// then.
async fn parent_gone() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while matches!(input.read(&mut buffer).await, Ok(1..)) {}
}

fn say(line: &Line) -> Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
