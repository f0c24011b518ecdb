//! The outbox: operations that are numbered, signed once, and sent again until the swarm has them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use quorate_crypto::SecretKey;
use quorate_types::{
    Label, MonotonicMillis, Operation, OperationBody, OperationId, PublicKey, SignedOperation,
    SwarmId, ValidatorSet,
};

/// The number of operations in flight at one time. A mempool holds more than that of one agent.
const IN_FLIGHT: usize = 64;
/// The number of submissions whose refusal is recognised.
const SUBMISSIONS: usize = 4_096;
/// The number of attempts after which validators that took the operation get it again, because they
/// may have lost it.
const RENEW: u32 = 8;

/// Bodies that wait for a number, and operations that wait for their block.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<OperationBody>,
    flying: BTreeMap<u64, Flying>,
    next: u64,
    /// The task numbers of each of the newest submissions.
    submissions: BTreeMap<OperationId, Range<u64>>,
    submission_order: VecDeque<OperationId>,
}

#[derive(Debug)]
struct Flying {
    operation: SignedOperation,
    id: OperationId,
    sent_at: MonotonicMillis,
    attempts: u32,
    /// Whether any validator ever had the operation.
    was_accepted: bool,
    /// The validators that have the operation.
    accepted: BTreeSet<PublicKey>,
    /// The validators that have another operation of this number.
    taken: BTreeSet<PublicKey>,
}

impl Outbox {
    /// Appends a body. A bid replaces one in the same market that still waits.
    pub(super) fn push(&mut self, body: OperationBody) {
        if let Some(market) = bid_market(&body) {
            let same = |waiting: &&mut OperationBody| bid_market(waiting) == Some(market);
            if let Some(older) = self.waiting.iter_mut().find(same) {
                *older = body;
                return;
            }
        }

        self.waiting.push_back(body);
    }

    /// Returns whether nothing waits and nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flying.is_empty()
    }

    /// Returns whether operations are in flight.
    pub(super) fn is_flying(&self) -> bool {
        !self.flying.is_empty()
    }

    /// Numbers and signs `body` ahead of all that wait, as the admission needs.
    pub(super) fn sign(
        &mut self,
        body: OperationBody,
        key: &SecretKey,
        swarm: SwarmId,
        now: MonotonicMillis,
    ) -> u64 {
        let sequence = self.next;
        self.next += 1;
        let operation = Operation {
            swarm,
            agent: key.public_key(),
            sequence,
            body,
        };

        let operation = key.sign(operation).into_inner();
        let id = operation.id();
        self.note_submission(id, &operation.payload.body);

        let flying = Flying {
            operation,
            id,
            sent_at: now,
            attempts: 1,
            was_accepted: false,
            accepted: BTreeSet::new(),
            taken: BTreeSet::new(),
        };

        self.flying.insert(sequence, flying);
        sequence
    }

    fn note_submission(&mut self, id: OperationId, body: &OperationBody) {
        let OperationBody::Submit(submit) = body else {
            return;
        };
        let after = submit.first.saturating_add(submit.tasks.len() as u64);
        self.submissions.insert(id, submit.first..after);
        self.submission_order.push_back(id);

        if self.submission_order.len() > SUBMISSIONS
            && let Some(oldest) = self.submission_order.pop_front()
        {
            self.submissions.remove(&oldest);
        }
    }

    /// Returns the numbers of the tasks that this operation submitted; an empty range if it
    /// submitted none.
    pub(super) fn submitted(&self, operation: &OperationId) -> Range<u64> {
        self.submissions.get(operation).cloned().unwrap_or_default()
    }

    /// Numbers and signs waiting bodies, as far as there is room, and returns their numbers.
    pub(super) fn fill(
        &mut self,
        key: &SecretKey,
        swarm: SwarmId,
        now: MonotonicMillis,
    ) -> Vec<u64> {
        let mut started = Vec::new();
        while self.flying.len() < IN_FLIGHT {
            let Some(body) = self.waiting.pop_front() else {
                break;
            };
            started.push(self.sign(body, key, swarm, now));
        }

        started
    }

    /// Returns the signed operation of this number.
    pub(super) fn get(&self, sequence: u64) -> Option<&SignedOperation> {
        self.flying.get(&sequence).map(|flying| &flying.operation)
    }

    /// Returns the numbers of the operations that were last sent at `limit` or before, and counts
    /// an attempt for each.
    pub(super) fn due(&mut self, limit: MonotonicMillis, now: MonotonicMillis) -> Vec<u64> {
        let late = self
            .flying
            .iter_mut()
            .filter(|(_, flying)| flying.sent_at <= limit);

        late.map(|(sequence, flying)| {
            flying.sent_at = now;
            flying.attempts = flying.attempts.saturating_add(1);
            // A validator that took it may have lost it since.
            if flying.attempts.is_multiple_of(RENEW) {
                flying.accepted.clear();
            }
            *sequence
        })
        .collect()
    }

    /// Returns whether this validator said that it has the operation.
    pub(super) fn has(&self, sequence: u64, validator: &PublicKey) -> bool {
        self.flying
            .get(&sequence)
            .is_some_and(|flying| flying.accepted.contains(validator))
    }

    /// Notes that a validator has the operation, if it names the right one.
    pub(super) fn on_accepted(&mut self, from: PublicKey, sequence: u64, id: OperationId) {
        if let Some(flying) = self.flying.get_mut(&sequence)
            && flying.id == id
        {
            flying.was_accepted = true;
            flying.accepted.insert(from);
        }
    }

    /// Notes that a validator says that the number was used before.
    pub(super) fn on_taken(&mut self, from: PublicKey, sequence: u64) {
        if let Some(flying) = self.flying.get_mut(&sequence) {
            flying.taken.insert(from);
        }
    }

    /// Settles all numbers below `next_sequence`, which the swarm has committed. If another
    /// operation had such a number, made by a predecessor with this key, the operation here gets a
    /// new number. That does no harm if it had an effect after all, since a repetition does not
    /// count twice.
    pub(super) fn settle(&mut self, next_sequence: u64, validators: &ValidatorSet) {
        self.next = self.next.max(next_sequence);
        let open = self.flying.split_off(&next_sequence);
        let settled = std::mem::replace(&mut self.flying, open);

        for flying in settled.into_values().rev() {
            // The last one is put in front first, so that they keep their order.
            let taken = validators.exceeds_one_third(validators.power_of(&flying.taken));
            if taken && !flying.was_accepted {
                self.waiting
                    .push_front(flying.operation.payload.body.clone());
            }
        }
    }
}

