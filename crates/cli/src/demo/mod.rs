//! Demonstrations: whole swarms on this computer, in separate processes.

mod drones;
mod processes;
mod worker;

use std::process::ExitCode;

use anyhow::Result;

/// Arguments of `quorate demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, clap::Subcommand)]
enum Which {
    /// A drone swarm: a mission is auctioned, flown in simulated time, and audited
    ///
    /// Starts validators and drones as processes of their own that find each other through libp2p,
    /// submits a mission, kills a drone in flight and a validator, lets one drone bid with a
    /// capability nobody attested, and verifies every certificate with the trust root alone.
    ///
    /// Example: quorate demo drones --mission examples/drones/spree.csv --keep run
    Drones(drones::Args),
    /// One process of a demonstration; started by it.
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Runs a demonstration.
///
/// # Errors
/// What kept it from running; a run that shows a fault of the swarm is an exit code of 1.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.which {
        Which::Drones(args) => drones::run(args).await,
        Which::Worker(args) => worker::run(args).await,
    }
}
