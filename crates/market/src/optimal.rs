//! The `assignment` mechanism (M-13): all due tasks together, optimally, at most one per agent.

use crate::assignment::{self, Edge, Problem, Solution, SolveError, TieKey};
use crate::eligibility::fits;
use crate::mechanism::{Attempt, Bidding, Mechanism};
use crate::round::{Award, Clearing, Duals, Round};

/// The optimal assignment: as many tasks as possible, then the least total price, then the tie rule
/// of [`assignment`]. Winners are paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Optimal;

/// Steps of the solver that make one unit of cost. A step looks at one edge: about a nanosecond.
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

/// Returns the steps that a cost leaves to the solver after the passes over the bids, the check of
/// the proof among them. `None` if the cost does not cover these.
pub(crate) fn solver_steps(round: &Round, cost: u64) -> Option<u64> {
    let left = cost.checked_sub((round.bids.len() as u64).saturating_mul(3))?;
    Some(left.saturating_mul(STEPS_PER_UNIT))
}

/// Solves the problem, and checks that the prices of the solution prove it to be the best. The
/// check shares no code with the solver and passes over the bids once.
///
/// Returns `None` if this takes more than `steps`. Returns `Some(None)`, so that nothing is
/// assigned, if two tie keys are equal (which takes a collision of the hash) or if the proof fails
/// (which takes a fault in the solver).
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

/// Clears the round, or returns `None` if that takes more than `steps`. Nothing is assigned in a
/// round beyond the solver's sizes; the limits of a clearing are far below these.
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

    // Without a proof nothing is assigned.
    Some(
        solution
            .map(|solution| to_clearing(round, solution))
            .unwrap_or_default(),
    )
}

/// Returns the bids within limit and budget as edges, with rows and columns in the round's order.
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
