//! Invariant 12 (fencing): a task and token have one assignee, tokens grow by one, and a report
//! under another token than the one in force has no effect.

use std::collections::BTreeMap;

use quorate_types::outcome::{Assignment, Receipt};
use quorate_types::{FencingToken, Genesis, OperationBody, PublicKey, TaskId};

use crate::model::Model;
use crate::rule::Rule;
use crate::steps::Step;
use crate::task::ModelState;

/// Invariant 12, with the assignees seen so far.
#[derive(Debug, Default)]
pub struct Fencing {
    /// By task and token: the assignee, from blocks and from certificates.
    certified: BTreeMap<(TaskId, FencingToken), PublicKey>,
}

impl Rule for Fencing {
    const NUMBER: u8 = 12;
    const NAME: &'static str = "fencing";

    fn judge(&mut self, _: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Assigned(assignment) => self.check_assigned(model, assignment),

            Step::Moved(signed, receipt) => match reported(&signed.payload.body) {
                Some(said) => check_report(model, said, receipt),
                None => Ok(()),
            },

            _ => Ok(()),
        }
    }
}

impl Fencing {
    /// Checks that an open task is assigned under its next token; `model` holds the state before.
    fn check_assigned(&mut self, model: &Model, assignment: &Assignment) -> Result<(), String> {
        let id = assignment.task;
        let Some(task) = model.task(&id) else {
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
    ///
    /// # Errors
    /// If it is another one than before: a description for people.
    pub fn certify(
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
    let in_force = model.task(&id).filter(|task| task.state.is_held());

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
