//! `quorate demo`: demonstrations, each a whole swarm as processes on this computer, from auction
//! to audit, and the report of a run.
//!
//! The processes of a run are this same program: the binary that calls [`run`] must call it for
//! `demo worker ROLE DIR` as well, with [`Args`] parsed from that. The audit at the end is that of
//! an outsider: it reads the files of the run, and judges them by `quorate-certificate`.
//!
//! **Absent here:** rules of the protocol, and any use of the command line but by name.

mod args;
mod audit;
mod drones;
mod processes;
mod record;
pub mod report;
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
