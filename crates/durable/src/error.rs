//! The reasons why a replica cannot recover, or must stop.

use quorate_replica::{HaltReason, RecoverError, RestoreError, describe_slot};
use quorate_store::{GuardError, Slot, StoreError};
use quorate_types::Height;
use quorate_types::cbor::CborError;
use quorate_types::genesis::GenesisError;

/// The reason why a durable replica does not open, or stopped. After each the process must end.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The store failed, or does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing guard failed, or does not open.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A signature was asked for while there was no guard. This is a bug in this program.
    #[error(
        "asked to sign {} without a signing guard: this is a bug, please report it",
        describe_slot(asked.bytes())
    )]
    Unguarded {
        /// The slot of the statement that was to be signed.
        asked: Slot,
    },
    /// The stored blocks are not a history of this swarm.
    #[error("the stored blocks cannot be restored: {0}")]
    Restore(#[from] RestoreError),
    /// The log does not verify.
    #[error("the write-ahead log cannot be replayed: {0}")]
    Recover(#[from] RecoverError),
    /// A record on disk does not decode.
    #[error("the record of height {height} in {file} does not decode: {source}")]
    Decode {
        /// The file that holds the record.
        file: &'static str,
        /// The height of the record.
        height: Height,
        /// The reason why it does not decode.
        source: CborError,
    },
    /// The genesis breaks a rule.
    #[error("the genesis is not valid: {0}")]
    Genesis(#[from] GenesisError),
    /// The protocol stopped, because going on would be wrong.
    #[error("{0}")]
    Halted(HaltReason),
}
