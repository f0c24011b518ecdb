//! Exact search: depth first, job by job, with a bound for the jobs that are not decided.

use super::packing::{Goal, Packing};
use super::plan::{GapPlan, Rest};
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
/// are the plans that decide the jobs of `rest`, by its offers that are alive. Returns true if the
/// search came to an end, so that none is better. It stops when `bound` has taken `effort` steps.
pub(super) fn search(bound: &mut Packing<'_>, rest: Rest, best: &mut GapPlan, effort: u64) -> bool {
    let mut tree = Tree {
        problem: bound.problem(),
        rest,
        best,
        effort,
    };

    let mut path: Vec<Node> = tree.expand(bound).into_iter().collect();
    while let Some(node) = path.last_mut() {
        if bound.steps >= effort {
            return false;
        }

        let Some((least, place)) = node.choices.pop() else {
            // All choices for this job are done.
            tree.undo(node);
            path.pop();
            continue;
        };

        // The choices are in order: if this one cannot be better, none of the others can.
        if !tree.may_be_better(least) {
            node.choices.clear();
            continue;
        }

        tree.decide(node.job, place);

        // Below this choice the bound starts from the worths of the node.
        bound.worth.clone_from(&node.worth);
        path.extend(tree.expand(bound));
    }

    true
}

/// The decisions on the way to a node, and the jobs that are left.
struct Tree<'a> {
    problem: &'a Problem,
    rest: Rest,
    best: &'a mut GapPlan,
    effort: u64,
}

impl Tree<'_> {
    /// Returns the next job to decide, unless nothing better can follow from here.
    fn expand(&mut self, bound: &mut Packing<'_>) -> Option<Node> {
        if self.rest.jobs.is_empty() {
            keep_better(self.best, &self.rest.plan);
            return None;
        }

        self.improve(bound);

        // If the bound is no better, nothing below this node is.
        if bound.least_cost() >= self.best.cost {
            return None;
        }

        // The job that the packings agree about least is decided first.
        let at = self.most_undecided(bound);
        let job = self.rest.jobs.swap_remove(at);
        let choices = self.choices(bound, job);

        Some(Node {
            job,
            at,
            choices,
            worth: bound.worth.clone(),
        })
    }

    /// Improves the bound for the jobs that are left, and keeps the plans that it comes across.
    fn improve(&mut self, bound: &mut Packing<'_>) {
        let goal = Goal {
            rounds: ROUNDS,
            target: self.best.cost,
            effort: self.effort,
        };

        // A packing in which no job is done twice may be a plan, and a better one.
        bound.improve(&self.rest, goal, |seen| {
            if let Some(plan) = complete(self.problem, &self.rest, seen) {
                keep_better(self.best, &plan);
            }
        });
    }

    /// Checks whether a plan of this cost, in scaled costs, may be better than the best one.
    fn may_be_better(&self, least: i64) -> bool {
        let target = self.best.cost.saturating_mul(self.problem.scale());

        // A better plan costs at least one unit, which is `scale` here, less.
        least <= target - self.problem.scale()
    }

    /// Returns the index of the job that was least often done exactly once, and among such jobs of
    /// the one that takes most.
    fn most_undecided(&self, bound: &Packing<'_>) -> usize {
        let jobs = &self.rest.jobs;

        let key = |at: &usize| {
            let job = jobs[*at];
            (bound.trouble[job as usize], self.most_weight(job))
        };

        // Reversed, so that the first of equals is chosen: `max_by_key` returns the last.
        (0..jobs.len()).rev().max_by_key(key).unwrap_or(0)
    }

    /// Returns the most that an offer for a job weighs in all dimensions together.
    fn most_weight(&self, job: u32) -> i64 {
        let weight = |place: u32| self.problem.weight(place).iter().sum();
        self.problem.of_job(job).map(weight).max().unwrap_or(0)
    }

    /// Returns the choices for a job, each with the bound that follows from it. The least one is
    /// the last.
    fn choices(&self, bound: &mut Packing<'_>, job: u32) -> Vec<(i64, u32)> {
        let problem = self.problem;
        let rest = &self.rest;

        // Each offer that still fits is a choice.
        let possible = problem
            .of_job(job)
            .filter(|place| rest.allows(problem, *place));

        let mut choices: Vec<(i64, u32)> = possible
            .map(|place| (bound.with(rest, place), place))
            .collect();

        // Leaving the job open costs the skip price, but saves its worth.
        let worth = bound.worth[job as usize];
        let skipped = problem.scaled_skip() - worth;
        choices.push((bound.value + skipped.max(0), OPEN));

        // Choices are taken from the end.
        choices.sort_unstable_by(|a, b| b.cmp(a));
        bound.steps += choices.len() as u64;

        choices
    }

    /// Decides a job by an offer, or leaves it open.
    fn decide(&mut self, job: u32, place: u32) {
        self.rest.plan.put(self.problem, job, place);
    }

    /// Takes a decision back, and puts the job in the place that it was taken from.
    fn undo(&mut self, node: &Node) {
        self.decide(node.job, OPEN);

        let jobs = &mut self.rest.jobs;
        jobs.push(node.job);
        let last = jobs.len() - 1;
        jobs.swap(node.at, last);
    }
}

/// Replaces `best` by `plan` if that costs less.
fn keep_better(best: &mut GapPlan, plan: &GapPlan) {
    if plan.cost < best.cost {
        best.clone_from(plan);
    }
}

/// Returns the plan that the packings make, if it does each job at most once, within capacities.
fn complete(problem: &Problem, rest: &Rest, seen: &Packing<'_>) -> Option<GapPlan> {
    let mut jobs = rest.jobs.iter();
    if jobs.any(|job| seen.times[*job as usize] > 1) {
        return None;
    }

    let mut plan = rest.plan.clone();
    for &job in &rest.jobs {
        let place = seen.choice[job as usize];

        // Only one dimension of each agent is packed, so the others may be exceeded.
        if place != OPEN && !plan.fits(problem, place) {
            return None;
        }
        plan.put(problem, job, place);
    }

    Some(plan)
}
