//! Runs a validator as a process.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use quorate_console::say;
use quorate_node::{DataDir, Validator, ValidatorEvent};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::crash;
use crate::stop::StopSignal;

/// The time within which the sockets must be bound.
const BIND_LIMIT: Duration = Duration::from_secs(10);

/// How a validator starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// With its signing guard.
    Usual,
    /// Without a guard: other validators must prove from which height it may vote.
    Rejoin,
}

/// Runs the validator of a folder until it is told to stop.
///
/// # Errors
/// If the validator does not start, or ends before it is told to.
pub(super) async fn run(start: Start, data_dir: &DataDir) -> Result<()> {
    // Signals are caught first, so that none is lost during the start.
    let mut stop = StopSignal::catch()?;

    let listen = data_dir.config()?.listen;
    ensure!(
        !listen.is_empty(),
        "a validator must listen on an address: write `listen` into {}/node.toml, or give --listen",
        data_dir.root().display()
    );

    let mut validator = match start {
        Start::Usual => Validator::start(data_dir, crash::points()?).await?,
        Start::Rejoin => Validator::rejoin(data_dir, crash::points()?).await?,
    };

    let mut events = validator.subscribe();
    say_start(&validator, listen.len()).await?;
    log_until_stopped(&mut validator, &mut events, &mut stop).await?;

    tracing::info!("stopping");
    Ok(validator.shutdown().await?)
}

/// Prints which validator it is, and the addresses at which it can be reached.
async fn say_start(validator: &Validator, wanted: usize) -> Result<()> {
    say(format!(
        "validator {} of swarm {}",
        validator.public_key(),
        validator.swarm()
    ))?;

    say_addresses(validator, wanted).await?;

    match validator.monitor_address() {
        Some(address) => say(format!("monitoring on http://{address}")),
        None => Ok(()),
    }
}

/// Logs the events of the validator until it is told to stop.
async fn log_until_stopped(
    validator: &mut Validator,
    events: &mut Receiver<ValidatorEvent>,
    stop: &mut StopSignal,
) -> Result<()> {
    loop {
        tokio::select! {
            () = stop.received() => return Ok(()),
            ended = validator.wait() => {
                ended?;
                bail!("the validator ended without being told to");
            }
            event = events.recv() => match event {
                Ok(event) => log(&event),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "blocks not logged"),
                Err(RecvError::Closed) => bail!("the validator ended without being told to"),
            },
        }
    }
}

/// Prints the addresses that the validator listens on. It waits for them first, because sockets are
/// bound a moment after the start, one after another.
async fn say_addresses(validator: &Validator, wanted: usize) -> Result<()> {
    let bound = async {
        while validator.addresses().len() < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let all = tokio::time::timeout(BIND_LIMIT, bound).await;

    let addresses = validator.addresses();
    addresses
        .iter()
        .try_for_each(|address| say(format!("listening on {address}")))?;

    ensure!(
        !addresses.is_empty(),
        "no address of `listen` could be bound within {BIND_LIMIT:?}"
    );

    if all.is_err() {
        tracing::warn!(
            bound = addresses.len(),
            wanted,
            "not every address could be bound"
        );
    }

    Ok(())
}

fn log(event: &ValidatorEvent) {
    match event {
        ValidatorEvent::Committed(block) => tracing::info!(
            height = block.height,
            round = block.round,
            block = %block.block.short(),
            builder = %block.builder.short(),
            operations = block.operations,
            outcomes = block.outcomes.len(),
            took_ms = block.took_ms,
            "committed"
        ),
    }
}
