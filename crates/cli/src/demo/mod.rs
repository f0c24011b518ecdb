//! Demonstrations: whole swarms on this computer, in separate processes.

mod audit;
mod drones;
mod processes;
mod record;
mod setting;
mod swarm;
mod trading;
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
    /// Run a drone swarm: a mission is auctioned, flown in simulated time, and audited
    ///
    /// Starts validators and drones as processes of their own that find each other through libp2p,
    /// submits a mission, kills a drone in flight and a validator, lets one drone bid with a
    /// capability that nobody attested, and verifies every certificate with the trust root alone.
    ///
    /// Example: quorate demo drones --mission examples/drones/spree.csv --out run
    Drones(drones::Args),
    /// Run a trading swarm: orders are cut into slices, auctioned under seal, filled, and audited
    ///
    /// Starts validators and market makers as processes of their own that find each other through
    /// libp2p, plays broker over a day of bars, lets one market maker quote beyond its credit, one
    /// keep its sealed quotes shut and two collude, and verifies every certificate with the trust
    /// root alone.
    ///
    /// Example: quorate demo trading --bars examples/trading/day.csv --out run
    Trading(trading::Args),
    /// Run one process of a demonstration; for internal use
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Runs a demonstration.
///
/// # Errors
/// The reason why it could not run. A run that shows a fault of the swarm is not an error: it gives
/// exit code 1.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.which {
        Which::Drones(args) => drones::run(args).await,
        Which::Trading(args) => trading::run(args).await,
        Which::Worker(args) => worker::run(args).await,
    }
}
