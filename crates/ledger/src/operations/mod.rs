//! The effects of each operation, by topic. An operation that fails in its meaning is refused, but
//! does not make the block invalid (L-7).

mod bids;
mod lapse;
mod membership;
mod perform;
mod reports;
mod sealed;
mod solve;
mod tasks;

use quorate_types::operation::OperationBody;
use quorate_types::{SignedOperation, TaskId, outcome};

use crate::cost;
use crate::run::{Items, Run};

use self::perform::Perform;

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

            body => performed(body).perform(self, signed),
        };

        let items = result.unwrap_or_else(|reason| vec![(None, reason)]);
        if !items.is_empty() {
            self.refuse(outcome::Refusal {
                operation: signed.id(),
                agent,
                items,
            });
        }
    }
}

/// Returns the cost of an operation (L-6), in units of about a microsecond.
pub(crate) fn cost_of(body: &OperationBody) -> u64 {
    cost::OPERATION.saturating_add(performed(body).cost())
}

/// Returns an operation as what is to be performed. This is the only table of the kinds in this
/// crate.
fn performed(body: &OperationBody) -> &dyn Perform {
    match body {
        OperationBody::Admit(attest) | OperationBody::Attest(attest) => attest,
        OperationBody::Revoke(revoke) => revoke,

        OperationBody::Cancel(cancel) => cancel,
        OperationBody::Withdraw(withdraw) => withdraw,
        OperationBody::Submit(submit) => submit,

        OperationBody::Bid(bid) => bid,
        OperationBody::Seal(seal) => seal,
        OperationBody::Reveal(reveal) => reveal,
        OperationBody::Solve(solve) => solve,

        OperationBody::Accept(report)
        | OperationBody::Decline(report)
        | OperationBody::Complete(report)
        | OperationBody::Fail(report) => report,
        OperationBody::Lapse(lapse) => lapse,
    }
}

/// Returns whether a list has 1 to `most` entries, strictly ascending by task.
fn is_valid_list<T>(list: &[T], most: usize, task: impl Fn(&T) -> TaskId) -> bool {
    let ascends = list.is_sorted_by(|a, b| task(a) < task(b));
    ascends && (1..=most).contains(&list.len())
}

#[cfg(test)]
mod tests {
    use quorate_types::cose::Owned;
    use quorate_types::operation::{Bid, Lapse, Offer, Solve, Submit, TaskReport, Withdraw};
    use quorate_types::{Amounts, FencingToken, PublicKey, limits};

    use super::*;

    const TASK: TaskId = TaskId {
        requester: PublicKey([1; 32]),
        number: 0,
    };

    fn bid(offers: usize) -> OperationBody {
        OperationBody::Bid(Bid {
            market: "spot".parse().unwrap(),
            budget: Amounts::new(),
            offers: vec![
                Offer {
                    task: TASK,
                    price: 1
                };
                offers
            ],
        })
    }

    #[test]
    fn l6_the_cost_of_an_operation_follows_from_its_size() {
        let report = TaskReport {
            task: TASK,
            token: FencingToken(1),
            detail: Owned(vec![0; limits::RESULT_BYTES]),
        };
        let lapse = Lapse {
            task: TASK,
            token: FencingToken(1),
            suspicions: Vec::new(),
        };
        let market = "spot".parse().unwrap();
        let submit = Submit {
            first: 0,
            tasks: Vec::new(),
        };

        assert_eq!(cost_of(&bid(0)), 80);
        assert_eq!(cost_of(&bid(7)), 80 + 7 * 4);
        assert_eq!(cost_of(&OperationBody::Submit(submit)), 80);
        assert_eq!(cost_of(&OperationBody::Lapse(lapse)), 80);

        // The content of a report is opaque, and costs nothing more.
        for kind in [
            OperationBody::Accept,
            OperationBody::Decline,
            OperationBody::Complete,
            OperationBody::Fail,
        ] {
            assert_eq!(cost_of(&kind(report.clone())), 80);
        }

        let withdraw = Withdraw { market };
        assert_eq!(cost_of(&OperationBody::Withdraw(withdraw)), 80);
    }

    #[test]
    fn l6_a_solution_pays_for_judging_all_that_are_kept() {
        let solve = OperationBody::Solve(Solve {
            market: "spot".parse().unwrap(),
            window: 0,
            pairs: Vec::new(),
        });

        let pairs = (limits::SOLUTIONS_PER_WINDOW * limits::TASKS_PER_CLEARING) as u64;
        let bidders = limits::BIDDERS_PER_CLEARING as u64;
        assert_eq!(cost_of(&solve), 80 + 5_000 + 2 * pairs + 20 * bidders);
    }
}
