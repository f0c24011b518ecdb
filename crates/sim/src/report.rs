//! What came of a run.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_types::{Height, Millis};

use crate::coverage::Coverage;
use crate::fates::{self, Adversary};
use crate::service::{Service, Waits, Work};
use crate::trace::{Line, Tail};
use crate::world::World;

/// What came of a run; its JSON is documented in the book's chapter on simulation.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Seed of the plan.
    pub seed: u64,
    /// Digest of every input and output.
    pub digest: String,
    /// Highest height that a correct validator decided.
    pub heights: Height,
    /// Tasks that the swarm took in.
    pub committed_tasks: u64,
    /// Assignments made.
    pub assignments: u64,
    /// Tasks completed.
    pub completed_tasks: u64,
    /// What blocks did, by the names of [`crate::STEPS`].
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Tasks of the plan by what became of them.
    pub tasks: BTreeMap<&'static str, u64>,
    /// From when tasks were wanted to when they were first given to somebody.
    pub to_award: Waits,
    /// From when tasks were wanted to when they were done.
    pub to_completion: Waits,
    /// What each agent did, by its index.
    pub agents: Vec<Work>,
    /// Who lied, and what became of them.
    pub adversaries: Vec<Adversary>,
    /// Milliseconds simulated.
    pub simulated_ms: Millis,
    /// Things that happened.
    pub steps: u64,
    /// Whether it was stopped before its end: then it is no verdict.
    pub broken_off: bool,
    /// The first violation, if there is one; then the run ended there.
    pub violations: Vec<Violation>,
    /// How often what went wrong, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// What met what.
    #[serde(skip)]
    pub coverage: Coverage,
    /// The last observations, where something was violated or the run was broken off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<Line>,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Number of the invariant.
    pub invariant: u8,
    /// Its name.
    pub name: &'static str,
    /// How it was broken.
    pub how: String,
    /// The step at which: the run up to here is the shortest prefix that shows it.
    pub step: u64,
    /// Milliseconds since the start.
    pub at_ms: Millis,
    /// Seed of the run.
    pub seed: u64,
}

impl Violation {
    pub(crate) fn at(world: &World, step: u64, what: (u8, &'static str), how: String) -> Self {
        let (invariant, name) = what;
        Self {
            invariant,
            name,
            how,
            step,
            at_ms: world.now(),
            seed: world.plan().seed,
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            invariant,
            name,
            how,
            step,
            at_ms,
            seed,
        } = self;
        write!(
            f,
            "seed {seed}: invariant {invariant} ({name}) at step {step}, {at_ms} ms: {how}"
        )
    }
}

impl Report {
    pub(crate) fn new(
        world: &World,
        steps: u64,
        (coverage, service): (Coverage, Service),
        (violations, tail): (Vec<Violation>, Tail),
    ) -> Self {
        let totals = coverage.totals();
        let (outcomes, convicted) = (coverage.sums().clone(), coverage.convicted());
        Self {
            seed: world.plan().seed,
            digest: world.digest(),
            heights: totals.heights,
            committed_tasks: totals.tasks,
            assignments: totals.assignments,
            completed_tasks: totals.completed,
            outcomes,
            tasks: fates::tasks(world),
            to_award: service.to_award(world),
            to_completion: service.to_completion(world),
            agents: service.agents(world),
            adversaries: fates::adversaries(world, convicted),
            simulated_ms: world.now(),
            steps,
            broken_off: false,
            last: tail.into_lines(),
            violations,
            faults: world.counts().clone(),
            coverage,
        }
    }

    /// Whether no invariant was violated, as far as it was run.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}
