//! A run as it was observed, and ways to tell it otherwise.

use std::sync::Arc;

use quorate_crypto::{SignatureMemo, Verified};
use quorate_ledger::Committed;
use quorate_types::{Block, Header, Height, Outcome};

use crate::invariants::Invariant;
use crate::plan::Plan;
use crate::profile::{Profile, Size};
use crate::seen::Seen;
use crate::world::World;

/// A world at its end, and all that was seen on the way.
pub(super) struct Record {
    pub(super) world: World,
    pub(super) seen: Vec<Seen>,
    _memo: SignatureMemo,
}

/// Two agents with one slot each, of which the first is always the cheaper; nothing goes wrong.
fn plan() -> Plan {
    let size = Size { validators: 4, agents: 2, tasks: 6, heights: 5 };
    let mut plan = Profile::Calm.plan(1, size);
    for (agent, price) in plan.agents.iter_mut().zip([1, 1_000]) {
        (agent.slots, agent.price, agent.work_ms) = (1, price, 100);
    }
    for (at, task) in (0..).zip(&mut plan.tasks) {
        (task.at, task.requires) = (500 + 300 * at, Vec::new());
    }
    (plan.heal_at, plan.patience) = (3_000, 1_000);
    plan
}

impl Record {
    pub(super) fn new() -> Self {
        let memo = SignatureMemo::start();
        let mut world = World::new(plan()).unwrap();
        let mut seen = Vec::new();
        while world.now() < 6_000 {
            seen.extend(world.step().unwrap());
        }
        Self { world, seen, _memo: memo }
    }

    /// How an invariant finds the run, told as `seen`.
    pub(super) fn judged(
        &self,
        invariant: &mut dyn Invariant,
        seen: &[Seen],
    ) -> Result<(), String> {
        seen.iter().try_for_each(|seen| invariant.see(&self.world, seen))?;
        invariant.end(&self.world)
    }
}

/// Changes what every decided block is said to have done.
pub(super) fn outcomes(seen: &mut [Seen], mut change: impl FnMut(Height, &mut Committed)) {
    for seen in seen {
        if let Seen::Committed { block, committed, .. } = seen {
            let mut changed = (**committed).clone();
            change(block.header.height, &mut changed);
            *committed = Arc::new(changed);
        }
    }
}

/// Changes each outcome of each block.
pub(super) fn each_outcome(seen: &mut [Seen], mut change: impl FnMut(&mut Outcome)) {
    outcomes(seen, |_, committed| committed.outcomes.iter_mut().for_each(&mut change));
}

/// Changes decided blocks of one height; signatures in them stay good.
pub(super) fn blocks(seen: &mut [Seen], height: Height, mut change: impl FnMut(usize, &mut Parts)) {
    for seen in seen {
        if let Seen::Committed { validator, block, .. } = seen
            && block.header.height == height
        {
            let mut parts = Parts::of(block);
            change(*validator, &mut parts);
            let Parts { header, operations, evidence } = parts;
            *block = Arc::new(Verified::<Block>::assemble(header, operations, evidence, None));
        }
    }
}

/// A block taken apart.
pub(super) struct Parts {
    pub(super) header: Header,
    pub(super) operations: Vec<Verified<quorate_types::SignedOperation>>,
    pub(super) evidence: Vec<Verified<quorate_types::Evidence>>,
}

impl Parts {
    pub(super) fn of(block: &Block) -> Self {
        let operations = block.operations.iter().cloned();
        let operations = operations.map(|signed| quorate_crypto::verify(signed).unwrap());
        let evidence = block.evidence.iter().cloned();
        let evidence = evidence.map(|found| quorate_crypto::verify_evidence(found).unwrap());
        let header = block.header.clone();
        Self { header, operations: operations.collect(), evidence: evidence.collect() }
    }
}
