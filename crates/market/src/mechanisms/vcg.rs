//! The `vcg` mechanism (M-20): Vickrey-Clarke-Groves on the assignment of all due tasks together,
//! which is truthful.
//!
//! An open task costs its requester the limit, the most that it would pay. The awards are those
//! with the least total of the prices of assigned tasks and the limits of open ones. A winner is
//! paid the amount by which its presence lowers the cost of the rest (Clarke, Public Choice 11,
//! 1971): the total without it, less the total with it but for its own price. Since each agent gets
//! at most one task, these payments are the highest task prices that prove optimality (Leonard, J.
//! Political Economy 91, 1983; Demange, Gale and Sotomayor, ibid. 94, 1986), and one run of the
//! solver gives them all.
//!
//! In the solver each task has one more bidder, a stand-in for its requester, which asks the limit
//! and takes no other task. With the stand-ins every task is always assigned, the skip price of
//! [`crate::assignment`] never shows, and no payment is above the limit. The tie key of a stand-in
//! comes after those of all bids: if a bid at the limit makes no difference to the total, the task
//! goes to the bid.
//!
//! The rule is truthful only because the optimum is exact, and only for agents that act alone under
//! one name. Several agents together, or one under several names, can raise payments (Yokoo,
//! Sakurai and Matsubara, Games and Economic Behavior 46, 2004).

use std::collections::BTreeSet;

use quorate_types::TaskId;

use super::optimal::{STEPS_PER_UNIT, edges, solve_proved, solver_steps};
use crate::assignment::{self, Edge, MAX_SIDE, Problem, Solution, TieKey};
use crate::auction::{Auction, Clearing, Duals, Task, Winner};
use crate::mechanism::{About, Attempt, Bidding, Mechanism};

/// The awards of least total, in which an open task counts with its limit. Each winner is paid its
/// bid plus the amount that its presence saves.
#[derive(Debug, Clone, Copy)]
pub struct Vcg;

const ABOUT: About = About {
    name: "vcg",
    version: 1,
    class: "ST-SR-IA",
    guarantee: "truthful, and of least total with limits as the value of tasks; not with \
                false names or collusion",
    limits: "16384 tasks and bidders, 16777216 tasks and bids together; one task for each agent",
    bidding: Bidding::Sealed,
    takes_all_asks: false,
    takes_solutions: false,
};

impl Mechanism for Vcg {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        // Each task has one more bidder, its stand-in, which makes one bid.
        let rows = bidders.saturating_add(tasks);
        let offers = bids.saturating_add(tasks);
        let solver = assignment::cost(rows, tasks, offers) / STEPS_PER_UNIT;
        solver.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear_within(&self) -> Option<Attempt> {
        Some(|auction, cost| attempt(auction, solver_steps(auction, cost)?))
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        attempt(auction, u64::MAX).unwrap_or_default()
    }
}

/// Checks whether the prices of a clearing of [`Vcg`] prove that no other awards have a lesser
/// total of prices and of limits of open tasks. The check passes over the bids once and shares no
/// code with the solver.
///
/// It goes by weak duality. If no bid is below the sum of its agent's and its task's price, no
/// task's price is above its limit, and no agent's price is above 0, then no awards total less than
/// all prices together. So awards that total exactly that are optimal.
pub fn proves_least_total(auction: &Auction, clearing: &Clearing) -> bool {
    let Some(duals) = &clearing.duals else {
        return false;
    };

    if !are_complete(auction, duals) || !are_feasible(auction, duals) {
        return false;
    }

    // By weak duality no awards total less, so awards that total exactly this are optimal.
    let prices = duals.bidders.iter().chain(&duals.tasks);
    let proved: i128 = prices.map(|price| i128::from(*price)).sum();

    total_cost(auction, clearing) == proved
}

/// Checks whether there is a price for each bidder and each task.
fn are_complete(auction: &Auction, duals: &Duals) -> bool {
    duals.bidders.len() == auction.bidders.len() && duals.tasks.len() == auction.tasks.len()
}

