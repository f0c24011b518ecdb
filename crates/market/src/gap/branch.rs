//! Exact search: depth first, job by job, with a bound for the jobs that are not decided.

use super::bound::Rest;
use super::packing::Packing;
use super::plan::Plan;
use super::problem::{OPEN, Problem};

/// The most steps of the bound at a node. It starts from the worths of the node above.
const ROUNDS: u32 = 24;

/// A job that is being decided, with its choices. The most promising one is the last.
struct Node {
    job: u32,
    /// The place in the list of undecided jobs from which the job was taken.
    at: usize,
    /// The least cost with each choice, in scaled costs, and the choice.
    choices: Vec<(i64, u32)>,
    /// The worths that the bound starts from below this node.
    worth: Vec<i64>,
}

/// Looks through all plans that may be better than `best`, and keeps the best of them there. These
/// are the plans that decide `jobs` beside what `plan` decides, by offers that are alive. Returns
/// true if the search came to an end, so that none is better. It stops when `bound` has taken
/// `effort` steps.
pub(super) fn search(
    bound: &mut Packing<'_>,
    (jobs, plan, alive): (Vec<u32>, Plan, &[bool]),
    best: &mut Plan,
    effort: u64,
) -> bool {
    let problem = bound.problem();

    let mut tree = Tree {
        problem,
        alive,
        jobs,
        plan,
        best,
        effort,
    };

    let mut path: Vec<Node> = tree.expand(bound).into_iter().collect();
    while let Some(node) = path.last_mut() {
        if bound.steps >= effort {
            return false;
        }

        let target = tree.best.cost.saturating_mul(problem.scale());
        let Some((least, place)) = node.choices.pop() else {
            // All choices for this job are done.
            tree.undo(node);
            path.pop();
            continue;
        };

        // The choices are in order: if this one cannot be better, none of the others can.
        // A better plan costs at least one unit, which is `scale` here, less.
        if least > target - problem.scale() {
            node.choices.clear();
            continue;
        }

        tree.plan.put(problem, node.job, place);

        // Below this choice the bound starts from the worths of the node.
        bound.worth.clone_from(&node.worth);
        path.extend(tree.expand(bound));
    }

    true
}

/// The decisions on the way to a node, and the jobs that are left.
struct Tree<'a> {
    problem: &'a Problem,
    alive: &'a [bool],
    jobs: Vec<u32>,
    plan: Plan,
    best: &'a mut Plan,
    effort: u64,
}

impl Tree<'_> {
    /// Returns the next job to decide, unless nothing better can follow from here.
    fn expand(&mut self, bound: &mut Packing<'_>) -> Option<Node> {
        if self.jobs.is_empty() {
            if self.plan.cost < self.best.cost {
                self.best.clone_from(&self.plan);
            }
            return None;
        }

        let rest = Rest {
            jobs: &self.jobs,
            plan: &self.plan,
            alive: self.alive,
        };

        let (problem, best) = (self.problem, &mut *self.best);

        // A packing in which no job is done twice may be a plan, and a better one.
        bound.improve(&rest, (ROUNDS, best.cost, self.effort), |seen| {
            if let Some(plan) = complete(problem, &rest, seen)
                && plan.cost < best.cost
            {
                best.clone_from(&plan);
            }
        });

        // If the bound is no better, nothing below this node is.
        if bound.least_cost() >= best.cost {
            return None;
        }

        let at = self.most_undecided(bound);
        let job = self.jobs.swap_remove(at);
        let choices = self.choices(bound, job);

        Some(Node {
            job,
            at,
            choices,
            worth: bound.worth.clone(),
        })
    }

    /// Returns the index of the job that was least often done exactly once, and among such jobs of
    /// the one that takes most.
    fn most_undecided(&self, bound: &Packing<'_>) -> usize {
        let weight = |job: u32| {
            let weight = |place: u32| self.problem.weight(place).iter().sum::<i64>();
            self.problem.of_job(job).map(weight).max().unwrap_or(0)
        };

        let key = |at: &usize| {
            (
                bound.trouble[self.jobs[*at] as usize],
                weight(self.jobs[*at]),
            )
        };

        // Reversed, so that the first of equals is chosen: `max_by_key` returns the last.
        (0..self.jobs.len()).rev().max_by_key(key).unwrap_or(0)
    }

    /// Returns the choices for a job, each with the bound that follows from it. The least one is
    /// the last.
    fn choices(&self, bound: &mut Packing<'_>, job: u32) -> Vec<(i64, u32)> {
        let problem = self.problem;
        let rest = Rest {
            jobs: &self.jobs,
            plan: &self.plan,
            alive: self.alive,
        };

        let possible = problem
            .of_job(job)
            .filter(|place| self.alive[*place as usize] && self.plan.fits(problem, *place));

        let mut choices: Vec<(i64, u32)> = possible
            .map(|place| (bound.with(&rest, place), place))
            .collect();

        // Leaving the job open costs the skip price, but saves its worth.
        let skipped = problem.skip() * problem.scale() - bound.worth[job as usize];
        choices.push((bound.value + skipped.max(0), OPEN));
        choices.sort_unstable_by(|a, b| b.cmp(a));
        bound.steps += choices.len() as u64;

        choices
    }

    /// Takes a decision back, and puts the job in the place that it was taken from.
    fn undo(&mut self, node: &Node) {
        self.plan.put(self.problem, node.job, OPEN);
        self.jobs.push(node.job);
        let last = self.jobs.len() - 1;
        self.jobs.swap(node.at, last);
    }
}

/// Returns the plan that the packings make, if it does each job at most once, within capacities.
fn complete(problem: &Problem, rest: &Rest<'_>, seen: &Packing<'_>) -> Option<Plan> {
    if rest.jobs.iter().any(|job| seen.times[*job as usize] > 1) {
        return None;
    }

    let mut plan = rest.plan.clone();
    for &job in rest.jobs {
        let place = seen.choice[job as usize];
        if place != OPEN && !plan.fits(problem, place) {
            return None;
        }
        plan.put(problem, job, place);
    }

    Some(plan)
}
