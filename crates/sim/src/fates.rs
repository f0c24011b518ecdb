//! What became of tasks and of liars, as the ledger of a correct validator has it at the end.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_ledger::{Ledger, TaskState};
use quorate_types::{Height, PublicKey};

use crate::world::World;

/// Someone who lied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adversary {
    /// `v0` for a validator, `c0` for an agent, as in traces.
    pub who: String,
    /// The lie, or the agent's manner, by its name in plans.
    pub lie: &'static str,
    /// Height at which evidence against it was committed; validators alone can be convicted.
    pub convicted_at: Option<Height>,
    /// Operations of it that the swarm refused, wholly or in part.
    pub refused: u64,
}

/// Tasks of the plan by what became of them; `unknown` are those that no block holds.
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
    let known: u64 = fates.values().sum();
    if known < planned {
        fates.insert("unknown", planned - known);
    }
    fates
}

/// Whoever lies by the plan.
pub(crate) fn adversaries(
    world: &World,
    convicted: &BTreeMap<PublicKey, Height>,
) -> Vec<Adversary> {
    let ledger = newest(world);
    let refused = |key: &PublicKey| Some(ledger?.account(key)?.refusals);
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

/// The newest state among correct validators that run.
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
