//! `quorate sim`: runs whole swarms in one process, from a seed.
//!
//! The exit code is 0 if everything held, 1 if an invariant was violated, 2 if the usage was wrong
//! or there could be no run, and 130 if it was stopped.

mod args;
mod faults;
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

use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_console::describe;

pub(crate) use args::Args;
use play::Stop;
use source::Source;

/// The exit code if the usage was wrong or there could be no run. It says nothing about the swarm.
const USAGE: u8 = 2;

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
