//! `quorate node`: runs a node until it is told to stop.

mod agent;
mod crash;
mod repair;
pub(crate) mod stop;
mod validator;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use quorate_node::{Home, Multiaddr, NodeConfig};

use crate::values::addresses;
use validator::Start;

/// Run a node: a validator where the genesis names its key, else an agent
///
/// Prints the addresses it listens on, then works until it is interrupted (Ctrl-C) or terminated,
/// and ends cleanly. The log on standard error has a line for each committed block.
///
/// An agent runs a program that reads questions and writes answers, one JSON object on a line:
/// whether it bids on a task, and the outcome of a task it won.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Examples:
  quorate node alice
  quorate node worker --command python3 agent.py
  quorate node alice --rejoin

A validator without its signing guard, data/guard, does not start: it may have signed what it no
longer knows, and a second vote for one step convicts it. --rejoin is the way back when its disk was
lost. The node follows and signs nothing, until other validators with more than two thirds of the
power have said where they are and their commits prove it; then it makes a new guard, and votes from
two heights later. Of four validators all three others have to be up, else it waits.
Give --rejoin until the log says from which height it votes; later starts are refused with it.
Never give it while another copy of the node runs, or may be started again. Where a folder was
brought back from a backup, move all of data/ away first: its guard is too old to be trusted.

Settings: flags override the environment (QUORATE_LISTEN, QUORATE_BOOT, QUORATE_ANNOUNCE,
QUORATE_MDNS, QUORATE_MONITOR), which overrides node.toml in the folder. QUORATE_LOG chooses what is
logged.

For tests of recovery alone: QUORATE_CRASH_POINT=NAME:COUNT aborts the process when it passes that
point of its write path for the COUNT-th time; QUORATE_WAL_SEGMENT_BYTES=N makes the segments of its
log smaller than the usual 16 MiB.")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Folder of the node (one named `repair` is written ./repair).
    #[arg(required_unless_present = "config", conflicts_with = "config")]
    dir: Option<PathBuf>,
    /// A configuration file in the folder of the node, in place of the folder and its node.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on, in place of those in node.toml. May be repeated.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Multiaddr>,
    /// Member to start from, in place of those in node.toml: an address or a member.toml. May be
    /// repeated.
    #[arg(long, value_name = "ADDR|MEMBER.toml")]
    boot: Vec<String>,
    /// Look for members on the local network by multicast DNS.
    #[arg(long)]
    mdns: bool,
    /// Address of a validator's monitoring endpoint: /metrics, /health and /status over HTTP, for
    /// whoever reaches it.
    #[arg(long, value_name = "ADDR")]
    monitor: Option<SocketAddr>,
    /// Let a validator vote again whose signing guard is lost, from heights that the others prove:
    /// see below.
    #[arg(long)]
    rejoin: bool,
    /// Program of an agent with its arguments: everything up to the end of the line.
    #[arg(long, value_name = "PROGRAM ARGS", num_args = 1.., allow_hyphen_values = true)]
    command: Vec<OsString>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Repair(repair::Args),
}

/// Runs the node.
///
/// # Errors
/// Why it did not start, or stopped by itself.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if let Some(Action::Repair(args)) = &args.action {
        return repair::run(args);
    }
    let home = home(&args)?;
    let genesis = home.genesis().with_context(|| {
        format!(
            "{} belongs to no swarm yet; quorate join comes first",
            home.root().display()
        )
    })?;
    let key = home.key()?.public_key();
    let is_validator = genesis.validators.get(&key).is_some();
    match is_validator {
        true => {
            ensure!(
                args.command.is_empty(),
                "--command is for agents; this key is a validator's"
            );
            validator::run(start(&args, &home)?, &home).await?;
        }
        false => {
            ensure!(
                home.config()?.monitor.is_none(),
                "`monitor` is for validators; this key is none"
            );
            ensure!(!args.rejoin, "--rejoin is for validators; this key is none");
            agent::run(home, &args.command).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A guard that is there decides: whoever lost it has to say so, and whoever did not, cannot.
fn start(args: &Args, home: &Home) -> Result<Start> {
    if !args.rejoin {
        return Ok(Start::Usual);
    }
    let guard = home.data().join("guard");
    ensure!(
        !guard.exists(),
        "{}: the signing guard is there, so the key needs no way back: leave --rejoin away. Only \
         if this folder came from a backup or a copy, or the guard is damaged, is it not to be \
         trusted: then move {} away first",
        guard.display(),
        home.data().display()
    );
    Ok(Start::Rejoin)
}

/// The folder, with flags over environment over file.
fn home(args: &Args) -> Result<Home> {
    let home = Home::new(match (&args.config, &args.dir) {
        (Some(file), _) => file.parent().unwrap_or(Path::new("")).join("."),
        (None, Some(dir)) => dir.clone(),
        (None, None) => bail!("a folder is missing"),
    });
    let mut config = match &args.config {
        Some(file) => NodeConfig::read(file)?,
        None => home.config()?,
    };
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    if !args.boot.is_empty() {
        let boot = args
            .boot
            .iter()
            .map(|text| addresses(text))
            .collect::<Result<Vec<_>>>()?;
        config.boot = boot.concat();
    }
    config.mdns |= args.mdns;
    config.monitor = args.monitor.or(config.monitor);
    Ok(home.with_config(config))
}
