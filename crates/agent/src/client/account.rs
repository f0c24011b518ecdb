//! The account of the client: its membership, its numbers, and its operations on their way.

use std::collections::{BTreeSet, VecDeque};

use quorate_types::message::Request;
use quorate_types::operation::{Attest, Submit};
use quorate_types::outcome::Refusal;
use quorate_types::{
    FencingToken, Hash, OperationBody, OperationId, PublicKey, TaskId, TaskSpec, cbor, limits,
};

use super::account_state::{AccountState, standing};
use super::asked::Asked;
use super::cx::Cx;
use super::error::ClientError;
use super::event::ClientEvent;
use super::out::Out;
use super::outbox::Outbox;

/// The room in a submit operation for everything but the tasks, in bytes.
const ENVELOPE: usize = 1024;
/// The number of refusals that are remembered, so that a repeated certificate does not cause a
/// second event.
const REFUSALS: usize = 256;

/// The account, as enough validators describe it, and the operations that change it.
#[derive(Debug, Default)]
pub(super) struct Account {
    member: bool,
    admitting: bool,
    next_task: u64,
    outbox: Outbox,
    refusals: VecDeque<Hash>,
}

impl Account {
    /// Returns whether the swarm knows the key.
    pub(super) fn is_member(&self) -> bool {
        self.member
    }

    /// Returns whether no operation waits or is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Returns whether the account shall be asked for: it shows which numbers are committed.
    pub(super) fn is_waiting(&self) -> bool {
        !self.member || self.outbox.is_flying()
    }

    /// Checks that operations can be numbered.
    ///
    /// # Errors
    /// [`ClientError::NotReady`] if the swarm does not know the key yet.
    pub(super) fn check_ready(&self) -> Result<(), ClientError> {
        if self.member {
            Ok(())
        } else {
            Err(ClientError::NotReady)
        }
    }

    /// Submits tasks in as few operations as the limits allow. Returns their names, in the same
    /// order.
    pub(super) fn submit(&mut self, cx: &Cx, specs: Vec<TaskSpec>, out: &mut Out) -> Vec<TaskId> {
        let mut ids = Vec::with_capacity(specs.len());
        // The client gives out the numbers, so the names are known before the swarm answers.
        for tasks in batches(specs) {
            let first = self.next_task;
            self.next_task += tasks.len() as u64;

            let requester = cx.me();
            ids.extend((first..self.next_task).map(|number| TaskId { requester, number }));
            out.operate(OperationBody::Submit(Submit { first, tasks }));
        }

        ids
    }

    /// Notes that a validator has an operation, if it names the right one.
    pub(super) fn on_accepted(&mut self, from: PublicKey, sequence: u64, id: OperationId) {
        self.outbox.on_accepted(from, sequence, id);
    }

    /// Notes that a validator says that the number was used before.
    pub(super) fn on_taken(&mut self, from: PublicKey, sequence: u64) {
        self.outbox.on_taken(from, sequence);
    }

    /// Acts on the account as enough validators describe it. Returns the awards that the swarm
    /// lists as this agent's, if it knows the key. While the client is `patient`, it waits for the
    /// answers of a quorum.
    pub(super) fn on_account(
        &mut self,
        cx: &Cx,
        patient: bool,
        out: &mut Out,
    ) -> Option<BTreeSet<(TaskId, FencingToken)>> {
        let answers = cx.links().accounts(cx.validators());
        let heard = answers.iter().map(|(power, _)| power).sum();

        // A validator that is catching up names numbers that were used long ago. The answers of a
        // quorum show what a quorum has committed. If too many validators are out of reach for
        // that, fewer answers must do.
        if patient && !self.member && !cx.validators().is_quorum(heard) {
            return None;
        }

        match standing(&answers, cx.validators())? {
            AccountState::Stranger => {
                self.admit(cx, out);
                None
            }
            AccountState::Member {
                next_sequence,
                next_task,
                assigned,
            } => {
                self.outbox.settle(next_sequence, cx.validators());
                self.next_task = self.next_task.max(next_task);
                self.become_member(out);
                Some(assigned)
            }
        }
    }

    /// Notes that the swarm knows the key, and tells the owner the first time.
    fn become_member(&mut self, out: &mut Out) {
        if !self.member {
            self.member = true;
            out.event(ClientEvent::Ready);
        }
    }

    /// Joins the swarm with the attestation, if there is one.
    fn admit(&mut self, cx: &Cx, out: &mut Out) {
        if self.admitting || self.member {
            return;
        }

        let Some(attestation) = cx.config().attestation.clone() else {
            return;
        };

        self.admitting = true;
        let body = OperationBody::Admit(Attest { attestation });
        let sequence = self.outbox.sign(body, cx.key(), cx.swarm(), cx.now());
        self.send(cx, sequence, out);
    }

    /// Takes the operations that the parts of the client made. Numbers, signs and sends waiting
    /// ones, if the swarm knows the key and there is room.
    pub(super) fn flush(&mut self, cx: &Cx, out: &mut Out) {
        for body in out.take_operations() {
            self.outbox.push(body);
        }

        if self.member {
            for sequence in self.outbox.fill(cx.key(), cx.swarm(), cx.now()) {
                self.send(cx, sequence, out);
            }
        }
    }

    /// Sends the operations that had no effect to all validators that did not take them.
    pub(super) fn resubmit(&mut self, cx: &Cx, out: &mut Out) {
        let connected = cx.connected();
        let before = cx.now().saturating_sub(cx.config().resubmit);

        for sequence in self.outbox.due(before, cx.now()) {
            out.count().resubmissions += 1;
            for validator in &connected {
                if !self.outbox.has(sequence, validator) {
                    self.send_to(validator, sequence, out);
                }
            }
        }
    }

