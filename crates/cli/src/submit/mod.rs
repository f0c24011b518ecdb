//! `quorate submit`: submits tasks, waits for their end, and keeps the certificates of it.

mod follow;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use quorate_console::positive_duration;
use quorate_node::{DataDir, Node};
use quorate_types::cose::Owned;
use quorate_types::{Genesis, Label, Price, TaskSpec, UnixMillis};

use crate::membership::{check_member, names_of};
use crate::values::{self, Amount};
use follow::Follow;

/// Submit tasks and wait until they are done
///
/// Prints which agent each task was awarded to, at what price, and what the agent reported. The
/// certificates of awards and completions are verified and kept as files, for `quorate audit
/// verify`. The dossiers of the auctions are kept too, for `quorate audit replay`.
///
/// The folder's key is the requester. The swarm must know it, either by an attestation (quorate
/// join --attestation) or as an attester. No other node that is running may use the same key.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  quorate submit desk --market drones --require-label camera --require-amount payload_g=500 \\
    --max-price 300 --deadline 10m --payload '48.1374,11.5755' --out certificates

Exit codes:
  0  every task was done
  1  a task ended without being done, or time ran out

If time runs out, the tasks are not canceled: they stay submitted until their deadline passes.

Events of --json, with the keys of each:
  submitted    task
  awarded      task, agent, price, token, certificate
  dossier      clearing, dossier (null if no validator has it any more)
  completed    task, detail (null if it is not text), detail_hex, certificate
  failed       task, reason
  refused      reason, explanation
  timed_out    unfinished, hint")]
pub(crate) struct Args {
    /// Folder of the requester, which has joined the swarm.
    dir: PathBuf,
    /// Market in which the tasks are auctioned.
    #[arg(long, value_name = "M", default_value = "tasks")]
    market: Label,
    /// Label that the agent must have by attestation. May be repeated.
    #[arg(long, value_name = "L")]
    require_label: Vec<Label>,
    /// Least amount that the agent must have by attestation. May be repeated.
    #[arg(long, value_name = "DIM=N", value_parser = values::amount)]
    require_amount: Vec<Amount>,
    /// Amount that a task takes from the agent's budget while it is assigned; without any, one of
    /// `slots`. May be repeated.
    #[arg(long, value_name = "DIM=N", value_parser = values::amount)]
    demand: Vec<Amount>,
    /// Description of the work, as agents of this market understand it: text, or @FILE for the
    /// bytes of a file.
    #[arg(long, value_name = "TEXT|@FILE", default_value = "")]
    payload: String,
    /// Highest acceptable price, in the market's unit. Without it, the market's reserve price
    /// applies.
    #[arg(long, value_name = "PRICE")]
    max_price: Option<Price>,
    /// Time from now on in which the tasks may be assigned: 90s, 10m, 2h.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    deadline: Option<Duration>,
    /// Number of tasks to submit, all alike.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    tasks: u32,
    /// Folder for the certificates and dossiers [default: `certificates` in the node's folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Longest time to wait for the tasks to end.
    #[arg(long, value_name = "TIME", default_value = "60s",
        value_parser = positive_duration)]
    timeout: Duration,
    /// Write JSON lines: one object for each event, with its name in the key `event`.
    #[arg(long)]
    json: bool,
}

/// Submits the tasks and waits for their end.
///
/// # Errors
/// If the folder or the task is not fit for it, or if the tasks cannot be submitted.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let data_dir = DataDir::new(&args.dir);
    let genesis = data_dir.genesis().context("run quorate join first")?;
    // Before the node starts, so that a mistake shows at once.
    check_member(&data_dir, &genesis, "submit")?;

    let spec = spec(&args, &genesis)?;

    let out = make_out(&args)?;
    let node = Node::builder(data_dir).start().await?;
    let specs = vec![spec; args.tasks.try_into()?];
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

/// Makes the folder for certificates and dossiers. Returns its path.
fn make_out(args: &Args) -> Result<PathBuf> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None => args.dir.join("certificates"),
    };
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;

    Ok(out)
}

fn spec(args: &Args, genesis: &Genesis) -> Result<TaskSpec> {
    ensure!(
        genesis.market(&args.market).is_some(),
        "--market {}: there is no market of that name; the swarm has {}",
        args.market,
        names_of(&genesis.markets)
    );

    let spec = TaskSpec {
        market: args.market.clone(),
        requires: values::capabilities(&args.require_label, &args.require_amount),
        demand: values::amounts(&args.demand),
        max_price: args.max_price,
        deadline: args.deadline.map(deadline_after),
        payload: Owned(payload(&args.payload)?),
    };

    spec.check().context("the task")?;
    Ok(spec)
}

/// The point in Unix time that is so far from now.
fn deadline_after(time: Duration) -> UnixMillis {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    values::unix_now().saturating_add(millis)
}

fn payload(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(path) => std::fs::read(Path::new(path)).with_context(|| format!("--payload @{path}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}
