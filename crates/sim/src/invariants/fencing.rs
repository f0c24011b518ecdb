//! Invariant 12 (fencing): a task and token have one assignee, tokens grow by one, and a report
//! under another token than the one in force has no effect.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::Certificate;
use quorate_types::outcome::{Assignment, Receipt};
use quorate_types::{FencingToken, Hash, OperationBody, Outcome, PublicKey, TaskId};

use super::oracle::{Model, ModelState, OnLedger, Rule, Step};
use crate::seen::Seen;
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn fencing() -> OnLedger<Fencing> {
    OnLedger::default()
}

/// Invariant 12, with the assignees seen so far.
#[derive(Debug, Default)]
pub(super) struct Fencing {
    /// By task and token: the assignee, from blocks and from certificates.
    certified: BTreeMap<(TaskId, FencingToken), PublicKey>,
    /// Hashes of the certificates that were read, so that each is read once.
    read: BTreeSet<Hash>,
}

impl Rule for Fencing {
    const NUMBER: u8 = 12;
    const NAME: &'static str = "fencing";

    fn judge(&mut self, _: &World, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Assigned(assignment) => self.check_assigned(model, assignment),

            Step::Moved(signed, receipt) => match reported(&signed.payload.body) {
                Some(said) => check_report(model, said, receipt),
                None => Ok(()),
            },

            _ => Ok(()),
        }
    }

    fn see(&mut self, world: &World, _: &Model, seen: &Seen) -> Result<(), String> {
        let Seen::Certificate { validator, bytes } = seen else {
            return Ok(());
        };

        let name = Hash::derive("quorate 1 checked certificate", &[bytes]);
        if !world.validators()[*validator].is_correct() || !self.read.insert(name) {
            return Ok(());
        }

        // Of the outcomes that are certified, only an assignment names an assignee.
        match Certificate::decode(bytes).map(|certificate| certificate.outcome) {
            Ok(Outcome::Assignment(assignment)) => {
                self.certify(assignment.task, assignment.token, assignment.agent)
            }
            _ => Ok(()),
        }
    }
}

impl Fencing {
    /// Checks that an open task is assigned under its next token; `model` holds the state before.
    fn check_assigned(&mut self, model: &Model, assignment: &Assignment) -> Result<(), String> {
        let id = assignment.task;
        let Some(task) = model.tasks.get(&id) else {
            return Ok(());
        };

        let token = assignment.token;
        if token != task.token.next() || task.state != ModelState::Open {
            let last = task.token;
            return Err(format!(
                "task {id} was assigned with token {token} after {last}, or while not open"
            ));
        }

        self.certify(id, token, assignment.agent)
    }

    /// Notes the assignee of a task and token, which must be the same one each time.
    fn certify(
        &mut self,
        task: TaskId,
        token: FencingToken,
        agent: PublicKey,
    ) -> Result<(), String> {
        let first = *self.certified.entry((task, token)).or_insert(agent);
        if first == agent {
            return Ok(());
        }

        Err(format!(
            "task {task} with token {token} went to {first:?} and to {agent:?}"
        ))
    }
}

/// The task and the token that a report or lapse names; `None` for other operations.
fn reported(body: &OperationBody) -> Option<(TaskId, FencingToken)> {
    match body {
        OperationBody::Accept(said)
        | OperationBody::Decline(said)
        | OperationBody::Complete(said)
        | OperationBody::Fail(said) => Some((said.task, said.token)),
        OperationBody::Lapse(lapse) => Some((lapse.task, lapse.token)),
        _ => None,
    }
}

/// Checks that task, token and assignee are those in force when the operation took effect.
fn check_report(
    model: &Model,
    said: (TaskId, FencingToken),
    receipt: &Receipt,
) -> Result<(), String> {
    let id = receipt.task;
    let in_force = model.tasks.get(&id).filter(|task| task.state.is_held());

    let holds = in_force.is_some_and(|task| {
        said == (id, task.token)
            && receipt.token == task.token
            && receipt.agent == task.holder.map(|(agent, _)| agent)
    });

    if holds {
        return Ok(());
    }

    Err(format!(
        "a report or lapse on {id} under {said:?} counted, but is not in force"
    ))
}