/// Checks whether the prices are within the bounds of the linear program.
fn are_feasible(auction: &Auction, duals: &Duals) -> bool {
    let Duals { bidders, tasks } = duals;

    // No task costs more than its limit.
    let mut limited = tasks.iter().zip(&auction.tasks);
    if limited.any(|(price, task)| *price > task.limit) {
        return false;
    }

    // No agent loses.
    if bidders.iter().any(|price| *price > 0) {
        return false;
    }

    // No bid is below the sum of its two prices.
    edges(auction).all(|edge| {
        let bidder = bidders[edge.row as usize];
        let task = tasks[edge.column as usize];
        bidder.saturating_add(task) <= edge.cost
    })
}

/// Returns the total of the winning bids and of the limits of open tasks.
fn total_cost(auction: &Auction, clearing: &Clearing) -> i128 {
    let bids = clearing.winners.iter().map(|award| award.bid);

    // An open task costs its requester the limit.
    let limits = open_tasks(auction, clearing).map(|task| task.limit);
    bids.chain(limits).map(i128::from).sum()
}

/// Returns the tasks that a clearing does not award.
fn open_tasks<'a>(
    auction: &'a Auction,
    clearing: &Clearing,
) -> impl Iterator<Item = &'a Task> + use<'a> {
    let winners = clearing.winners.iter();
    let awarded = winners.map(|award| award.task);
    let awarded: BTreeSet<TaskId> = awarded.collect();

    let tasks = auction.tasks.iter();
    tasks.filter(move |task| !awarded.contains(&task.id))
}

/// Clears the auction, or returns `None` if that takes more than `steps`. Nothing is assigned in an
/// auction beyond the solver's sizes.
fn attempt(auction: &Auction, steps: u64) -> Option<Clearing> {
    let Some(problem) = problem(auction) else {
        return Some(Clearing::default());
    };

    let tie = |row: u32, column: u32| {
        // Rows beyond the bidders are the stand-ins.
        let Some(bidder) = auction.bidders.get(row as usize) else {
            return last_key(column);
        };

        let task = &auction.tasks[column as usize];
        auction.ties.key(&task.id, &bidder.agent).0
    };

    let solution = solve_proved(&problem, tie, steps)?;

    // Without a proof nothing is assigned.
    let clearing = solution.map(|solution| to_clearing(auction, &solution));
    Some(clearing.unwrap_or_default())
}

/// Builds the problem for the solver: the rows are the bidders, then one stand-in for the requester
/// of each task. `None` if the auction is beyond the solver's sizes.
fn problem(auction: &Auction) -> Option<Problem> {
    let bidders = auction.bidders.len();
    let tasks = auction.tasks.len();
    let rows = bidders.checked_add(tasks)?;

    if rows > MAX_SIDE {
        return None;
    }

    // Each stand-in asks the limit of its task, and takes no other.
    let stand_ins = auction.tasks.iter().enumerate().map(|(column, task)| Edge {
        row: (bidders + column) as u32,
        column: column as u32,
        cost: task.limit,
    });

    let edges = edges(auction).chain(stand_ins).collect();
    Problem::new(rows, tasks, edges).ok()
}

/// Returns a tie key that comes after those of all bids, which are hashes.
fn last_key(column: u32) -> TieKey {
    let mut key = [u8::MAX; 32];
    key[28..].copy_from_slice(&column.to_be_bytes());
    key
}

/// Returns the clearing that a solution makes.
fn to_clearing(auction: &Auction, solution: &Solution) -> Clearing {
    let mut winners: Vec<Winner> = solution
        .pairs
        .iter()
        .filter_map(|pair| winner_of(auction, solution, pair))
        .collect();
    winners.sort_unstable_by_key(|award| award.task);

    // The price of an open task is its limit; with the stand-ins the solver may give more.
    let tasks = solution
        .column_duals
        .iter()
        .zip(&auction.tasks)
        .map(|(&price, task)| price.min(task.limit))
        .collect();
    let bidders = solution.row_duals[..auction.bidders.len()].to_vec();

    Clearing {
        winners,
        duals: Some(Duals { bidders, tasks }),
        solution: None,
    }
}

/// Returns the award of a pair. `None` if its stand-in gets the task, which then stays open.
fn winner_of(auction: &Auction, solution: &Solution, pair: &Edge) -> Option<Winner> {
    let bidder = auction.bidders.get(pair.row as usize)?;
    let payment = solution.column_duals[pair.column as usize];

    Some(Winner {
        task: auction.tasks[pair.column as usize].id,
        agent: bidder.agent,
        bid: pair.cost,
        payment,
        charge: payment,
    })
}
