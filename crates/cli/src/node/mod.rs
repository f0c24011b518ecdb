//! `quorate node`: runs a node until it is told to stop.

mod agent;
mod crash;
mod repair;
mod validator;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use quorate_node::{DataDir, Multiaddr, NodeConfig};

use crate::values::all_addresses;
use validator::Start;

/// Run a node: a validator if the genesis names its key as one, otherwise an agent
///
/// A validator prints the addresses that it listens on, and logs one line on standard error for
/// each committed block. An agent needs --command: a program that reads questions and writes
/// answers, one JSON object on each line. The program says whether it bids on a task, and reports
/// the outcome of each task that it won.
///
/// The node works until it is interrupted (Ctrl-C) or terminated, and then stops cleanly.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Examples:
  quorate node alice
  quorate node worker --command python3 agent.py
  quorate node alice --rejoin

A lost signing guard: a validator without data/guard does not start. It may have signed something
that it no longer knows of, and a second vote for one step would convict it. If its disk was lost,
--rejoin brings it back. The node then follows the swarm and signs nothing, until other validators
with more than two thirds of the power have said where they are and their commits prove it. Then it
makes a new guard, and votes from two heights later. Of four validators, all three others must be
up; otherwise it waits.
Give --rejoin until the log says from which height the node votes; later starts with it are refused.
Never give it while another copy of the node runs or may be started again. If the folder came from a
backup, move all of data/ away first: the guard in it is too old to be trusted.

Settings: flags override the environment (QUORATE_LISTEN, QUORATE_BOOT, QUORATE_ANNOUNCE,
QUORATE_MDNS, QUORATE_MONITOR), which overrides node.toml in the folder. QUORATE_LOG chooses what is
logged.

Only for tests of recovery: QUORATE_CRASH_POINT=NAME:COUNT aborts the process when it passes that
point of its write path for the COUNT-th time; QUORATE_WAL_SEGMENT_BYTES=N makes the segments of its
log smaller than the usual 16 MiB.")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Folder of the node. Write ./repair for a folder named `repair`.
    #[arg(required_unless_present = "config", conflicts_with = "config")]
    dir: Option<PathBuf>,
    /// Configuration file in the folder of the node. Give it in place of the folder; it replaces
    /// node.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on, in place of those in node.toml. May be repeated.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Multiaddr>,
    /// Member to connect to first, in place of those in node.toml: its address, or its member.toml.
    /// May be repeated.
    #[arg(long, value_name = "ADDR|MEMBER.toml")]
    boot: Vec<String>,
    /// Look for members on the local network by multicast DNS.
    #[arg(long)]
    mdns: bool,
    /// Address of a validator's monitoring endpoint. It serves /metrics, /health and /status over
    /// HTTP to anyone who can reach it.
    #[arg(long, value_name = "IP:PORT")]
    monitor: Option<SocketAddr>,
    /// Let a validator whose signing guard is lost vote again, from heights that the others prove:
    /// see below.
    #[arg(long)]
    rejoin: bool,
    /// Program of an agent, with its arguments: takes everything up to the end of the line.
    #[arg(long, value_name = "PROGRAM ARGS", num_args = 1.., allow_hyphen_values = true)]
    command: Vec<OsString>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Repair(repair::Args),
}

/// Runs the node until it is told to stop.
///
/// # Errors
/// If the node does not start, or ends before it is told to.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if let Some(Action::Repair(args)) = &args.action {
        return repair::run(args);
    }

    let data_dir = data_dir(&args)?;
    let genesis = data_dir.genesis().with_context(|| {
        format!(
            "{}: belongs to no swarm yet; run quorate join first",
            data_dir.root().display()
        )
    })?;

    let key = data_dir.key()?.public_key();
    // The genesis decides what kind of node it is, and the options must fit.
    let is_validator = genesis.validators.get(&key).is_some();

    match is_validator {
        true => run_validator(&args, &data_dir).await?,
        false => run_agent(&args, data_dir).await?,
    }

    Ok(ExitCode::SUCCESS)
}

async fn run_validator(args: &Args, data_dir: &DataDir) -> Result<()> {
    ensure!(
        args.command.is_empty(),
        "--command is only for agents, and the key of this folder is a validator's"
    );

    validator::run(start(args, data_dir)?, data_dir).await
}

async fn run_agent(args: &Args, data_dir: DataDir) -> Result<()> {
    ensure!(
        data_dir.config()?.monitor.is_none(),
        "`monitor` is only for validators, and the key of this folder is not a validator's"
    );
    ensure!(
        !args.rejoin,
        "--rejoin is only for validators, and the key of this folder is not a validator's"
    );

    agent::run(data_dir, &args.command).await
}

/// How the validator starts. The owner must say explicitly that the guard is lost, and cannot say
/// so while there is one.
fn start(args: &Args, data_dir: &DataDir) -> Result<Start> {
    if !args.rejoin {
        return Ok(Start::Usual);
    }

    let guard = data_dir.data().join("guard");
    ensure!(
        !guard.exists(),
        "{}: the signing guard is there, so the key needs no way back: leave --rejoin out. If \
         this folder came from a backup or a copy, or if the guard is damaged, the guard cannot be \
         trusted: then move {} away first",
        guard.display(),
        data_dir.data().display()
    );

    Ok(Start::Rejoin)
}

/// The folder with its configuration: flags override the environment, which overrides the file.
fn data_dir(args: &Args) -> Result<DataDir> {
    let data_dir = DataDir::new(folder(args)?);
    let mut config = match &args.config {
        Some(file) => NodeConfig::read(file)?,
        None => data_dir.config()?,
    };

    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }

    if !args.boot.is_empty() {
        config.boot = all_addresses(&args.boot)?;
    }

    config.mdns |= args.mdns;
    config.monitor = args.monitor.or(config.monitor);
    Ok(data_dir.with_config(config))
}

/// The folder of the node, which is also that of a configuration file named with `--config`.
fn folder(args: &Args) -> Result<PathBuf> {
    match (&args.config, &args.dir) {
        // A file that is named without a folder has an empty parent, and means the current folder.
        (Some(file), _) => Ok(file.parent().unwrap_or(Path::new("")).join(".")),
        (None, Some(dir)) => Ok(dir.clone()),
        (None, None) => bail!("give the folder of the node, or a file with --config"),
    }
}
