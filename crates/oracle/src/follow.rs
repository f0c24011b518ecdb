//! The model follows decided blocks, step by step.
//!
//! It believes which operations took effect, and does with them what the book says. The rules judge
//! whether the operations should have taken effect.

use std::collections::BTreeMap;

use quorate_types::operation::{Bid, Reveal, Seal, Submit};
use quorate_types::outcome::{Expiry, Receipt, Refusal};
use quorate_types::{
    Block, Evidence, Genesis, OperationBody, PublicKey, Reason, SignedOperation, TaskId,
};

use crate::decided::Decided;
use crate::model::Model;
use crate::offer::{Live, Offered};
use crate::steps::{Step, refuses};
use crate::task::{ModelState, Task};

/// A function that judges a step; the model is the state before the step.
pub(crate) type Judgement<'a> = &'a mut dyn FnMut(&Model, &Step<'_>) -> Result<(), String>;

impl Model {
    /// Takes in the report of a correct validator, if there is one, and follows the blocks that are
    /// next in order.
    pub fn follow(&mut self, genesis: &Genesis, report: Option<Decided>) {
        // Nothing is judged, so there is no error.
        let _ = self.follow_judged(genesis, report, &mut |_, _| Ok(()));
    }

    /// Does what [`Self::follow`] does, and calls `judge` with each step before it is applied.
    ///
    /// # Errors
    /// The first one that `judge` returned, with the height.
    pub(crate) fn follow_judged(
        &mut self,
        genesis: &Genesis,
        report: Option<Decided>,
        judge: Judgement<'_>,
    ) -> Result<(), String> {
        for decided in self.take(genesis, report) {
            let header = &decided.block.header;
            self.begin(genesis, header);

            for step in Step::of(&decided) {
                let height = header.height;

                judge(self, &step).map_err(|how| format!("height {height}: {how}"))?;
                self.apply(genesis, &step);
            }

            // Clearings may have taken the last open task of a market.
            self.end();
        }

        Ok(())
    }

    /// Applies a step to the state.
    fn apply(&mut self, genesis: &Genesis, step: &Step<'_>) {
        match step {
            Step::Took(signed, refusal) => self.apply_operation(genesis, signed, *refusal),
            // A refused operation has no effect, so the state stays as it is.
            Step::Refused(..) => {}

            Step::Windows(block) => self.move_windows(genesis, block),
            Step::Moved(signed, receipt) => self.moved(signed, receipt),
            Step::Ended(expiry) => self.end_task(expiry),
            Step::Cleared(record, _) => self.clear(&record.market),

            Step::Assigned(assignment) => {
                self.assign(assignment.task, assignment.agent, assignment.token);
            }
        }
    }

    /// Applies an operation that took effect, except for the offers that the refusal names.
    fn apply_operation(
        &mut self,
        genesis: &Genesis,
        signed: &SignedOperation,
        refusal: Option<&Refusal>,
    ) {
        let agent = signed.payload.agent;

        match &signed.payload.body {
            OperationBody::Admit(attest) | OperationBody::Attest(attest) => {
                self.attest(agent, &attest.attestation);
            }

            OperationBody::Revoke(revoke) => self.revoke(agent, revoke.attestation),
            OperationBody::Submit(submit) => self.submit_all(agent, submit),
            OperationBody::Withdraw(withdraw) => self.withdraw(&withdraw.market, agent),
            OperationBody::Bid(bid) => self.put_open_bid(signed, bid, refusal),
            OperationBody::Seal(seal) => self.put_sealed_bid(signed, seal, refusal),
            OperationBody::Reveal(reveal) => self.reveal(agent, reveal, refusal),
            OperationBody::Solve(solve) => self.keep(genesis, signed, solve),
            _ => {}
        }
    }

    /// Opens the tasks that an operation submits.
    fn submit_all(&mut self, requester: PublicKey, submit: &Submit) {
        for (spec, number) in submit.tasks.iter().zip(submit.first..) {
            self.submit(TaskId { requester, number }, spec);
        }
    }

    /// Puts a bid with open prices in the place of the agent's earlier one.
    fn put_open_bid(&mut self, signed: &SignedOperation, bid: &Bid, refusal: Option<&Refusal>) {
        let offers = bid.offers.iter();
        let offers = offers.map(|offer| (offer.task, Offered::Price(offer.price)));

        let live = Live {
            signed: signed.clone(),
            budget: bid.budget.clone(),
            offers: without_refused(offers, refusal),
        };

        self.put_bid(&bid.market, live);
    }

    /// Puts a bid with commitments to prices in the place of the agent's earlier one.
    fn put_sealed_bid(&mut self, signed: &SignedOperation, seal: &Seal, refusal: Option<&Refusal>) {
        let offers = seal.offers.iter();
        let offers = offers.map(|offer| (offer.task, Offered::Sealed(offer.commitment)));

        let live = Live {
            signed: signed.clone(),
            budget: seal.budget.clone(),
            offers: without_refused(offers, refusal),
        };

        self.put_bid(&seal.market, live);
    }

    /// Puts the prices of the openings into the agent's bid.
    fn reveal(&mut self, agent: PublicKey, reveal: &Reveal, refusal: Option<&Refusal>) {
        let openings = reveal.openings.iter();
        let opened = openings.map(|of| (of.task, of.price));

        self.open_offers(&reveal.market, agent, without_refused(opened, refusal));
    }

    /// Ends a task whose deadline has passed. A task without attempts has failed already.
    fn end_task(&mut self, expiry: &Expiry) {
        if expiry.reason == Reason::DeadlinePassed {
            self.set(expiry.task, ModelState::Expired);
        }
    }

    /// L-15, L-17: applies an operation to the task of its receipt.
    fn moved(&mut self, signed: &SignedOperation, receipt: &Receipt) {
        let Some(task) = self.task(&receipt.task) else {
            return;
        };

        let state = self.state_after(task, &signed.payload.body);
        self.set(receipt.task, state);

        // In these cases the assignee declined, failed or lapsed, so it is excluded from now on.
        if matches!(state, ModelState::Failed | ModelState::Open) {
            self.exclude_holder(receipt.task);
        }
    }

    /// The state to which an operation with a receipt moves a task.
    fn state_after(&self, task: &Task, body: &OperationBody) -> ModelState {
        match body {
            OperationBody::Accept(_) => ModelState::Working,
            OperationBody::Complete(_) => ModelState::Completed,
            OperationBody::Cancel(_) => ModelState::Canceled,
            // After the last attempt the task fails instead of opening again (L-17).
            _ if self.is_last_attempt(task) => ModelState::Failed,
            _ => ModelState::Open,
        }
    }

    /// Moves the windows on after the operations and deadlines of a block; some become due.
    fn move_windows(&mut self, genesis: &Genesis, block: &Block) {
        self.clear_none();

        for market in &genesis.markets {
            let live: Vec<Offered> = self.live(&market.name).map(|offer| offer.said).collect();
            self.move_window(genesis, market, &live, block.header.builder);
        }

        // Judging a bad block takes the cost of clearings (L-6, M-7), so they wait for the next
        // block.
        let mut evidence = block.evidence.iter();
        if evidence.any(|found| matches!(found, Evidence::BadBlock(_))) {
            self.clear_none();
        }
    }
}

/// The offers that the refusal does not name; those that were refused do not stand (M-4).
fn without_refused<T>(
    offers: impl Iterator<Item = (TaskId, T)>,
    refusal: Option<&Refusal>,
) -> BTreeMap<TaskId, T> {
    offers.filter(|(task, _)| !refuses(refusal, task)).collect()
}
