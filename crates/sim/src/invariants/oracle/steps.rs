//! The steps of a block: everything that it did, in order.

use std::collections::BTreeMap;

use quorate_types::outcome::{Assignment, ClearingInput, ClearingRecord, Expiry, Receipt, Refusal};
use quorate_types::{Block, Body, OperationId, Outcome, Reason, SignedOperation, TaskId};

use super::Decided;

/// One step of a block.
#[derive(Debug, Clone, Copy)]
pub(in crate::invariants) enum Step<'a> {
    /// An operation took effect, except for its offers on the tasks that the refusal names.
    Took(&'a SignedOperation, Option<&'a Refusal>),
    /// An operation had no effect, for the reasons of the refusal.
    Refused(&'a SignedOperation, &'a Refusal),
    /// An operation changed a task.
    Moved(&'a SignedOperation, &'a Receipt),
    /// A task ended without an operation.
    Ended(&'a Expiry),
    /// The operations and deadlines of the block are over, so windows move on.
    Windows(&'a Block),
    /// A market cleared on these inputs.
    Cleared(&'a ClearingRecord, &'a [ClearingInput]),
    /// A task went to an agent.
    Assigned(&'a Assignment),
}

impl<'a> Step<'a> {
    /// The steps of a block, in the order of L-8.
    pub(in crate::invariants) fn of(decided: &'a Decided) -> Vec<Self> {
        let outcomes = &decided.committed.outcomes;

        // Clearings and deadlines come after all outcomes of operations.
        let is_late = |outcome: &Outcome| match outcome {
            Outcome::Clearing(_) => true,
            Outcome::Expiry(expiry) => expiry.reason == Reason::DeadlinePassed,
            _ => false,
        };

        let split = outcomes.iter().position(is_late).unwrap_or(outcomes.len());
        let (early, late) = outcomes.split_at(split);

        let mut steps = operations(&decided.block.operations, early);
        let mut dossiers = decided.committed.dossiers.iter();

        // An early expiry follows an operation that used up the attempts of a task (L-17).
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

        // Here the deadlines are over, and no clearing has begun.
        steps.push(Step::Windows(&decided.block));

        for outcome in cleared {
            // There is one dossier for each clearing record, in the same order.
            let inputs = match outcome {
                Outcome::Clearing(_) => dossiers.next().map_or(&[][..], |found| &found.inputs),
                _ => &[],
            };
            steps.extend(of_outcome(outcome, inputs));
        }

        steps
    }
}

/// The step that an outcome is; `None` for an outcome that belongs to an operation.
fn of_outcome<'a>(outcome: &'a Outcome, inputs: &'a [ClearingInput]) -> Option<Step<'a>> {
    match outcome {
        Outcome::Expiry(expiry) => Some(Step::Ended(expiry)),
        Outcome::Clearing(record) => Some(Step::Cleared(record, inputs)),
        Outcome::Assignment(assignment) => Some(Step::Assigned(assignment)),
        Outcome::Receipt(_) | Outcome::Refusal(_) => None,
    }
}

/// The steps of the operations, each with its receipt or refusal.
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
        // Only an operation that changed a task has a receipt.
        match (receipts.get(&id), refusals.get(&id)) {
            (Some(receipt), _) => Step::Moved(signed, receipt),
            (None, Some(refusal)) if is_whole(signed, refusal) => Step::Refused(signed, refusal),
            (None, refusal) => Step::Took(signed, refusal.copied()),
        }
    };

    operations.iter().map(step).collect()
}

/// Whether a refusal leaves nothing of the operation.
fn is_whole(signed: &SignedOperation, refusal: &Refusal) -> bool {
    let offers = match &signed.payload.body {
        Body::Bid(bid) => bid.offers.len(),
        Body::Seal(seal) => seal.offers.len(),
        Body::Reveal(reveal) => reveal.openings.len(),
        _ => 0,
    };
    refusal.items.iter().any(|(task, _)| task.is_none()) || refusal.items.len() >= offers
}

/// Whether a refusal names an offer on the task.
pub(super) fn refuses(refusal: Option<&Refusal>, task: &TaskId) -> bool {
    refusal.is_some_and(|refusal| {
        refusal
            .items
            .iter()
            .any(|(item, _)| item.as_ref() == Some(task))
    })
}
