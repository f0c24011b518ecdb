//! The steps of a block: everything that it did, in order.

use std::collections::BTreeMap;

use quorate_types::outcome::{Assignment, ClearingInput, ClearingRecord, Expiry, Receipt, Refusal};
use quorate_types::{Block, OperationBody, OperationId, Outcome, Reason, SignedOperation, TaskId};

use crate::decided::Decided;

/// One step of a block.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
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
    pub fn of(decided: &'a Decided) -> Vec<Self> {
        let (early, late) = split_before(&decided.effects.outcomes, is_late);
        let (ended, cleared) = split_before(late, is_clearing);

        let mut steps = operations(&decided.block.operations, early);

        // An early expiry follows an operation that used up the attempts of a task (L-17).
        let is_expiry = |outcome: &&Outcome| matches!(outcome, Outcome::Expiry(_));
        let expired = early.iter().filter(is_expiry);

        for outcome in expired.chain(ended) {
            steps.extend(of_outcome(outcome, &[]));
        }

        // Here the deadlines are over, and no clearing has begun.
        steps.push(Step::Windows(&decided.block));
        steps.extend(clearings(decided, cleared));

        steps
    }
}

/// Whether an outcome is of a clearing or a deadline, which come after all outcomes of operations.
fn is_late(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Clearing(_) => true,
        Outcome::Expiry(expiry) => expiry.reason == Reason::DeadlinePassed,
        _ => false,
    }
}

/// Whether an outcome is the record of a clearing.
fn is_clearing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Clearing(_))
}

/// The outcomes before the first one of this kind, and those from it on.
fn split_before(
    outcomes: &[Outcome],
    is_of_kind: impl Fn(&Outcome) -> bool,
) -> (&[Outcome], &[Outcome]) {
    let first = outcomes.iter().position(is_of_kind);
    outcomes.split_at(first.unwrap_or(outcomes.len()))
}

/// The steps of the clearings and assignments of a block.
fn clearings<'a>(decided: &'a Decided, outcomes: &'a [Outcome]) -> Vec<Step<'a>> {
    let mut inputs = decided.effects.inputs.iter();
    let mut steps = Vec::new();

    for outcome in outcomes {
        // There is one list of inputs for each clearing record, in the same order.
        let of_record = match outcome {
            Outcome::Clearing(_) => inputs.next().map_or(&[][..], Vec::as_slice),
            _ => &[],
        };
        steps.extend(of_outcome(outcome, of_record));
    }

    steps
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
                receipts.insert(receipt.operation.id(), receipt);
            }
            Outcome::Refusal(refusal) => {
                refusals.insert(refusal.operation, refusal);
            }
            _ => {}
        }
    }

    let step = |signed: &'a SignedOperation| {
        let id = signed.id();
        of_operation(
            signed,
            receipts.get(&id).copied(),
            refusals.get(&id).copied(),
        )
    };

    operations.iter().map(step).collect()
}

/// The step that an operation is. Only an operation that changed a task has a receipt.
fn of_operation<'a>(
    signed: &'a SignedOperation,
    receipt: Option<&'a Receipt>,
    refusal: Option<&'a Refusal>,
) -> Step<'a> {
    match (receipt, refusal) {
        (Some(receipt), _) => Step::Moved(signed, receipt),
        (None, Some(refusal)) if is_whole(signed, refusal) => Step::Refused(signed, refusal),
        (None, refusal) => Step::Took(signed, refusal),
    }
}

/// Whether a refusal leaves nothing of the operation.
fn is_whole(signed: &SignedOperation, refusal: &Refusal) -> bool {
    let offers = match &signed.payload.body {
        OperationBody::Bid(bid) => bid.offers.len(),
        OperationBody::Seal(seal) => seal.offers.len(),
        OperationBody::Reveal(reveal) => reveal.openings.len(),
        _ => 0,
    };
    refusal.items.iter().any(|(task, _)| task.is_none()) || refusal.items.len() >= offers
}

/// Whether a refusal names an offer on the task.
pub fn refuses(refusal: Option<&Refusal>, task: &TaskId) -> bool {
    refusal.is_some_and(|refusal| {
        refusal
            .items
            .iter()
            .any(|(item, _)| item.as_ref() == Some(task))
    })
}
