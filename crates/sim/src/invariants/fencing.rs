//! Invariant 12 (fencing): a task and token have one assignee, tokens grow by one, and a report
//! under another token than the one in force has no effect.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::Certificate;
use quorate_types::{Body, FencingToken, Hash, Outcome, PublicKey, TaskId};

use super::oracle::{Model, OnLedger, Rule, State, Step};
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
            Step::Assigned(assignment) => {
                let id = assignment.task;
                let Some(task) = model.tasks.get(&id) else {
                    return Ok(());
                };

                // The model holds the state before the assignment.
                if assignment.token != task.token + 1 || task.state != State::Open {
                    let (token, last) = (assignment.token, task.token);
                    return Err(format!(
                        "task {id} was assigned with token {token} after {last}, or while not open"
                    ));
                }

                self.certify((id, assignment.token), assignment.agent)
            }

            Step::Moved(signed, receipt) => {
                let said = match &signed.payload.body {
                    Body::Accept(said)
                    | Body::Decline(said)
                    | Body::Complete(said)
                    | Body::Fail(said) => (said.task, said.token),
                    Body::Lapse(lapse) => (lapse.task, lapse.token),
                    _ => return Ok(()),
                };

                let id = receipt.task;
                let in_force = model.tasks.get(&id).filter(|task| task.state.is_held());

                // Task, token and assignee must be those in force when the operation took effect.
                let holds = in_force.is_some_and(|task| {
                    said == (id, task.token)
                        && receipt.token == task.token
                        && receipt.agent == task.holder.map(|(agent, _)| agent)
                });

                if holds {
                    Ok(())
                } else {
                    Err(format!(
                        "a report or lapse on {id} under {said:?} counted, but is not in force"
                    ))
                }
            }

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
                self.certify((assignment.task, assignment.token), assignment.agent)
            }
            _ => Ok(()),
        }
    }
}

impl Fencing {
    /// Notes the assignee of a task and token, which must be the same one each time.
    fn certify(&mut self, what: (TaskId, FencingToken), agent: PublicKey) -> Result<(), String> {
        let first = *self.certified.entry(what).or_insert(agent);
        if first == agent {
            return Ok(());
        }

        Err(format!(
            "task {} with token {} went to {first:?} and to {agent:?}",
            what.0, what.1
        ))
    }
}
