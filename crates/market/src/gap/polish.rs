//! Improves a plan part by part: a few agents and some of their jobs at a time, solved exactly.
//!
//! Branch and bound soon solves a part that is small. Many small optima together come near to the
//! large one when moves of single jobs no longer gain (large neighbourhood search; Shaw 1998).

use super::branch;
use super::dice::Dice;
use super::packing::Packing;
use super::plan::{GapPlan, Rest};
use super::problem::{OPEN, Problem};

/// The fewest agents of a part.
const FEWEST_AGENTS: usize = 2;
/// The most agents of a part.
const MOST_AGENTS: usize = 5;
/// The most jobs of a part.
const JOBS: usize = 20;
/// The most steps for a part. One that is not solved by then is left.
const PART: u64 = 100_000;

/// Improves `best` part by part, until `packing` has taken `effort` steps or `best` costs no more
/// than `least`. Each part begins with the worths that `packing` has now, and `packing` keeps them.
pub(super) fn run(packing: &mut Packing<'_>, best: &mut GapPlan, effort: u64, least: i64) {
    let problem = packing.problem();
    let worth = packing.worth.clone();
    let mut dice = Dice::new();

    while packing.steps < effort && best.cost > least {
        let part = draw_part(problem, best, &mut dice);

        // The part before has moved the worths.
        packing.worth.clone_from(&worth);

        // The work outside of branch and bound is charged as well.
        packing.steps += problem.offers() as u64 / 8 + 1;
        let until = effort.min(packing.steps + PART);
        branch::search(packing, part, best, until);
    }

    packing.worth = worth;
}

/// Draws a part: a few agents, and some of the jobs that they do or that are open in the plan.
fn draw_part(problem: &Problem, plan: &GapPlan, dice: &mut Dice) -> Rest {
    let agents = draw_agents(problem, dice);
    let mut jobs = jobs_of(problem, plan, &agents);
    dice.draw(&mut jobs, JOBS);

    // Only the jobs of the part are open; the rest of the plan stays as it is.
    let mut plan = plan.clone();
    for &job in &jobs {
        plan.put(problem, job, OPEN);
    }

    // Only offers of the part's agents may be taken.
    let places = 0..problem.offers() as u32;
    let alive = places.map(|place| agents[problem.agent(place)]).collect();

    Rest { jobs, plan, alive }
}

/// Returns for each agent whether it is in the next part.
fn draw_agents(problem: &Problem, dice: &mut Dice) -> Vec<bool> {
    let mut agents: Vec<usize> = (0..problem.agents()).collect();
    let count = FEWEST_AGENTS + dice.roll(MOST_AGENTS - FEWEST_AGENTS + 1);
    dice.draw(&mut agents, count);

    let mut part = vec![false; problem.agents()];
    agents.into_iter().for_each(|agent| part[agent] = true);
    part
}

/// Returns the jobs of these agents, and all open jobs.
fn jobs_of(problem: &Problem, plan: &GapPlan, agents: &[bool]) -> Vec<u32> {
    let is_theirs = |job: &u32| match plan.by[*job as usize] {
        OPEN => true,
        place => agents[problem.agent(place)],
    };
    (0..problem.jobs() as u32).filter(is_theirs).collect()
}
