//! Carrying out what the replica wants done, in its order.

use std::sync::Arc;
use std::time::Duration;

use quorate_crypto::Verified;
use quorate_durable::Effect;
use quorate_network::{Lane, Topic};
use quorate_replica::{Event, Now, Recipients, Work};
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Height, QuorumCertificate, Round, cbor};

use super::event_loop::EventLoop;
use super::{CommittedBlock, ValidatorError, ValidatorEvent};

/// Signature checks up to which work is done at once; more goes to other threads, so that it does
/// not hold up votes.
pub(super) const INLINE_SIGNATURES: usize = 16;

impl EventLoop {
    /// Carries out what the replica wants until it waits.
    pub(super) fn drain(&mut self) -> Result<(), ValidatorError> {
        let clock = self.clock;
        while let Some(effect) = self.durable.poll_effect(&mut || clock.now())? {
            self.perform(effect);
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Verify(work) => self.verify(*work),
            Effect::Execute { ledger, block } => {
                let result = ledger.execute(&block).map(Box::new);
                self.handle(Event::Executed {
                    block: block.header.id(),
                    result,
                });
            }
            Effect::Propose {
                ledger,
                round,
                proposal,
            } => {
                self.pass_on();
                self.note_proposal(ledger.height() + 1);
                let (block, _) = ledger.propose(*proposal);
                self.handle(Event::Proposed {
                    round,
                    block: Box::new(block),
                });
            }
            Effect::Serve(to, frames) => {
                for frame in frames {
                    self.send_bytes(&to, Lane::Bulk, &frame);
                }
            }
            Effect::Send(Recipients::All, PeerMessage::Operations(operations)) => {
                self.passing.extend(operations);
            }
            Effect::Send(to, message) => self.send(to, &message),
            Effect::Reply(to, message) => {
                self.send_bytes(&to, Lane::Client, &cbor::encode(&message));
            }
            Effect::Call(call) => self.publish(Topic::Calls, cbor::encode(&call)),
            Effect::Committed {
                round,
                block,
                commit,
                committed,
            } => {
                self.on_committed(round, &block, commit, committed.outcomes.clone());
            }
        }
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
        let _ = self
            .events
            .send(ValidatorEvent::Committed(Arc::new(committed)));
    }

    /// A block of `height` is there, or under way.
    pub(super) fn note_proposal(&mut self, height: Height) {
        let current = self.durable.replica().height();
        self.proposals.note(height, current);
    }

    pub(super) fn handle(&mut self, event: Event) {
        let now: Now = self.clock.now();
        self.durable.handle(now, event);
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
