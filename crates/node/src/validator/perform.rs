//! Carrying out what the replica wants done, in its order.

use std::sync::Arc;
use std::time::Duration;

use quorate_crypto::Verified;
use quorate_network::{Lane, Topic};
use quorate_replica::{Action, Event, Now, ToSign, Work};
use quorate_store::{GuardError, Position, Record};
use quorate_types::message::{Decided, PeerMessage};
use quorate_types::{Block, Height, PublicKey, QuorumCertificate, Round, Statement, cbor, limits};

use super::event_loop::EventLoop;
use super::recovery::LOG_RECORD;
use super::{CommittedBlock, ValidatorError, ValidatorEvent};

/// Signature checks up to which work is done at once; more goes to other threads, so that it does
/// not hold up votes.
const INLINE_SIGNATURES: usize = 16;
/// Bytes of decided blocks that one request is answered with.
const SERVED_BYTES: usize = limits::BLOCK_BYTES;
/// Decided blocks that one request is answered with.
const SERVED_BLOCKS: u64 = 24;

impl EventLoop {
    /// Carries out actions until the replica waits.
    pub(super) fn drain(&mut self) -> Result<(), ValidatorError> {
        while let Some(action) = self.replica.poll_action() {
            self.perform(action)?;
        }
        Ok(())
    }

    fn perform(&mut self, action: Action) -> Result<(), ValidatorError> {
        match action {
            Action::Verify(work) => self.verify(*work),
            Action::Execute { ledger, block } => {
                let result = ledger.execute(&block).map(Box::new);
                self.handle(Event::Executed { block: block.header.id(), result });
            }
            Action::Propose { ledger, round, proposal } => {
                self.note_proposal(ledger.height() + 1);
                let (block, execution) = ledger.propose(*proposal);
                let (block, execution) = (Box::new(block), Box::new(execution));
                self.handle(Event::Proposed { round, block, execution });
            }
            Action::Log(height, record) => {
                let payload = cbor::encode(&record);
                self.store.wal.append(Record { kind: LOG_RECORD, height, payload: &payload })?;
            }
            Action::Sign(to_sign) => self.sign(to_sign)?,
            Action::Persist { block, commit } => self.persist(&block, &commit)?,
            Action::ServeDecided { to, from } => self.serve(&to, from)?,
            Action::Send(to, message) => self.send(to, &message),
            Action::Reply(to, message) => {
                self.send_bytes(&to, Lane::Client, &cbor::encode(&message));
            }
            Action::Call(call) => self.publish(Topic::Calls, cbor::encode(&call)),
            Action::Committed { round, block, commit, committed } => {
                self.on_committed(round, &block, commit, committed.outcomes.clone());
            }
            Action::Halt(reason) => return Err(ValidatorError::Halted(reason)),
        }
        Ok(())
    }

    fn verify(&mut self, work: Work) {
        if work.signatures() <= INLINE_SIGNATURES {
            let event = verified(work);
            self.handle(event);
            return;
        }
        let done = self.done.clone();
        self.runtime.spawn_blocking(move || {
            // The loop may have ended meanwhile.
            let _ = done.send(verified(work));
        });
    }

    fn sign(&mut self, to_sign: ToSign) -> Result<(), ValidatorError> {
        match to_sign {
            ToSign::Statement(statement) => self.sign_statement(statement),
            ToSign::Operation(operation) => {
                let signed = Box::new(self.key.sign(*operation));
                self.handle(Event::SignedOperation(signed));
                Ok(())
            }
            ToSign::Suspicion(suspicion) => {
                let signed = self.key.sign(suspicion);
                self.handle(Event::SignedSuspicion(signed));
                Ok(())
            }
        }
    }

    /// Log, guard, signature: in this order, each durable before the next.
    fn sign_statement(&mut self, statement: Statement) -> Result<(), ValidatorError> {
        self.store.wal.sync()?;
        let position = Position {
            height: statement.height,
            round: statement.round,
            step: statement.kind as u8,
        };
        match self.guard.intend(position, &cbor::encode(&statement)) {
            Ok(_) => {
                let signed = self.key.sign_statement(statement);
                self.handle(Event::SignedStatement(signed));
                Ok(())
            }
            Err(GuardError::Refused { asked, last }) => {
                tracing::warn!(?asked, ?last, "the signing guard refused; this vote stays away");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn persist(
        &mut self,
        block: &Verified<Block>,
        commit: &QuorumCertificate,
    ) -> Result<(), ValidatorError> {
        let height = block.header.height;
        self.store.blocks.append(height, &cbor::encode(&**block), &cbor::encode(commit))?;
        self.store.blocks.sync()?;
        self.store.wal.truncate_below(height)?;
        self.handle(Event::Persisted(height));
        Ok(())
    }

    /// Sends decided blocks from the disk: untouched bytes, wrapped again.
    fn serve(&mut self, to: &PublicKey, from: Height) -> Result<(), ValidatorError> {
        let mut bytes = 0;
        for height in from..from.saturating_add(SERVED_BLOCKS) {
            let Some(stored) = self.store.blocks.get(height)? else { break };
            let bad = |source| ValidatorError::Decode { file: "blocks.log", height, source };
            let decided = Decided {
                block: cbor::decode(&stored.block, limits::BLOCK_BYTES).map_err(bad)?,
                commit: cbor::decode(&stored.proof, limits::CERTIFICATE_BYTES).map_err(bad)?,
            };
            bytes += stored.block.len();
            self.send(
                quorate_replica::Recipients::One(*to),
                &PeerMessage::Decided(Box::new(decided)),
            );
            if bytes > SERVED_BYTES {
                break;
            }
        }
        Ok(())
    }

    fn on_committed(
        &mut self,
        round: Round,
        block: &Arc<Verified<Block>>,
        commit: QuorumCertificate,
        outcomes: Vec<quorate_types::Outcome>,
    ) {
        let header = &block.header;
        let now = self.clock.monotonic();
        let took_ms = now.saturating_sub(self.last_commit_at);
        self.last_commit_at = now;
        tracing::debug!(
            height = header.height,
            round,
            operations = block.operations.len(),
            outcomes = outcomes.len(),
            "committed"
        );
        let committed = CommittedBlock {
            height: header.height,
            round,
            block: header.id(),
            builder: header.builder,
            block_time: header.block_time,
            operations: block.operations.len(),
            outcomes,
            commit,
            took_ms,
            proposed_to_committed_us: self.proposals.committed(header.height).map(as_micros),
            content: Arc::clone(block),
        };
        // Nobody may be listening.
        let _ = self.events.send(ValidatorEvent::Committed(Arc::new(committed)));
    }

    /// A block of `height` is there, or under way.
    pub(super) fn note_proposal(&mut self, height: Height) {
        let current = self.replica.height();
        self.proposals.note(height, current);
    }

    pub(super) fn handle(&mut self, event: Event) {
        let now: Now = self.clock.now();
        self.replica.handle(now, event);
    }
}

fn as_micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

fn verified(work: Work) -> Event {
    match work.run() {
        Ok(proof) => Event::Verified(proof),
        Err(origin) => Event::Refused(origin),
    }
}