fn bid_market(body: &OperationBody) -> Option<&Label> {
    match body {
        OperationBody::Bid(bid) => Some(&bid.market),
        OperationBody::Seal(seal) => Some(&seal.market),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::operation::{Bid, Cancel};

    use super::super::testing::{Bench, market, task, validator, validators};
    use super::*;

    fn cancel(number: u64) -> OperationBody {
        OperationBody::Cancel(Cancel { task: task(number) })
    }

    fn fill(outbox: &mut Outbox) -> Vec<u64> {
        let bench = Bench::new();
        let cx = bench.cx();
        outbox.fill(cx.key(), cx.swarm(), cx.now())
    }

    #[test]
    fn operations_are_numbered_in_order_and_a_newer_bid_replaces_a_waiting_one() {
        let bid = |price| {
            OperationBody::Bid(Bid {
                market: market(),
                budget: [(market(), price)].into(),
                offers: Vec::new(),
            })
        };
        let mut outbox = Outbox::default();
        for body in [bid(1), cancel(1), bid(2)] {
            outbox.push(body);
        }

        assert_eq!(fill(&mut outbox), [0, 1]);
        assert_eq!(outbox.get(0).map(|of| &of.payload.body), Some(&bid(2)));
    }

    #[test]
    fn a_number_that_a_predecessor_used_is_given_again_in_the_same_order() {
        let mut outbox = Outbox::default();
        for number in 0..3 {
            outbox.push(cancel(number));
        }
        fill(&mut outbox);

        // The first was taken by a validator, so it is what the swarm committed.
        let id = outbox.get(0).map(|of| of.payload.id()).unwrap();
        outbox.on_accepted(validator(3), 0, id);
        for sequence in 0..3 {
            outbox.on_taken(validator(1), sequence);
            outbox.on_taken(validator(2), sequence);
        }

        outbox.settle(3, &validators());
        assert_eq!(fill(&mut outbox), [3, 4]);
        assert_eq!(outbox.get(3).map(|of| &of.payload.body), Some(&cancel(1)));
        assert_eq!(outbox.get(4).map(|of| &of.payload.body), Some(&cancel(2)));
    }
}
