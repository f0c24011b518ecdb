//! 14, capacity: the assignments of an agent never take more of anything than is attested to it
//! when they are made.

use super::oracle::{Model, OnLedger, Rule, Step, demand};
use crate::world::World;

/// The invariant, fresh.
pub(super) fn capacity() -> OnLedger<Capacity> {
    OnLedger::default()
}

/// See the module.
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
        for (name, amount) in demand(&task.spec) {
            let all = taken.get(&name).copied().unwrap_or(0) + amount;
            let has = attested.get(&name).copied().unwrap_or(0);
            if all > has {
                let id = assignment.task;
                return Err(format!(
                    "{id} makes it {all} of {has} {name:?} for {agent:?}"
                ));
            }
        }
        Ok(())
    }
}
