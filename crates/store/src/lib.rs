//! Write-ahead log, blocks and signing guard over a small disk trait.
//!
//! The crate keeps opaque bytes keyed by height. It knows nothing of consensus, network or market,
//! has no clock and no threads: every call returns when its work is done, and one thread of the
//! caller owns it all.
//!
//! # The folder
//!
//! | Name | Content | Written |
//! |---|---|---|
//! | `lock` | empty; locked while a store or a guard is open | never |
//! | `wal/000001.log`, `wal/000002.log`, ... | segments of the log, [`Wal`] | appended |
//! | `blocks.log` | every decided block with its proof, [`Blocks`] | appended |
//! | `guard` | the last signing intent, [`SigningGuard`] | in place, four slots |
//! | `meta/NAME` | small named values such as the genesis, [`Meta`] | whole, by rename |
//! | `*.tmp` | a file that was being made when the process ended | removed when opened |
//! | `*.damaged.N` | what [`repair()`] took out of use; nothing reads it | by repair |
//!
//! All integers on disk are little-endian; checksums are CRC-32C (RFC 3720 section 12.1). A
//! checksum finds accidents, not forgers: whoever can write the folder can write anything.
//!
//! # What is promised
//!
//! 1. **Durable means synced.** What [`Wal::sync`], [`Blocks::sync`], [`SigningGuard::intend`] or
//!    [`Meta::put`] reported done survives a crash at any later point (invariant 23 of
//!    reliability.md: recovery gives the synced prefix). Recovery may give more of what was
//!    written, never less than what was synced, never anything altered.
//! 2. **A torn tail is cut, a damaged middle is refused** (rule 10 of consensus.md); how the two
//!    are told apart is in the documentation of [`Wal`].
//! 3. **A failed write or fsync is final.** The kernel may drop the dirty pages of a failed fsync
//!    and report the next one as good, so nothing is tried again: the object is poisoned, each
//!    later call fails with [`StoreError::Poisoned`], and the process has to end and recover.
//!    ([`Meta`] holds no file open and so nothing to poison; the process has to end all the same.)
//! 4. **A key without its guard never signs** (rules 9 and 15 of consensus.md): see
//!    [`SigningGuard`].
//!
//! # What is absent
//!
//! No clock, no randomness, no thread, no knowledge of what the bytes mean.

mod blocks;
mod crash;
mod disk;
mod error;
mod file_disk;
mod frame;
mod guard;
mod guard_file;
mod log;
mod memory_disk;
mod memory_state;
mod meta;
mod repair;
mod scan;
mod store;
mod wal;
mod whole;

pub use blocks::{Blocks, StoredBlock};
pub use crash::{CRASH_POINTS, CrashPoints};
pub use disk::{Disk, DiskFile, FolderLock, OpenMode};
pub use error::{GuardError, Operation, StoreError};
pub use file_disk::FileDisk;
pub use guard::{Permission, Position, SigningGuard, Witness};
pub use guard_file::MAX_INTENT_BYTES;
pub use log::{Cut, MAX_PAYLOAD_BYTES, StoreConfig};
pub use memory_disk::{Fault, MemoryDisk, Tear};
pub use meta::{MAX_META_BYTES, Meta};
pub use repair::{Repaired, repair};
pub use store::{Recovery, Store};
pub use wal::{Record, Replay, Wal, WalRecord};
