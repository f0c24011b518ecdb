//! The reasons why a validator does not start or stops.

use std::net::SocketAddr;

use quorate_durable::DurableError;
use quorate_network::NetworkError;

use crate::data_dir::DataDirError;

/// The reason why a validator does not start, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// The folder of the validator cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The disk, the guard or the protocol failed. The process has to end, and recover at its next
    /// start.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// The network did not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The monitoring endpoint did not start.
    #[error("cannot start the monitoring endpoint on {address}: {source}")]
    Monitor {
        /// The address that cannot be bound.
        address: SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The thread or its runtime could not be started, or the thread died.
    #[error("the validator's thread failed: {0}")]
    Thread(String),
}
