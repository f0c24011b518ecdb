//! The trading demonstration: set the stage, start the processes, work the orders, audit.

mod broker;
mod closing;
mod collusion;
mod play;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use quorate_console::positive_duration;
use quorate_node::Clock;

use play::Play;
use stage::TradingSetup;

/// Arguments of `quorate demo trading`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Bars: CSV with a header (date or time, open, high, low, close, volume; others are ignored).
    /// [default: a synthetic day, examples/trading/day.csv]
    #[arg(long, value_name = "FILE")]
    bars: Option<PathBuf>,
    /// Bars to trade, from the first on.
    #[arg(long, value_name = "N", default_value_t = 26)]
    take: usize,
    /// Validators, 1 to 16, each a process; of four one may fail, of seven two.
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: usize,
    /// Market makers, 3 to 64, each a process.
    #[arg(long, value_name = "N", default_value_t = 8)]
    traders: usize,
    /// Seed that decides how costs of market makers go up and down.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of the summary.
    #[arg(long)]
    json: bool,
    /// Folder of the run; must be empty or absent. [default: runs/trading-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Let nobody misbehave.
    #[arg(long)]
    no_faults: bool,
    /// Longest time to wait for the tasks to end; then the run is stopped.
    #[arg(long, value_name = "TIME", default_value = "5m",
        value_parser = positive_duration)]
    timeout: Duration,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    if args.traders < 3 || args.traders > 64 {
        bail!("--traders must be 3 to 64: an auction needs several sellers");
    }

    if args.validators == 0 || args.validators > 16 {
        bail!("--validators must be 1 to 16");
    }

    if args.take == 0 {
        bail!("--take must be at least 1");
    }

    let stage = TradingSetup::set(&args, Clock::start().now().unix)?;
    let play = Play::start(&args, &stage).await?;

    let played = tokio::select! {
        played = play.run() => played?,
        // Dropping the play kills its processes.
        _ = tokio::signal::ctrl_c() => return Ok(stage.setting.stopped()),
    };

    closing::close(&args, &stage, &played)
}
