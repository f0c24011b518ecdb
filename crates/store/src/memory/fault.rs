//! What can go wrong with a [`MemoryDisk`](crate::MemoryDisk): the faults that a node must survive.

use std::fmt;

/// What survives a crash of what was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tear {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// The first so many bytes in the order of writing; a change of a name or length counts as one.
    Prefix(u64),
    /// Each sector lands, is lost or becomes garbage by coins thrown from `seed`. Names change in
    /// their order, up to some point.
    Sectors {
        /// Where the coins start.
        seed: u64,
        /// Bytes that share one fate, at least 1.
        bytes: usize,
    },
}

/// What befalls one operation; see [`MemoryDisk::fail_at`](crate::MemoryDisk::fail_at).
///
/// The first three befall whatever changing operation comes, the others wait for the first one
/// they can befall.
///
/// After a misdirected write ([`ShiftedWrite`](Self::ShiftedWrite),
/// [`StrayWrite`](Self::StrayWrite)) the cache of the system holds what was meant, so reads show
/// it, also after a kill; what landed shows after a power cut. In the place that was meant stands
/// what stood there before, zeros where the file grew. What lands behind the end of a file is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and fails, once. A sync that fails also loses, for good, what it was to make
    /// durable, while reads still show it: so does the page cache of Linux.
    Error,
    /// A write writes so many bytes and fails; other operations fail as with `Error`.
    ShortWrite(usize),
    /// It fails, and so does every later operation until [`MemoryDisk::crash`] or `kill`. What it
    /// was to write is written and not synced.
    ///
    /// [`MemoryDisk::crash`]: crate::MemoryDisk::crash
    PowerOff,
    /// A sync, of a file or a folder, fails as with `Error`.
    SyncError,
    /// A sync, of a file or a folder, reports success and makes nothing durable. A later honest one
    /// does: so does a drive that drops a flush from its queue. For a period: [`Syncs::Lying`].
    SyncLie,
    /// A write succeeds and lands so many bytes further on in its file (backwards if negative, not
    /// before the start).
    ShiftedWrite(i64),
    /// A write succeeds and lands in another file: of the others by name, the one of this number
    /// modulo how many they are, at the write's offset modulo the length of that file.
    StrayWrite(u64),
    /// A read of bytes fails, once.
    ReadError,
    /// A read of at least one byte succeeds with one bit wrong, once: the bit of this number modulo
    /// how many bits are read. The file is as it was.
    FlippedRead(u64),
}

/// What becomes of syncs that no [`Fault`] befalls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Syncs {
    /// They make durable what they cover.
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
    /// [`Fault::Error`], but of a sync.
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

/// What an operation does, as far as faults differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// A change of a name or a length.
    Other,
    Sync,
}

impl Fault {
    /// Whether it can happen to such an operation.
    pub(super) fn befalls(self, access: Access) -> bool {
        match self {
            Self::Error | Self::ShortWrite(_) | Self::PowerOff => access != Access::Read,
            Self::SyncError | Self::SyncLie => access == Access::Sync,
            Self::ShiftedWrite(_) | Self::StrayWrite(_) => access == Access::Write,
            Self::ReadError | Self::FlippedRead(_) => access == Access::Read,
        }
    }

    /// What it counts as when it befalls such an operation.
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
