//! `quorate propose`: proposes better assignments than a market's own search finds.

mod progress;
mod search;
mod windows;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use quorate_market::mechanisms;
use quorate_node::{DataDir, Node};
use quorate_types::{Genesis, Label, Market};

use crate::membership::{check_member, names_of};
use crate::stop::StopSignal;
use crate::values;
use windows::{Setting, Windows};

/// Propose better assignments to markets, by searching longer than their mechanism does
///
/// If tasks take different amounts of limited budgets, the best assignment is hard to find.
/// Validators search for it only a fixed number of steps (mechanism gap). A market with solve_ms
/// then takes solutions from any member; the best one wins, and the dossier of the auction says who
/// proposed it. This program waits for the windows of such markets, fetches their bids and searches
/// longer. It proposes what it finds if that assigns more tasks, or as many for less, than the
/// mechanism's own search and all solutions that others proposed.
///
/// The folder's key proposes. The swarm must know it by an attestation, as it knows any member.
/// Nothing is at stake: a solution that does not hold or comes too late is refused, and that is
/// all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  quorate init carl --operator carl
  quorate attest alice --agent carl/member.toml --amount slots=0 --out carl.att
  quorate join carl genesis.toml --boot alice/member.toml --attestation carl.att
  quorate propose carl
  quorate propose carl --market grid --effort 500 --json

It prints one line for each window. `168 for 2105` means that 168 tasks are assigned, for prices
that sum to 2105:
  proposed   grid, window 7: 200 tasks, 20 bidders, 4000 bids; baseline 168 for 2105, this search \
171 for 2082
Instead of `proposed` a line can begin with `looked` (nothing better was found), `missed` (no
validator had the bids any more) or `too long` (for an operation). Another line follows if the swarm
refuses a proposal. The program stops when it is interrupted (Ctrl-C) or terminated, or after
--windows.

The market's solve_ms bounds the steps of a search too: on a common machine a search ends about half
way through that time.

Keys of --json, one object on each line:
  event        ready (with agent, markets), window, or refused (with operation, items)
  of a window  market, window, outcome (proposed, not_better, missed or too_long), explanation; and
               unless it was missed: tasks, bidders, bids, kept (the number of solutions of others),
               baseline, best_kept, found (each with tasks and total), steps, optimal

To write a solver of your own, see `standing_bids` and `solve` of the library `quorate`. The
dossiers show who won in the end: `quorate audit replay` names the operation whose solution was
taken.")]
pub(crate) struct Args {
    /// Folder of the member that proposes, which has joined the swarm.
    dir: PathBuf,
    /// Market to solve. May be repeated; without any, all markets that take solutions.
    #[arg(long, value_name = "M")]
    market: Vec<Label>,
    /// Length of a search, as a multiple of the steps of the mechanism's own search.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::effort())]
    effort: u64,
    /// Number of windows after which to stop.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    windows: Option<u64>,
    /// Write JSON lines: one object for each event, with its name in the key `event`.
    #[arg(long)]
    json: bool,
}

/// Solves windows until it is told to stop.
///
/// # Errors
/// If it does not start, or if its node ends before it is told to.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let data_dir = DataDir::new(&args.dir);
    let genesis = data_dir.genesis().context("run quorate join first")?;
    check_member(&data_dir, &genesis, "propose")?;

    let markets = markets(&args.market, &genesis)?;
    let stop = StopSignal::catch()?;
    let node = Node::builder(data_dir).start().await?;

    let setting = Setting {
        genesis: &genesis,
        markets,
        effort: args.effort,
        json: args.json,
    };
    let ended = Windows::new(&node, setting).run(args.windows, stop).await;
    node.shutdown().await;

    ended.map(|()| ExitCode::SUCCESS)
}

/// The markets that are named, or all that take solutions if none is named.
fn markets(names: &[Label], genesis: &Genesis) -> Result<Vec<Market>> {
    let solved = solved_markets(genesis)?;

    for name in names {
        check_market(name, genesis, &solved).with_context(|| format!("--market {name}"))?;
    }

    let wanted = |market: &Market| names.is_empty() || names.contains(&market.name);
    Ok(solved.into_iter().filter(wanted).collect())
}

/// The markets that take solutions, which are those that have `solve_ms`.
fn solved_markets(genesis: &Genesis) -> Result<Vec<Market>> {
    let markets = genesis.markets.iter();
    let solved: Vec<Market> = markets
        .filter(|market| market.solve_ms.is_some())
        .cloned()
        .collect();

    if solved.is_empty() {
        let rules = mechanisms()
            .iter()
            .filter(|rule| rule.about().takes_solutions);
        let rules: Vec<_> = rules.map(|rule| rule.name()).collect();
        bail!(
            "no market of this swarm takes solutions; they need `solve_ms` in the genesis and the \
             mechanism {}",
            rules.join(" or ")
        );
    }

    Ok(solved)
}

/// Checks that there is a market of this name, and that it is one of those that take solutions.
fn check_market(name: &Label, genesis: &Genesis, solved: &[Market]) -> Result<()> {
    ensure!(
        genesis.market(name).is_some(),
        "there is no market of that name; the swarm has {}",
        names_of(&genesis.markets)
    );
    ensure!(
        solved.iter().any(|market| market.name == *name),
        "takes no solutions, because it has no `solve_ms`; these do: {}",
        names_of(solved)
    );

    Ok(())
}
