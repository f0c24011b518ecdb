//! A run as it was observed, and functions that change what was observed.

use std::sync::Arc;

use quorate_crypto::{SignatureMemo, Verified, merkle};
use quorate_oracle::Effects;
use quorate_types::outcome::{ClearingInput, ClearingRecord};
use quorate_types::{Block, Header, Height, Outcome, Reason, cbor};

use crate::adversary::Manner;
use crate::invariants::Invariant;
use crate::plan::Plan;
use crate::profile::{Profile, Size};
use crate::seen::Seen;
use crate::world::World;

/// A world at its end, with all observations on the way.
pub(super) struct Record {
    pub(super) world: World,
    pub(super) seen: Vec<Seen>,
    _memo: SignatureMemo,
}

/// A plan without faults: two agents with one slot each, of which the first always asks less.
fn plan() -> Plan {
    let size = Size {
        validators: 4,
        agents: 2,
        tasks: 6,
        heights: 5,
    };

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

/// A plan with a market that takes solutions: three solvers, and one agent that proposes solutions
/// that do not hold. All agents ask the same, so that the tie rule often decides which solution is
/// better.
fn solved() -> Plan {
    let size = Size {
        validators: 4,
        agents: 4,
        tasks: 12,
        heights: 5,
    };

    // A seed whose run has what all rows need: a solution that is taken, one that is kept and not
    // taken, and windows that pass through each part.
    let mut plan = Profile::Calm.plan(2, size);
    plan.market.mechanism = "gap".parse().unwrap();
    (plan.market.window_ms, plan.market.solve_ms) = (200, Some(700));

    for agent in &mut plan.agents {
        (agent.slots, agent.price, agent.work_ms, agent.solves) = (2, 5, 100, true);
    }

    (plan.agents[3].manner, plan.agents[3].solves) = (Manner::FalseSolver, false);

    for (at, task) in (0..).zip(&mut plan.tasks) {
        (task.at, task.requires) = (500 + at / 4 * 1_000, Vec::new());
    }

    (plan.heal_at, plan.patience) = (3_000, 1_000);
    plan
}

impl Record {
    pub(super) fn new() -> Self {
        Self::of(plan())
    }

    pub(super) fn solved() -> Self {
        Self::of(solved())
    }

    fn of(plan: Plan) -> Self {
        let memo = SignatureMemo::start();
        let mut world = World::new(plan).unwrap();

        let mut seen = Vec::new();
        while world.now() < 6_000 {
            seen.extend(world.step().unwrap());
        }

        Self {
            world,
            seen,
            _memo: memo,
        }
    }

    /// Judges the run by an invariant, as if `seen` were all observations of it.
    pub(super) fn judged(
        &self,
        invariant: &mut dyn Invariant,
        seen: &[Seen],
    ) -> Result<(), String> {
        seen.iter()
            .try_for_each(|seen| invariant.see(&self.world, seen))?;
        invariant.end(&self.world)
    }
}

/// Changes what every decided block did.
pub(super) fn outcomes(seen: &mut [Seen], mut change: impl FnMut(Height, &mut Effects)) {
    for seen in seen {
        if let Seen::Committed { block, effects, .. } = seen {
            let mut changed = (**effects).clone();
            change(block.header.height, &mut changed);
            *effects = Arc::new(changed);
        }
    }
}

/// Changes each outcome of every decided block.
pub(super) fn each_outcome(seen: &mut [Seen], mut change: impl FnMut(&mut Outcome)) {
    outcomes(seen, |_, effects| {
        effects.outcomes.iter_mut().for_each(&mut change)
    });
}

/// A clearing: its record, and the inputs that the record binds.
pub(super) struct Dossier {
    pub(super) record: ClearingRecord,
    pub(super) inputs: Vec<ClearingInput>,
}

/// The clearing record that an outcome is; `None` if it is of another kind.
fn record(outcome: &Outcome) -> Option<&ClearingRecord> {
    match outcome {
        Outcome::Clearing(record) => Some(record),
        _ => None,
    }
}

/// Changes clearings. Everything that follows from a changed dossier changes with it: the root and
/// the number of its inputs, and every place that names its record.
pub(super) fn clearings(seen: &mut [Seen], mut change: impl FnMut(&mut Dossier)) {
    outcomes(seen, |_, effects| {
        let records = effects.outcomes.iter().filter_map(record);
        let records: Vec<ClearingRecord> = records.cloned().collect();

        for (record, inputs) in records.into_iter().zip(&mut effects.inputs) {
            let before = record.hash();
            let mut dossier = Dossier {
                record,
                inputs: std::mem::take(inputs),
            };

            change(&mut dossier);

            let leaves: Vec<Vec<u8>> = dossier.inputs.iter().map(cbor::encode).collect();
            dossier.record.inputs = merkle::root(&leaves);
            dossier.record.input_count = leaves.len() as u64;

            *inputs = dossier.inputs.clone();

            for outcome in &mut effects.outcomes {
                match outcome {
                    Outcome::Clearing(record) if record.hash() == before => {
                        *record = dossier.record.clone();
                    }

                    Outcome::Assignment(assignment) if assignment.clearing == before => {
                        assignment.clearing = dossier.record.hash();
                    }
                    _ => {}
                }
            }
        }
    });
}

/// Takes back the refusals for a reason, as if the operations had taken effect.
pub(super) fn unrefused(seen: &mut [Seen], reason: Reason) {
    outcomes(seen, |_, effects| {
        effects.outcomes.retain(|outcome| match outcome {
            Outcome::Refusal(refusal) => refusal.items.iter().all(|(_, why)| *why != reason),
            _ => true,
        });
    });
}

/// Changes the decided blocks of one height; signatures in them still hold.
pub(super) fn blocks(seen: &mut [Seen], height: Height, mut change: impl FnMut(usize, &mut Parts)) {
    for seen in seen {
        if let Seen::Committed {
            validator, block, ..
        } = seen
            && block.header.height == height
        {
            let mut parts = Parts::of(block);
            change(*validator, &mut parts);

            let Parts {
                header,
                operations,
                evidence,
            } = parts;

            *block = Arc::new(Verified::<Block>::assemble(
                header, operations, evidence, None,
            ));
        }
    }
}

/// The parts of a block that a change may touch.
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

        Self {
            header,
            operations: operations.collect(),
            evidence: evidence.collect(),
        }
    }
}
