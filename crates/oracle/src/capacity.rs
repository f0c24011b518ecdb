//! Invariant 14 (capacity): the assignments of an agent never take more of any amount than is
//! attested to the agent when they are made.

use quorate_types::Genesis;

use crate::model::Model;
use crate::rule::Rule;
use crate::steps::Step;
use crate::task::{amount_of, demand};

/// Invariant 14, which keeps no state besides the model.
#[derive(Debug, Default)]
pub struct Capacity;

impl Rule for Capacity {
    const NUMBER: u8 = 14;
    const NAME: &'static str = "capacity";

    fn judge(&mut self, _: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String> {
        let Step::Assigned(assignment) = step else {
            return Ok(());
        };

        let id = assignment.task;
        let Some(task) = model.task(&id) else {
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
