//! The effects of each operation, by topic. An operation that fails in its meaning is refused, but
//! does not make the block invalid (L-7).

mod bids;
mod lapse;
mod membership;
mod reports;
mod sealed;
mod solve;
mod tasks;

use quorate_types::operation::OperationBody;
use quorate_types::{Reason, SignedOperation, TaskId, outcome};

use crate::run::{Items, Run};

pub use lapse::SUSPICION_HEIGHTS;
pub(crate) use membership::{Admission, admits};

impl Run<'_> {
    /// Executes one operation, whose signature, place and sequence were checked with the block. A
    /// failure is committed as a refusal.
    pub(crate) fn apply(&mut self, signed: &SignedOperation) {
        let operation = &signed.payload;
        let agent = operation.agent;
        let is_stranger = self.view.account(&agent).is_none();

        if is_stranger {
            // The check of the block let a stranger pass only with an attestation that admits it.
            self.view.add_account(agent);
        }

        // A refused operation uses up its number too.
        self.view.change_account(agent, |account| {
            account.next_sequence = account.next_sequence.saturating_add(1);
        });

        let result = match &operation.body {
            // A stranger's attestation was checked with the block, so it is only registered.
            OperationBody::Admit(admit) if is_stranger => self
                .register(agent, &admit.attestation)
                .map(|()| Items::new()),

            _ => self.perform(signed),
        };

        let items = result.unwrap_or_else(|reason| vec![(None, reason)]);
        if !items.is_empty() {
            self.refuse(outcome::Refusal {
                operation: operation.id(),
                agent,
                items,
            });
        }
    }

    /// Performs an operation of a member, and returns the parts of it that are refused.
    ///
    /// # Errors
    /// The reason why the whole operation is refused.
    fn perform(&mut self, signed: &SignedOperation) -> Result<Items, Reason> {
        let operation = &signed.payload;
        let agent = operation.agent;
        let whole = |()| Items::new();

        match &operation.body {
            // These may be refused in parts.
            OperationBody::Bid(bid) => self.bid(operation, bid),
            OperationBody::Seal(seal) => self.seal(operation, seal),
            OperationBody::Reveal(reveal) => self.reveal(agent, reveal),
            OperationBody::Solve(solve) => self.solve(operation, solve),

            // The other operations have no parts: they count as a whole or not at all.
            OperationBody::Admit(_) => Err(Reason::AlreadyAdmitted),
            OperationBody::Attest(attest) => self.attest(agent, &attest.attestation).map(whole),
            OperationBody::Revoke(revoke) => self.revoke(agent, revoke).map(whole),

            OperationBody::Cancel(cancel) => self.cancel(signed, cancel).map(whole),
            OperationBody::Withdraw(withdraw) => self.withdraw(agent, &withdraw.market).map(whole),

            OperationBody::Submit(submit) => self.submit(agent, submit).map(whole),
            OperationBody::Lapse(lapse) => self.lapse(signed, lapse).map(whole),

            OperationBody::Accept(report)
            | OperationBody::Decline(report)
            | OperationBody::Complete(report)
            | OperationBody::Fail(report) => self.report(signed, report).map(whole),
        }
    }
}

/// Returns whether a list has 1 to `most` entries, strictly ascending by task.
fn is_valid_list<T>(list: &[T], most: usize, task: impl Fn(&T) -> TaskId) -> bool {
    let ascends = list.is_sorted_by(|a, b| task(a) < task(b));
    ascends && (1..=most).contains(&list.len())
}
