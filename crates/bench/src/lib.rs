//! `quorate bench`: measures a committee on this computer under load, beside the floor of the same
//! run.
//!
//! Validators run as processes of this same program: the binary that calls [`run`] must call it for
//! `bench worker DIR` as well, with [`Args`] parsed from that.
//!
//! **Absent here:** rules of the protocol, and networks or disks that are simulated.

mod args;
mod committee;
mod floor;
mod load;
mod measure;
mod process;
mod quantiles;
mod report;
mod sample;
mod stage;
mod stamp;
mod system;
mod worker;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use quorate_console::say;

pub use args::Args;
use args::Hidden;
use stage::BenchSetup;

/// Measures a committee, and prints the report.
///
/// # Errors
/// The reason why it could not be measured.
pub async fn run(args: Args) -> Result<ExitCode> {
    if let Some(Hidden::Worker(worker)) = args.worker {
        return worker::run(worker).await;
    }

    ensure!(
        3 * args.dead < args.validators,
        "--dead: {} of {} validators dead leave no quorum; name fewer than a third",
        args.dead,
        args.validators
    );

    let stage = BenchSetup::set(&args)?;
    let measured = tokio::select! {
        measured = measure::measure(&args, &stage) => Some(measured),
        _ = tokio::signal::ctrl_c() => None,
    };

    // The folder is removed however the measurement ended.
    let cleared = stage.clear();
    let Some(report) = measured.transpose()? else {
        eprintln!("stopped");
        return Ok(ExitCode::from(130));
    };
    cleared?;

    match args.json {
        true => say(serde_json::to_string(&report)?)?,
        false => say(report.table())?,
    }

    Ok(ExitCode::SUCCESS)
}
