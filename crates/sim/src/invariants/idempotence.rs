//! 16, idempotence: however often an operation is sent, it is committed once, in its place, and has
//! its effect once.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Body, Height, PublicKey, SignedOperation, TaskId};

use super::oracle::{Model, OnLedger, Rule, Step};
use crate::seen::Seen;
use crate::world::World;

/// The invariant, fresh.
pub(super) fn idempotence() -> OnLedger<Idempotence> {
    OnLedger::default()
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Idempotence {
    next: BTreeMap<PublicKey, u64>,
    /// Sequences in the blocks at hand.
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
                match ids.find(|id| model.tasks.contains_key(id)) {
                    Some(id) => Err(format!("{id} was taken in twice")),
                    None => Ok(()),
                }
            }
            (Step::Moved(_, receipt), _) => {
                let ended = model
                    .tasks
                    .get(&receipt.task)
                    .filter(|task| task.state.has_ended());
                match ended {
                    Some(task) => Err(format!("{} is {}", receipt.task, task.state.name())),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// L-5: from 0, without a gap, over all phases of a block.
    fn see(&mut self, _: &World, _: &Model, _: &Seen) -> Result<(), String> {
        for ((height, agent), sequences) in std::mem::take(&mut self.new) {
            let next = self.next.entry(agent).or_insert(0);
            if !sequences
                .iter()
                .copied()
                .eq(*next..*next + sequences.len() as u64)
            {
                return Err(format!(
                    "height {height}: operations {sequences:?} of {agent:?}, {next} was next"
                ));
            }
            *next += sequences.len() as u64;
        }
        Ok(())
    }
}

impl Idempotence {
    fn count(&mut self, height: Height, signed: &SignedOperation) -> Result<(), String> {
        let (agent, sequence) = (signed.payload.agent, signed.payload.sequence);
        match self
            .new
            .entry((height, agent))
            .or_default()
            .insert(sequence)
        {
            true => Ok(()),
            false => Err(format!("operation {sequence} of {agent:?} twice")),
        }
    }
}
