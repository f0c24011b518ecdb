//! Generalised assignment: gives agents several jobs each, within their capacities.
//!
//! Each offer has a cost, and takes an amount in each dimension from its agent's capacity. The aim
//! is to do as many jobs as possible, and among those ways to have the least total cost. The
//! problem is NP-hard. [`solve`] gives a good solution, a bound that proves how good it is and, if
//! the effort allows, the proof that none is better. The same input gives the same answer
//! everywhere: all arithmetic is on integers, the dice have a fixed sequence, and effort is counted
//! in offers looked at, never in time.
//!
//! # How it works
//! An open job costs more than any way to do all jobs, so the number of jobs becomes a matter of
//! cost (as in [`crate::assignment`]). Prices for capacities give a lower bound and a first
//! solution (`bound`, `repair`), and local search with penalties gives a better one (`search`).
//! Knapsacks give a better bound (`packing`). Offers that cannot be in a better solution by that
//! bound are dropped, and branch and bound looks through the rest (`branch`). If that does not come
//! to an end, the remaining effort goes to local search and to solving parts of the problem exactly
//! (`polish`).

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

/// The most steps of the bound at the root.
const ROOT_ROUNDS: u32 = 600;
/// The most steps of the bound by packings at the root.
const PACKED_ROUNDS: u32 = 250;

/// Branch and bound is tried only if one evaluation of its bound takes less than 1/`PACKED_SHARE`
/// of the effort.
const PACKED_SHARE: u64 = 20;
/// The most steps of the local search before branch and bound, for each offer.
const EARLY: u64 = 400;

/// A solution, and how good it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The offers that are taken, ascending by job, at most one for each.
    pub pairs: Vec<Offer>,
    /// The sum of their costs.
    pub total: i64,
    /// A lower bound: no solution with as many jobs has a lower total.
    pub bound: i64,
    /// Whether it is proved that no solution does more jobs, or as many for less.
    pub optimal: bool,
    /// The number of steps that were taken.
    pub steps: u64,
}

/// Solves the problem within `effort` steps. A step looks at one offer, which takes 10 to 25
/// nanoseconds. The first bound and the first solution are made whatever the effort is.
#[must_use]
pub fn solve(problem: &Problem, effort: u64) -> Solution {
    let mut bound = Bound::new(problem);
    let mut best = root(problem, &mut bound, rounds(problem, effort));

    let (started, left) = (bound.steps, effort.saturating_sub(bound.steps));

    let mut least = bound.least(problem);

    // The better the solution, the more offers the bound can drop later.
    let mut search = Search::new(problem, &best, &bound);
    let early = (left / 16).min(EARLY * problem.offers() as u64);
    search.run(&mut best, (started + early, least));

    let mut packing = Packing::new(problem, &bound);
    packing.steps = search.steps;

    let mut optimal = best.cost <= least;

    // Packings are tried only if many evaluations of their bound fit into the effort.
    if !optimal && packing.dearest() < left / PACKED_SHARE {
        let middle = started + left / 2;
        pack_root(&mut packing, &best, middle);

        let early = packing.steps + (left / 8).min(10 * EARLY * problem.offers() as u64);
        polish::run(&mut packing, &mut best, (early, least));

        // Again, with the better solution to aim at and to drop offers by.
        let alive = pack_root(&mut packing, &best, middle);
        least = least.max(packing.least_cost());

        // The worths are needed again if branch and bound does not come to an end.
        let (worth, jobs) = (packing.worth.clone(), (0..problem.jobs() as u32).collect());
        let all = (jobs, Plan::empty(problem), &alive[..]);
        optimal = branch::search(&mut packing, all, &mut best, middle);

        if !optimal {
            // There is no proof within its share of the effort: the rest goes to better solutions.
            search.steps = packing.steps;
            search.run(&mut best, (middle + left / 4, least));

            // Parts start from the worths of the root again.
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

/// Returns the rounds of the first bound: a quarter of the effort, within reasonable limits.
fn rounds(problem: &Problem, effort: u64) -> u32 {
    let rounds = effort / 4 / (problem.offers() as u64).max(1);
    rounds.clamp(20, u64::from(ROOT_ROUNDS)) as u32
}

/// Finds the first prices, bound and solution.
fn root(problem: &Problem, bound: &mut Bound, rounds: u32) -> Plan {
    let jobs: Vec<u32> = (0..problem.jobs() as u32).collect();
    let (alive, plan) = (vec![true; problem.offers()], Plan::empty(problem));

    let rest = Rest {
        jobs: &jobs,
        plan: &plan,
        alive: &alive,
    };

    let mut best = repair::by_regret(problem, bound);

    // The first pass has a rough target, the second has the solution that the first led to.
    for _ in 0..2 {
        bound.improve(problem, &rest, (rounds / 2, best.cost));
        let plan = repair::by_regret(problem, bound);

        if plan.cost < best.cost {
            best = plan;
        }
    }

    best
}

/// Improves the bound by packings, and returns which offers can be in a better plan by it.
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

    // A better plan costs at least 1 less.
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

    // `least` counts open jobs at the skip price and other costs above the cheapest offer's.
    let least = problem.unshifted(least - open * problem.skip(), pairs.len());

    // With a proof, the total is its own bound.
    let bound = if optimal { total } else { least.min(total) };

    Solution {
        pairs,
        total,
        bound,
        optimal,
        steps,
    }
}
