//! The durable storage of a node: write-ahead log, blocks and signing guard over a small disk
//! trait.
//!
//! The crate keeps opaque bytes, keyed by height, and the guard compares opaque [`Slot`]s, which
//! the ordering makes. The crate knows nothing of consensus, network or market, and has no clock
//! and no threads. Every call returns when its work is done, and one thread of the caller owns
//! everything.
//!
//! # The folder
//!
//! | Name | Content | Written |
//! |---|---|---|
//! | `lock` | empty; locked while a store or a guard is open | never |
//! | `wal/000001.log`, `wal/000002.log`, ... | segments of the log, [`Wal`] | appended |
//! | `blocks.log` | every decided block with its proof, [`Blocks`] | appended |
//! | `guard` | the last signing intent, [`SigningGuard`] | in place, four pages behind its header |
//! | `meta/NAME` | small named values such as the genesis, [`Meta`] | whole, by rename |
//! | `*.tmp` | a file that was being made when the process ended | removed when opened |
//! | `*.damaged.N` | the data that [`repair()`] took out of use; nothing reads it | by repair |
//!
//! All integers on disk are little-endian; checksums are CRC-32C (RFC 3720 section 12.1). A
//! checksum finds accidents, not forgers: anyone that can write the folder can write anything. The
//! checksums of records start from the header of their file, those of guard pages from key and
//! swarm. So bytes are valid only in their own file. Inside the file their sequence, or the parity
//! of their generation, says where they belong.
//!
//! # What is promised
//!
//! 1. **Durable means synced.** Data that [`Wal::sync`], [`Blocks::sync`], [`SigningGuard::intend`]
//!    or [`Meta::put`] reported as done survives a crash at any later point (invariant 23 of the
//!    simulator: recovery gives the synced prefix). Recovery may give more of the written data,
//!    never less than was synced, and never anything altered.
//! 2. **A torn tail is cut, a damaged middle is refused** (N-31). The documentation of [`Wal`]
//!    explains how the two are told apart.
//! 3. **A failed write or fsync is final.** The kernel may drop the dirty pages of a failed fsync
//!    and report the next one as good, so nothing is tried again. The object is poisoned, each
//!    later call fails with [`StoreError::Poisoned`], and the process has to end and recover.
//!    ([`Meta`] holds no file open and so has nothing to poison; the process has to end all the
//!    same.)
//! 4. **A key without its guard never signs** (N-21, N-27): see [`SigningGuard`].
//!
//! # What a bad disk does
//!
//! | The disk | Noticed | Then |
//! |---|---|---|
//! | loses or tears unsynced data | at open | the data is cut, or the last synced state counts |
//! | fails a write or sync, is full | at once | the process ends and recovers |
//! | fails a read | at once | an error; nothing is changed |
//! | spoils log or blocks, but not all to the end | at open or read | refused; [`repair()`] cuts |
//! | spoils or cuts their last batch, or all from some byte on | **no**\* | cut as a torn tail |
//! | spoils bytes or one page of the guard | at open | its twin counts, and heals it |
//! | spoils both pages of the guard's newest pair | by the log | raised to what the log knows |
//! | spoils header or length of the guard | at open | refused: the key does not sign |
//! | brings back old pages of the guard | if no crash leaves such | refused, or as one above |
//! | writes to another place than it was told | as if both places were spoiled | as above |
//! | reports a sync that it did not do | **no** | as if the data had never been written |
//! | is empty | the guard is missing | the key does not sign |
//!
//! \* This does not hold for blocks. The log is one height above the last block
//! ([`StoreConfig::log_lead`]), so once something is logged after a block, the loss of that block
//! is noticed and refused.
//!
//! Spoiled bytes never come back as a record, a block, a value or an intent, except with a chance
//! of 2^-32 for each, as with any checksum of 32 bits. The one thing that is not noticed is that
//! the *last* data is gone. The node then fetches blocks from its peers again. No single fault of
//! the table makes a key sign twice: guard and log each know of a signature, the log at least
//! through the inputs that led to it ([`SigningGuard`]). In the following cases this crate cannot
//! help, and the validator counts among the faulty. A swarm survives faulty validators with less
//! than a third of the power.
//!
//! - syncs that lie about guard and log both, followed by a power cut;
//! - both pages of the guard's newest pair and the log's last batch lost, by more than one fault;
//! - a lost write that uncovers an older record in the same place of the same file: the older
//!   record was unsynced, was cut, and had the same sequence, so it reads as the newer one;
//! - a restored older copy of the folder (N-27).
//!
//! # What is absent
//!
//! No clock, no randomness, no thread, no knowledge of what the bytes mean: of a slot, only its
//! height is read.

mod blocks;
mod context;
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
mod slot;
mod store;
mod wal;
mod whole;

pub use blocks::{Blocks, StoredBlock};
pub use context::StoreConfig;
pub use crash::{CRASH_POINTS, CrashPoints};
pub use disk::{Disk, DiskFile, FolderLock, OpenMode};
pub use error::{GuardError, Operation, StoreError};
pub use file_disk::FileDisk;
pub use frame::MAX_PAYLOAD_BYTES;
pub use guard::{Permission, SigningGuard, Witness};
pub use guard_file::MAX_INTENT_BYTES;
pub use log::Cut;
pub use memory::{Fault, FaultKind, MemoryDisk, Syncs, Tear};
pub use meta::{MAX_META_BYTES, Meta};
pub use repair::{Repaired, repair};
pub use slot::Slot;
pub use store::{Recovery, Store};
pub use wal::{Record, Replay, Wal, WalRecord};
