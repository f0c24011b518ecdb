//! The host of a validator: a process on a simulated disk, with a clock of its own.

use std::collections::BTreeMap;

use quorate_crypto::SecretKey;
use quorate_durable::DurableReplica;
use quorate_replica::Replica;
use quorate_store::MemoryDisk;
use quorate_types::{Hash, Height, Millis, PublicKey, Round};

use super::clock::Clock;
use crate::adversary::{Lie, LieKind};
use crate::faults::TearPlan;
use crate::seed::Dice;

/// The host of a validator.
pub struct Validator {
    /// The index of the validator in the plan; a twin has that of its original.
    pub(super) index: usize,
    pub(super) key: SecretKey,
    pub(super) me: PublicKey,
    pub(super) disk: MemoryDisk,
    /// The running process; `None` while there is none.
    pub(super) process: Option<DurableReplica>,
    /// Counts the starts and ends of its processes, so that what was meant for one process does not
    /// reach the next.
    pub(super) life: u64,
    pub(super) clock: Clock,
    /// The time until which the process is paused or waits for its disk.
    pub(super) occupied_until: Millis,
    /// The time of the wake-up call that is on the queue, if there is one.
    pub(super) wake_at: Option<Millis>,
    /// The liar that stands between the replica and the world, if there is one. A twin has none,
    /// since both of its processes are honest.
    pub(super) liar: Option<Box<dyn Lie>>,
    /// The lie that it tells by the plan; `None` if it is correct.
    pub(super) lie: Option<LieKind>,
    /// Whether it lies, or its disk lied. The protocol is not judged by what it does any more.
    pub(super) faulty: bool,
    pub(super) dice: Dice,
    /// Milliseconds that a sync takes.
    pub(super) sync_ms: Millis,
    /// The number of syncs of the disk that were charged already.
    pub(super) syncs: u64,
    /// The part of the unsynced bytes that survives if its disk fails.
    pub(super) tear: TearPlan,
    /// Whether its disk was emptied: without a guard it comes back by N-27 to N-30.
    pub(super) wiped: bool,
    /// Whether it loses its log after its next precommit, when there may be a lock in it.
    pub(super) loses_log: bool,
    /// The clients that it is connected with, and the index of each.
    pub(super) clients: BTreeMap<PublicKey, usize>,
    /// The number of frames that did not decode.
    pub(super) undecodable: u64,
}

impl Validator {
    /// The index of the validator in the plan; a twin has that of its original.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The public key that it signs with.
    pub fn public_key(&self) -> PublicKey {
        self.me
    }

    /// The replica; `None` while no process runs.
    pub fn replica(&self) -> Option<&Replica> {
        self.process.as_ref().map(DurableReplica::replica)
    }

    /// Whether neither it nor its disk ever lied.
    pub fn is_correct(&self) -> bool {
        !self.faulty
    }

    /// The lie that it tells; `None` if it tells none.
    pub fn lie(&self) -> Option<LieKind> {
        self.lie
    }

    /// The number of bytes on its disk.
    pub fn disk_used(&self) -> u64 {
        self.disk.used()
    }

    /// The simulated disk that holds its store and its guard.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// The number of frames that did not decode.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The height, round and state root of its replica; zeros while no process runs.
    pub(super) fn standing(&self) -> (Height, Round, Hash) {
        let Some(replica) = self.replica() else {
            return (0, 0, Hash::ZERO);
        };
        (
            replica.height(),
            replica.round(),
            replica.ledger().state_root(),
        )
    }
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
