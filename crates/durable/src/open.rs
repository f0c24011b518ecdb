//! Recovery: takes decided blocks into the ledger, then the log of the height that was in progress.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_crypto::SecretKey;
use quorate_ledger::Ledger;
use quorate_replica::{
    Action, Config, Now, Replica, TimeoutConfig, ToSign, Voting, Write, signed_slot, slot_of,
};
use quorate_store::{
    Blocks, CrashPoints, Cut, Disk, SigningGuard, Slot, Store, StoreConfig, Witness,
};
use quorate_types::{Genesis, Height, PublicKey};

use crate::records::{read_block, read_records};
use crate::{DurableError, DurableReplica};

/// The settings that a durable replica is opened with, apart from disk and key.
#[derive(Debug)]
pub struct Settings {
    /// The genesis of the swarm.
    pub genesis: Genesis,
    /// The timeouts of the replica.
    pub pace: TimeoutConfig,
    /// The layout of the files.
    pub store: StoreConfig,
    /// Hooks at named writes, for tests that end the process there.
    pub points: CrashPoints,
    /// The state of the key's signing guard.
    pub start: Start,
}

/// The state of a key's signing guard when its replica starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// The guard knows what the key signed. Without the guard the replica does not open.
    #[default]
    Guarded,
    /// The guard is lost, and nothing else runs with the key, nor ever will. The replica signs
    /// nothing until others have proved a fresh height (N-29); then a new guard is made. It does
    /// not open if there is a guard.
    Rejoin {
        /// A number chosen at random, anew for each start. The answers of others repeat it.
        challenge: u64,
    },
}

/// The findings of opening, each worth a line in the node's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// The torn tails that were cut. Nothing in them had been synced.
    pub cuts: Vec<Cut>,
    /// The number of log records that were taken in again.
    pub records: usize,
    /// The slots of signatures that the log knew of and the guard had forgotten.
    pub forgotten: Vec<Slot>,
    /// Set if the log that led to the last signature is gone, and with it the lock that may have
    /// come with that signature. Nothing is signed below this height.
    pub log_lost: Option<Height>,
}

impl DurableReplica {
    /// Recovers the replica of a folder. The guard must have been created with the key
    /// ([`SigningGuard::create`]), or be missing if the start is [`Start::Rejoin`].
    ///
    /// # Errors
    /// [`DurableError`], naming the file, or what is wrong with it.
    pub fn open(
        disk: Arc<dyn Disk>,
        key: SecretKey,
        settings: Settings,
        now: Now,
    ) -> Result<(Self, Opened), DurableError> {
        let Settings {
            genesis,
            pace,
            store,
            points,
            start,
        } = settings;

        let me = key.public_key();
        let (store, recovery) = Store::open(disk, store, points)?;
        let (mut guard, voting) = open_guard(&store, &me, start)?;

        let ledger = Ledger::genesis(genesis)?;
        let mut opened = Opened {
            cuts: recovery.cuts,
            ..Opened::default()
        };

        let fresh = |voting| Replica::new(Config { me, pace, voting }, ledger.clone(), now);
        let mut life = Recovered::again(&store, fresh(voting))?;

        if let Some(guard) = &mut guard
            && let Some(voting) = life.reconcile(guard, &mut opened)?
        {
            // The replica was built for the guard as it stood, so the raised guard needs a new one.
            life = Recovered::again(&store, fresh(voting))?;
        }

        opened.records = life.records;

        let replica = Self::new(key, life.replica, store, guard, life.waiting);
        Ok((replica, opened))
    }
}

/// The state in which the node stopped, as its disk tells it, and the actions that were still open.
struct Recovered {
    replica: Replica,
    waiting: VecDeque<Action>,
    /// The number of log records that were taken in.
    records: usize,
    /// The slots in which this node's key signed, by the log and in its order.
    signed: Vec<Slot>,
}

