//! Invariant 16 (idempotence): an operation is committed once, in the order of its agent's sequence
//! numbers, and has its effect once, however often it is sent.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Body, Height, PublicKey, SignedOperation, TaskId};

use super::oracle::{Model, OnLedger, Rule, Step};
use crate::seen::Seen;
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn idempotence() -> OnLedger<Idempotence> {
    OnLedger::default()
}

/// Invariant 16, with the sequence numbers that were committed.
#[derive(Debug, Default)]
pub(super) struct Idempotence {
    /// By agent: the sequence number that must be committed next.
    next: BTreeMap<PublicKey, u64>,
    /// The sequence numbers in the blocks of the current observation.
    new: BTreeMap<(Height, PublicKey), BTreeSet<u64>>,
}

impl Rule for Idempotence {
    const NUMBER: u8 = 16;
    const NAME: &'static str = "idempotence";

    fn judge(&mut self, _: &World, model: &Model, step: &Step<'_>) -> Result<(), String> {
        let (Step::Took(signed, _) | Step::Refused(signed, _) | Step::Moved(signed, _)) = step
        else {
            return Ok(());
        };

        self.count(model.now.height, signed)?;

        match (step, &signed.payload.body) {
            (Step::Took(..), Body::Submit(submit)) => {
                let requester = signed.payload.agent;
                let ids = (submit.first..).take(submit.tasks.len());
                let mut ids = ids.map(|number| TaskId { requester, number });

                // The model does not hold the tasks of this operation yet.
                match ids.find(|id| model.tasks.contains_key(id)) {
                    Some(id) => Err(format!("task {id} was taken in twice")),
                    None => Ok(()),
                }
            }

            (Step::Moved(_, receipt), _) => {
                // A task that has ended changes no more (L-15).
                let ended = model
                    .tasks
                    .get(&receipt.task)
                    .filter(|task| task.state.has_ended());

                match ended {
                    Some(task) => Err(format!(
                        "task {} was changed, although it is {}",
                        receipt.task,
                        task.state.name()
                    )),
                    None => Ok(()),
                }
            }

            _ => Ok(()),
        }
    }

    /// L-5: checks that an agent's sequence numbers start at 0 and have no gap, over all phases.
    fn see(&mut self, _: &World, _: &Model, _: &Seen) -> Result<(), String> {
        // Within a block the numbers need not ascend, because phases come first (L-5).
        for ((height, agent), sequences) in std::mem::take(&mut self.new) {
            let next = self.next.entry(agent).or_insert(0);

            if !sequences
                .iter()
                .copied()
                .eq(*next..*next + sequences.len() as u64)
            {
                return Err(format!(
                    "height {height}: operations {sequences:?} of {agent:?} are committed, but \
                     {next} was next"
                ));
            }

            *next += sequences.len() as u64;
        }

        Ok(())
    }
}

impl Idempotence {
    /// Notes the sequence number of an operation, which may be only once in a block.
    fn count(&mut self, height: Height, signed: &SignedOperation) -> Result<(), String> {
        let (agent, sequence) = (signed.payload.agent, signed.payload.sequence);

        match self
            .new
            .entry((height, agent))
            .or_default()
            .insert(sequence)
        {
            true => Ok(()),
            false => Err(format!(
                "operation {sequence} of {agent:?} is twice in one block"
            )),
        }
    }
}
