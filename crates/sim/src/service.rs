//! The service that the requester got: how long its tasks waited, and which agents did them.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_types::{Body, Height, Millis, Outcome, PublicKey, TaskId};

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
            committed,
            ..
        } = seen
        else {
            return;
        };

        let correct = world
            .validators()
            .get(*validator)
            .is_some_and(|host| host.is_correct());

        if committed.height <= self.height || !correct {
            return;
        }

        self.height = committed.height;
        for outcome in &committed.outcomes {
            self.take(outcome, world.now());
        }
    }

    /// Takes in one outcome of a block.
    fn take(&mut self, outcome: &Outcome, now: Millis) {
        match outcome {
            Outcome::Assignment(assignment) => {
                let price = u64::try_from(assignment.price).unwrap_or(0);

                self.awarded.entry(assignment.task).or_insert(now);
                self.held
                    .insert(assignment.task, (assignment.agent, now, price));
                self.work.entry(assignment.agent).or_default().awarded += 1;
            }

            Outcome::Receipt(receipt) => match receipt.operation.payload.body {
                // An accept does not end the assignment; every other receipt does.
                Body::Accept(_) => {}
                Body::Complete(_) => {
                    self.completed.entry(receipt.task).or_insert(now);
                    self.release(receipt.task, now, true);
                }
                _ => self.release(receipt.task, now, false),
            },
            _ => {}
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
        let now = world.now();
        let agents = world
            .clients()
            .iter()
            .filter(|client| client.plan().is_some());

        let work = agents.map(|client| {
            let key = client.public_key();

            // Assignments that have not ended count up to now.
            let held = self.held.values().filter(|(agent, ..)| *agent == key);
            let held: Millis = held.map(|(_, since, _)| now.saturating_sub(*since)).sum();
            let mut work = self.work.get(&key).copied().unwrap_or_default();
            work.busy_ms += held;
            work
        });

        work.collect()
    }
}

/// The waits of the requester's tasks, from when they were due to their `ends`.
fn waits(world: &World, ends: &BTreeMap<TaskId, Millis>) -> Waits {
    let tasks = world
        .clients()
        .last()
        .into_iter()
        .flat_map(|client| client.tasks());

    // A task that was not served has no wait.
    let wait = |(index, id): (&usize, &TaskId)| {
        let wanted = world.plan().tasks.get(*index)?.at;
        Some(ends.get(id)?.saturating_sub(wanted))
    };

    let mut waits: Vec<Millis> = tasks.filter_map(wait).collect();
    waits.sort_unstable();

    // Nearest rank: the least wait that so many percent do not exceed.
    let at = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100);
        waits.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    };

    Waits {
        count: waits.len() as u64,
        p50_ms: at(50),
        p95_ms: at(95),
        max_ms: at(100),
    }
}
