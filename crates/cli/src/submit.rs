//! `quorate submit`: has work done, and keeps the certificates of it.

mod follow;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use quorate_node::{Home, Node};
use quorate_types::cose::Owned;
use quorate_types::{Genesis, Label, Price, TaskSpec};

use crate::values::{self, Amount};
use follow::Follow;

/// Submit tasks and wait until they are done
///
/// Prints who was awarded each task at what price, and what the agent reported. The certificates of
/// award and completion are verified and kept as files, for `quorate audit verify`; and of each
/// auction all bids, for `quorate audit replay`.
///
/// The folder's key is the requester. The swarm has to know it: through an attestation (quorate
/// join --attestation), or as an attester. It must not be that of a node that is running.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  quorate submit desk --market drones --require-label camera --require payload_g=500 \\
    --max-price 300 --deadline 10m --payload '48.1374,11.5755' --out certificates

Ends with 0 where every task was done, with 1 where one ended undone or time ran out; tasks that
were submitted stay submitted, and their deadline ends them.")]
pub(crate) struct Args {
    /// Folder of the requester, joined to the swarm.
    dir: PathBuf,
    /// Market that clears the tasks.
    #[arg(long, value_name = "M", default_value = "tasks")]
    market: Label,
    /// Label the agent must carry by attestation. May be repeated.
    #[arg(long, value_name = "L")]
    require_label: Vec<Label>,
    /// Least amount the agent must have by attestation. May be repeated.
    #[arg(long, value_name = "DIM=N", value_parser = values::amount)]
    require: Vec<Amount>,
    /// What a task takes of the agent's amounts while it is assigned; without any, one slot. May be
    /// repeated.
    #[arg(long, value_name = "DIM=N", value_parser = values::amount)]
    demand: Vec<Amount>,
    /// What to do, as agents of this market understand it: text, or @FILE for the bytes of a file.
    #[arg(long, value_name = "TEXT|@FILE", default_value = "")]
    payload: String,
    /// Highest price acceptable, in the market's unit; without it, the market's reserve price.
    #[arg(long, value_name = "N")]
    max_price: Option<Price>,
    /// How long from now on the tasks may still be assigned: 90s, 10m, 2h.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    deadline: Option<Duration>,
    /// How many such tasks.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Folder for the certificates; by default `certificates` in the node's folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// How long to wait.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration)]
    timeout: Duration,
    /// Write JSON lines: one object for each thing that happens, named by its `event`.
    #[arg(long)]
    json: bool,
}

/// Submits and waits.
///
/// # Errors
/// What is wrong with the task, or why it could not be submitted.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let home = Home::new(&args.dir);
    let genesis = home.genesis().context("quorate join comes first")?;
    check_member(&home, &genesis, "submit")?;
    let spec = spec(&args, &genesis)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| args.dir.join("certificates"));
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let node = Node::builder(home).start().await?;
    let specs = vec![spec; args.count.try_into()?];
    let done = Follow::new(&node, &genesis, out, args.json)
        .run(specs, args.timeout)
        .await;
    node.shutdown().await;
    Ok(if done? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Says early what would else be a long wait: whether the folder is one of a member that can do
/// something (`what`, a verb) without being a validator.
///
/// # Errors
/// What is missing, and how to get it.
pub(crate) fn check_member(home: &Home, genesis: &Genesis, what: &str) -> Result<()> {
    let key = home.key()?.public_key();
    let dir = home.root().display();
    ensure!(
        genesis.validators.get(&key).is_none(),
        "{dir}: its key is a validator's, which speaks for itself; {what} from a folder of its own \
         (quorate init, quorate attest, quorate join)"
    );
    if home.attestation()?.is_none() && !genesis.is_attester(&key) {
        bail!(
            "{dir}: has no attestation, so the swarm does not know it; hand {dir}/member.toml to \
             an attester (quorate attest), then quorate join {dir} genesis.toml --attestation FILE"
        );
    }
    let config = home.config()?;
    ensure!(
        !config.boot.is_empty() || config.mdns,
        "{dir}/node.toml: `boot` is empty; quorate join {dir} genesis.toml --boot ADDR names a \
         member to start from"
    );
    Ok(())
}

fn spec(args: &Args, genesis: &Genesis) -> Result<TaskSpec> {
    let Some(market) = genesis.market(&args.market) else {
        let names: Vec<_> = genesis
            .markets
            .iter()
            .map(|market| market.name.as_str())
            .collect();
        bail!(
            "--market {}: there is none of that name, but {}",
            args.market,
            names.join(", ")
        );
    };
    let now = values::unix_now();
    let ends =
        |after: Duration| now.saturating_add(after.as_millis().try_into().unwrap_or(u64::MAX));
    let spec = TaskSpec {
        market: market.name.clone(),
        requires: values::capabilities(&args.require_label, &args.require),
        demand: values::amounts(&args.demand),
        max_price: args.max_price,
        deadline: args.deadline.map(ends),
        payload: Owned(payload(&args.payload)?),
    };
    spec.check().context("the task")?;
    Ok(spec)
}

fn payload(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(path) => std::fs::read(Path::new(path)).with_context(|| format!("--payload @{path}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}
