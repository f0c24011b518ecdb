//! The service that the requester got: how long its tasks waited, and which agents did them.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_types::outcome::Receipt;
use quorate_types::{Height, Millis, OperationBody, Outcome, PublicKey, TaskId};

use crate::seen::Seen;
use crate::world::World;

/// Collects waiting times and work while the run goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service {
    /// The highest height that was taken in.
    height: Height,
    /// The time at which each task was first assigned.
    awarded: BTreeMap<TaskId, Millis>,
    /// The time at which each task was completed.
    completed: BTreeMap<TaskId, Millis>,
    /// The agent that holds a task, with the time of the assignment and the price.
    held: BTreeMap<TaskId, (PublicKey, Millis, u64)>,
    work: BTreeMap<PublicKey, Work>,
}

/// The work of one agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// The number of assignments that it was given.
    pub awarded: u64,
    /// The number of tasks that it completed.
    pub completed: u64,
    /// The sum of the prices of the tasks that it completed.
    pub earned: u64,
    /// Milliseconds that it held a task, summed over its tasks.
    pub busy_ms: Millis,
}

/// How long something took, over all tasks for which it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// The number of tasks for which it is known.
    pub count: u64,
    /// The time in which half of them were served.
    pub p50_ms: Millis,
    /// The time in which 95 of a hundred were served.
    pub p95_ms: Millis,
    /// The longest time.
    pub max_ms: Millis,
}

impl Service {
    /// Takes in the outcomes of a block when the first correct validator decides it.
    pub(crate) fn see(&mut self, world: &World, seen: &Seen) {
        let Seen::Committed {
            validator,
            block,
            effects,
            ..
        } = seen
        else {
            return;
        };

        let correct = world
            .validators()
            .get(*validator)
            .is_some_and(|host| host.is_correct());

        let height = block.header.height;
        if height <= self.height || !correct {
            return;
        }

        self.height = height;
        for outcome in &effects.outcomes {
            self.take(outcome, world.now());
        }
    }

    /// Takes in one outcome of a block.
    fn take(&mut self, outcome: &Outcome, now: Millis) {
        match outcome {
            Outcome::Assignment(assignment) => {
                let task = assignment.task;
                let agent = assignment.agent;
                let price = u64::try_from(assignment.price).unwrap_or(0);

                self.awarded.entry(task).or_insert(now);
                self.held.insert(task, (agent, now, price));
                self.work.entry(agent).or_default().awarded += 1;
            }

            Outcome::Receipt(receipt) => self.take_receipt(receipt, now),
            _ => {}
        }
    }

    /// Takes in a receipt of a block.
    fn take_receipt(&mut self, receipt: &Receipt, now: Millis) {
        let task = receipt.task;

        match receipt.operation.payload.body {
            // An accept does not end the assignment; every other receipt does.
            OperationBody::Accept(_) => {}
            OperationBody::Complete(_) => {
                self.completed.entry(task).or_insert(now);
                self.release(task, now, true);
            }
            _ => self.release(task, now, false),
        }
    }

    /// Ends the assignment of a task, and counts the time for which it was held.
    fn release(&mut self, task: TaskId, now: Millis, completed: bool) {
        let Some((agent, since, price)) = self.held.remove(&task) else {
            return;
        };

        let work = self.work.entry(agent).or_default();
        work.busy_ms += now.saturating_sub(since);

        // Only completed tasks are paid.
        if completed {
            work.completed += 1;
            work.earned = work.earned.saturating_add(price);
        }
    }

    /// The times from when tasks of the plan were due to when they were first assigned.
    pub(crate) fn to_award(&self, world: &World) -> Waits {
        waits(world, &self.awarded)
    }

    /// The times from when tasks of the plan were due to when they were completed.
    pub(crate) fn to_completion(&self, world: &World) -> Waits {
        waits(world, &self.completed)
    }

    /// The work of each agent of the plan, by its index.
    pub(crate) fn agents(&self, world: &World) -> Vec<Work> {
        let clients = world.clients().iter();
        let agents = clients.filter(|client| client.plan().is_some());

        agents
            .map(|client| self.work_of(&client.public_key(), world.now()))
            .collect()
    }

    /// The work of an agent. Assignments that have not ended count up to now.
    fn work_of(&self, key: &PublicKey, now: Millis) -> Work {
        let mut work = self.work.get(key).copied().unwrap_or_default();

        for (agent, since, _) in self.held.values() {
            if agent == key {
                work.busy_ms += now.saturating_sub(*since);
            }
        }

        work
    }
}

/// The waits of the requester's tasks, from when they were due to their `ends`.
fn waits(world: &World, ends: &BTreeMap<TaskId, Millis>) -> Waits {
    // A task that was not served has no wait.
    let wait = |(index, id): (&usize, &TaskId)| {
        let wanted = world.plan().tasks.get(*index)?.at;
        Some(ends.get(id)?.saturating_sub(wanted))
    };

    let requester = world.clients().last().into_iter();
    let tasks = requester.flat_map(|client| client.tasks());

    let mut waits: Vec<Millis> = tasks.filter_map(wait).collect();
    waits.sort_unstable();

    Waits {
        count: waits.len() as u64,
        p50_ms: nearest_rank(&waits, 50),
        p95_ms: nearest_rank(&waits, 95),
        max_ms: nearest_rank(&waits, 100),
    }
}

/// The least of some sorted times that so many percent of them do not exceed; 0 if there are none.
fn nearest_rank(sorted: &[Millis], percent: usize) -> Millis {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}
