//! The effects of each operation, by topic. An operation that fails in its meaning is refused, but
//! does not make the block invalid (L-7).

mod bids;
mod lapse;
mod membership;
mod reports;
mod sealed;
mod solve;
mod tasks;

use std::sync::Arc;

use quorate_types::operation::Body;
use quorate_types::{Reason, SignedOperation, outcome};

use crate::lifecycle::Claim;
use crate::run::{Items, Run};
use crate::state::{Account, Entry, Key};

pub use lapse::SUSPICION_HEIGHTS;
pub(crate) use membership::{Admission, admits};

impl Run<'_> {
    /// Executes one operation, whose signature, place and sequence were checked with the block. A
    /// failure is committed as a refusal.
    pub(crate) fn apply(&mut self, signed: &SignedOperation) {
        let operation = &signed.payload;
        let agent = operation.agent;
        let stranger = self.view.account(&agent).is_none();

        if stranger {
            // The check of the block let a stranger pass only with an attestation that admits it.
            self.view.put(
                Key::Account(agent),
                Entry::Account(Arc::new(Account::default())),
            );
        }

        // A refused operation uses up its number too.
        self.view.change_account(agent, |account| {
            account.next_sequence = account.next_sequence.saturating_add(1);
        });

        let items = match &operation.body {
            // A stranger's attestation was checked with the block, so it is only registered.
            Body::Admit(admit) if stranger => whole(self.register(agent, &admit.attestation)),
            Body::Admit(_) => whole(Err(Reason::AlreadyAdmitted)),
            Body::Attest(attest) => whole(self.attest(agent, &attest.attestation)),
            Body::Revoke(revoke) => whole(self.revoke(agent, revoke)),
            Body::Cancel(cancel) => whole(self.cancel(signed, cancel)),
            Body::Withdraw(withdraw) => whole(self.withdraw(agent, &withdraw.market)),
            Body::Submit(submit) => whole(self.submit(agent, submit)),

            Body::Bid(bid) => self
                .bid(operation, bid)
                .unwrap_or_else(|reason| whole(Err(reason))),

            Body::Seal(seal) => self
                .seal(operation, seal)
                .unwrap_or_else(|reason| whole(Err(reason))),

            Body::Reveal(reveal) => self
                .reveal(agent, reveal)
                .unwrap_or_else(|reason| whole(Err(reason))),

            Body::Solve(solve) => self
                .solve(operation, solve)
                .unwrap_or_else(|reason| whole(Err(reason))),

            Body::Accept(report)
            | Body::Decline(report)
            | Body::Complete(report)
            | Body::Fail(report) => {
                let claim = Claim {
                    agent,
                    token: report.token,
                };

                whole(self.report(signed, report, claim))
            }

            Body::Lapse(lapse) => whole(self.lapse(signed, lapse)),
        };

        if !items.is_empty() {
            self.refuse(outcome::Refusal {
                operation: operation.id(),
                agent,
                items,
            });
        }
    }
}

/// Returns the refusal of a whole operation, if there is one.
fn whole(result: Result<(), Reason>) -> Items {
    result
        .err()
        .map(|reason| (None, reason))
        .into_iter()
        .collect()
}
