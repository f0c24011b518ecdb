//! A plan: which agent does which job, and how much that takes of its capacity. And the part of a
//! problem that a plan leaves undecided.

use super::problem::{OPEN, Problem};

/// A way to give jobs to agents. It may exceed capacities.
#[derive(Clone, Debug)]
pub(super) struct GapPlan {
    /// The offer by which each job is done, or [`OPEN`].
    pub(super) by: Vec<u32>,
    /// The amount that is taken of each capacity.
    pub(super) load: Vec<i64>,
    /// The sum of [`Problem::cost`] over all jobs.
    pub(super) cost: i64,
}

impl GapPlan {
    /// Returns a plan in which all jobs are open.
    pub(super) fn empty(problem: &Problem) -> Self {
        Self {
            by: vec![OPEN; problem.jobs()],
            load: vec![0; problem.capacity().len()],
            cost: problem.skip() * problem.jobs() as i64,
        }
    }

    /// Lets a job be done by an offer, or leaves it open.
    pub(super) fn put(&mut self, problem: &Problem, job: u32, place: u32) {
        let before = std::mem::replace(&mut self.by[job as usize], place);
        self.cost += problem.cost(place) - problem.cost(before);
        self.add(problem, before, -1);
        self.add(problem, place, 1);
    }

    /// Checks whether an offer fits beside everything that is planned.
    pub(super) fn fits(&self, problem: &Problem, place: u32) -> bool {
        let first = problem.first_capacity(place);
        let loads = &self.load[first..];
        let capacities = &problem.capacity()[first..];

        problem
            .demand(place)
            .iter()
            .zip(loads)
            .zip(capacities)
            .all(|((demand, load), capacity)| load + demand <= *capacity)
    }

    /// Checks whether all capacities are kept.
    pub(super) fn is_feasible(&self, problem: &Problem) -> bool {
        self.load
            .iter()
            .zip(problem.capacity())
            .all(|(load, capacity)| load <= capacity)
    }

    /// Adds the demand of an offer to its agent's load; `times` is 1 or -1.
    fn add(&mut self, problem: &Problem, place: u32, times: i64) {
        if place == OPEN {
            return;
        }

        let loads = &mut self.load[problem.first_capacity(place)..];
        for (load, demand) in loads.iter_mut().zip(problem.demand(place)) {
            *load += times * demand;
        }
    }
}

/// The part of a problem that is not decided yet.
pub(super) struct Rest {
    /// The jobs without a decision.
    pub(super) jobs: Vec<u32>,
    /// The decisions that were made. Jobs without a decision are open in it.
    pub(super) plan: GapPlan,
    /// For each offer: whether it can still be in a better solution.
    pub(super) alive: Vec<bool>,
}

impl Rest {
    /// Returns the whole problem, in which nothing is decided.
    pub(super) fn all(problem: &Problem) -> Self {
        Self {
            jobs: (0..problem.jobs() as u32).collect(),
            plan: GapPlan::empty(problem),
            alive: vec![true; problem.offers()],
        }
    }

    /// Checks whether an offer can be in a better solution and fits beside the decisions.
    #[inline]
    pub(super) fn allows(&self, problem: &Problem, place: u32) -> bool {
        self.alive[place as usize] && self.plan.fits(problem, place)
    }

    /// Returns the cost of the decisions, in scaled costs.
    pub(super) fn decided(&self, problem: &Problem) -> i64 {
        // The plan counts jobs without a decision as open, so their skip prices are taken off.
        let decided = self.plan.cost - problem.skip() * self.jobs.len() as i64;
        decided * problem.scale()
    }

    /// Returns the weight that the decisions leave of a capacity. It is at least the sum of the
    /// weights of all offers that fit together, since both are rounded down.
    pub(super) fn room(&self, problem: &Problem, at: usize) -> i64 {
        (problem.capacity()[at] - self.plan.load[at]) >> problem.cut(at)
    }
}
