//! The report of a run, and the violations in it.

use std::collections::BTreeMap;

use serde::Serialize;

use quorate_types::{Height, Millis};

use crate::coverage::Coverage;
use crate::fates::{self, Adversary};
use crate::service::{Service, Waits, Work};
use crate::trace::{Line, Tail};
use crate::world::World;

/// The result of a run. Its JSON is documented in the book's chapter on simulation.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SimReport {
    /// The seed of the plan.
    pub seed: u64,
    /// The digest of every input and output, in hexadecimal.
    pub digest: String,
    /// The highest height that a correct validator decided.
    pub heights: Height,
    /// The number of tasks that blocks hold.
    pub committed_tasks: u64,
    /// The number of assignments made, reassignments included.
    pub assignments: u64,
    /// The number of tasks completed.
    pub completed_tasks: u64,
    /// Counts of what blocks did, by the names of [`crate::STEPS`].
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Counts of the plan's tasks by their state at the end.
    pub tasks: BTreeMap<&'static str, u64>,
    /// The times from when tasks were due to when they were first assigned.
    pub to_award: Waits,
    /// The times from when tasks were due to when they were completed.
    pub to_completion: Waits,
    /// The work of each agent, by its index in the plan.
    pub agents: Vec<Work>,
    /// The liars of the plan, and the consequences for each.
    pub adversaries: Vec<Adversary>,
    /// The simulated time, in milliseconds.
    pub simulated_ms: Millis,
    /// The number of steps that the run took.
    pub steps: u64,
    /// Whether the run was stopped before its end. Then it is no verdict that nothing was violated.
    pub broken_off: bool,
    /// The violations of the step with which the run ended; empty if there were none.
    pub violations: Vec<Violation>,
    /// Counts of each kind of fault and lie, by its name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Counts of the steps that happened under each circumstance.
    #[serde(skip)]
    pub coverage: Coverage,
    /// The last observations, if something was violated or the run was broken off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<Line>,
}

/// A violation of an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The number of the invariant, as in the book's list.
    pub invariant: u8,
    /// The name of the invariant.
    pub name: &'static str,
    /// A description of the violation, for people.
    pub how: String,
    /// The step at which it occurred. The run up to here is the shortest prefix that shows it.
    pub step: u64,
    /// Milliseconds since the start.
    pub at_ms: Millis,
    /// The seed of the run.
    pub seed: u64,
}

impl Violation {
    pub(crate) fn at(
        world: &World,
        step: u64,
        invariant: u8,
        name: &'static str,
        how: String,
    ) -> Self {
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

/// Everything that was recorded about a run beside its world.
pub(crate) struct RunRecord {
    pub(crate) steps: u64,
    pub(crate) coverage: Coverage,
    pub(crate) service: Service,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tail: Tail,
}

impl SimReport {
    pub(crate) fn new(world: &World, record: RunRecord) -> Self {
        let coverage = record.coverage;
        let service = record.service;
        let totals = coverage.totals();

        Self {
            seed: world.plan().seed,
            digest: world.digest(),
            heights: totals.heights,
            committed_tasks: totals.tasks,
            assignments: totals.assignments,
            completed_tasks: totals.completed,
            outcomes: coverage.sums().clone(),
            tasks: fates::tasks(world),
            to_award: service.to_award(world),
            to_completion: service.to_completion(world),
            agents: service.agents(world),
            adversaries: fates::adversaries(world, coverage.convicted()),
            simulated_ms: world.now(),
            steps: record.steps,
            broken_off: false,
            last: record.tail.into_lines(),
            violations: record.violations,
            faults: world.counts().clone(),
            coverage,
        }
    }

    /// Whether no invariant was violated, as far as the run went.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}
