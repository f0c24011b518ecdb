//! Invariant 10 (progress): after healing, every task that was taken in and that an honest agent
//! can do has ended when patience is over, unless a dishonest agent holds it.
//!
//! An agent that is heard from keeps what it won, whether it does the task or not. It is for the
//! requester to cancel such a task.

use quorate_oracle::{Model, ModelState, Task};
use quorate_types::TaskId;

use super::invariant::Invariant;
use super::observed::decided;
use crate::seen::Seen;
use crate::world::{Client, World};

/// Invariant 10, with the states that the blocks give.
#[derive(Debug, Default)]
pub(super) struct Progress {
    model: Model,
}

impl Invariant for Progress {
    fn number(&self) -> u8 {
        10
    }

    fn name(&self) -> &'static str {
        "progress"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.model.follow(world.genesis(), decided(world, seen));
        Ok(())
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        let model = &self.model;
        let plan = world.plan();
        if world.now() < plan.heal_at.saturating_add(plan.patience) {
            return Ok(());
        }

        // The requester is the last client.
        if let Some(requester) = world.clients().last() {
            check_submitted(requester, plan.tasks.len(), model)?;
        }

        // A liar that is heard from may keep a task, so nobody else can end it.
        let waits = |task: &Task| !task.state.has_ended() && !is_held_by_a_liar(world, task);
        for (id, task) in model.tasks().iter().filter(|(_, task)| waits(task)) {
            if let Some(agent) = able(world, model, id) {
                let state = task.state.name();
                return Err(format!(
                    "{id} is {state} at the end; agent {agent} could do it"
                ));
            }
        }

        Ok(())
    }
}

/// Checks that the requester submitted this number of tasks, and that each was taken in or refused.
fn check_submitted(requester: &Client, tasks: usize, model: &Model) -> Result<(), String> {
    if requester.tasks().len() < tasks {
        return Err("the requester could not submit all its tasks".to_owned());
    }

    // A task that is not in the model was refused, and its requester must have learned that.
    let ended = |id: &TaskId| requester.ended().contains(id);
    let mut wanted = requester.tasks().values();

    if let Some(id) = wanted.find(|id| model.task(id).is_none() && !ended(id)) {
        return Err(format!(
            "task {id} was submitted, but neither taken in nor refused"
        ));
    }

    Ok(())
}

/// Whether an agent that is not honest won the task and keeps it.
fn is_held_by_a_liar(world: &World, task: &Task) -> bool {
    let taken = matches!(task.state, ModelState::Assigned | ModelState::Working);
    let holder = task
        .holder
        .as_ref()
        .map(|(agent, _)| agent)
        .filter(|_| taken);

    holder.is_some_and(|holder| {
        world
            .clients()
            .iter()
            .any(|c| c.public_key() == *holder && c.hoards())
    })
}

/// The index of an honest agent that may do the task.
fn able(world: &World, model: &Model, id: &TaskId) -> Option<usize> {
    let task = model.task(id)?;

    world.clients().iter().position(|client| {
        // Without an attestation in force an agent has no amounts, not even a slot.
        let attested = model.capabilities(&client.public_key());

        client.plan().is_some()
            && client.is_correct()
            && !task.excluded.contains(&client.public_key())
            && !attested.amounts.is_empty()
            && task.spec.requires.labels.is_subset(&attested.labels)
    })
}
