//! A block taken apart: what it did, one thing after the other.

use std::collections::BTreeMap;

use quorate_types::outcome::{Assignment, ClearingInput, ClearingRecord, Expiry, Receipt, Refusal};
use quorate_types::{Block, Body, OperationId, Outcome, Reason, SignedOperation, TaskId};

use super::Decided;

/// One thing that a block did.
#[derive(Debug, Clone, Copy)]
pub(in crate::invariants) enum Step<'a> {
    /// An operation took effect, but for offers on the tasks of the refusal.
    Took(&'a SignedOperation, Option<&'a Refusal>),
    /// An operation had no effect, for the reasons of the refusal.
    Refused(&'a SignedOperation, &'a Refusal),
    /// An operation changed a task.
    Moved(&'a SignedOperation, &'a Receipt),
    /// A task ended without an operation.
    Ended(&'a Expiry),
    /// All operations and deadlines of the block are over: windows move on.
    Windows(&'a Block),
    /// A market cleared.
    Cleared(&'a ClearingRecord, &'a [ClearingInput]),
    /// A task went to an agent.
    Assigned(&'a Assignment),
}

impl<'a> Step<'a> {
    /// What a block did, in the order of L-8.
    pub(in crate::invariants) fn of(decided: &'a Decided) -> Vec<Self> {
        let outcomes = &decided.committed.outcomes;
        let is_late = |outcome: &Outcome| match outcome {
            Outcome::Clearing(_) => true,
            Outcome::Expiry(expiry) => expiry.reason == Reason::DeadlinePassed,
            _ => false,
        };
        let split = outcomes.iter().position(is_late).unwrap_or(outcomes.len());
        let (early, late) = outcomes.split_at(split);
        let mut steps = operations(&decided.block.operations, early);
        let mut dossiers = decided.committed.dossiers.iter();
        for outcome in early
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Expiry(_)))
        {
            steps.extend(of_outcome(outcome, &[]));
        }
        let is_clearing = |outcome: &Outcome| matches!(outcome, Outcome::Clearing(_));
        let split = late.iter().position(is_clearing).unwrap_or(late.len());
        let (ended, cleared) = late.split_at(split);
        steps.extend(ended.iter().filter_map(|outcome| of_outcome(outcome, &[])));
        steps.push(Step::Windows(&decided.block));
        for outcome in cleared {
            let inputs = match outcome {
                Outcome::Clearing(_) => dossiers.next().map_or(&[][..], |found| &found.inputs),
                _ => &[],
            };
            steps.extend(of_outcome(outcome, inputs));
        }
        steps
    }
}

fn of_outcome<'a>(outcome: &'a Outcome, inputs: &'a [ClearingInput]) -> Option<Step<'a>> {
    match outcome {
        Outcome::Expiry(expiry) => Some(Step::Ended(expiry)),
        Outcome::Clearing(record) => Some(Step::Cleared(record, inputs)),
        Outcome::Assignment(assignment) => Some(Step::Assigned(assignment)),
        Outcome::Receipt(_) | Outcome::Refusal(_) => None,
    }
}

/// Operations with what became of them.
fn operations<'a>(operations: &'a [SignedOperation], outcomes: &'a [Outcome]) -> Vec<Step<'a>> {
    let mut receipts: BTreeMap<OperationId, &Receipt> = BTreeMap::new();
    let mut refusals: BTreeMap<OperationId, &Refusal> = BTreeMap::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Receipt(receipt) => {
                receipts.insert(receipt.operation.payload.id(), receipt);
            }
            Outcome::Refusal(refusal) => {
                refusals.insert(refusal.operation, refusal);
            }
            _ => {}
        }
    }
    let step = |signed: &'a SignedOperation| {
        let id = signed.payload.id();
        match (receipts.get(&id), refusals.get(&id)) {
            (Some(receipt), _) => Step::Moved(signed, receipt),
            (None, Some(refusal)) if is_whole(signed, refusal) => Step::Refused(signed, refusal),
            (None, refusal) => Step::Took(signed, refusal.copied()),
        }
    };
    operations.iter().map(step).collect()
}

/// Whether nothing of the operation is left.
fn is_whole(signed: &SignedOperation, refusal: &Refusal) -> bool {
    let offers = match &signed.payload.body {
        Body::Bid(bid) => bid.offers.len(),
        Body::Seal(seal) => seal.offers.len(),
        Body::Reveal(reveal) => reveal.openings.len(),
        _ => 0,
    };
    refusal.items.iter().any(|(task, _)| task.is_none()) || refusal.items.len() >= offers
}

/// Whether a refusal speaks of an offer.
pub(super) fn refuses(refusal: Option<&Refusal>, task: &TaskId) -> bool {
    refusal.is_some_and(|refusal| {
        refusal
            .items
            .iter()
            .any(|(item, _)| item.as_ref() == Some(task))
    })
}
