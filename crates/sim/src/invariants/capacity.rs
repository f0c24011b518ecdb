//! Invariant 14 (capacity): the assignments of an agent never take more of any amount than is
//! attested to the agent when they are made.

use super::oracle::{Model, OnLedger, Rule, Step, demand};
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
        let Some(task) = model.tasks.get(&assignment.task) else {
            return Ok(());
        };

        let agent = assignment.agent;
        let (taken, attested) = (model.committed(&agent), model.capabilities(&agent).amounts);

        // The new task counts together with everything that the agent holds.
        for (name, amount) in demand(&task.spec) {
            let all = taken.get(&name).copied().unwrap_or(0) + amount;
            let has = attested.get(&name).copied().unwrap_or(0);

            if all > has {
                let id = assignment.task;
                return Err(format!(
                    "task {id} takes {agent:?} to {all} of {has} {name:?}"
                ));
            }
        }

        Ok(())
    }
}
