//! Runs an agent as a process: another program bids and works, and this one speaks for it.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use quorate_command::{CommandAgent, CommandConfig};
use quorate_console::say;
use quorate_node::{DataDir, Node, NodeEvent};
use quorate_types::Capabilities;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::stop::StopSignal;

/// Runs a program as the agent of a folder until it is told to stop.
///
/// # Errors
/// If the agent does not start, or ends before it is told to.
pub(super) async fn run(data_dir: DataDir, command: &[OsString]) -> Result<()> {
    // Signals are caught first, so that none is lost during the start.
    let mut stop = StopSignal::catch()?;

    let agent = start_agent(&data_dir, command)?;
    let node = Node::builder(data_dir).agent(agent).start().await?;
    let mut events = node.subscribe();
    say(format!("agent {}", node.public_key()))?;

    log_until_stopped(&mut events, &mut stop).await?;

    tracing::info!("stopping");
    node.shutdown().await;
    Ok(())
}

/// Logs the events of the agent until it is told to stop.
async fn log_until_stopped(events: &mut Receiver<NodeEvent>, stop: &mut StopSignal) -> Result<()> {
    loop {
        tokio::select! {
            () = stop.received() => return Ok(()),
            event = events.recv() => match event {
                Ok(event) => log(&event),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "events not logged"),
                Err(RecvError::Closed) => bail!("the agent ended without being told to"),
            },
        }
    }
}

/// Starts the program that bids and works, with the capabilities of the folder's key.
fn start_agent(data_dir: &DataDir, command: &[OsString]) -> Result<CommandAgent> {
    let Some((program, arguments)) = command.split_first() else {
        bail!(
            "the genesis does not name this key as a validator, so the node is an agent: give the \
             program that bids and works with --command PROGRAM ARGS"
        );
    };

    let config = CommandConfig {
        arguments: arguments.to_vec(),
        capabilities: capabilities(data_dir)?,
        ..CommandConfig::new(program)
    };

    CommandAgent::start(config)
        .with_context(|| format!("--command {}", Path::new(program).display()))
}

/// The capabilities that the attestation in the folder confirms. Tasks that require more are not
/// for this agent.
fn capabilities(data_dir: &DataDir) -> Result<Capabilities> {
    let attestation = data_dir.attestation()?;
    if attestation.is_none() {
        tracing::warn!(
            folder = %data_dir.root().display(),
            "no attestation: the swarm does not know this agent; see quorate join --attestation"
        );
    }

    Ok(attestation
        .map(|signed| signed.payload.capabilities.clone())
        .unwrap_or_default())
}

fn log(event: &NodeEvent) {
    match event {
        NodeEvent::Ready => tracing::info!("the swarm knows this agent"),
        NodeEvent::Award(award) => {
            tracing::info!(task = %award.task, token = award.token.0, price = award.price, "won");
        }
        NodeEvent::LeaseLost { task, token, cause } => {
            tracing::warn!(%task, token = token.0, ?cause, "the award is over");
        }
        NodeEvent::Reported { task, .. } => tracing::info!(%task, "reported"),
        NodeEvent::Refused { items, .. } => {
            for (task, reason) in items {
                tracing::warn!(?task, reason = reason.name(), "refused: {}", reason.text());
            }
        }
        _ => {}
    }
}
