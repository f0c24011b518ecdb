//! Makes plans that keep within capacities: a first one, and repairs of those that do not.

use super::bound::Bound;
use super::plan::GapPlan;
use super::problem::{OPEN, Problem};

/// Gives each job the offer of least reduced cost that still fits. Jobs that lose most by taking
/// their second choice go first.
pub(super) fn by_regret(problem: &Problem, bound: &mut Bound) -> GapPlan {
    // No regret is above 0, so those that lose most come first.
    let mut order: Vec<(i64, u32)> = (0..problem.jobs() as u32)
        .map(|job| (regret(problem, bound, job), job))
        .collect();
    order.sort_unstable();

    let mut plan = GapPlan::empty(problem);
    for (_, job) in order {
        fill(problem, bound, &mut plan, job);
    }

    // Each offer was looked at twice.
    bound.steps += 2 * problem.offers() as u64;
    plan
}

/// Returns the reduced cost of a job's best choice less that of its second best.
fn regret(problem: &Problem, bound: &Bound, job: u32) -> i64 {
    // A job can always be left open, so no choice counts as worse than that.
    let skip = bound.reduced(problem, OPEN);
    let mut best = skip;
    let mut second = skip;

    for place in problem.of_job(job) {
        let cost = bound.reduced(problem, place);
        second = second.min(cost.max(best));
        best = best.min(cost);
    }

    best - second
}

/// Opens jobs of agents that are beyond their capacity, until all keep within it. Then places each
/// open job by an offer that fits, if there is one.
pub(super) fn unload(problem: &Problem, bound: &Bound, plan: &mut GapPlan) {
    let jobs: Vec<u32> = (0..problem.jobs() as u32).collect();

    for &job in &jobs {
        let place = plan.by[job as usize];
        if place != OPEN && is_over(problem, plan, problem.agent(place)) {
            plan.put(problem, job, OPEN);
        }
    }

    // A job that was opened may fit elsewhere.
    for job in jobs {
        if plan.by[job as usize] == OPEN {
            fill(problem, bound, plan, job);
        }
    }
}

/// Places a job by the offer of least reduced cost that fits, if there is one.
fn fill(problem: &Problem, bound: &Bound, plan: &mut GapPlan, job: u32) {
    let fitting = problem
        .of_job(job)
        .filter(|place| plan.fits(problem, *place));
    if let Some(place) = fitting.min_by_key(|place| bound.reduced(problem, *place)) {
        plan.put(problem, job, place);
    }
}

/// Checks whether an agent exceeds one of its capacities.
fn is_over(problem: &Problem, plan: &GapPlan, agent: usize) -> bool {
    let range = agent * problem.dimensions()..(agent + 1) * problem.dimensions();
    plan.load[range.clone()]
        .iter()
        .zip(&problem.capacity()[range])
        .any(|(load, of)| load > of)
}
