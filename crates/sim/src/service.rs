//! How well a swarm served its requester: how long tasks waited, and who did them.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_types::{Body, Height, Millis, Outcome, PublicKey, TaskId};

use crate::seen::Seen;
use crate::world::World;

/// Watches a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service {
    height: Height,
    awarded: BTreeMap<TaskId, Millis>,
    completed: BTreeMap<TaskId, Millis>,
    /// Who has a task, since when, at what price.
    held: BTreeMap<TaskId, (PublicKey, Millis, u64)>,
    work: BTreeMap<PublicKey, Work>,
}

/// What one agent did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Tasks given to it.
    pub awarded: u64,
    /// Tasks it completed.
    pub completed: u64,
    /// What it is to be paid for those.
    pub earned: u64,
    /// Milliseconds that it had a task, summed over its slots.
    pub busy_ms: Millis,
}

/// How long something took, over all tasks of which it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Tasks.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: Millis,
    /// 95 of a hundred took no longer.
    pub p95_ms: Millis,
    /// None took longer.
    pub max_ms: Millis,
}

impl Service {
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

    fn release(&mut self, task: TaskId, now: Millis, completed: bool) {
        let Some((agent, since, price)) = self.held.remove(&task) else {
            return;
        };
        let work = self.work.entry(agent).or_default();
        work.busy_ms += now.saturating_sub(since);
        if completed {
            work.completed += 1;
            work.earned = work.earned.saturating_add(price);
        }
    }

    /// From when tasks of the plan were wanted to when they were first given to somebody.
    pub(crate) fn to_award(&self, world: &World) -> Waits {
        waits(world, &self.awarded)
    }

    /// From when tasks of the plan were wanted to when they were done.
    pub(crate) fn to_completion(&self, world: &World) -> Waits {
        waits(world, &self.completed)
    }

    /// What each agent of the plan did, by its index.
    pub(crate) fn agents(&self, world: &World) -> Vec<Work> {
        let now = world.now();
        let agents = world
            .clients()
            .iter()
            .filter(|client| client.plan().is_some());
        let work = agents.map(|client| {
            let key = client.public_key();
            let held = self.held.values().filter(|(agent, ..)| *agent == key);
            let held: Millis = held.map(|(_, since, _)| now.saturating_sub(*since)).sum();
            let mut work = self.work.get(&key).copied().unwrap_or_default();
            work.busy_ms += held;
            work
        });
        work.collect()
    }
}

fn waits(world: &World, ends: &BTreeMap<TaskId, Millis>) -> Waits {
    let tasks = world
        .clients()
        .last()
        .into_iter()
        .flat_map(|client| client.tasks());
    let wait = |(index, id): (&usize, &TaskId)| {
        let wanted = world.plan().tasks.get(*index)?.at;
        Some(ends.get(id)?.saturating_sub(wanted))
    };
    let mut waits: Vec<Millis> = tasks.filter_map(wait).collect();
    waits.sort_unstable();
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
