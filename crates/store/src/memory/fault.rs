//! The faults of a [`MemoryDisk`](crate::MemoryDisk) that a node must survive.

use std::fmt;

/// The part of the unsynced changes that survives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tear {
    /// No unsynced change survives.
    Nothing,
    /// Every unsynced change survives.
    Everything,
    /// The first bytes survive, this many in the order of writing. A change of a name or length
    /// counts as one byte.
    Prefix(u64),
    /// Each sector lands, is lost or becomes garbage, by pseudo-random numbers from `seed`. Names
    /// change in their order, up to some point.
    Sectors {
        /// The seed of the pseudo-random numbers.
        seed: u64,
        /// The number of bytes that share one fate, at least 1.
        bytes: usize,
    },
}

/// A fault that befalls one operation; see [`MemoryDisk::fail_at`](crate::MemoryDisk::fail_at).
///
/// The first three befall the next changing operation of any kind. The others wait for the first
/// operation that they can befall.
///
/// After a misdirected write ([`ShiftedWrite`](Self::ShiftedWrite),
/// [`StrayWrite`](Self::StrayWrite)) the cache of the system holds the intended content, so reads
/// show it, also after a kill. The bytes that landed show after a power cut. The intended place
/// then holds its old content, and zeros in the part by which the file grew. Bytes that land behind
/// the end of a file are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation does nothing and fails, once. A sync that fails also loses the changes that it
    /// was to make durable, while reads still show them: the page cache of Linux behaves like that.
    Error,
    /// A write writes this many bytes and fails. Other operations fail as with `Error`.
    ShortWrite(usize),
    /// The operation fails, and so does every later one until [`MemoryDisk::crash`] or `kill`. The
    /// bytes that it was to write are written and not synced.
    ///
    /// [`MemoryDisk::crash`]: crate::MemoryDisk::crash
    PowerOff,
    /// A sync of a file or a folder fails as with `Error`.
    SyncError,
    /// A sync of a file or a folder reports success and makes nothing durable. A later honest sync
    /// does: a drive that drops a flush from its queue behaves like that. For a period of such
    /// syncs see [`Syncs::Lying`].
    SyncLie,
    /// A write succeeds and lands this many bytes further on in its file (backwards if negative,
    /// but not before the start).
    ShiftedWrite(i64),
    /// A write succeeds and lands in another file. The other files are numbered in the order of
    /// their names, and the number is taken modulo their count. The offset is that of the write,
    /// modulo the length of that file.
    StrayWrite(u64),
    /// A read of bytes fails, once.
    ReadError,
    /// A read of at least one byte succeeds with one wrong bit, once. The bit is this number modulo
    /// the number of bits that are read. The file stays as it was.
    FlippedRead(u64),
}

/// The behaviour of syncs that no [`Fault`] befalls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Syncs {
    /// They make durable all changes that they cover.
    #[default]
    Honest,
    /// They report success and make nothing durable, as with [`Fault::SyncLie`].
    Lying,
}

/// A kind of fault that is counted when it fires; see
/// [`MemoryDisk::fired`](crate::MemoryDisk::fired).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A crash lost a whole unsynced write or change of a name or length.
    Lost,
    /// A crash cut an unsynced write short.
    TornPrefix,
    /// A crash lost or garbled sectors of an unsynced write.
    TornSubset,
    /// [`Fault::Error`] of an operation other than a sync.
    FailedOperation,
    /// [`Fault::Error`] or [`Fault::SyncError`] of a sync of a file or folder.
    FailedSync,
    /// [`Fault::ShortWrite`] of a write.
    ShortWrite,
    /// [`Fault::PowerOff`].
    PowerOff,
    /// [`Fault::SyncLie`]; while [`Syncs::Lying`], a sync that had something to make durable.
    SyncLie,
    /// [`Fault::ShiftedWrite`] or [`Fault::StrayWrite`].
    MisdirectedWrite,
    /// The disk was full.
    Full,
    /// [`Fault::ReadError`].
    ReadError,
    /// [`Fault::FlippedRead`].
    FlippedRead,
    /// The disk was wiped.
    Wiped,
}

/// The kind of an operation, as far as faults depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// A change of a name or a length.
    Other,
    Sync,
}

impl Fault {
    /// Whether the fault can befall such an operation.
    pub(super) fn befalls(self, access: Access) -> bool {
        match self {
            Self::Error | Self::ShortWrite(_) | Self::PowerOff => access != Access::Read,
            Self::SyncError | Self::SyncLie => access == Access::Sync,
            Self::ShiftedWrite(_) | Self::StrayWrite(_) => access == Access::Write,
            Self::ReadError | Self::FlippedRead(_) => access == Access::Read,
        }
    }

    /// The kind that the fault counts as when it befalls such an operation.
    pub(super) fn kind(self, access: Access) -> FaultKind {
        match self {
            Self::ShortWrite(_) if access == Access::Write => FaultKind::ShortWrite,
            Self::SyncError => FaultKind::FailedSync,
            Self::Error | Self::ShortWrite(_) if access == Access::Sync => FaultKind::FailedSync,
            Self::Error | Self::ShortWrite(_) => FaultKind::FailedOperation,
            Self::PowerOff => FaultKind::PowerOff,
            Self::SyncLie => FaultKind::SyncLie,
            Self::ShiftedWrite(_) | Self::StrayWrite(_) => FaultKind::MisdirectedWrite,
            Self::ReadError => FaultKind::ReadError,
            Self::FlippedRead(_) => FaultKind::FlippedRead,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost write",
            Self::TornPrefix => "torn write (prefix)",
            Self::TornSubset => "torn write (subset)",
            Self::FailedOperation => "failed operation",
            Self::FailedSync => "failed sync",
            Self::ShortWrite => "short write",
            Self::PowerOff => "power off",
            Self::SyncLie => "lying sync",
            Self::MisdirectedWrite => "misdirected write",
            Self::Full => "full disk",
            Self::ReadError => "failed read",
            Self::FlippedRead => "flipped bit in a read",
            Self::Wiped => "wiped disk",
        })
    }
}
