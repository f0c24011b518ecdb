//! Carrying out what the replica wants done, in its order.

use std::sync::Arc;
use std::time::Duration;

use quorate_crypto::Verified;
use quorate_network::{Lane, Topic};
use quorate_replica::{Action, Event, Now, Recipients, ToSign, Work};
use quorate_store::{GuardError, Position, Record};
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Height, PublicKey, QuorumCertificate, Round, Statement, cbor, limits};

use super::event_loop::EventLoop;
use super::recovery::LOG_RECORD;
use super::{CommittedBlock, ValidatorError, ValidatorEvent};

/// Signature checks up to which work is done at once; more goes to other threads, so that it does
/// not hold up votes.
pub(super) const INLINE_SIGNATURES: usize = 16;
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
                self.pass_on();
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
            Action::Send(Recipients::All, PeerMessage::Operations(operations)) => {
                self.passing.extend(operations);
            }
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

    /// Sends decided blocks from the disk: untouched bytes, wrapped again. Anyone may ask, so it
    /// must cost no more than reading them.
    fn serve(&mut self, to: &PublicKey, from: Height) -> Result<(), ValidatorError> {
        let mut bytes = 0;
        for height in from..from.saturating_add(SERVED_BLOCKS) {
            let Some(stored) = self.store.blocks.get(height)? else { break };
            bytes += stored.block.len();
            self.send_bytes(to, Lane::Bulk, &decided_frame(&stored.block, &stored.proof));
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

/// A [`quorate_types::message::PeerMessage::Decided`] out of the encodings of its two parts.
fn decided_frame(block: &[u8], commit: &[u8]) -> Vec<u8> {
    // A map of one entry, the text `decided`, an array of two.
    const HEAD: &[u8] = b"\xa1\x67decided\x82";
    [HEAD, block, commit].concat()
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

#[cfg(test)]
mod tests {
    use quorate_crypto::SecretKey;
    use quorate_ledger::{Ledger, Proposal};
    use quorate_types::genesis::{Admission, Parameters};
    use quorate_types::message::Decided;
    use quorate_types::{
        Genesis, Kind, PROTOCOL_VERSION, QuorumCertificate, Statement, Validator, ValidatorSet,
    };

    use super::*;

    #[test]
    fn a_frame_of_stored_bytes_is_the_message_it_stands_for() {
        let key = SecretKey::from_seed(&[1; 32]).public_key();
        let member = Validator { key, power: 1, operator: "op".parse().unwrap() };
        let genesis = Genesis {
            name: "test".parse().unwrap(),
            created: 1,
            markets: Vec::new(),
            version: PROTOCOL_VERSION,
            admission: Admission::Attestation,
            attesters: Vec::new(),
            parameters: Parameters::default(),
            validators: ValidatorSet::new(vec![member]).unwrap(),
        };
        let (swarm, validators) = (genesis.swarm_id(), genesis.validators.hash());
        let (block, _) = Ledger::genesis(genesis).unwrap().propose(Proposal {
            block_time: 2,
            builder: key,
            build_round: 0,
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
        let commit = QuorumCertificate { statement, votes: Vec::new() };
        let block = block.into_inner();
        let frame = decided_frame(&cbor::encode(&block), &cbor::encode(&commit));
        let message = PeerMessage::Decided(Box::new(Decided { block, commit }));
        assert_eq!(frame, cbor::encode(&message));
    }
}
