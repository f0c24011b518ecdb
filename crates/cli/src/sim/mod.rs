//! `quorate sim`: whole swarms in one process, from a seed.
//!
//! It ends with 0 when everything held, 1 when an invariant was violated, 2 when it was asked
//! wrongly or could not do it at all, and 130 when it was stopped.

mod findings;
mod one;
mod play;
mod range;
mod seeds;
mod source;
mod state;
mod table;
mod text;
mod twins;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use quorate_sim::Profile;
use quorate_sim::scenario::{MAX_AGENTS, MAX_TASKS};

use crate::output::describe;
use play::Stop;
use seeds::Seeds;
use source::{Faults, Source};

/// Ended because it was asked wrongly, or could not be done: no word about the swarm.
const USAGE: u8 = 2;

/// Try a swarm in one process: faults, liars, and what must hold
///
/// Runs the product's own validators and agents on simulated clocks, links and disks, all of it out
/// of one seed: the same seed gives the same run to the last byte, on any machine, and its digest
/// shows it. Every step is judged by the invariants of the protocol. A run first lets anything go
/// wrong, then heals, and then demands progress.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Seed of the run [default: that of the scenario, else 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Runs all seeds from A to B, both included, on all cores
    #[arg(long, value_name = "A..B", value_parser = Seeds::parse, conflicts_with = "seed")]
    seeds: Option<Seeds>,
    /// Validators
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(1..=128))]
    validators: u64,
    /// Agents
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(1..=MAX_AGENTS as u64))]
    agents: u64,
    /// Tasks that are submitted
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(0..=MAX_TASKS as u64))]
    tasks: u64,
    /// Heights that a run decides at least [default: 50, or what the scenario says]
    #[arg(long, value_name = "N")]
    heights: Option<u64>,
    /// What goes wrong
    #[arg(long, value_name = "PROFILE", default_value = "mixed", conflicts_with = "scenario",
        value_parser = profiles())]
    faults: Faults,
    /// A swarm of your own in place of a profile: a TOML file, described in the book's chapter on
    /// simulation, or Twins scenarios in JSON; with examples in examples/sim
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Writes what happens into this file, one JSON object on a line
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    trace: Option<PathBuf>,
    /// Breaks the run off after so many steps and prints the last lines of its trace
    #[arg(long, value_name = "STEP", conflicts_with = "seeds")]
    until_step: Option<u64>,
    /// Keeps in this file which seeds are done and what came of them, and goes on from there
    #[arg(long, value_name = "FILE", requires = "seeds")]
    resume: Option<PathBuf>,
    /// Goes on after a violation
    #[arg(long, requires = "seeds")]
    keep_going: bool,
    /// Seeds at a time [default: as many as there are cores]
    #[arg(long, value_name = "N", requires = "seeds",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
    /// Prints which steps in the life of tasks met which faults and liars, and which never did
    #[arg(long)]
    coverage: bool,
    /// Prints one JSON object instead
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Exit codes: 0 everything held, 1 an invariant was violated, 2 wrong usage or an unreadable file,
130 stopped with Ctrl-C (with --resume nothing that was finished is lost).

The keys of --json are listed in the book's chapter on simulation. Of one seed they are among
others seed, digest, heights, committed_tasks, assignments, violations and faults; of a range, seeds
in place of seed and digest.

A scenario names hosts and times; what it leaves out has a default:
  [[validators]]            name, count, power, region, clock_ahead_ms, clock_fast_permille, lie
  [[agents]]                name, count, labels, slots, price, work, fails_permille, region, manner
  [market]                  mechanism, window, lease, attempts
  [[tasks]]                 count, from, every (or at = [...]), requires, deadline, cancel
  [links]                   regions, round_trip_ms or round_trip_file, jitter, loss_permille, ...
  [[faults]]                kind, at, lasts, and whom it is about
  name, seed, heights, heal_at, patience

Examples:
  quorate sim --seed 7 --validators 7 --agents 100 --tasks 1000 --faults network
  quorate sim --scenario examples/sim/drones.toml --trace trace.jsonl
  quorate sim --scenario examples/sim/twins.json --json
  quorate sim --seeds 1..10000 --faults all --resume seeds.json --coverage";

/// The profiles by name, and all of them.
fn profiles() -> impl TypedValueParser<Value = Faults> {
    let all = PossibleValue::new("all").help("each seed another of these, in turn");
    let values =
        Profile::ALL.map(|profile| PossibleValue::new(profile.name()).help(profile.about()));
    PossibleValuesParser::new(values.into_iter().chain([all])).map(|name| Faults::named(&name))
}

/// Runs what was asked for. What keeps it from a verdict is said on standard error and ends it
/// with 2, so that 1 always means a violation.
pub(crate) async fn run(args: Args) -> ExitCode {
    let stop = Stop::default();
    let interrupt = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.interrupt();
        }
    });
    let done = tokio::task::spawn_blocking(move || decide(&args, &stop)).await;
    match done.context("the simulation ended unexpectedly").flatten() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::from(USAGE)
        }
    }
}

fn decide(args: &Args, stop: &Stop) -> Result<ExitCode> {
    if let Some(path) = twins::asked(args) {
        return twins::run(args, path, stop);
    }
    let source = Source::of(args)?;
    match &args.seeds {
        Some(seeds) => range::run(args, &source, seeds, stop),
        None => one::run(args, &source, stop),
    }
}
