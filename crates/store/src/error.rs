//! What can go wrong, with the facts in fields.

use std::fmt;
use std::io;

use crate::Position;

/// Why the log, the blocks or the metadata did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk failed. After a write or a sync the object is poisoned: end the process.
    #[error("cannot {operation} {path}: {source}")]
    Disk {
        /// What was tried.
        operation: Operation,
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another store, of this process or another, has the folder open.
    #[error("{path} is in use by another process")]
    Locked {
        /// The folder.
        path: String,
    },
    /// An earlier write or sync of this object failed; what is on disk is unknown. End the process.
    #[error("{path} failed to write before; this process must end and recover")]
    Poisoned {
        /// The file.
        path: String,
    },
    /// Bytes that had been synced are not what was written (N-31).
    #[error(
        "{path} is damaged at byte {offset}, in what had been synced; \
         to cut it there and keep a copy, run `quorate node repair {folder}`"
    )]
    Damaged {
        /// The file.
        path: String,
        /// The first byte of the record (or header) that is damaged or out of order.
        offset: u64,
        /// The folder to repair.
        folder: String,
    },
    /// The file is of another swarm.
    #[error("{path} belongs to another swarm")]
    WrongSwarm {
        /// The file.
        path: String,
        /// The swarm that was expected.
        expected: [u8; 32],
        /// The swarm in the file.
        found: [u8; 32],
    },
    /// The file was written in a form this version does not read.
    #[error("{path} has form {found}, this version reads {supported}")]
    Unsupported {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
        /// The version that is read.
        supported: u32,
    },
    /// A record, block or value is longer than its limit. Nothing was written.
    #[error("{bytes} bytes are more than the limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A record was appended for a lower height than the one before it, or a block for another
    /// height than the next. Nothing was written.
    #[error("height {found} does not follow: expected {expected}")]
    WrongHeight {
        /// The height (log: the least height) that could follow.
        expected: u64,
        /// What was given.
        found: u64,
    },
    /// A name of a metadata value is not 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    #[error("{name:?} is not a name of a stored value")]
    BadName {
        /// The name.
        name: String,
    },
}

/// Why the signing guard did not permit a signature. Whatever it is: do not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Something else was permitted at this position or a later one (N-21).
    #[error("the guard stands at {last}, {asked} must not be signed")]
    Refused {
        /// What was asked.
        asked: Position,
        /// Where the guard stands.
        last: Position,
    },
    /// There is a guard: it belongs to a key that may have signed, and is never made anew.
    #[error("{path} is there already: a signing guard is never made anew")]
    Exists {
        /// The file.
        path: String,
    },
    /// `open` found no guard: this key must not sign (N-27).
    #[error(
        "{path} is missing: a key without its guard never signs. If nothing else runs with this \
         key, nor ever will, `quorate node DIR --rejoin` lets it vote again from heights that the \
         other validators prove to be fresh. Not while a copy of this node may be running: it \
         would sign two votes for one step"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// The guard is of another key.
    #[error("{path} belongs to another key")]
    WrongKey {
        /// The file.
        path: String,
        /// The key that was expected.
        expected: [u8; 32],
        /// The key in the file.
        found: [u8; 32],
    },
    /// What was signed last cannot be read: this key must not sign (N-27).
    #[error(
        "{path} is damaged: what this key signed last is unknown, so it must not sign. Move the \
         file away, and it is as if it were missing: if nothing else runs with this key, nor ever \
         will, `quorate node DIR --rejoin` lets it vote again"
    )]
    Damaged {
        /// The file.
        path: String,
    },
    /// As for the other files: locked, of another swarm, of another version, too long, disk failed
    /// (the guard is then poisoned: end the process).
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
