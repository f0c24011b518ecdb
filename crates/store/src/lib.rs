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
//! checksum finds accidents, not forgers: whoever can write the folder can write anything. The
//! checksums of records start from the header of their file, those of guard slots from key and
//! swarm, so that bytes are good in their own file alone; inside it their sequence, or the parity
//! of their generation, says where they belong.
//!
//! # What is promised
//!
//! 1. **Durable means synced.** What [`Wal::sync`], [`Blocks::sync`], [`SigningGuard::intend`] or
//!    [`Meta::put`] reported done survives a crash at any later point (invariant 23 of
//!    the simulator: recovery gives the synced prefix). Recovery may give more of what was
//!    written, never less than what was synced, never anything altered.
//! 2. **A torn tail is cut, a damaged middle is refused** (N-31); how the two are told apart is in
//!    the documentation of [`Wal`].
//! 3. **A failed write or fsync is final.** The kernel may drop the dirty pages of a failed fsync
//!    and report the next one as good, so nothing is tried again: the object is poisoned, each
//!    later call fails with [`StoreError::Poisoned`], and the process has to end and recover.
//!    ([`Meta`] holds no file open and so nothing to poison; the process has to end all the same.)
//! 4. **A key without its guard never signs** (N-21, N-27): see [`SigningGuard`].
//!
//! # What a bad disk does
//!
//! | The disk | Noticed | Then |
//! |---|---|---|
//! | loses or tears what was not synced | at open | it is cut, or falls back to what was synced |
//! | fails a write or sync, is full | at once | the process ends and recovers |
//! | fails a read | at once | an error; nothing is changed |
//! | spoils log or blocks, but not all behind | at open or read | refused; [`repair()`] cuts |
//! | spoils or cuts their last batch, or all from some byte on | **no**\* | cut as a torn tail |
//! | spoils bytes or one slot of the guard | at open | its twin counts, and heals it |
//! | spoils both slots of the guard's newest pair | by the log | raised to what the log knows |
//! | spoils header or length of the guard | at open | refused: the key does not sign |
//! | brings back old slots of the guard | if no crash leaves such | refused, or as one above |
//! | writes elsewhere than it was told | as if both places were spoiled | as above |
//! | says synced and has not | **no** | as if it had never been written |
//! | is empty | the guard is missing | the key does not sign |
//!
//! \* But for blocks: the log stands one height above the last of them
//! ([`StoreConfig::log_lead`]), so once something is logged after a block its loss is noticed, and
//! refused.
//!
//! Spoiled bytes never come back as a record, a block, a value or an intent (but with chance 2^-32
//! for each, as with any checksum of 32 bits). What is not noticed is that the *last* things are
//! gone. Blocks are fetched anew then, and no one fault of these makes a key sign twice: guard and
//! log each know of a signature, the log at least by what led to it ([`SigningGuard`]). Beyond that
//! this crate cannot help, and the validator counts among the faulty, of which a swarm survives
//! less than a third of the power:
//!
//! - syncs that lie about guard and log both, then a power cut;
//! - both slots of the guard's newest pair and the log's last batch gone, by more than one fault;
//! - a lost write that brings to light the bytes of a record which stood in the same place of the
//!   same file before, unsynced, was cut, and had the same sequence: it reads as the newer one;
//! - a restored older copy of the folder (N-27).
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
mod memory;
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
pub use memory::{Fault, FaultKind, MemoryDisk, Syncs, Tear};
pub use meta::{MAX_META_BYTES, Meta};
pub use repair::{Repaired, repair};
pub use store::{Recovery, Store};
pub use wal::{Record, Replay, Wal, WalRecord};
