//! The errors of this crate, with the facts in fields.

use std::fmt;
use std::io;

use crate::Slot;

/// The reason why the log, the blocks or the metadata did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk failed. After a write or a sync the object is poisoned: end the process.
    #[error("cannot {operation} {path}: {source}")]
    Disk {
        /// The operation that was tried.
        operation: Operation,
        /// The file or folder.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Another store, of this process or another, has the folder open.
    #[error("{path} is in use by another process: end that process first")]
    Locked {
        /// The folder that is locked.
        path: String,
    },
    /// An earlier write or sync of this object failed, so the content of the disk is unknown. End
    /// the process.
    #[error("an earlier write or sync of {path} failed: end this process and start it again")]
    Poisoned {
        /// The file whose write or sync failed.
        path: String,
    },
    /// Synced bytes are not as they were written (N-31).
    #[error(
        "{path} is damaged at byte {offset}, in what had been synced; \
         to cut it there and keep a copy, run `quorate node repair {folder}`"
    )]
    Damaged {
        /// The file that is damaged.
        path: String,
        /// The first byte of the record (or header) that is damaged or out of order.
        offset: u64,
        /// The folder to repair.
        folder: String,
    },
    /// The file is of another swarm.
    #[error("{path} belongs to another swarm, not to the one of this node's genesis")]
    WrongSwarm {
        /// The file that is of another swarm.
        path: String,
        /// The id of the swarm that was expected.
        expected: [u8; 32],
        /// The id of the swarm in the file.
        found: [u8; 32],
    },
    /// The file was written in a format that this version does not read.
    #[error("{path} has format version {found}; this program reads version {supported}")]
    Unsupported {
        /// The file in the other format.
        path: String,
        /// The format version of the file.
        found: u32,
        /// The format version that this program reads.
        supported: u32,
    },
    /// A record, block or value is longer than its limit. Nothing was written.
    #[error("a record, block or value of {bytes} bytes is too long: the limit is {limit} bytes")]
    TooLarge {
        /// The length in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A record was appended for a lower height than the one before it, or a block for another
    /// height than the next. Nothing was written.
    #[error("height {found} does not follow: expected {expected}, or in the log any height above")]
    WrongHeight {
        /// The height that could follow. In the log, any height above it could follow as well.
        expected: u64,
        /// The height that was given.
        found: u64,
    },
    /// The name of a metadata value is not 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    #[error("{name:?} is not a valid name of a stored value: use 1 to 64 of a-z, 0-9, - and _")]
    BadName {
        /// The name that was given.
        name: String,
    },
}

/// The reason why the signing guard did not permit a signature. In every case: do not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Another statement was permitted in this slot or a later one (N-21).
    #[error(
        "the signing guard stands at slot {last}: no other statement may be signed in slot {asked}"
    )]
    Refused {
        /// The slot that was asked for.
        asked: Slot,
        /// The slot at which the guard stands.
        last: Slot,
    },
    /// There is a guard: it belongs to a key that may have signed, and is never made a second time.
    #[error("{path} exists already: a signing guard is never made a second time")]
    Exists {
        /// The file of the guard.
        path: String,
    },
    /// `open` found no guard: this key must not sign (N-27).
    #[error(
        "{path} is missing: a key without its guard never signs. If nothing else runs with this \
         key, nor ever will, `quorate node DIR --rejoin` lets it vote again from heights that the \
         other validators prove to be fresh. Do not do that while a copy of this node may be \
         running: it would sign two votes for one step"
    )]
    Missing {
        /// The file of the guard.
        path: String,
    },
    /// The guard is of another key.
    #[error("{path} belongs to another key, not to the key of this node")]
    WrongKey {
        /// The file of the guard.
        path: String,
        /// The public key that was expected.
        expected: [u8; 32],
        /// The public key in the file.
        found: [u8; 32],
    },
    /// The last statement that was signed cannot be read: this key must not sign (N-27).
    #[error(
        "{path} is damaged: what this key signed last is unknown, so the key must not sign. If \
         nothing else runs with this key, nor ever will, move the file away and run `quorate node \
         DIR --rejoin`, which lets it vote again"
    )]
    Damaged {
        /// The file of the guard.
        path: String,
    },
    /// An error that the other files have as well: locked, of another swarm, of another version,
    /// too long, or the disk failed (then the guard is poisoned: end the process).
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operation of the disk, in [`StoreError::Disk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Open or make a file.
    Open,
    /// Read a file or its length.
    Read,
    /// Write a file.
    Write,
    /// Cut a file.
    Truncate,
    /// Make a file durable.
    Sync,
    /// Make a folder durable.
    SyncDir,
    /// Rename a file.
    Rename,
    /// Remove a file.
    Remove,
    /// List a folder.
    List,
    /// Lock a folder.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::SyncDir => "sync folder",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Lock => "lock",
        })
    }
}
