//! Checks what an outcome must be in itself, whoever signed the block (C-11). A quorum that
//! certifies an acceptance without the assignee's signature has certified nothing.

use quorate_crypto::verify as verify_signature;
use quorate_types::operation::{Lapse, Suspicion, TaskReport};
use quorate_types::outcome::{Assignment, ClearingRecord, Expiry, Receipt, Refusal};
use quorate_types::{
    FencingToken, Header, OperationBody, Outcome, Reason, TaskId, ValidatorSet, limits,
};

use crate::refused::{Refused, first_broken};

/// Checks an outcome against the header that it stands under and the validators of that height.
pub(crate) fn check(
    outcome: &Outcome,
    header: &Header,
    validators: &ValidatorSet,
) -> Result<(), Refused> {
    match outcome {
        Outcome::Assignment(assignment) => check_assignment(assignment, header),
        Outcome::Clearing(record) => check_clearing(record),
        Outcome::Receipt(receipt) => check_receipt(receipt, header, validators),
        Outcome::Refusal(refusal) => check_refusal(refusal),
        Outcome::Expiry(expiry) => check_expiry(expiry),
    }
}

/// Returns the name of the operation that a receipt carries.
pub(crate) fn operation_name(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Receipt(receipt) => Some(receipt.operation.payload.body.name()),
        _ => None,
    }
}

/// Returns the fencing token that an outcome speaks of.
pub(crate) fn token(outcome: &Outcome) -> Option<FencingToken> {
    match outcome {
        Outcome::Assignment(assignment) => Some(assignment.token),
        Outcome::Receipt(receipt) => Some(receipt.token),
        Outcome::Expiry(expiry) => Some(expiry.token),
        Outcome::Clearing(_) | Outcome::Refusal(_) => None,
    }
}

fn check_assignment(assignment: &Assignment, header: &Header) -> Result<(), Refused> {
    let now = assignment.assigned_at == header.active_time && assignment.lease > 0;

    first_broken(&[
        (
            assignment.token > FencingToken::ZERO,
            Refused::AssignmentToken,
        ),
        (assignment.price >= 0, Refused::AssignmentPrice),
        (
            (assignment.price..=limits::PRICE).contains(&assignment.charge),
            Refused::AssignmentPrice,
        ),
        (now, Refused::AssignmentTime),
        (
            assignment.attestations.is_sorted_by(|a, b| a < b),
            Refused::AssignmentAttestations,
        ),
    ])
}

fn check_clearing(record: &ClearingRecord) -> Result<(), Refused> {
    let is_price = |price| (0..=limits::PRICE).contains(&price);
    let most = i128::from(limits::PRICE) * i128::from(record.assigned);

    let holds = record.assigned <= record.input_count
        && (0..=most).contains(&i128::from(record.total))
        && record.reserve.is_none_or(is_price);

    first_broken(&[(holds, Refused::ClearingCounts)])
}

fn check_refusal(refusal: &Refusal) -> Result<(), Refused> {
    let ascending = refusal.items.is_sorted_by(|(a, _), (b, _)| a < b);
    first_broken(&[(
        ascending && !refusal.items.is_empty(),
        Refused::RefusalItems,
    )])
}

fn check_expiry(expiry: &Expiry) -> Result<(), Refused> {
    let ends = matches!(
        expiry.reason,
        Reason::DeadlinePassed | Reason::AttemptsUsedUp
    );
    first_broken(&[(ends, Refused::ExpiryReason)])
}

fn check_receipt(
    receipt: &Receipt,
    header: &Header,
    validators: &ValidatorSet,
) -> Result<(), Refused> {
    let operation = &receipt.operation.payload;
    let (task, token) = subject(&operation.body, receipt).ok_or(Refused::ReceiptOperation)?;

    first_broken(&[
        (operation.swarm == header.swarm, Refused::ReceiptSwarm),
        (task == receipt.task, Refused::ReceiptTask),
        (token == receipt.token, Refused::ReceiptToken),
        (
            receipt.operation.signer == operation.agent,
            Refused::ReceiptSigner,
        ),
        (is_by_permitted_agent(receipt), Refused::ReceiptAgent),
    ])?;

    verify_signature(receipt.operation.clone()).map_err(|_| Refused::ReceiptSignature)?;

    match &operation.body {
        OperationBody::Lapse(lapse) => check_lapse(lapse, header, validators),
        _ => Ok(()),
    }
}

/// Returns whether the agent of the operation may make the receipt. Only the requester cancels, and
/// only the assignee reports. A lapse needs an assignee to end.
fn is_by_permitted_agent(receipt: &Receipt) -> bool {
    let operation = &receipt.operation.payload;

    match &operation.body {
        OperationBody::Cancel(_) => operation.agent == receipt.task.requester,
        OperationBody::Lapse(_) => receipt.agent.is_some(),
        _ => receipt.agent == Some(operation.agent),
    }
}

/// Returns the task and the token that an operation speaks of; `None` if it makes no receipt. A
/// cancel names no token, so the receipt's own stands for it, which is the one in force.
fn subject(body: &OperationBody, receipt: &Receipt) -> Option<(TaskId, FencingToken)> {
    match body {
        OperationBody::Accept(report)
        | OperationBody::Decline(report)
        | OperationBody::Complete(report)
        | OperationBody::Fail(report) => Some(report_subject(report)),
        OperationBody::Lapse(lapse) => Some((lapse.task, lapse.token)),
        OperationBody::Cancel(cancel) => Some((cancel.task, receipt.token)),
        _ => None,
    }
}

fn report_subject(report: &TaskReport) -> (TaskId, FencingToken) {
    (report.task, report.token)
}

/// Checks that validators with more than two thirds of the power suspect the assignee. As in the
/// ledger, suspicions of another subject, or of a height that was not decided yet, do not count but
/// may be listed.
fn check_lapse(lapse: &Lapse, header: &Header, validators: &ValidatorSet) -> Result<(), Refused> {
    let suspicions = &lapse.suspicions;
    let members = suspicions
        .iter()
        .all(|signed| validators.get(&signed.signer).is_some());

    // Only suspicions of this assignment count towards the quorum.
    let counting = || {
        suspicions
            .iter()
            .filter(|signed| counts(&signed.payload, lapse, header))
    };
    let power = validators.power_of(counting().map(|signed| &signed.signer));

    first_broken(&[
        (
            suspicions.is_sorted_by(|a, b| a.signer < b.signer),
            Refused::LapseOrder,
        ),
        (members, Refused::LapseStranger),
        (validators.is_quorum(power), Refused::LapsePower),
    ])?;

    for suspicion in counting() {
        verify_signature(suspicion.clone()).map_err(|_| Refused::LapseSignature)?;
    }

    Ok(())
}

/// Returns whether a suspicion counts: it is of the assignment that lapses, and of a height that
/// was decided already.
fn counts(suspicion: &Suspicion, lapse: &Lapse, header: &Header) -> bool {
    suspicion.swarm == header.swarm
        && suspicion.task == lapse.task
        && suspicion.token == lapse.token
        && suspicion.height < header.height
}