    /// Sends an operation to validators with more than a third of the power. One of them is correct
    /// and passes it on.
    fn send(&self, cx: &Cx, sequence: u64, out: &mut Out) {
        let mut power = 0;
        for validator in cx.connected() {
            self.send_to(&validator, sequence, out);
            power += cx.validators().power(&validator);
            if cx.validators().exceeds_one_third(power) {
                return;
            }
        }
    }

    fn send_to(&self, validator: &PublicKey, sequence: u64, out: &mut Out) {
        if let Some(operation) = self.outbox.get(sequence) {
            let request = Request::Submit(Box::new(operation.clone()));
            out.ask(validator, request, Some(Asked::Submit(sequence)));
        }
    }

    /// Returns whether a refusal is of this agent and new, and remembers it. Every validator tells
    /// of it; the owner hears it once.
    pub(super) fn on_refusal(&mut self, cx: &Cx, refusal: &Refusal) -> bool {
        if refusal.agent != cx.me() {
            return false;
        }

        let name = Hash::derive("quorate 1 refusal heard", &[&cbor::encode(refusal)]);
        if self.refusals.contains(&name) {
            return false;
        }

        self.refusals.push_back(name);
        if self.refusals.len() > REFUSALS {
            self.refusals.pop_front();
        }

        true
    }

    /// Returns the tasks that this operation submitted; none if it is not a submission.
    pub(super) fn submitted(&self, cx: &Cx, operation: &OperationId) -> Vec<TaskId> {
        let requester = cx.me();
        let numbers = self.outbox.submitted(operation);
        numbers.map(|number| TaskId { requester, number }).collect()
    }
}

/// Splits tasks into parts that fit into one operation each, by count and by bytes.
fn batches(specs: Vec<TaskSpec>) -> Vec<Vec<TaskSpec>> {
    let mut batches: Vec<Vec<TaskSpec>> = Vec::new();
    let mut bytes = 0;

    for spec in specs {
        let own = cbor::encode(&spec).len();
        match batches.last_mut() {
            Some(batch)
                if batch.len() < limits::TASKS_PER_OPERATION
                    && bytes + own <= limits::OPERATION_BYTES - ENVELOPE =>
            {
                bytes += own;
                batch.push(spec);
            }
            _ => {
                bytes = own;
                batches.push(vec![spec]);
            }
        }
    }

    batches
}

#[cfg(test)]
mod tests {
    use quorate_types::Reason;
    use quorate_types::message::AccountSummary;

    use super::super::testing::{Bench, market};
    use super::*;

    fn told(bench: &mut Bench, account: &mut Account, answer: Option<u64>) -> (usize, usize) {
        let answer = answer.map(|next_sequence| AccountSummary {
            next_sequence,
            next_task: 7,
            assigned: Vec::new(),
        });
        bench.say_account(answer);
        let mut out = Out::default();
        account.on_account(&bench.cx(), false, &mut out);
        account.flush(&bench.cx(), &mut out);
        let (requests, events) = bench.all(&mut out);
        (events.len(), requests.len())
    }

    #[test]
    fn a_stranger_asks_for_admission_once_and_a_member_is_told_once() {
        let mut bench = Bench::new();
        let mut account = Account::default();
        assert_eq!(account.check_ready(), Err(ClientError::NotReady));

        // Two of four validators are more than a third.
        assert_eq!(told(&mut bench, &mut account, None), (0, 2));
        assert_eq!(told(&mut bench, &mut account, None), (0, 0));
        assert_eq!(told(&mut bench, &mut account, Some(1)), (1, 0));
        assert_eq!(told(&mut bench, &mut account, Some(1)), (0, 0));
        assert_eq!(account.check_ready(), Ok(()));
    }

    #[test]
    fn a_patient_client_waits_for_a_quorum() {
        let mut bench = Bench::new();
        let mut account = Account::default();
        bench.say_account_of(2, None);
        let mut out = Out::default();
        account.on_account(&bench.cx(), true, &mut out);
        assert_eq!(bench.requests(&mut out).len(), 0);
        account.on_account(&bench.cx(), false, &mut out);
        assert_eq!(bench.requests(&mut out).len(), 2);
    }

    #[test]
    fn tasks_are_numbered_from_the_account_on() {
        let mut bench = Bench::new();
        let mut account = Account::default();
        told(&mut bench, &mut account, Some(0));
        let mut out = Out::default();
        let specs = vec![TaskSpec::new(market()); 2];
        let ids = account.submit(&bench.cx(), specs, &mut out);
        assert_eq!(ids.iter().map(|id| id.number).collect::<Vec<_>>(), [7, 8]);

        account.flush(&bench.cx(), &mut out);
        assert!(!account.is_idle() && account.is_waiting());
    }

    #[test]
    fn a_refusal_of_this_agent_is_heard_once() {
        let bench = Bench::new();
        let mut account = Account::default();
        let refusal = |agent| Refusal {
            operation: OperationId([1; 32]),
            agent,
            items: vec![(None, Reason::LateBid)],
        };
        let mine = refusal(bench.cx().me());
        assert!(account.on_refusal(&bench.cx(), &mine));
        assert!(!account.on_refusal(&bench.cx(), &mine));
        let other = refusal(PublicKey([5; 32]));
        assert!(!account.on_refusal(&bench.cx(), &other));
    }
}
