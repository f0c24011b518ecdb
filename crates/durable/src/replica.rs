//! A replica with its disk and key. The order of its writes is what makes it safe.

use std::collections::VecDeque;

use quorate_crypto::{SecretKey, Verified};
use quorate_replica::{Action, Event, Now, Replica, ToSign, Write, describe_slot, slot_of};
use quorate_store::{GuardError, SigningGuard, Slot, Store};
use quorate_types::{Block, Height, MonotonicMillis, QuorumCertificate, Statement, cbor, limits};

use crate::records::{append_block, append_record};
use crate::{DurableError, Effect, Served};

/// The bytes of decided blocks after which the answer to one request ends.
const SERVED_BYTES: usize = limits::BLOCK_BYTES;
/// The most decided blocks in the answer to one request.
const SERVED_BLOCKS: u64 = 24;

/// A replica with its disk and key.
///
/// It is driven as the replica is: call [`Self::handle`] and [`Self::handle_timeout`], drain
/// [`Self::poll_effect`] after each, then sleep until [`Self::poll_timeout`]. After an error the
/// process must end, and recover with [`Self::open`].
pub struct DurableReplica {
    key: SecretKey,
    replica: Replica,
    store: Store,
    /// `None` while the guard is lost (N-27). Nothing is signed then.
    guard: Option<SigningGuard>,
    /// The actions that were still open when the replica recovered.
    waiting: VecDeque<Action>,
}

impl DurableReplica {
    /// Puts together what was recovered from one folder.
    pub(crate) fn new(
        key: SecretKey,
        replica: Replica,
        store: Store,
        guard: Option<SigningGuard>,
        waiting: VecDeque<Action>,
    ) -> Self {
        Self {
            key,
            replica,
            store,
            guard,
            waiting,
        }
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Now, event: Event) {
        self.replica.handle(now, event);
    }

    /// Fires the timeouts that are due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.replica.handle_timeout(now);
    }

    /// Returns when [`Self::handle_timeout`] is wanted; `None` for never.
    pub fn poll_timeout(&self) -> Option<MonotonicMillis> {
        self.replica.poll_timeout()
    }

    /// Writes what has to be written, in order, up to the next effect. Returns `None` when the
    /// replica waits. `clock` is asked for the time once for each write that is done.
    ///
    /// # Errors
    /// [`DurableError`] if the disk failed or the protocol halted.
    pub fn poll_effect(
        &mut self,
        clock: &mut dyn FnMut() -> Now,
    ) -> Result<Option<Effect>, DurableError> {
        while let Some(action) = self.next_action() {
            if let Some(effect) = action.with_disk(|write| self.perform(write, clock))? {
                return Ok(Some(effect));
            }
        }

        Ok(None)
    }

    /// Returns the next action. Those that were open when the replica recovered come first.
    fn next_action(&mut self) -> Option<Action> {
        self.waiting
            .pop_front()
            .or_else(|| self.replica.poll_action())
    }

    /// Returns the replica, which holds the protocol's state.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Returns the key that it signs with.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Returns the slot at which the guard stands; `None` while the guard is lost.
    pub fn guarded(&self) -> Option<Slot> {
        self.guard.as_ref().map(SigningGuard::last)
    }

    /// Makes the log durable, before an orderly end.
    ///
    /// # Errors
    /// [`DurableError`] if the disk failed.
    pub fn sync(&mut self) -> Result<(), DurableError> {
        self.store.wal.sync()?;
        Ok(())
    }

    /// Carries out a write and tells the replica that it is done, or returns what is left to the
    /// driver.
    fn perform(
        &mut self,
        write: Write,
        clock: &mut dyn FnMut() -> Now,
    ) -> Result<Option<Served>, DurableError> {
        let done = match write {
            Write::Log(height, record) => {
                append_record(&mut self.store.wal, height, &record)?;
                None
            }

            Write::Sign(to_sign) => self.sign(to_sign)?,
            Write::Persist { block, commit } => Some(self.persist(&block, &commit)?),
            Write::RaiseGuard(height) => Some(self.raise_guard(height)?),

            Write::ServeDecided { to, from } => {
                let frames = self.serve(from)?;
                return Ok(Some(Served { to, frames }));
            }

            Write::Halt(reason) => return Err(DurableError::Halted(reason)),
        };

        // The replica waits for these answers, so they do not go through the driver.
        if let Some(event) = done {
            self.replica.handle(clock(), event);
        }

        Ok(None)
    }

    /// Signs with this node's key. The guard is asked only for statements.
    fn sign(&mut self, to_sign: ToSign) -> Result<Option<Event>, DurableError> {
        Ok(match to_sign {
            ToSign::Statement(statement) => self.sign_statement(statement)?,
            ToSign::Operation(operation) => {
                Some(Event::SignedOperation(Box::new(self.key.sign(*operation))))
            }
            ToSign::Suspicion(suspicion) => Some(Event::SignedSuspicion(self.key.sign(suspicion))),
        })
    }

    /// Syncs the log, asks the guard, then signs. Each step is durable before the next (N-21).
    fn sign_statement(&mut self, statement: Statement) -> Result<Option<Event>, DurableError> {
        self.store.wal.sync()?;

        let asked = Slot::from(slot_of(&statement));

        let Some(guard) = &mut self.guard else {
            return Err(DurableError::Unguarded { asked });
        };

        match guard.intend(asked, &cbor::encode(&statement)) {
            Ok(_) => Ok(Some(Event::SignedStatement(
                self.key.sign_statement(statement),
            ))),

            Err(GuardError::Refused { asked, last }) => {
                tracing::warn!(
                    asked = describe_slot(asked.bytes()),
                    last = describe_slot(last.bytes()),
                    "the signing guard refused the vote; it is not sent"
                );
                Ok(None)
            }

            Err(error) => Err(error.into()),
        }
    }

    /// Makes the guard of a key that comes back (N-29).
    fn raise_guard(&mut self, height: Height) -> Result<Event, DurableError> {
        let me = self.key.public_key();
        self.guard = Some(SigningGuard::create_raised(
            &self.store,
            me.as_bytes(),
            height,
        )?);
        Ok(Event::GuardRaised(height))
    }

    /// Makes a decided block and its commit durable, then drops the log below that height.
    fn persist(
        &mut self,
        block: &Verified<Block>,
        commit: &QuorumCertificate,
    ) -> Result<Event, DurableError> {
        let height = block.header.height;

        append_block(&mut self.store.blocks, block, commit)?;
        self.store.blocks.sync()?;

        // The blocks below this height are durable, so their records are no longer needed.
        self.store.wal.truncate_below(height)?;
        Ok(Event::Persisted(height))
    }

    /// Reads decided blocks from the disk and wraps their bytes again, untouched. Anyone may ask,
    /// so this must cost no more than reading them.
    fn serve(&self, from: Height) -> Result<Vec<Vec<u8>>, DurableError> {
        let mut frames = Vec::new();
        let mut bytes = 0;

        for height in from..from.saturating_add(SERVED_BLOCKS) {
            let Some(stored) = self.store.blocks.get(height)? else {
                break;
            };

            bytes += stored.block.len();
            frames.push(decided_frame(&stored.block, &stored.proof));
            if bytes > SERVED_BYTES {
                break;
            }
        }

        Ok(frames)
    }
}

