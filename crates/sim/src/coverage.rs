//! Coverage: counts which steps of tasks happened under which faults and liars.
//!
//! A bug can live for years under tests that never bring together a certain fault and a certain
//! state in the life of a task. So each run counts, for each fault that is on and each liar that
//! takes part, which steps in the life of tasks happen meanwhile. Cells that stay empty over many
//! seeds are reported.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{
    Block, FencingToken, Height, OperationBody, Outcome, PublicKey, SignedOperation,
};

use crate::adversary::{LieKind, Manner};
use crate::faults::Fault;
use crate::plan::{LinkPlan, Plan};
use crate::seen::Seen;
use crate::world::World;

/// The columns of the table: steps in the life of a task, and other things that blocks do.
pub const STEPS: [&str; 19] = [
    "submitted",
    "bid",
    "sealed",
    "opened",
    "solved",
    "cleared",
    "bettered",
    "assigned",
    "reassigned",
    "accepted",
    "declined",
    "completed",
    "failed",
    "lapsed",
    "canceled",
    "expired",
    "refused",
    "convicted",
    "later-round",
];

/// A table of how often each step was taken under each circumstance, and sums over the run.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    cells: BTreeMap<(&'static str, &'static str), u64>,
    /// The circumstances that hold throughout the run: the manners of its hosts, and the properties
    /// of its links.
    standing: BTreeSet<&'static str>,
    /// The highest height whose block was counted. Each block counts once, by the first correct
    /// validator that decides it.
    seen_height: Height,
    totals: Totals,
    sums: BTreeMap<&'static str, u64>,
    /// The keys against which a block holds evidence, with the height of the first such block.
    convicted: BTreeMap<PublicKey, Height>,
}

/// Sums over a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) heights: Height,
    pub(crate) tasks: u64,
    pub(crate) assignments: u64,
    pub(crate) completed: u64,
}

impl Coverage {
    /// The empty table of a run that has not begun.
    pub(crate) fn of(plan: &Plan) -> Self {
        let liars = plan.validators.iter().filter_map(|validator| validator.lie);
        let agents = plan.agents.iter().map(|agent| agent.manner.name());

        let standing = liars
            .map(LieKind::name)
            .chain(agents)
            .chain(link_faults(&plan.links))
            .collect();

        Self {
            standing,
            ..Self::default()
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// How often each step was taken, under any circumstances.
    pub(crate) fn sums(&self) -> &BTreeMap<&'static str, u64> {
        &self.sums
    }

    /// The keys that blocks hold evidence against, and the height of the first such block for each.
    pub(crate) fn convicted(&self) -> &BTreeMap<PublicKey, Height> {
        &self.convicted
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_insert(0) += count;
        }
    }

    /// The number of times `step` was taken under `circumstance`.
    pub fn count(&self, circumstance: &'static str, step: &'static str) -> u64 {
        self.cells.get(&(circumstance, step)).copied().unwrap_or(0)
    }

    /// All cells that are not 0, as circumstance, step and count.
    pub fn cells(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.cells
            .iter()
            .map(|((circumstance, step), count)| (*circumstance, *step, *count))
    }

    /// All cells that are 0, in the order of the table.
    pub fn empty(&self) -> Vec<(&'static str, &'static str)> {
        let rows = Self::circumstances().into_iter();
        let cells = rows.flat_map(|circumstance| STEPS.map(|step| (circumstance, step)));
        cells
            .filter(|(circumstance, step)| self.count(circumstance, step) == 0)
            .collect()
    }

    /// Adds `count` to the cell of these names, as a file holds them. Names that the table does not
    /// have are ignored.
    pub fn restore(&mut self, circumstance: &str, step: &str, count: u64) {
        let mut rows = Self::circumstances().into_iter();
        let mut columns = STEPS.into_iter();

        // Cells are named by static texts, so the names are looked up.
        let row = rows.find(|name| *name == circumstance);
        let column = columns.find(|name| *name == step);

        let (Some(row), Some(column)) = (row, column) else {
            return;
        };

        *self.cells.entry((row, column)).or_insert(0) += count;
    }

    /// All circumstances, in the order of the table's rows.
    pub fn circumstances() -> Vec<&'static str> {
        let links = ["lost", "duplicated", "bit-flipped", "narrow"];
        let liars = LieKind::ALL.iter().map(|lie| lie.name());
        let agents = Manner::ALL.iter().map(|manner| manner.name());

