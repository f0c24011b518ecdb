//! The arguments of `quorate sim`.

use std::path::PathBuf;

use quorate_sim::scenario::{MAX_AGENTS, MAX_TASKS};

use super::faults::{Faults, profiles};
use super::seeds::Seeds;

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
    pub(super) seed: Option<u64>,
    /// Run all seeds from A to B, both included, on all cores.
    #[arg(long, value_name = "A..B", value_parser = Seeds::parse, conflicts_with = "seed")]
    pub(super) seeds: Option<Seeds>,
    /// Number of validators.
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(1..=128))]
    pub(super) validators: u64,
    /// Number of agents.
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(1..=MAX_AGENTS as u64))]
    pub(super) agents: u64,
    /// Number of tasks that are submitted.
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "scenario",
        value_parser = clap::value_parser!(u64).range(0..=MAX_TASKS as u64))]
    pub(super) tasks: u64,
    /// Least number of heights that a run decides [default: 50, or what the scenario says]
    #[arg(long, value_name = "N")]
    pub(super) heights: Option<u64>,
    /// Profile of the faults, which says what goes wrong.
    #[arg(long, value_name = "PROFILE", default_value = "mixed", conflicts_with = "scenario",
        value_parser = profiles())]
    pub(super) faults: Faults,
    /// File with a swarm of your own, in place of a profile: TOML as the book's chapter on
    /// simulation describes it, or Twins scenarios in JSON. Examples are in examples/sim.
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    /// Write what happens into this file, one JSON object on each line.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub(super) trace: Option<PathBuf>,
    /// Stop the run after this step, and print the last lines of its trace.
    #[arg(long, value_name = "STEP", conflicts_with = "seeds")]
    pub(super) until_step: Option<u64>,
    /// Keep in this file which seeds are done and what their results are, and go on from there.
    #[arg(long, value_name = "FILE", requires = "seeds")]
    pub(super) resume: Option<PathBuf>,
    /// Go on after a violation.
    #[arg(long, requires = "seeds")]
    pub(super) keep_going: bool,
    /// Number of seeds that run at the same time [default: the number of cores]
    #[arg(long, value_name = "N", requires = "seeds",
        value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(super) jobs: Option<u64>,
    /// Print which steps in the life of tasks met which faults and liars, and which never did.
    #[arg(long)]
    pub(super) coverage: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
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
