//! Invariant 14 (capacity): the assignments of an agent never take more of any amount than is
//! attested to the agent when they are made.

use super::oracle::{Model, OnLedger, Rule, Step, amount_of, demand};
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn capacity() -> OnLedger<Capacity> {
    OnLedger::default()
}

/// Invariant 14, which keeps no state besides the model.
#[derive(Debug, Default)]
pub(super) struct Capacity;

impl Rule for Capacity {
    const NUMBER: u8 = 14;
    const NAME: &'static str = "capacity";

    fn judge(&mut self, _: &World, model: &Model, step: &Step<'_>) -> Result<(), String> {
        let Step::Assigned(assignment) = step else {
            return Ok(());
        };

        let id = assignment.task;
        let Some(task) = model.tasks.get(&id) else {
            return Ok(());
        };

        let agent = assignment.agent;
        let taken = model.committed(&agent);
        let attested = model.capabilities(&agent).amounts;

        // The new task counts together with everything that the agent holds.
        for (name, amount) in demand(&task.spec) {
            let all = amount_of(&taken, &name) + amount;
            let has = amount_of(&attested, &name);

            if all > has {
                return Err(format!(
                    "task {id} takes {agent:?} to {all} of {has} {name:?}"
                ));
            }
        }

        Ok(())
    }
}