impl std::fmt::Debug for DurableReplica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableReplica")
            .field("key", &self.key)
            .field("height", &self.replica.height())
            .finish_non_exhaustive()
    }
}

/// Makes a `PeerMessage::Decided` out of the encodings of its two parts.
fn decided_frame(block: &[u8], commit: &[u8]) -> Vec<u8> {
    // A map of one entry, the text `decided`, and an array of two.
    const HEAD: &[u8] = b"\xa1\x67decided\x82";
    [HEAD, block, commit].concat()
}

#[cfg(test)]
mod tests {
    use quorate_crypto::SecretKey;
    use quorate_ledger::{Ledger, Proposal};
    use quorate_types::genesis::{Admission, Parameters};
    use quorate_types::message::{Decided, PeerMessage};
    use quorate_types::{
        Genesis, Kind, PROTOCOL_VERSION, QuorumCertificate, Statement, UnixMillis, Validator,
        ValidatorSet,
    };

    use super::*;

    #[test]
    fn a_frame_of_stored_bytes_is_the_message_it_stands_for() {
        let key = SecretKey::from_seed(&[1; 32]).public_key();
        let member = Validator {
            key,
            power: 1,
            operator: "op".parse().unwrap(),
        };

        let genesis = Genesis {
            name: "test".parse().unwrap(),
            created: UnixMillis(1),
            markets: Vec::new(),
            version: PROTOCOL_VERSION,
            admission: Admission::Attestation,
            attesters: Vec::new(),
            parameters: Parameters::default(),
            validators: ValidatorSet::new(vec![member]).unwrap(),
        };

        let (swarm, validators) = (genesis.swarm_id(), genesis.validators.hash());

        let (block, _) = Ledger::genesis(genesis).unwrap().propose(Proposal {
            block_time: UnixMillis(2),
            builder: key,
            missed_turns: 0,
            previous_commit: None,
            operations: Vec::new(),
            evidence: Vec::new(),
        });

        let statement = Statement {
            swarm,
            height: 1,
            round: 0,
            kind: Kind::Precommit,
            block: Some(block.header.id()),
            validators,
            pol_round: None,
        };

        let commit = QuorumCertificate {
            statement,
            votes: Vec::new(),
        };

        let block = block.into_inner();
        let frame = decided_frame(&cbor::encode(&block), &cbor::encode(&commit));
        let message = PeerMessage::Decided(Box::new(Decided { block, commit }));
        assert_eq!(frame, cbor::encode(&message));
    }
}
