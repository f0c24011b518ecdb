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
    let mut fates = BTreeMap::new();
    let planned = world.plan().tasks.len() as u64;
    let (Some(ledger), Some(requester)) = (newest(world), world.clients().last()) else {
        return BTreeMap::from([("unknown", planned)]);
    };

    let views = requester.tasks().values().filter_map(|id| ledger.task(*id));

    for state in views.map(|view| name(&view.state)) {
        *fates.entry(state).or_insert(0) += 1;
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
    let ledger = newest(world);
    let refused = |key: &PublicKey| Some(ledger?.account(key)?.refusals);

    // Twins come after the validators of the plan and are counted with their originals.
    let planned = world
        .validators()
        .iter()
        .take(world.plan().validators.len())
        .enumerate();

    let validators = planned.filter_map(|(at, host)| {
        let convicted_at = convicted.get(&host.public_key()).copied();
        let lie = host.lie()?.name();
        Some(Adversary {
            who: format!("v{at}"),
            lie,
            convicted_at,
            refused: 0,
        })
    });

    let agents = world
        .clients()
        .iter()
        .enumerate()
        .filter(|(_, client)| !client.is_correct());

    let agents = agents.filter_map(|(at, client)| {
        let refused = refused(&client.public_key()).unwrap_or(0);
        let lie = client.plan()?.manner.name();
        Some(Adversary {
            who: format!("c{at}"),
            lie,
            convicted_at: None,
            refused,
        })
    });

    validators.chain(agents).collect()
}

/// The newest ledger among the correct validators that run.
fn newest(world: &World) -> Option<&Ledger> {
    let correct = world.validators().iter().filter(|host| host.is_correct());
    let ledgers = correct
        .filter_map(|host| host.replica())
        .map(|replica| replica.ledger());
    ledgers
        .map(AsRef::as_ref)
        .max_by_key(|ledger| ledger.height())
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
