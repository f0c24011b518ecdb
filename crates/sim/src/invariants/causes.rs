//! Invariant 17 (causes): every change of a task has a cause that is committed with it. A task goes
//! to another agent only if the assignee declined or failed, or if more than two thirds of the
//! power missed the assignee when its lease was over.

use std::collections::BTreeSet;

use quorate_types::operation::Lapse;
use quorate_types::outcome::Receipt;
use quorate_types::{Body, PublicKey, Reason, SignedOperation};

use super::oracle::{Model, OnLedger, Rule, State, Step, is_quorum};
use crate::world::World;

/// The number of heights for which a suspicion counts (L-19).
const SUSPICION_HEIGHTS: u64 = 1000;

/// Creates the invariant for a run that has not begun.
pub(super) fn causes() -> OnLedger<Causes> {
    OnLedger::default()
}

/// Invariant 17, which keeps no state besides the model.
#[derive(Debug, Default)]
pub(super) struct Causes;

impl Rule for Causes {
    const NUMBER: u8 = 17;
    const NAME: &'static str = "causes";

    fn judge(&mut self, world: &World, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Moved(signed, receipt) => moved(world, model, signed, receipt)
                .map_err(|how| format!("{}, {}: {how}", receipt.task, signed.payload.body.name())),

            Step::Ended(expiry) => {
                let Some(task) = model.tasks.get(&expiry.task) else {
                    return Ok(());
                };

                let passed = task.spec.deadline.is_some_and(|at| at <= model.now.wall);
                // A deadline ends an open task. The expiry for used-up attempts follows the failure
                // (L-17).
                let holds = match expiry.reason {
                    Reason::DeadlinePassed => task.state == State::Open && passed,
                    Reason::AttemptsUsedUp => task.state == State::Failed,
                    _ => false,
                };

                let id = expiry.task;
                if holds {
                    Ok(())
                } else {
                    Err(format!(
                        "task {id} ended by {:?}, which does not hold",
                        expiry.reason
                    ))
                }
            }

            Step::Assigned(assignment) => match model.tasks.get(&assignment.task) {
                Some(task) if task.state.is_held() => {
                    Err(format!("{} is with {:?}", assignment.task, task.holder))
                }

                Some(task) if task.excluded.contains(&assignment.agent) => Err(format!(
                    "task {} went back to {:?}, which is excluded from it",
                    assignment.task, assignment.agent
                )),
                _ => Ok(()),
            },

            _ => Ok(()),
        }
    }
}

/// L-15: checks that an operation may change the task in the way that its receipt says.
fn moved(
    world: &World,
    model: &Model,
    signed: &SignedOperation,
    receipt: &Receipt,
) -> Result<(), String> {
    let task = model
        .tasks
        .get(&receipt.task)
        .ok_or("there is no such task")?;
    let agent = signed.payload.agent;
    let holder = task
        .holder
        .filter(|_| task.state.is_held())
        .map(|(holder, _)| holder);

    if quorate_crypto::verify(signed.clone()).is_err() || receipt.operation != *signed {
        return Err("the operation is not signed, or not the one in the receipt".to_owned());
    }

    // Only the assignee reports on a task, and only its requester cancels it.
    let allowed = match &signed.payload.body {
        Body::Accept(_) | Body::Decline(_) => {
            holder == Some(agent) && task.state == State::Assigned
        }
        Body::Complete(_) | Body::Fail(_) => holder == Some(agent),
        Body::Cancel(_) => receipt.task.requester == agent && !task.state.has_ended(),
        Body::Lapse(lapse) => return lapsed(world, model, lapse),
        _ => false,
    };

    if allowed {
        Ok(())
    } else {
        Err(format!(
            "it is by {agent:?}, but the task is with {holder:?}"
        ))
    }
}

/// L-19: checks that the lease was over, and that the suspicions that count are a quorum.
fn lapsed(world: &World, model: &Model, lapse: &Lapse) -> Result<(), String> {
    let task = model
        .tasks
        .get(&lapse.task)
        .filter(|task| task.state.is_held());

    let Some((task, (_, since))) = task.and_then(|task| Some((task, task.holder?))) else {
        return Err("the task is not with anybody".to_owned());
    };

    let market = world
        .genesis()
        .markets
        .iter()
        .find(|market| market.name == task.spec.market);
    let lease = market.map_or(0, |market| market.lease_ms);

    if model.now.active < since.active + lease {
        return Err("the lease was not over".to_owned());
    }

    // A suspicion counts if it is no older than the assignment and not too old for the ledger.
    let counts = |at: u64| {
        since.height <= at && at < model.now.height && at + SUSPICION_HEIGHTS >= model.now.height
    };

    let missing: BTreeSet<PublicKey> = lapse
        .suspicions
        .iter()
        .filter(|suspicion| {
            let said = &suspicion.payload;
            (said.task, said.token) == (lapse.task, task.token)
                && said.swarm == world.genesis().swarm_id()
                && counts(said.height)
                && quorate_crypto::verify((*suspicion).clone()).is_ok()
        })
        .map(|suspicion| suspicion.signer)
        .collect();

    match is_quorum(model.committee.at(world, model.now.height), &missing) {
        true => Ok(()),
        false => Err(format!(
            "the suspicions of {} validators are not a quorum",
            missing.len()
        )),
    }
}
