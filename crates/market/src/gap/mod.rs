//! Generalised assignment: agents do several jobs each, within their capacities.
//!
//! Each offer has a cost and takes an amount in each dimension from what its agent has. Wanted are
//! as many jobs as possible, and among those ways the least total cost. The problem is NP-hard:
//! [`solve`] gives a good solution, a bound that proves how good, and, where the effort allows, the
//! proof that none is better. The same input gives the same answer everywhere: integers only, dice
//! with a fixed sequence, and effort counted in offers looked at, never in time.
//!
//! # How
//! An open job costs more than any way to do all jobs, so that the count of jobs is a matter of
//! cost (as in [`crate::assignment`]). Prices for capacities give a lower bound and a first
//! solution (`bound`, `repair`), and local search with penalties a better one (`search`). Knapsacks
//! give a better bound (`packing`); offers that cannot be in a better solution by it are dropped,
//! and branch and bound looks through the rest (`branch`). Where that does not come to an end, the
//! remaining effort goes to local search and to solving parts of the problem exactly (`polish`).

mod bound;
mod branch;
mod dice;
mod packing;
mod plan;
mod polish;
mod problem;
mod repair;
mod search;

pub use problem::{MAX_AMOUNT, MAX_COST, MAX_DIMENSIONS, MAX_SIDE, Offer, Problem, ProblemError};

use self::bound::{Bound, Rest};
use self::packing::Packing;
use self::plan::Plan;
use self::problem::OPEN;
use self::search::Search;

/// Steps of the bound at the root.
const ROOT_ROUNDS: u32 = 600;
/// Steps of the bound by packings at the root.
const PACKED_ROUNDS: u32 = 250;

/// Branch and bound is tried where one evaluation of its bound is less than this part of the
/// effort.
const PACKED_SHARE: u64 = 20;
/// Steps of the local search before branch and bound, for each offer.
const EARLY: u64 = 400;

/// A solution and how good it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The offers taken, ascending by job; at most one for each.
    pub pairs: Vec<Offer>,
    /// Sum of their costs.
    pub total: i64,
    /// No solution with as many jobs has a lower total than this.
    pub bound: i64,
    /// Proved: none does more jobs, and none as many for less.
    pub optimal: bool,
    /// Steps that were taken.
    pub steps: u64,
}

/// Solves the problem within `effort` steps, a step being an offer looked at: 10 to 25
/// nanoseconds. The first bound and solution are made in any case.
#[must_use]
pub fn solve(problem: &Problem, effort: u64) -> Solution {
    let mut bound = Bound::new(problem);
    let mut best = root(problem, &mut bound, rounds(problem, effort));
    let (started, left) = (bound.steps, effort.saturating_sub(bound.steps));
    let mut least = bound.least(problem);
    let mut search = Search::new(problem, &best, &bound);
    let early = (left / 16).min(EARLY * problem.offers() as u64);
    search.run(&mut best, (started + early, least));
    let mut packing = Packing::new(problem, &bound);
    packing.steps = search.steps;
    let mut optimal = best.cost <= least;
    if !optimal && packing.dearest() < left / PACKED_SHARE {
        let middle = started + left / 2;
        pack_root(&mut packing, &best, middle);
        let early = packing.steps + (left / 8).min(10 * EARLY * problem.offers() as u64);
        polish::run(&mut packing, &mut best, (early, least));
        // Again, with the better solution to aim at and to drop offers by.
        let alive = pack_root(&mut packing, &best, middle);
        least = least.max(packing.least_cost());
        let (worth, jobs) = (packing.worth.clone(), (0..problem.jobs() as u32).collect());
        let all = (jobs, Plan::empty(problem), &alive[..]);
        optimal = branch::search(&mut packing, all, &mut best, middle);
        if !optimal {
            search.steps = packing.steps;
            search.run(&mut best, (middle + left / 4, least));
            (packing.worth, packing.steps) = (worth, search.steps);
            polish::run(&mut packing, &mut best, (effort, least));
        }
    }
    search.steps = packing.steps;
    if !optimal {
        search.run(&mut best, (effort, least));
        optimal = best.cost <= least;
    }
    to_solution(problem, &best, (least, optimal, search.steps))
}

/// A quarter of the effort, within reason.
fn rounds(problem: &Problem, effort: u64) -> u32 {
    let rounds = effort / 4 / (problem.offers() as u64).max(1);
    rounds.clamp(20, u64::from(ROOT_ROUNDS)) as u32
}

/// The first prices, bound and solution.
fn root(problem: &Problem, bound: &mut Bound, rounds: u32) -> Plan {
    let jobs: Vec<u32> = (0..problem.jobs() as u32).collect();
    let (alive, plan) = (vec![true; problem.offers()], Plan::empty(problem));
    let rest = Rest {
        jobs: &jobs,
        plan: &plan,
        alive: &alive,
    };
    let mut best = repair::by_regret(problem, bound);
    // A first round with a rough target, a second with what it led to.
    for _ in 0..2 {
        bound.improve(problem, &rest, (rounds / 2, best.cost));
        let plan = repair::by_regret(problem, bound);
        if plan.cost < best.cost {
            best = plan;
        }
    }
    best
}

/// The bound by packings, and which offers can be in a better plan by it.
fn pack_root(packing: &mut Packing<'_>, best: &Plan, effort: u64) -> Vec<bool> {
    let problem = packing.problem();
    let jobs: Vec<u32> = (0..problem.jobs() as u32).collect();
    let (alive, plan) = (vec![true; problem.offers()], Plan::empty(problem));
    let rest = Rest {
        jobs: &jobs,
        plan: &plan,
        alive: &alive,
    };
    packing.improve(&rest, (PACKED_ROUNDS, best.cost, effort), |_| {});
    let worse = (best.cost - 1) * problem.scale();
    (0..problem.offers() as u32)
        .map(|place| packing.with(&rest, place) <= worse)
        .collect()
}

fn to_solution(
    problem: &Problem,
    plan: &Plan,
    (least, optimal, steps): (i64, bool, u64),
) -> Solution {
    let places = plan.by.iter().filter(|place| **place != OPEN);
    let pairs: Vec<Offer> = places.map(|place| problem.offer(*place)).collect();
    let open = (problem.jobs() - pairs.len()) as i64;
    let total = pairs.iter().map(|pair| pair.cost).sum();
    let least = problem.unshifted(least - open * problem.skip(), pairs.len());
    let bound = if optimal { total } else { least.min(total) };
    Solution {
        pairs,
        total,
        bound,
        optimal,
        steps,
    }
}
