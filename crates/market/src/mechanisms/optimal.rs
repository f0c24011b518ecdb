//! The `assignment` mechanism (M-13): all due tasks together, optimally, at most one per agent.

use crate::assignment::{self, Edge, Problem, Solution, SolveError, TieKey};
use crate::auction::{Auction, Clearing, Duals, Winner};
use crate::eligibility::fits;
use crate::mechanism::{About, Attempt, Bidding, Mechanism};

/// The optimal assignment: as many tasks as possible, then the least total price, then the tie rule
/// of [`assignment`]. Winners are paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Optimal;

/// Steps of the solver that make one unit of cost. A step looks at one edge: about a nanosecond.
pub(super) const STEPS_PER_UNIT: u64 = 1000;

const ABOUT: About = About {
    name: "assignment",
    version: 1,
    class: "ST-SR-IA",
    guarantee: "most tasks, then least total price, at most one task for each agent; \
                prices prove it",
    limits: "16384 tasks, 16384 bidders, 16777216 bids; one task for each agent",
    bidding: Bidding::Either,
    takes_all_asks: false,
    takes_solutions: false,
};

impl Mechanism for Optimal {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let solver = assignment::cost(bidders, tasks, bids) / STEPS_PER_UNIT;
        solver.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear_within(&self) -> Option<Attempt> {
        Some(|auction, cost| attempt(auction, solver_steps(auction, cost)?))
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        attempt(auction, u64::MAX).unwrap_or_default()
    }
}

/// Returns the steps that a cost leaves to the solver after the passes over the bids, the check of
/// the proof among them. `None` if the cost does not cover these.
pub(super) fn solver_steps(auction: &Auction, cost: u64) -> Option<u64> {
    let left = cost.checked_sub((auction.bids.len() as u64).saturating_mul(3))?;
    Some(left.saturating_mul(STEPS_PER_UNIT))
}

/// Solves the problem, and checks that the prices of the solution prove it to be the best. The
/// check shares no code with the solver and passes over the bids once.
///
/// Returns `None` if this takes more than `steps`. Returns `Some(None)`, so that nothing is
/// assigned, if two tie keys are equal (which takes a collision of the hash) or if the proof fails
/// (which takes a fault in the solver).
pub(super) fn solve_proved(
    problem: &Problem,
    tie: impl Fn(u32, u32) -> TieKey,
    steps: u64,
) -> Option<Option<Solution>> {
    match assignment::solve_within(problem, tie, steps) {
        Ok(solution) => {
            let proof = assignment::verify(problem, &solution);
            Some(proof.is_ok().then_some(solution))
        }
        Err(SolveError::Effort) => None,
        Err(SolveError::EqualTieKeys { .. }) => Some(None),
    }
}

/// Clears the auction, or returns `None` if that takes more than `steps`. Nothing is assigned in an
/// auction beyond the solver's sizes; the limits of a clearing are far below these.
fn attempt(auction: &Auction, steps: u64) -> Option<Clearing> {
    let rows = auction.bidders.len();
    let columns = auction.tasks.len();
    let edges = edges(auction).collect();

    let Ok(problem) = Problem::new(rows, columns, edges) else {
        // The auction is too large.
        return Some(Clearing::default());
    };

    // Agents are rows and tasks are columns, in the auction's order.
    let tie = |row: u32, column: u32| {
        let task = &auction.tasks[column as usize];
        let bidder = &auction.bidders[row as usize];

        let key = auction.ties.key(&task.id, &bidder.agent);
        key.0
    };

    let solution = solve_proved(&problem, tie, steps)?;

    // Without a proof nothing is assigned.
    let clearing = solution.map(|solution| to_clearing(auction, solution));
    Some(clearing.unwrap_or_default())
}

/// Returns the bids within limit and budget as edges, with rows and columns in the auction's order.
pub(super) fn edges(auction: &Auction) -> impl Iterator<Item = Edge> + '_ {
    auction.bids.iter().filter_map(|bid| {
        // A bid by an absent bidder, or on an absent task, is ignored.
        let row = auction.bidder_index(&bid.agent)?;
        let column = auction.task_index(&bid.task)?;

        let task = &auction.tasks[column];
        let bidder = &auction.bidders[row];
        let is_within_limit = bid.price <= task.limit;
        let possible = is_within_limit && fits(&task.demand, &bidder.budget);

        possible.then_some(Edge {
            row: row as u32,
            column: column as u32,
            cost: bid.price,
        })
    })
}

/// Returns the clearing that a solution makes.
fn to_clearing(auction: &Auction, solution: Solution) -> Clearing {
    let award = |pair: &Edge| Winner {
        task: auction.tasks[pair.column as usize].id,
        agent: auction.bidders[pair.row as usize].agent,
        bid: pair.cost,
        payment: pair.cost,
        charge: pair.cost,
    };
    let mut winners: Vec<Winner> = solution.pairs.iter().map(award).collect();
    winners.sort_unstable_by_key(|award| award.task);

    let duals = Duals {
        bidders: solution.row_duals,
        tasks: solution.column_duals,
    };

    Clearing {
        winners,
        duals: Some(duals),
        solution: None,
    }
}
