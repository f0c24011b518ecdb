//! Who does what, and what that takes of whom.

use super::problem::{OPEN, Problem};

/// A way to give jobs to agents, within capacities or not.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The offer by which each job is done, or [`OPEN`].
    pub(super) by: Vec<u32>,
    /// What is taken of each capacity.
    pub(super) load: Vec<i64>,
    /// Sum of [`Problem::cost`] over all jobs.
    pub(super) cost: i64,
}

impl Plan {
    /// All jobs open.
    pub(super) fn empty(problem: &Problem) -> Self {
        Self {
            by: vec![OPEN; problem.jobs()],
            load: vec![0; problem.capacity().len()],
            cost: problem.skip() * problem.jobs() as i64,
        }
    }

    /// Has a job done by an offer, or left open.
    pub(super) fn put(&mut self, problem: &Problem, job: u32, place: u32) {
        let before = std::mem::replace(&mut self.by[job as usize], place);
        self.cost += problem.cost(place) - problem.cost(before);
        self.add(problem, before, -1);
        self.add(problem, place, 1);
    }

    /// Whether an offer fits beside all that is planned.
    pub(super) fn fits(&self, problem: &Problem, place: u32) -> bool {
        let at = problem.agent(place) * problem.dimensions();
        let used = self.load[at..].iter().zip(&problem.capacity()[at..]);
        problem
            .demand(place)
            .iter()
            .zip(used)
            .all(|(demand, (load, of))| load + demand <= *of)
    }

    /// Whether no capacity is exceeded.
    pub(super) fn is_feasible(&self, problem: &Problem) -> bool {
        self.load
            .iter()
            .zip(problem.capacity())
            .all(|(load, capacity)| load <= capacity)
    }

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
