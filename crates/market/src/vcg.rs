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

use crate::assignment::{self, Edge, MAX_SIDE, Problem, Solution, TieKey};
use crate::mechanism::{Attempt, Bidding, Mechanism};
use crate::optimal::{STEPS_PER_UNIT, edges, solve_proved, solver_steps};
use crate::round::{Award, Clearing, Duals, Round};

/// The awards of least total, in which an open task counts with its limit. Each winner is paid its
/// bid plus the amount that its presence saves.
#[derive(Debug, Clone, Copy)]
pub struct Vcg;

impl Mechanism for Vcg {
    fn name(&self) -> &'static str {
        "vcg"
    }

    fn version(&self) -> u16 {
        1
    }

    fn class(&self) -> &'static str {
        "ST-SR-IA"
    }

    fn guarantee(&self) -> &'static str {
        "truthful, and of least total with limits as the value of tasks; not with false names or \
         collusion"
    }

    fn limits(&self) -> &'static str {
        "16384 tasks and bidders, 16777216 tasks and bids together; one task for each agent"
    }

    fn bidding(&self) -> Bidding {
        Bidding::Sealed
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let (rows, offers) = (bidders.saturating_add(tasks), bids.saturating_add(tasks));
        let solver = assignment::cost(rows, tasks, offers) / STEPS_PER_UNIT;
        solver.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear_within(&self) -> Option<Attempt> {
        Some(|round, cost| attempt(round, solver_steps(round, cost)?))
    }

    fn clear(&self, round: &Round) -> Clearing {
        attempt(round, u64::MAX).unwrap_or_default()
    }
}

/// Checks whether the prices of a clearing of [`Vcg`] prove that no other awards have a lesser
/// total of prices and of limits of open tasks. The check passes over the bids once and shares no
/// code with the solver.
///
/// It goes by weak duality. If no bid is below the sum of its agent's and its task's price, no
/// task's price is above its limit, and no agent's price is above 0, then no awards total less than
/// all prices together. So awards that total exactly that are optimal.
pub fn proves_least_total(round: &Round, clearing: &Clearing) -> bool {
    let Some(Duals { bidders, tasks }) = &clearing.duals else {
        return false;
    };

    if (bidders.len(), tasks.len()) != (round.bidders.len(), round.tasks.len()) {
        return false;
    }

    let feasible = edges(round).all(|edge| {
        bidders[edge.row as usize].saturating_add(tasks[edge.column as usize]) <= edge.cost
    });

    let within = tasks
        .iter()
        .zip(&round.tasks)
        .all(|(price, task)| *price <= task.limit);

    // An open task costs its requester the limit.
    let awarded: BTreeSet<TaskId> = clearing.awards.iter().map(|award| award.task).collect();
    let open = round
        .tasks
        .iter()
        .filter(|task| !awarded.contains(&task.id));

    let bids = clearing.awards.iter().map(|award| i128::from(award.bid));
    let total: i128 = bids.chain(open.map(|task| i128::from(task.limit))).sum();

    // By weak duality no awards total less, so awards that total exactly this are optimal.
    let proved: i128 = bidders
        .iter()
        .chain(tasks)
        .map(|price| i128::from(*price))
        .sum();

    feasible && within && bidders.iter().all(|price| *price <= 0) && total == proved
}

/// Clears the round, or returns `None` if that takes more than `steps`. Nothing is assigned in a
/// round beyond the solver's sizes.
fn attempt(round: &Round, steps: u64) -> Option<Clearing> {
    let Some(problem) = problem(round) else {
        return Some(Clearing::default());
    };

    // Rows beyond the bidders are the stand-ins.
    let tie = |row: u32, column: u32| match round.bidders.get(row as usize) {
        Some(bidder) => {
            round
                .ties
                .key(&round.tasks[column as usize].id, &bidder.agent)
                .0
        }
        None => last_key(column),
    };

    let solution = solve_proved(&problem, tie, steps)?;
    Some(
        solution
            .map(|solution| to_clearing(round, &solution))
            .unwrap_or_default(),
    )
}

/// Builds the problem for the solver: the rows are the bidders, then one stand-in for the requester
/// of each task. `None` if the round is beyond the solver's sizes.
fn problem(round: &Round) -> Option<Problem> {
    let (bidders, tasks) = (round.bidders.len(), round.tasks.len());
    let rows = bidders
        .checked_add(tasks)
        .filter(|rows| *rows <= MAX_SIDE)?;

    // Each stand-in asks the limit of its task, and takes no other.
    let stand_ins = round.tasks.iter().enumerate().map(|(column, task)| Edge {
        row: (bidders + column) as u32,
        column: column as u32,
        cost: task.limit,
    });

    Problem::new(rows, tasks, edges(round).chain(stand_ins).collect()).ok()
}

/// Returns a tie key that comes after those of all bids, which are hashes.
fn last_key(column: u32) -> TieKey {
    let mut key = [u8::MAX; 32];
    key[28..].copy_from_slice(&column.to_be_bytes());
    key
}

fn to_clearing(round: &Round, solution: &Solution) -> Clearing {
    let awards = solution.pairs.iter().filter_map(|pair| {
        // A task that its stand-in gets stays open.
        let bidder = round.bidders.get(pair.row as usize)?;
        let payment = solution.column_duals[pair.column as usize];
        let task = round.tasks[pair.column as usize].id;
        let (agent, bid) = (bidder.agent, pair.cost);
        Some(Award {
            task,
            agent,
            bid,
            payment,
            charge: payment,
        })
    });

    let mut awards: Vec<Award> = awards.collect();
    awards.sort_unstable_by_key(|award| award.task);

    // The price of an open task is its limit; with the stand-ins the solver may give more.
    let prices = solution.column_duals.iter().zip(&round.tasks);
    let tasks = prices.map(|(&price, task)| price.min(task.limit)).collect();
    let bidders = solution.row_duals[..round.bidders.len()].to_vec();

    Clearing {
        awards,
        duals: Some(Duals { bidders, tasks }),
        solution: None,
    }
}
