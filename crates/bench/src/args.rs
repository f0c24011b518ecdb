//! The arguments of `quorate bench`, with the choices that they name.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use quorate_console::{duration, positive_duration};
use quorate_network::Multiaddr;
use serde::Serialize;

/// Measure a committee on this computer under load
///
/// Starts validators as separate processes on the loopback interface, has agents submit operations,
/// and reports latency, throughput, traffic, CPU and memory. Beside these stands the floor: the
/// least latency that this machine allows.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = DEFINITIONS)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) worker: Option<Hidden>,
    /// Validators, each a process of its own.
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) validators: u64,
    /// Validators that are killed (SIGKILL) before anything is measured; fewer than a third.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) dead: u64,
    /// Agents: keys that submit operations, all from this process over one link per validator.
    #[arg(long, value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) agents: u64,
    /// Operations that the agents submit.
    #[arg(long, value_enum, default_value_t = Mix::SubmitCancel)]
    pub(crate) mix: Mix,
    /// Bytes of the opaque part of each task.
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u64).range(8..=4096))]
    pub(crate) payload_bytes: u64,
    /// Tasks that all agents together submit per second, whether or not they are committed in time.
    /// With 0, the load is a closed loop: each agent keeps `--in-flight` tasks under way.
    #[arg(long, value_name = "TASKS/S", default_value_t = 0)]
    pub(crate) rate: u64,
    /// Tasks that each agent keeps under way in the closed loop.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=128))]
    pub(crate) in_flight: u64,
    /// Transport of the links between the processes.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    pub(crate) transport: Transport,
    /// How long to measure: 500ms, 30s, 2m.
    #[arg(long, value_name = "TIME", default_value = "10s",
        value_parser = positive_duration)]
    pub(crate) duration: Duration,
    /// How long the load runs before it is measured.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) warmup: Duration,
    /// Measure an idle committee, without a load.
    #[arg(long)]
    pub(crate) idle: bool,
    /// Folder of the run, which is kept; must be empty or absent. Choose the disk that you mean to
    /// measure: validators sync to it.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

const DEFINITIONS: &str = "\
Definitions (keys of --json in brackets):
  commit latency [commit_ms] is the builder's view: from when it begins to build a block to when
    the block is decided, durable and applied at the builder. [received_to_commit_ms] is the
    view of all others: from when they received the block.
  [submit_to_commit_ms] runs from the moment before an agent signs an operation (with --rate: from
    when it was due) to its commit, at each live validator. Bids and cancels are not counted.
  [open_tasks_at_begin], [open_tasks_at_end] are the tasks that were open when the measured time
    began and when it ended. If they differ much, open tasks piled up, and the run did not measure
    a steady state.
  [messages_per_commit], [bytes_per_commit]: frames that all live validators together sent each
    other per height, on the consensus and bulk lanes; frames of agents are not counted.
  [cpu_ms_per_height] is user and system time of one validator, on average, per height;
    [cpu_us_per_operation] per operation. The load has its own [load_cpu_percent].
  [rss_mib] is the resident memory of the largest validator at the end.
  [floor_ms] is the least time from proposal to commit that the protocol allows, by the medians
    measured on this machine just before the load:
      3 hops     proposal, prevote, precommit; a hop is half the round trip of 300 bytes on a
                 long-lived stream between two endpoints on the loopback interface
      4 appends  of 300 bytes with fdatasync in the run folder: the intent to propose, to prevote,
                 to precommit, and the decision
      3 signatures made, and 1 + 2 (q - 1) checked, one after another: the proposal, and with a
                 quorum of q the others' prevotes and precommits
  [floor_ratio] is the median of commit_ms divided by floor_ms. All validators share the cores of
    this computer [cores], so they also wait for each other.

Examples:
  quorate bench                                        latency of small blocks, four validators
  quorate bench --validators 7 --dead 1 --json
  quorate bench --agents 64 --in-flight 64             throughput
  quorate bench --mix assignment --agents 32           tasks from submission to completion
  quorate bench --mix pile-up --duration 60s           open tasks that nobody ends
  quorate bench --idle --duration 30s                  memory and CPU at rest";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Hidden {
    /// Run one validator of a measurement; for internal use
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Arguments of a worker.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArgs {
    /// Folder of the validator.
    pub(crate) data_dir: PathBuf,
    /// Reports every height, so that the load can go on.
    #[arg(long)]
    pub(crate) tells: bool,
}

/// The operations that agents submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mix {
    /// Submissions and cancels in turn: nobody bids, and a requester cancels each of its tasks once
    /// it is open. The number of open tasks is steady.
    SubmitCancel,
    /// Submissions alone. Nobody bids and no task ends, so that open tasks pile up while the load
    /// runs.
    PileUp,
    /// Whole lives of tasks: submit, bid, accept, complete; one bidder for each task.
    FirstPrice,
    /// Whole lives of tasks; every agent bids on up to 16 tasks, and all are cleared together at
    /// least cost.
    Assignment,
}

/// The transport of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// TCP with Noise and Yamux.
    Tcp,
    /// QUIC, over UDP.
    Quic,
}

impl Transport {
    /// Returns the address of any free port of the loopback interface.
    pub(crate) fn any_port(self) -> Result<Multiaddr> {
        Ok(match self {
            Self::Tcp => "/ip4/127.0.0.1/tcp/0".parse()?,
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1".parse()?,
        })
    }
}
