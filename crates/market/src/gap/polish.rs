//! Improves a plan part by part: a few agents and some of their jobs at a time, exactly.
//!
//! What is small is soon solved by branch and bound, and many small optima together come near to
//! the large one where moves of single jobs no longer gain (large neighbourhood search; Shaw 1998).

use super::branch;
use super::dice::Dice;
use super::packing::Packing;
use super::plan::Plan;
use super::problem::{OPEN, Problem};

/// Agents of a part, at least and at most.
const AGENTS: (usize, usize) = (2, 5);
/// Jobs of a part, at most.
const JOBS: usize = 20;
/// Steps for a part: what has no answer by then is left.
const PART: u64 = 100_000;

/// Improves `best` part by part until `packing` has taken `effort` steps or it costs no more than
/// `least`. `packing` holds the worths to begin with, and keeps them.
pub(super) fn run(packing: &mut Packing<'_>, best: &mut Plan, (effort, least): (u64, i64)) {
    let (problem, worth, mut dice) = (packing.problem(), packing.worth.clone(), Dice::new());
    while packing.steps < effort && best.cost > least {
        let agents = part(problem, &mut dice);
        let mut jobs = jobs_of(problem, best, &agents);
        dice.draw(&mut jobs, JOBS);
        let mut plan = best.clone();
        jobs.iter().for_each(|job| plan.put(problem, *job, OPEN));
        let places = 0..problem.offers() as u32;
        let alive: Vec<bool> = places.map(|place| agents[problem.agent(place)]).collect();
        packing.worth.clone_from(&worth);
        packing.steps += problem.offers() as u64 / 8 + 1;
        let until = effort.min(packing.steps + PART);
        branch::search(packing, (jobs, plan, &alive), best, until);
    }
    packing.worth = worth;
}

/// Which agents the next part has.
fn part(problem: &Problem, dice: &mut Dice) -> Vec<bool> {
    let mut agents: Vec<usize> = (0..problem.agents()).collect();
    let count = AGENTS.0 + dice.roll(AGENTS.1 - AGENTS.0 + 1);
    dice.draw(&mut agents, count);
    let mut part = vec![false; problem.agents()];
    agents.into_iter().for_each(|agent| part[agent] = true);
    part
}

/// The jobs of these agents, and all that are open.
fn jobs_of(problem: &Problem, plan: &Plan, agents: &[bool]) -> Vec<u32> {
    let is_theirs = |job: &u32| match plan.by[*job as usize] {
        OPEN => true,
        place => agents[problem.agent(place)],
    };
    (0..problem.jobs() as u32).filter(is_theirs).collect()
}
