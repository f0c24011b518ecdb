//! Why a replica cannot come back, or must stop.

use quorate_replica::{HaltReason, RecoverError, RestoreError};
use quorate_store::{GuardError, Position, StoreError};
use quorate_types::Height;
use quorate_types::cbor::CborError;
use quorate_types::genesis::GenesisError;

/// Why a durable replica does not open, or stopped. After any of them the process has to end.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// Its disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its signing guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A signature was asked for while there was no guard: a fault of this program.
    #[error("asked to sign {asked} without a signing guard: a fault of this program")]
    Unguarded {
        /// What was asked.
        asked: Position,
    },
    /// What it had stored is no history of this swarm.
    #[error("the stored blocks: {0}")]
    Restore(#[from] RestoreError),
    /// What it had logged does not verify.
    #[error("the write-ahead log: {0}")]
    Recover(#[from] RecoverError),
    /// A record on disk does not decode.
    #[error("{file}, height {height}: {source}")]
    Decode {
        /// Which file.
        file: &'static str,
        /// Height of the record.
        height: Height,
        /// What is wrong.
        source: CborError,
    },
    /// The genesis breaks a rule.
    #[error("the genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The protocol stopped: going on would be wrong.
    #[error("{0}")]
    Halted(HaltReason),
}
