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

pub use problem::{
    GapOffer, MAX_AMOUNT, MAX_COST, MAX_DIMENSIONS, MAX_SIDE, Problem, ProblemError,
};

use self::bound::Bound;
use self::packing::{Goal, Packing};
use self::plan::{GapPlan, Rest};
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
    pub pairs: Vec<GapOffer>,
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
    let best = root(problem, &mut bound, rounds(problem, effort));
    let least = bound.least(problem);

    let solver = Solver {
        problem,
        search: Search::new(problem, &best, &bound),
        packing: Packing::new(problem, &bound),
        best,
        least,
        effort,
    };

    solver.solve()
}

/// Returns the rounds of the first bound: a quarter of the effort, within reasonable limits.
fn rounds(problem: &Problem, effort: u64) -> u32 {
    let rounds = effort / 4 / (problem.offers() as u64).max(1);
    rounds.clamp(20, u64::from(ROOT_ROUNDS)) as u32
}

/// Finds the first prices, bound and solution.
fn root(problem: &Problem, bound: &mut Bound, rounds: u32) -> GapPlan {
    let rest = Rest::all(problem);
    let mut best = repair::by_regret(problem, bound);

    // The first pass has a rough target, the second has the solution that the first led to.
    for _ in 0..2 {
        bound.improve(problem, &rest, rounds / 2, best.cost);
        let plan = repair::by_regret(problem, bound);

        if plan.cost < best.cost {
            best = plan;
        }
    }

    best
}

/// The search for a better solution than the first one. `packing` counts the steps of all parts.
struct Solver<'a> {
    problem: &'a Problem,
    search: Search<'a>,
    packing: Packing<'a>,
    /// The best plan so far.
    best: GapPlan,
    /// The cost that no plan is below, as far as it is known.
    least: i64,
    /// The number of steps after which the search ends.
    effort: u64,
}

impl Solver<'_> {
    /// Improves the solution until the effort is spent or it is proved to be optimal.
    fn solve(mut self) -> Solution {
        let started = self.packing.steps;
        let left = self.effort.saturating_sub(started);

        // The better the solution, the more offers the bound can drop later.
        let early = (left / 16).min(EARLY * self.problem.offers() as u64);
        self.search_until(started + early);

        let mut optimal = self.best.cost <= self.least;

        // Packings are tried only if many evaluations of their bound fit into the effort.
        if !optimal && self.packing.dearest() < left / PACKED_SHARE {
            optimal = self.branch_and_bound(started, left);
        }

        if !optimal {
            self.search_until(self.effort);
            optimal = self.best.cost <= self.least;
        }

        self.to_solution(optimal)
    }

    /// Improves the best plan by local search, until this many steps are taken.
    fn search_until(&mut self, effort: u64) {
        self.search.steps = self.packing.steps;
        self.search.run(&mut self.best, effort, self.least);
        self.packing.steps = self.search.steps;
    }

    /// Improves the best plan part by part, until this many steps are taken.
    fn polish_until(&mut self, effort: u64) {
        polish::run(&mut self.packing, &mut self.best, effort, self.least);
    }

    /// Tries to solve the problem exactly, and returns whether branch and bound came to its end, so
    /// that the best plan is optimal. `started` is the number of steps that the first solution
    /// took, and `left` the number that it left.
    fn branch_and_bound(&mut self, started: u64, left: u64) -> bool {
        let middle = started + left / 2;
        self.improve_packing(middle);

        let early = (left / 8).min(10 * EARLY * self.problem.offers() as u64);
        self.polish_until(self.packing.steps + early);

        // Again, with the better solution to aim at and to drop offers by.
        let rest = self.improve_packing(middle);
        self.least = self.least.max(self.packing.least_cost());

        // The worths are needed again if branch and bound does not come to an end.
        let worth = self.packing.worth.clone();
        let optimal = branch::search(&mut self.packing, rest, &mut self.best, middle);

        if !optimal {
            // There is no proof within its share of the effort: the rest goes to better solutions.
            self.search_until(middle + left / 4);

            // Parts start from the worths of the root again.
            self.packing.worth = worth;
            self.polish_until(self.effort);
        }

        optimal
    }

    /// Improves the bound by packings. Returns the problem with the offers that can be in a better
    /// plan by it.
    fn improve_packing(&mut self, effort: u64) -> Rest {
        let rest = Rest::all(self.problem);
        let goal = Goal {
            rounds: PACKED_ROUNDS,
            target: self.best.cost,
            effort,
        };

        // Packings that happen to be plans are left to branch and bound.
        self.packing.improve(&rest, goal, |_| {});

        // A better plan costs at least 1 less.
        let cost = self.best.cost - 1;
        let most = cost * self.problem.scale();
        let is_alive = |place| self.packing.with(&rest, place) <= most;

        let places = 0..self.problem.offers() as u32;
        let alive = places.map(is_alive).collect();

        Rest { alive, ..rest }
    }

    /// Returns the best plan as a solution.
    fn to_solution(&self, optimal: bool) -> Solution {
        let problem = self.problem;
        let places = self.best.by.iter().filter(|place| **place != OPEN);
        let pairs: Vec<GapOffer> = places.map(|place| problem.offer(*place)).collect();
        let total = pairs.iter().map(|pair| pair.cost).sum();

        // With a proof, the total is its own bound.
        let bound = if optimal {
            total
        } else {
            self.least_total(pairs.len()).min(total)
        };

        Solution {
            pairs,
            total,
            bound,
            optimal,
            steps: self.packing.steps,
        }
    }

    /// Returns the lower bound in the caller's costs, for plans in which this many jobs are done.
    fn least_total(&self, done: usize) -> i64 {
        // `least` counts open jobs at the skip price and other costs above the cheapest offer's.
        let open = (self.problem.jobs() - done) as i64;
        let least = self.least - open * self.problem.skip();
        self.problem.unshifted(least, done)
    }
}
