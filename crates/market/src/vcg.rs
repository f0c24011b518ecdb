//! Vickrey-Clarke-Groves on the assignment: all due tasks together, truthful.
//!
//! A task that is left open costs its requester the limit, the most it would pay. The awards are
//! those of least total of prices and of limits of open tasks. A winner is paid by how much its
//! presence lowers what the rest costs (Clarke, Public Choice 11, 1971): the total without it, less
//! the total with it but for its own price. At most one task for each agent, so these payments are
//! the highest task prices that prove optimality (Leonard, J. Political Economy 91, 1983; Demange,
//! Gale and Sotomayor, ibid. 94, 1986), and one solve gives them all.
//!
//! In the solver each task has one more bidder, who asks the limit and takes no other: with it
//! every task is always assigned, the skip price of [`crate::assignment`] never shows, and no
//! payment is above the limit. Its tie key comes after those of all bids: where a bid at the limit
//! makes no difference to the total, the task goes to the bid.
//!
//! Truthful only because the optimum is exact, and for agents that act alone under one name.
//! Several agents together, or one under several names, can raise payments (Yokoo, Sakurai and
//! Matsubara, Games and Economic Behavior 46, 2004).

use std::collections::BTreeSet;

use quorate_types::TaskId;

use crate::assignment::{self, Edge, MAX_SIDE, Problem, Solution, TieKey};
use crate::mechanism::{Attempt, Bidding, Mechanism};
use crate::optimal::{STEPS_PER_UNIT, edges, solve_proved, solver_steps};
use crate::round::{Award, Clearing, Duals, Round};

/// The awards of least total, with the limit as the price of a task left open; each winner is paid
/// its bid and what its presence saves.
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

/// Whether the prices of a clearing of [`Vcg`] prove that no other awards have a lesser total of
/// prices and of limits of open tasks. One pass over the bids; shares no code with the solver.
///
/// By weak duality: no bid is below the sum of its agent's and its task's price, no task's price
/// above its limit, no agent's above 0; so no awards total less than all prices together, and these
/// do.
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
    let awarded: BTreeSet<TaskId> = clearing.awards.iter().map(|award| award.task).collect();
    let open = round
        .tasks
        .iter()
        .filter(|task| !awarded.contains(&task.id));
    let bids = clearing.awards.iter().map(|award| i128::from(award.bid));
    let total: i128 = bids.chain(open.map(|task| i128::from(task.limit))).sum();
    let proved: i128 = bidders
        .iter()
        .chain(tasks)
        .map(|price| i128::from(*price))
        .sum();
    feasible && within && bidders.iter().all(|price| *price <= 0) && total == proved
}

/// `None` where it takes more steps. Beyond the solver's sizes nothing is assigned.
fn attempt(round: &Round, steps: u64) -> Option<Clearing> {
    let Some(problem) = problem(round) else {
        return Some(Clearing::default());
    };
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

/// Rows are the bidders, then one stand-in for the requester of each task. `None` beyond the
/// solver's sizes.
fn problem(round: &Round) -> Option<Problem> {
    let (bidders, tasks) = (round.bidders.len(), round.tasks.len());
    let rows = bidders
        .checked_add(tasks)
        .filter(|rows| *rows <= MAX_SIDE)?;
    let stand_ins = round.tasks.iter().enumerate().map(|(column, task)| Edge {
        row: (bidders + column) as u32,
        column: column as u32,
        cost: task.limit,
    });
    Problem::new(rows, tasks, edges(round).chain(stand_ins).collect()).ok()
}

/// A key after all that are hashes.
fn last_key(column: u32) -> TieKey {
    let mut key = [u8::MAX; 32];
    key[28..].copy_from_slice(&column.to_be_bytes());
    key
}

fn to_clearing(round: &Round, solution: &Solution) -> Clearing {
    let awards = solution.pairs.iter().filter_map(|pair| {
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
    // A task that stays open has its limit as its price; with the stand-ins the solver says more.
    let prices = solution.column_duals.iter().zip(&round.tasks);
    let tasks = prices.map(|(&price, task)| price.min(task.limit)).collect();
    let bidders = solution.row_duals[..round.bidders.len()].to_vec();
    Clearing {
        awards,
        duals: Some(Duals { bidders, tasks }),
        solution: None,
    }
}
