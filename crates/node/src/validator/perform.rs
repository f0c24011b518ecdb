//! Carries out the effects of the replica, in their order.

use std::sync::Arc;
use std::time::Duration;

use quorate_crypto::Verified;
use quorate_durable::{Effect, Served};
use quorate_network::{Bytes, Lane, Topic};
use quorate_replica::{Event, Recipients, Work};
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Height, QuorumCertificate, Round, cbor};

use super::error::ValidatorError;
use super::event_loop::EventLoop;
use super::spans::sender;
use crate::committed::{CommittedBlock, ValidatorEvent};

impl EventLoop {
    /// Carries out effects until the replica waits for an event.
    pub(super) fn drain(&mut self) -> Result<(), ValidatorError> {
        let clock = self.clock;
        loop {
            // The effect before may have ended the height.
            let span = self.span();
            let _entered = span.enter();

            match self.durable.poll_effect(&mut || clock.now())? {
                Some(effect) => self.perform(effect),
                None => return Ok(()),
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Run(work) => self.run_work(*work),

            Effect::Disk(Served { to, frames }) => {
                for frame in frames {
                    self.send_bytes(&to, Lane::Bulk, frame);
                }
            }

            Effect::Send(Recipients::All, PeerMessage::Operations(operations)) => {
                self.passing.extend(operations);
            }

            Effect::Send(to, message) => self.send(to, &message),
            Effect::Reply(to, message) => {
                self.send_bytes(&to, Lane::Client, cbor::encode(&message));
            }
            Effect::Notify(to, message) => {
                let bytes = Bytes::from(cbor::encode(&message));
                for client in &to {
                    self.send_bytes(client, Lane::Client, bytes.clone());
                }
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

    /// Does work at once, or on another thread if votes must not wait for it.
    fn run_work(&mut self, work: Work) {
        if let Work::Propose(ledger, ..) = &work {
            // Building a block takes a while, so the operations that wait to be passed on leave
            // first.
            self.pass_on();
            self.note_proposal(ledger.height() + 1);
        }

        if work.is_quick() {
            let event = work.run();
            self.handle(event);
            return;
        }

        // The result comes back as an event, like that of any other action.
        let done = self.done.clone();
        self.runtime.spawn_blocking(move || {
            // The loop may have ended meanwhile.
            let _ = done.send(work.run());
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
        let took_ms = now.saturating_since(self.last_commit_at);
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

        // There may be no subscriber.
        let _ = self
            .events
            .send(ValidatorEvent::Committed(Arc::new(committed)));
    }

    /// Notes that a block of `height` is being built, or came.
    pub(super) fn note_proposal(&mut self, height: Height) {
        let current = self.durable.replica().height();
        self.proposals.note(height, current);
    }

    pub(super) fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        let height = self.span();
        let _height = height.enter();

        let sender = sender(&event);
        sender.in_scope(|| self.durable.handle(now, event));
    }
}

fn as_micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
