//! Waits for the signals that tell a process to stop.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches SIGINT and SIGTERM, from the moment at which it is made.
pub(crate) struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Catches both signals from now on.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(crate) fn catch() -> Result<Self> {
        let catch = |kind| signal(kind).context("catch signals");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// Waits until one of the two signals comes.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
