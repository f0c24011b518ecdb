//! The drone demonstration: set the stage, start the processes, submit the mission, cause faults,
//! audit.

mod closing;
mod play;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use quorate_console::positive_duration;
use quorate_node::Clock;

use play::Play;
use stage::DroneSetup;

/// Arguments of `quorate demo drones`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Mission: GeoJSON points, CSV with a header (id, lat, lng, demand, duration, tw_start,
    /// tw_end), or a QGroundControl plan. [default: 100 bridges, examples/drones/bridges.geojson]
    #[arg(long, value_name = "FILE")]
    mission: Option<PathBuf>,
    /// Validators, 1 to 16, each a process; of four one may fail, of seven two.
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: usize,
    /// Drones, 1 to 64, each a process.
    #[arg(long, value_name = "N", default_value_t = 8)]
    drones: usize,
    /// Seed that decides where drones stand and which validator is killed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of the summary.
    #[arg(long)]
    json: bool,
    /// Folder of the run; must be empty or absent. [default: runs/drones-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Kill nobody and let nobody lie.
    #[arg(long)]
    no_faults: bool,
    /// Longest time to wait for the tasks to end; then the run is stopped.
    #[arg(long, value_name = "TIME", default_value = "5m",
        value_parser = positive_duration)]
    timeout: Duration,
}

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
