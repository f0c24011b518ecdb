//! The drone demonstration: set the stage, start the processes, submit the mission, cause faults,
//! audit.

mod args;
mod closing;
mod play;
mod stage;

use std::process::ExitCode;

use anyhow::{Result, bail};
use quorate_node::Clock;

pub(super) use args::Args;
use play::Play;
use stage::DroneSetup;

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    if args.drones == 0 || args.drones > 64 {
        bail!("--drones must be 1 to 64");
    }

    if args.validators == 0 || args.validators > 16 {
        bail!("--validators must be 1 to 16");
    }

    let stage = DroneSetup::set(&args, Clock::start().now().unix)?;
    let play = Play::start(&args, &stage).await?;

    let record = tokio::select! {
        played = play.run() => played?,
        // Dropping the play kills its processes.
        _ = tokio::signal::ctrl_c() => return Ok(stage.setting.stopped()),
    };

    closing::close(&args, &stage, record)
}
