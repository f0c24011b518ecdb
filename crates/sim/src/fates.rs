//! The fates of tasks and liars at the end of a run, by the ledger of a correct validator.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_ledger::{Ledger, TaskState};
use quorate_types::{Height, PublicKey};

use crate::world::World;

/// A validator or agent that lied by the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adversary {
    /// The host as traces name it: `v0` for a validator, `c0` for an agent.
    pub who: String,
    /// The name of its lie, or of the agent's manner, as in plans.
    pub lie: &'static str,
    /// The height at which evidence against it was committed. Only validators can be convicted.
    pub convicted_at: Option<Height>,
    /// The number of its operations that the swarm refused, in whole or in part.
    pub refused: u64,
}

/// Counts the tasks of the plan by their state. Tasks that no block holds are `unknown`.
pub(crate) fn tasks(world: &World) -> BTreeMap<&'static str, u64> {
    let planned = world.plan().tasks.len() as u64;

    let (Some(ledger), Some(requester)) = (newest(world), world.clients().last()) else {
        return BTreeMap::from([("unknown", planned)]);
    };

    let mut fates = BTreeMap::new();
    let submitted = requester.tasks().values();

    for view in submitted.filter_map(|id| ledger.task(*id)) {
        *fates.entry(name(&view.state)).or_insert(0) += 1;
    }

    // The requester may not have submitted all tasks of the plan.
    let known: u64 = fates.values().sum();
    if known < planned {
        fates.insert("unknown", planned - known);
    }

    fates
}

/// Lists the validators and agents that lie by the plan.
pub(crate) fn adversaries(
    world: &World,
    convicted: &BTreeMap<PublicKey, Height>,
) -> Vec<Adversary> {
    let mut adversaries = lying_validators(world, convicted);
    adversaries.extend(lying_agents(world));
    adversaries
}

/// Lists the validators that lie by the plan.
fn lying_validators(world: &World, convicted: &BTreeMap<PublicKey, Height>) -> Vec<Adversary> {
    // Twins come after the validators of the plan and are counted with their originals.
    let count = world.plan().validators.len();
    let planned = world.validators().iter().take(count).enumerate();

    let liars = planned.filter_map(|(at, host)| {
        Some(Adversary {
            who: format!("v{at}"),
            lie: host.lie()?.name(),
            convicted_at: convicted.get(&host.public_key()).copied(),
            refused: 0,
        })
    });

    liars.collect()
}

/// Lists the agents that lie by the plan.
fn lying_agents(world: &World) -> Vec<Adversary> {
    let ledger = newest(world);
    let refusals = |key: &PublicKey| Some(ledger?.account(key)?.refusals);

    let mut liars = Vec::new();

    for (at, client) in world.clients().iter().enumerate() {
        let Some(plan) = client.plan().filter(|_| !client.is_correct()) else {
            continue;
        };

        liars.push(Adversary {
            who: format!("c{at}"),
            lie: plan.manner.name(),
            convicted_at: None,
            refused: refusals(&client.public_key()).unwrap_or(0),
        });
    }

    liars
}

/// The newest ledger among the correct validators that run.
fn newest(world: &World) -> Option<&Ledger> {
    let correct = world.validators().iter().filter(|host| host.is_correct());
    let ledgers = correct.filter_map(|host| Some(host.replica()?.ledger()));
    let newest = ledgers.max_by_key(|ledger| ledger.height())?;
    Some(newest)
}

fn name(state: &TaskState) -> &'static str {
    match state {
        TaskState::Open => "open",
        TaskState::Assigned(_) => "assigned",
        TaskState::Working(_) => "working",

        TaskState::Completed(_) => "completed",
        TaskState::Failed => "failed",
        TaskState::Canceled => "canceled",
        TaskState::Expired => "expired",
    }
}