        links
            .into_iter()
            .chain(Fault::names())
            .chain(liars)
            .chain(agents)
            .collect()
    }

    /// Counts the steps of a block when the first correct validator decides it.
    pub(crate) fn see(&mut self, world: &World, seen: &Seen) {
        let Seen::Committed {
            block,
            effects,
            validator,
            round,
            ..
        } = seen
        else {
            return;
        };

        let height = block.header.height;

        // Each correct validator decides the block, but it counts once.
        if height <= self.seen_height || !world.validators()[*validator].is_correct() {
            return;
        }

        self.seen_height = height;

        for evidence in &block.evidence {
            self.convicted.entry(evidence.culprit()).or_insert(height);
        }

        let mut steps: Vec<&'static str> = effects.outcomes.iter().map(step_of).collect();
        steps.extend(steps_of_block(block));
        steps.extend((*round > 0).then_some("later-round"));

        self.count_totals(block, &steps);
        self.count_cells(world, &steps);
    }

    /// Adds a block and the steps that it took to the sums over the run.
    fn count_totals(&mut self, block: &Block, steps: &[&'static str]) {
        for step in steps {
            *self.sums.entry(step).or_insert(0) += 1;
        }

        let count = |name| {
            let same = steps.iter().filter(|step| **step == name);
            same.count() as u64
        };

        self.totals.heights = block.header.height;
        self.totals.tasks += submitted_tasks(block);
        self.totals.assignments += count("assigned") + count("reassigned");
        self.totals.completed += count("completed");
    }

    /// Counts steps under each circumstance that holds at this moment. The sums of the cells are
    /// therefore greater than the sums of the steps.
    fn count_cells(&mut self, world: &World, steps: &[&'static str]) {
        let standing = self.standing.iter().copied();
        let circumstances: BTreeSet<_> = world.active().chain(standing).collect();

        for circumstance in circumstances {
            for step in steps {
                *self.cells.entry((circumstance, step)).or_insert(0) += 1;
            }
        }
    }
}

/// The faults that may occur on the links of a plan. Each is a circumstance of the whole run.
fn link_faults(links: &LinkPlan) -> impl Iterator<Item = &'static str> {
    let chances = [
        ("lost", links.loss_permille),
        ("duplicated", links.duplicate_permille),
        ("bit-flipped", links.flip_permille),
        ("narrow", links.bytes_per_ms.map_or(0, |_| 1)),
    ];

    let possible = chances.into_iter().filter(|(_, chance)| *chance > 0);
    possible.map(|(name, _)| name)
}

/// The number of tasks that the operations of a block submit.
fn submitted_tasks(block: &Block) -> u64 {
    let tasks = |signed: &SignedOperation| match &signed.payload.body {
        OperationBody::Submit(submit) => submit.tasks.len() as u64,
        _ => 0,
    };

    block.operations.iter().map(tasks).sum()
}

/// The names in [`STEPS`] of what a block holds that has no outcome of its own: operations of some
/// kinds, and evidence.
fn steps_of_block(block: &Block) -> impl Iterator<Item = &'static str> {
    let of_operation = |signed: &SignedOperation| match &signed.payload.body {
        OperationBody::Submit(_) => Some("submitted"),
        OperationBody::Bid(_) => Some("bid"),
        OperationBody::Seal(_) => Some("sealed"),
        OperationBody::Reveal(_) => Some("opened"),
        OperationBody::Solve(_) => Some("solved"),
        _ => None,
    };

    let operations = block.operations.iter();
    let evidence = block.evidence.iter();

    operations
        .filter_map(of_operation)
        .chain(evidence.map(|_| "convicted"))
}

/// The name in [`STEPS`] of an outcome of a block.
fn step_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Assignment(assignment) if assignment.token > FencingToken(1) => "reassigned",
        Outcome::Assignment(_) => "assigned",

        Outcome::Clearing(record) if record.solution.is_some() => "bettered",
        Outcome::Clearing(_) => "cleared",

        Outcome::Refusal(_) => "refused",
        Outcome::Expiry(_) => "expired",

        Outcome::Receipt(receipt) => match receipt.operation.payload.body {
            OperationBody::Accept(_) => "accepted",
            OperationBody::Decline(_) => "declined",
            OperationBody::Complete(_) => "completed",
            OperationBody::Fail(_) => "failed",
            OperationBody::Lapse(_) => "lapsed",
            _ => "canceled",
        },
    }
}
