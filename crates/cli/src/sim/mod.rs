//! `quorate sim`: runs whole swarms in one process, from a seed.
//!
//! The exit code is 0 if everything held, 1 if an invariant was violated, 2 if the usage was wrong
//! or there could be no run, and 130 if it was stopped.

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
use quorate_console::describe;
use quorate_sim::Profile;
use quorate_sim::scenario::{MAX_AGENTS, MAX_TASKS};

use play::Stop;
use seeds::Seeds;
use source::{Faults, Source};

/// The exit code if the usage was wrong or there could be no run. It says nothing about the swarm.
const USAGE: u8 = 2;

/// Try out a swarm in one process, among faults and liars
///
/// Runs the product's own validators and agents on simulated clocks, links and disks. Everything
/// follows from one seed: the same seed gives the same run to the last byte on any machine, and the
/// digest of the run shows it. The invariants of the protocol judge every step. In the first phase
/// of a run anything may go wrong; then the swarm heals, and from there on it must make progress.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Seed of the run [default: the seed of the scenario, otherwise 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run all seeds from A to B, both included, on all cores.
    #[arg(long, value_name = "A..B", value_parser = Seeds::parse, conflicts_with = "seed")]
    seeds: Option<Seeds>,
    /// Number of validators.
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(1..=128))]
    validators: u64,
    /// Number of agents.
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(1..=MAX_AGENTS as u64))]
    agents: u64,
    /// Number of tasks that are submitted.
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(0..=MAX_TASKS as u64))]
    tasks: u64,
    /// Least number of heights that a run decides [default: 50, or what the scenario says]
    #[arg(long, value_name = "N")]
    heights: Option<u64>,
    /// Profile of the faults, which says what goes wrong.
    #[arg(long, value_name = "PROFILE", default_value = "mixed", conflicts_with = "scenario",
        value_parser = profiles())]
    faults: Faults,
    /// File with a swarm of your own, in place of a profile: TOML as the book's chapter on
    /// simulation describes it, or Twins scenarios in JSON. Examples are in examples/sim.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Write what happens into this file, one JSON object on each line.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    trace: Option<PathBuf>,
    /// Stop the run after this step, and print the last lines of its trace.
    #[arg(long, value_name = "STEP", conflicts_with = "seeds")]
    until_step: Option<u64>,
    /// Keep in this file which seeds are done and what their results are, and go on from there.
    #[arg(long, value_name = "FILE", requires = "seeds")]
    resume: Option<PathBuf>,
    /// Go on after a violation.
    #[arg(long, requires = "seeds")]
    keep_going: bool,
    /// Number of seeds that run at the same time [default: the number of cores]
    #[arg(long, value_name = "N", requires = "seeds",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
    /// Print which steps in the life of tasks met which faults and liars, and which never did.
    #[arg(long)]
    coverage: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Exit codes: 0 everything held, 1 an invariant was violated, 2 wrong usage or an unreadable file,
130 stopped with Ctrl-C (with --resume, the seeds that were finished are kept).

The book's chapter on simulation lists the keys of --json. For one seed they include seed, digest,
heights, committed_tasks, assignments, violations and faults; for a range, `seeds` (how many are
done) takes the place of seed and digest.

A scenario names hosts and times. Whatever it leaves out has a default:
  [[validators]]            name, count, power, region, clock_ahead_ms, clock_fast_permille, lie
  [[agents]]                name, count, labels, slots, price, work, fails_permille, region, manner,
                            solves
  [market]                  mechanism, window, reveal, solve, lease, attempts
  [[tasks]]                 count, from, every (or at = [...]), requires, deadline, cancel
  [links]                   regions, round_trip_ms or round_trip_file, jitter, loss_permille, ...
  [[faults]]                kind, at, lasts, and the hosts that it is about
  name, seed, heights, heal_at, patience (these five stand before the tables)

Examples:
  quorate sim --seed 7 --validators 7 --agents 100 --tasks 1000 --faults network
  quorate sim --scenario examples/sim/drones.toml --trace trace.jsonl
  quorate sim --scenario examples/sim/twins.json --json
  quorate sim --seeds 1..10000 --faults all --resume seeds.json --coverage";

/// The names of the profiles, and `all`.
fn profiles() -> impl TypedValueParser<Value = Faults> {
    let all = PossibleValue::new("all").help("another one of these for each seed, in turn");
    let values =
        Profile::ALL.map(|profile| PossibleValue::new(profile.name()).help(profile.about()));
    PossibleValuesParser::new(values.into_iter().chain([all])).map(|name| Faults::named(&name))
}

/// Runs what was asked for. An error that prevents a verdict is printed on standard error and ends
/// the program with 2, so that 1 always means a violation.
pub(crate) async fn run(args: Args) -> ExitCode {
    let stop = Stop::default();
    let interrupt = stop.clone();
    // Ctrl-C only asks the runs to end, so that their results are still written.
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.interrupt();
        }
    });

    // A simulation computes without pause and would block the other tasks of the runtime.
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
    // Twins scenarios bring their own schedule, so they need no source of plans.
    if let Some(path) = twins::asked(args) {
        return twins::run(args, path, stop);
    }

    let source = Source::of(args)?;
    match &args.seeds {
        Some(seeds) => range::run(args, &source, seeds, stop),
        None => one::run(args, &source, stop),
    }
}
