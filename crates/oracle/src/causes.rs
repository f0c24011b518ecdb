//! Invariant 17 (causes): every change of a task has a cause that is committed with it. A task goes
//! to another agent only if the assignee declined or failed, or if more than two thirds of the
//! power missed the assignee when its lease was over.

use std::collections::BTreeSet;

use quorate_types::operation::{Lapse, Suspicion};
use quorate_types::outcome::{Assignment, Expiry, Receipt};
use quorate_types::{
    FencingToken, Genesis, Height, OperationBody, PublicKey, Reason, Sign1, SignedOperation,
};

use crate::committee::is_quorum;
use crate::model::Model;
use crate::rule::Rule;
use crate::steps::Step;
use crate::task::{ModelState, Task};

/// The number of heights for which a suspicion counts (L-19).
const SUSPICION_HEIGHTS: u64 = 1000;

/// Invariant 17, which keeps no state besides the model.
#[derive(Debug, Default)]
pub struct Causes;

impl Rule for Causes {
    const NUMBER: u8 = 17;
    const NAME: &'static str = "causes";

    fn judge(&mut self, genesis: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Moved(signed, receipt) => {
                let what = signed.payload.body.name();

                moved(genesis, model, signed, receipt)
                    .map_err(|how| format!("{}, {what}: {how}", receipt.task))
            }

            Step::Ended(expiry) => check_ended(model, expiry),
            Step::Assigned(assignment) => check_assigned(model, assignment),
            _ => Ok(()),
        }
    }
}

/// Checks that a task that ended without an operation did so for a reason that holds.
fn check_ended(model: &Model, expiry: &Expiry) -> Result<(), String> {
    let Some(task) = model.task(&expiry.task) else {
        return Ok(());
    };

    let passed = task.spec.deadline.is_some_and(|at| at <= model.now().wall);

    // A deadline ends an open task. The expiry for used-up attempts follows the failure (L-17).
    let holds = match expiry.reason {
        Reason::DeadlinePassed => task.state == ModelState::Open && passed,
        Reason::AttemptsUsedUp => task.state == ModelState::Failed,
        _ => false,
    };

    if holds {
        return Ok(());
    }

    Err(format!(
        "task {} ended by {:?}, which does not hold",
        expiry.task, expiry.reason
    ))
}

/// Checks that a task goes only from the market to an agent, and to none that is excluded from it.
fn check_assigned(model: &Model, assignment: &Assignment) -> Result<(), String> {
    match model.task(&assignment.task) {
        Some(task) if task.state.is_held() => {
            Err(format!("{} is with {:?}", assignment.task, task.holder))
        }

        Some(task) if task.excluded.contains(&assignment.agent) => Err(format!(
            "task {} went back to {:?}, which is excluded from it",
            assignment.task, assignment.agent
        )),
        _ => Ok(()),
    }
}

/// L-15: checks that an operation may change the task in the way that its receipt says.
fn moved(
    genesis: &Genesis,
    model: &Model,
    signed: &SignedOperation,
    receipt: &Receipt,
) -> Result<(), String> {
    let task = model.task(&receipt.task).ok_or("there is no such task")?;

    if quorate_crypto::verify(signed.clone()).is_err() || receipt.operation != *signed {
        return Err("the operation is not signed, or not the one in the receipt".to_owned());
    }

    if let OperationBody::Lapse(lapse) = &signed.payload.body {
        return lapsed(genesis, model, lapse);
    }

    if may_move(task, receipt, signed) {
        return Ok(());
    }

    Err(format!(
        "it is by {:?}, but the task is with {:?}",
        signed.payload.agent,
        holder_of(task)
    ))
}

/// Whether the agent may do this to the task: only the assignee reports on it, and only its
/// requester cancels it.
fn may_move(task: &Task, receipt: &Receipt, signed: &SignedOperation) -> bool {
    let agent = signed.payload.agent;
    let is_holder = holder_of(task) == Some(agent);

    match &signed.payload.body {
        OperationBody::Accept(_) | OperationBody::Decline(_) => {
            is_holder && task.state == ModelState::Assigned
        }

        OperationBody::Complete(_) | OperationBody::Fail(_) => is_holder,

        OperationBody::Cancel(_) => {
            let is_requester = receipt.task.requester == agent;
            is_requester && !task.state.has_ended()
        }

        _ => false,
    }
}

/// The agent that has the task now, if one has it.
fn holder_of(task: &Task) -> Option<PublicKey> {
    let holder = task.holder.filter(|_| task.state.is_held());
    holder.map(|(agent, _)| agent)
}

/// L-19: checks that the lease was over, and that the suspicions that count are a quorum.
fn lapsed(genesis: &Genesis, model: &Model, lapse: &Lapse) -> Result<(), String> {
    let task = model.task(&lapse.task).filter(|task| task.state.is_held());

    let Some((task, (_, since))) = task.and_then(|task| Some((task, task.holder?))) else {
        return Err("the task is not with anybody".to_owned());
    };

    let market = genesis.market(&task.spec.market);
    let lease = market.map_or(0, |market| market.lease_ms);

    if model.now().active < since.active + lease {
        return Err("the lease was not over".to_owned());
    }

    let missing = missing_it(genesis, model, lapse, task.token, since.height);

    match is_quorum(model.committee(genesis), &missing) {
        true => Ok(()),
        false => Err(format!(
            "the suspicions of {} validators are not a quorum",
            missing.len()
        )),
    }
}

/// The validators whose suspicions count against the assignment under this token since a height.
fn missing_it(
    genesis: &Genesis,
    model: &Model,
    lapse: &Lapse,
    token: FencingToken,
    since: Height,
) -> BTreeSet<PublicKey> {
    let counts = |signed: &&Sign1<Suspicion>| {
        let said = &signed.payload;

        said.token == token
            && said.task == lapse.task
            && is_timely(said, since, model.now().height)
            && is_authentic(genesis, signed)
    };

    lapse
        .suspicions
        .iter()
        .filter(counts)
        .map(|signed| signed.signer)
        .collect()
}

/// Whether a suspicion is no older than the assignment, and not too old for the ledger at `now`.
fn is_timely(said: &Suspicion, since: Height, now: Height) -> bool {
    since <= said.height && said.height < now && said.height + SUSPICION_HEIGHTS >= now
}

/// Whether a suspicion is of this swarm, and signed by its signer.
fn is_authentic(genesis: &Genesis, signed: &Sign1<Suspicion>) -> bool {
    signed.payload.swarm == genesis.swarm_id() && quorate_crypto::verify(signed.clone()).is_ok()
}
