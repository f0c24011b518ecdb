//! Invariant 16 (idempotence): an operation is committed once, in the order of its agent's sequence
//! numbers, and has its effect once, however often it is sent.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Genesis, Height, OperationBody, PublicKey, SignedOperation, TaskId};

use crate::model::Model;
use crate::rule::Rule;
use crate::steps::Step;

/// Invariant 16, with the sequence numbers that were committed.
#[derive(Debug, Default)]
pub struct Idempotence {
    /// By agent: the sequence number that must be committed next.
    next: BTreeMap<PublicKey, u64>,
    /// The sequence numbers in blocks that are not settled.
    new: BTreeMap<(Height, PublicKey), BTreeSet<u64>>,
}

impl Rule for Idempotence {
    const NUMBER: u8 = 16;
    const NAME: &'static str = "idempotence";

    fn judge(&mut self, _: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Took(signed, _) => {
                self.count(model.now().height, signed)?;
                check_submitted(model, signed)
            }

            Step::Refused(signed, _) => self.count(model.now().height, signed),

            Step::Moved(signed, receipt) => {
                self.count(model.now().height, signed)?;
                check_moved(model, receipt.task)
            }

            _ => Ok(()),
        }
    }

    /// L-5: checks that an agent's sequence numbers start at 0 and have no gap, over all phases.
    fn settle(&mut self, _: &Genesis) -> Result<(), String> {
        // Within a block the numbers need not ascend, because phases come first (L-5).
        for ((height, agent), sequences) in std::mem::take(&mut self.new) {
            let next = self.next.entry(agent).or_insert(0);

            let expected = *next..*next + sequences.len() as u64;

            if !sequences.iter().copied().eq(expected.clone()) {
                return Err(format!(
                    "height {height}: operations {sequences:?} of {agent:?} are committed, but \
                     {next} was next"
                ));
            }

            *next = expected.end;
        }

        Ok(())
    }
}

impl Idempotence {
    /// Notes the sequence number of an operation, which may be only once in a block.
    fn count(&mut self, height: Height, signed: &SignedOperation) -> Result<(), String> {
        let agent = signed.payload.agent;
        let sequence = signed.payload.sequence;
        let sequences = self.new.entry((height, agent)).or_default();

        match sequences.insert(sequence) {
            true => Ok(()),
            false => Err(format!(
                "operation {sequence} of {agent:?} is twice in one block"
            )),
        }
    }
}

/// Checks that none of the tasks that an operation submits is in the model, which does not hold
/// those of this operation yet.
fn check_submitted(model: &Model, signed: &SignedOperation) -> Result<(), String> {
    let OperationBody::Submit(submit) = &signed.payload.body else {
        return Ok(());
    };

    let requester = signed.payload.agent;
    let numbers = (submit.first..).take(submit.tasks.len());

    let mut ids = numbers.map(|number| TaskId { requester, number });
    let known = ids.find(|id| model.task(id).is_some());

    match known {
        Some(id) => Err(format!("task {id} was taken in twice")),
        None => Ok(()),
    }
}

/// L-15: checks that a task that was changed had not ended.
fn check_moved(model: &Model, id: TaskId) -> Result<(), String> {
    let ended = model.task(&id).filter(|task| task.state.has_ended());

    match ended {
        Some(task) => Err(format!(
            "task {id} was changed, although it is {}",
            task.state.name()
        )),
        None => Ok(()),
    }
}
