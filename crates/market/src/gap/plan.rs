//! A plan: which agent does which job, and how much that takes of its capacity.

use super::problem::{OPEN, Problem};

/// A way to give jobs to agents. It may exceed capacities.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The offer by which each job is done, or [`OPEN`].
    pub(super) by: Vec<u32>,
    /// The amount that is taken of each capacity.
    pub(super) load: Vec<i64>,
    /// The sum of [`Problem::cost`] over all jobs.
    pub(super) cost: i64,
}

impl Plan {
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
        let at = problem.agent(place) * problem.dimensions();
        let used = self.load[at..].iter().zip(&problem.capacity()[at..]);
        problem
            .demand(place)
            .iter()
            .zip(used)
            .all(|(demand, (load, of))| load + demand <= *of)
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
        if place != OPEN {
            let at = problem.agent(place) * problem.dimensions();
            let loads = self.load[at..].iter_mut();
            loads
                .zip(problem.demand(place))
                .for_each(|(load, demand)| *load += times * demand);
        }
    }
}
