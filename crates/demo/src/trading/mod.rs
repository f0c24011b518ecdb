//! The trading demonstration: set the stage, start the processes, work the orders, audit.

mod args;
mod broker;
mod closing;
mod collusion;
mod play;
mod stage;

use std::process::ExitCode;

use anyhow::{Result, bail};
use quorate_node::Clock;

pub(super) use args::Args;
use play::Play;
use stage::TradingSetup;

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
