//! The outcomes that certificates prove: awards, receipts, refusals, expiries.

use std::time::Duration;

use quorate_types::outcome::{Assignment, Expiry, Receipt, Refusal};
use quorate_types::{
    Hash, MonotonicMillis, OperationBody, OperationId, Outcome, Reason, TaskId, cbor,
};

use super::{ClientEvent, LightClient, LossCause, work};
use crate::Award;

/// The number of refusals that are remembered, so that a repeated certificate does not cause a
/// second event.
const REFUSALS: usize = 256;

impl LightClient {
    /// Acts on a certificate that verifies; otherwise counts and drops it. `asked` is the task that
    /// an answer must be about.
    pub(super) fn handle_certificate(
        &mut self,
        bytes: &[u8],
        asked: Option<TaskId>,
        now: MonotonicMillis,
    ) {
        let Some(outcome) = self.verifier.verify(bytes) else {
            self.counters.bad_certificates += 1;
            return;
        };

        if asked.is_some() && outcome.task() != asked {
            self.counters.unexpected += 1;
            return;
        }

        self.counters.certificates += 1;
        match outcome {
            Outcome::Assignment(assignment) => self.handle_assignment(&assignment, bytes, now),
            Outcome::Receipt(receipt) => self.handle_receipt(&receipt, bytes),
            Outcome::Refusal(refusal) => self.handle_refusal(refusal, bytes),
            Outcome::Expiry(expiry) => self.handle_expiry(&expiry, bytes),
            Outcome::Clearing(_) => {}
        }

        self.flush(now);
    }

    fn handle_assignment(&mut self, assignment: &Assignment, bytes: &[u8], now: MonotonicMillis) {
        if assignment.task.requester == self.me {
            let event = self.orders.handle_assignment(assignment, bytes);
            self.events(event);
        }

        // The older award is over, whichever agent holds the new token.
        if let Some(older) = assignment.token.previous() {
            let lost = self.work.end(assignment.task, older, LossCause::Superseded);
            self.events(lost);
        }

        if assignment.agent == self.me {
            self.handle_award(assignment, bytes, now);
        }
    }

    fn handle_award(&mut self, assignment: &Assignment, bytes: &[u8], now: MonotonicMillis) {
        // Without its specification nobody here can do the task: `look_for_orphans` gives it back.
        let Some(spec) = self.calls.spec(assignment.task, assignment.spec).cloned() else {
            return;
        };

        if !self.work.award(assignment, now) {
            return;
        }

        let Assignment {
            task,
            token,
            price,
            lease,
            assigned_at,
            ..
        } = *assignment;

        let report = work::report(task, token, Vec::new());
        self.outbox.push(OperationBody::Accept(report));

        // The validators must hear the assignee before the lease runs out.
        self.next_heartbeat = self.next_heartbeat.min(now);
        self.event(ClientEvent::Award(Box::new(Award {
            task,
            spec,
            token,
            price,
            idempotency_key: Award::idempotency_key(&self.config.swarm, &task),
            certificate: bytes.to_vec(),
            lease: Duration::from_millis(lease),
            assigned_at,
        })));
    }

    fn handle_receipt(&mut self, receipt: &Receipt, bytes: &[u8]) {
        if receipt.agent == Some(self.me) {
            let event = self.work.handle_receipt(receipt, bytes);
            self.events(event);
        }

        if receipt.task.requester == self.me {
            let event = self.orders.handle_receipt(receipt, bytes);
            self.events(event);
        }
    }

    /// Handles a refusal. Every validator tells of it; the owner hears it once.
    fn handle_refusal(&mut self, refusal: Refusal, bytes: &[u8]) {
        if refusal.agent != self.me || self.is_heard(&refusal) {
            return;
        }

        let Refusal {
            operation, items, ..
        } = refusal;

        for (task, reason) in &items {
            if let (Some(task), Reason::ExcludedAfterFailure) = (task, reason) {
                self.calls.exclude(*task);
            }
        }

        if let [(None, reason)] = items[..] {
            self.handle_whole_refusal(&operation, reason, bytes);
        }

        self.event(ClientEvent::Refused {
            operation,
            items,
            certificate: bytes.to_vec(),
        });
    }

    /// Returns whether a refusal was heard before, and remembers it otherwise.
    fn is_heard(&mut self, refusal: &Refusal) -> bool {
        let name = Hash::derive("quorate 1 refusal heard", &[&cbor::encode(refusal)]);
        if self.refusals.contains(&name) {
            return true;
        }

        self.refusals.push_back(name);
        if self.refusals.len() > REFUSALS {
            self.refusals.pop_front();
        }

        false
    }

    /// Handles the refusal of a whole operation. If it was a submission, it opened none of its
    /// tasks.
    fn handle_whole_refusal(&mut self, operation: &OperationId, reason: Reason, bytes: &[u8]) {
        if reason == Reason::Barred {
            self.seals.bar();
        }

        for number in self.outbox.submitted(operation) {
            let task = TaskId {
                requester: self.me,
                number,
            };
            let event = self.orders.handle_refusal(task, reason, bytes);
            self.events(event);
        }
    }

    fn handle_expiry(&mut self, expiry: &Expiry, bytes: &[u8]) {
        let lost = self.work.end(expiry.task, expiry.token, LossCause::Ended);
        self.events(lost);
        if expiry.task.requester == self.me {
            let event = self.orders.handle_expiry(expiry, bytes);
            self.events(event);
        }
    }

    fn events(&mut self, event: Option<ClientEvent>) {
        let Some(event) = event else { return };

        let over = matches!(
            event,
            ClientEvent::Reported { .. } | ClientEvent::LeaseLost { .. }
        );
        self.event(event);
        if over {
            self.refresh_calls();
        }
    }
}
