//! `quorate solver`: proposes better assignments than a market's own search finds.

mod progress;
mod search;
mod windows;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use quorate_market::mechanisms;
use quorate_node::{Home, Node};
use quorate_types::{Genesis, Label, Market};

use crate::node::stop::StopSignal;
use crate::submit::check_member;
use windows::{Setting, Windows};

/// Solve markets: search longer than their mechanism does, and propose what is better
///
/// The best assignment of tasks that take different amounts of limited budgets is hard to find, so
/// validators search a fixed while (mechanism gap), and a market with solve_ms then takes solutions
/// from any member: the better one wins, and the dossier of the auction says whose it was. This
/// program waits for such windows, fetches their bids, searches longer, and proposes what assigns
/// more tasks, or as many for less, than the mechanism finds by itself and others have proposed.
///
/// The folder's key proposes; the swarm has to know it by an attestation, as any member's. Nothing
/// is at stake: a solution that does not hold, or comes too late, is refused.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  quorate init carl --operator carl
  quorate attest alice --agent carl/member.toml --amount slots=0 --out carl.att
  quorate join carl genesis.toml --boot alice/member.toml --attestation carl.att
  quorate solver carl
  quorate solver carl --market grid --effort 500 --json

It prints a line for each window, what was found as tasks assigned for the sum of their prices:
  proposed   grid, window 7: 200 tasks, 20 bidders, 4000 bids; baseline 168 for 2105, this search \
171 for 2082
and one more where the swarm refuses a proposal. It stops when it is interrupted (Ctrl-C) or
terminated, or after --windows.

The steps of a search are bounded by the market's solve_ms too, so that it ends about half way
through on a common machine.

Keys of --json, one object on a line:
  event        ready (agent, markets), window or refused (operation, items)
  of a window  market, window, outcome (proposed, not_better, missed: no validator had its bids any
               more, too_long: for an operation), explanation; tasks, bidders, bids, kept, baseline,
               best_kept, found (each with tasks and total), steps, optimal

To write a solver of your own, see `standing_bids` and `solve` of the library `quorate`. Who won in
the end is in the dossiers: quorate audit replay names the operation whose solution was taken.")]
pub(crate) struct Args {
    /// Folder of the solver, joined to the swarm.
    dir: PathBuf,
    /// Market to solve. May be repeated; without any, all that take solutions.
    #[arg(long, value_name = "M")]
    market: Vec<Label>,
    /// How long to search, in times the steps of the mechanism's own search.
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    effort: u64,
    /// Stop after so many windows.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    windows: Option<u64>,
    /// Write JSON lines: one object for each thing that happens, named by its `event`.
    #[arg(long)]
    json: bool,
}

/// Solves until told to stop.
///
/// # Errors
/// Why it did not start, or stopped by itself.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let home = Home::new(&args.dir);
    let genesis = home.genesis().context("quorate join comes first")?;
    check_member(&home, &genesis, "solve")?;
    let markets = markets(&args.market, &genesis)?;
    let stop = StopSignal::catch()?;
    let node = Node::builder(home).start().await?;
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

/// The markets named, or all that take solutions.
fn markets(names: &[Label], genesis: &Genesis) -> Result<Vec<Market>> {
    let solved: Vec<Market> = genesis
        .markets
        .iter()
        .filter(|market| market.solve_ms.is_some())
        .cloned()
        .collect();
    let list = |markets: &[Market]| {
        let names: Vec<_> = markets.iter().map(|market| market.name.as_str()).collect();
        names.join(", ")
    };
    if solved.is_empty() {
        let rules = mechanisms().iter().filter(|rule| rule.takes_solutions());
        let rules: Vec<_> = rules.map(|rule| rule.name()).collect();
        bail!(
            "no market of this swarm takes solutions; one does whose `solve_ms` stands in the \
             genesis, by the mechanism {}",
            rules.join(" or ")
        );
    }
    for name in names {
        ensure!(
            genesis.market(name).is_some(),
            "--market {name}: there is none of that name, but {}",
            list(&genesis.markets)
        );
        ensure!(
            solved.iter().any(|market| market.name == *name),
            "--market {name}: takes no solutions, for it has no `solve_ms`; these do: {}",
            list(&solved)
        );
    }
    let wanted = |market: &Market| names.is_empty() || names.contains(&market.name);
    Ok(solved.into_iter().filter(wanted).collect())
}