impl Recovered {
    /// Takes decided blocks and the log of the height in progress into a fresh replica.
    fn again(store: &Store, mut replica: Replica) -> Result<Self, DurableError> {
        restore_blocks(&mut replica, &store.blocks)?;

        // Records of other heights are not needed: their blocks are decided.
        let records = read_records(&store.wal, replica.height())?;
        let count = records.len();

        let me = replica.public_key();
        let own = |record| signed_slot(record, &me).map(Slot::from);
        let signed = records.iter().filter_map(own).collect();
        replica.recover(records)?;

        // These actions are still open, so they are carried out after opening (N-32).
        let waiting = std::iter::from_fn(|| replica.poll_action()).collect();

        Ok(Self {
            replica,
            waiting,
            records: count,
            signed,
        })
    }

    /// Makes the guard agree with the log, and notes in `opened` what it had to correct. If the
    /// guard was raised because the log is lost, returns what it lets the key do now.
    fn reconcile(
        &self,
        guard: &mut SigningGuard,
        opened: &mut Opened,
    ) -> Result<Option<Voting>, DurableError> {
        opened.forgotten = self.witness(guard)?;

        let Some(from) = self.lost_log(guard) else {
            return Ok(None);
        };

        guard.raise_to(from)?;
        opened.log_lost = Some(from);
        Ok(Some(Voting::From(guard.permits_from())))
    }

    /// Compares the guard with the log, which is a second witness of what was signed. The guard
    /// must not stand below the log. If it did, it is raised. Returns the slots that the guard had
    /// forgotten.
    fn witness(&self, guard: &mut SigningGuard) -> Result<Vec<Slot>, DurableError> {
        let mut forgotten = Vec::new();
        for slot in &self.signed {
            if guard.check_against(*slot)? == Witness::Raised {
                forgotten.push(*slot);
            }
        }
        Ok(forgotten)
    }

    /// Checks whether the log that led to the guard's last signature is gone, after a repair or by
    /// a failing disk: then the log neither holds that signature nor leads to it again. A lock may
    /// be gone with it, and a node that forgot a lock must not vote at that height again. Returns
    /// the first height at which it may vote, or `None` if the log is not lost. Without damage the
    /// log is on disk before the guard is asked, and this never happens.
    fn lost_log(&self, guard: &SigningGuard) -> Option<Height> {
        let last = guard.last();
        let height = self.replica.height();

        // The last signature is at a decided height, or the guard permits nothing at its height.
        if last.height() < height || guard.permits_from() > last.height() {
            return None;
        }

        let is_known = self.signed.contains(&last) || self.asks_for(last);
        if last.height() == height && is_known {
            return None;
        }

        Some(last.height().saturating_add(1))
    }

    /// Returns whether the log leads to a request to sign in this slot.
    fn asks_for(&self, slot: Slot) -> bool {
        self.waiting.iter().any(|action| match action {
            Action::Disk(Write::Sign(ToSign::Statement(statement))) => {
                slot_of(statement) == slot.bytes()
            }
            _ => false,
        })
    }
}

/// Opens the guard, if there has to be one, and returns it with what it lets the key do.
fn open_guard(
    store: &Store,
    me: &PublicKey,
    start: Start,
) -> Result<(Option<SigningGuard>, Voting), DurableError> {
    match start {
        Start::Guarded => {
            let guard = SigningGuard::open(store, me.as_bytes())?;
            let voting = Voting::From(guard.permits_from());
            Ok((Some(guard), voting))
        }

        Start::Rejoin { challenge } => {
            SigningGuard::expect_missing(store)?;
            Ok((None, Voting::Rejoining { challenge }))
        }
    }
}

/// Takes the decided blocks on disk into the replica, from height 1 on.
fn restore_blocks(replica: &mut Replica, blocks: &Blocks) -> Result<(), DurableError> {
    for height in 1..=blocks.last_height() {
        let Some((block, commit)) = read_block(blocks, height)? else {
            break;
        };
        replica.restore(block, commit)?;
    }

    Ok(())
}
