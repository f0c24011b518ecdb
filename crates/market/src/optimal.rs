//! Optimal assignment: all due tasks together, at most one for each agent.

use crate::assignment::{self, Edge, Problem, Solution, SolveError, TieKey};
use crate::eligibility::fits;
use crate::mechanism::{Attempt, Bidding, Mechanism};
use crate::round::{Award, Clearing, Duals, Round};

/// As many tasks as possible, among those ways the least total price, among those the tie rule of
/// [`assignment`]; paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Optimal;

/// Steps of the solver (an edge looked at: about a nanosecond) that make one unit of cost.
pub(crate) const STEPS_PER_UNIT: u64 = 1000;

impl Mechanism for Optimal {
    fn name(&self) -> &'static str {
        "assignment"
    }

    fn version(&self) -> u16 {
        1
    }

    fn class(&self) -> &'static str {
        "ST-SR-IA"
    }

    fn guarantee(&self) -> &'static str {
        "most tasks, then least total price, at most one task for each agent; prices prove it"
    }

    fn limits(&self) -> &'static str {
        "16384 tasks, 16384 bidders, 16777216 bids; one task for each agent"
    }

    fn bidding(&self) -> Bidding {
        Bidding::Either
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let solver = assignment::cost(bidders, tasks, bids) / STEPS_PER_UNIT;
        solver.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear_within(&self) -> Option<Attempt> {
        Some(|round, cost| attempt(round, solver_steps(round, cost)?))
    }

    fn clear(&self, round: &Round) -> Clearing {
        attempt(round, u64::MAX).unwrap_or_default()
    }
}

/// What a cost leaves to the solver once the bids are looked at, and the proof.
pub(crate) fn solver_steps(round: &Round, cost: u64) -> Option<u64> {
    let left = cost.checked_sub((round.bids.len() as u64).saturating_mul(3))?;
    Some(left.saturating_mul(STEPS_PER_UNIT))
}

/// The solution that its prices prove to be the best, by a check that shares no code with the
/// solver and passes over the bids once. `None` where it takes more steps; `Some(None)`, so that
/// nothing is assigned, where two tie keys are equal, which takes a collision of the hash, or where
/// nothing is proved, which takes a fault in the solver.
pub(crate) fn solve_proved(
    problem: &Problem,
    tie: impl Fn(u32, u32) -> TieKey,
    steps: u64,
) -> Option<Option<Solution>> {
    match assignment::solve_within(problem, tie, steps) {
        Ok(solution) => Some(
            assignment::verify(problem, &solution)
                .ok()
                .map(|()| solution),
        ),
        Err(SolveError::Effort) => None,
        Err(SolveError::EqualTieKeys { .. }) => Some(None),
    }
}

/// `None` where it takes more steps. Beyond the solver's sizes, which the limits of a clearing are
/// far below, nothing is assigned.
fn attempt(round: &Round, steps: u64) -> Option<Clearing> {
    let edges = edges(round).collect();
    let Ok(problem) = Problem::new(round.bidders.len(), round.tasks.len(), edges) else {
        return Some(Clearing::default());
    };
    let tie = |row: u32, column: u32| {
        let (task, bidder) = (&round.tasks[column as usize], &round.bidders[row as usize]);
        round.ties.key(&task.id, &bidder.agent).0
    };
    let solution = solve_proved(&problem, tie, steps)?;
    Some(
        solution
            .map(|solution| to_clearing(round, solution))
            .unwrap_or_default(),
    )
}

/// The bids within limit and budget, with rows and columns in the round's order.
pub(crate) fn edges(round: &Round) -> impl Iterator<Item = Edge> + '_ {
    round.bids.iter().filter_map(|bid| {
        let (row, column) = (
            round.bidder_index(&bid.agent)?,
            round.task_index(&bid.task)?,
        );
        let (task, budget) = (&round.tasks[column], &round.bidders[row].budget);
        let possible = bid.price <= task.limit && fits(&task.demand, budget);
        possible.then_some(Edge {
            row: row as u32,
            column: column as u32,
            cost: bid.price,
        })
    })
}

fn to_clearing(round: &Round, solution: Solution) -> Clearing {
    let award = |pair: &Edge| Award {
        task: round.tasks[pair.column as usize].id,
        agent: round.bidders[pair.row as usize].agent,
        bid: pair.cost,
        payment: pair.cost,
        charge: pair.cost,
    };
    let mut awards: Vec<Award> = solution.pairs.iter().map(award).collect();
    awards.sort_unstable_by_key(|award| award.task);
    let duals = Duals {
        bidders: solution.row_duals,
        tasks: solution.column_duals,
    };
    Clearing {
        awards,
        duals: Some(duals),
        solution: None,
    }
}
