//! The `gap` mechanism (M-22): generalised assignment of all due tasks together, several for each
//! agent within its budget.
//!
//! The problem is NP-hard, so no rule can ask for the optimum. [`Gap`] computes a deterministic
//! baseline, and takes a solution from outside instead if that is better by its [`Score`].
//! [`clearing_of`] decides which pairs of a solution hold.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use quorate_types::operation::Pair;
use quorate_types::{Amounts, Hash, Label, Price, PublicKey};

use crate::eligibility::fits;
use crate::first_price::take;
use crate::gap::{self, Offer, Problem};
use crate::mechanism::{Bidding, Mechanism};
use crate::round::{Award, Bid, Clearing, Round, Task};

/// The best of a baseline and of the solutions from outside. The baseline is what [`gap::solve`]
/// finds within a fixed effort: as many tasks as it can, then the least total price that it can.
/// Winners are paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Gap;

/// Steps of the solver: in any case, for each of the first [`FIRST_BIDS`] bids, and for each
/// further bid. In a large round they must fit into a block beside the cost of judging its bids.
const EFFORT: (u64, u64, u64) = (400_000, 500, 100);
/// The number of bids that count with the full effort.
const FIRST_BIDS: u64 = 4_000;
/// The most dimensions of an agent. Offers that would add more do not count in the search.
const DIMENSIONS: usize = 16;
/// Solver steps that make one unit of cost. A step takes up to 25 nanoseconds in large rounds.
const STEPS_PER_UNIT: u64 = 45;

impl Mechanism for Gap {
    fn name(&self) -> &'static str {
        "gap"
    }

    fn version(&self) -> u16 {
        1
    }

    fn class(&self) -> &'static str {
        "MT-SR-IA"
    }

    fn guarantee(&self) -> &'static str {
        "the best solution submitted, at least what a fixed search finds: most tasks, least total"
    }

    fn limits(&self) -> &'static str {
        "2048 tasks, 2048 bidders, 16 dimensions of all that an agent offers to do"
    }

    fn bidding(&self) -> Bidding {
        Bidding::Either
    }

    fn takes_solutions(&self) -> bool {
        true
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        // The solver may exceed its effort by a quarter, and it builds a table of all pairs.
        let pairs = (tasks as u64).saturating_mul(bidders as u64);
        let effort = gap_effort(bids);
        let steps = effort.saturating_add(effort / 4).saturating_add(pairs / 4);
        let rows = (tasks as u64).saturating_add(bidders as u64);

        (steps / STEPS_PER_UNIT)
            .saturating_add(rows)
            .saturating_add(bids as u64)
    }

    fn clear(&self, round: &Round) -> Clearing {
        let awards = gap_search(round, gap_effort(round.bids.len())).awards;

        best(
            round,
            Clearing {
                awards,
                duals: None,
                solution: None,
            },
        )
    }
}

/// Returns the most steps that [`Gap`] searches for, by the number of bids that take part (M-22).
/// Anyone that wants to propose a better solution searches longer.
pub fn gap_effort(bids: usize) -> u64 {
    let first = (bids as u64).min(FIRST_BIDS);
    let further = (bids as u64).saturating_sub(first).saturating_mul(EFFORT.2);
    EFFORT
        .0
        .saturating_add(first.saturating_mul(EFFORT.1))
        .saturating_add(further)
}

/// The result of [`gap_search`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapFound {
    /// The tasks that were won, strictly ascending by task and paid as bid.
    pub awards: Vec<Award>,
    /// Whether it is proved that no awards assign more tasks, or as many for less. The proof covers
    /// the offers that count in the search (M-22).
    pub optimal: bool,
    /// The number of steps that the search took.
    pub steps: u64,
}

/// Runs the search of [`Gap`] with this effort, in steps. It ignores the round's solutions.
pub fn gap_search(round: &Round, effort: u64) -> GapFound {
    let agents = drawn(round);
    let Some((problem, dimensions)) = problem(round, &agents) else {
        return GapFound {
            awards: Vec::new(),
            optimal: false,
            steps: 0,
        };
    };

    // A step looks at all dimensions of an offer, so a wide agent leaves fewer steps (M-22).
    let found = gap::solve(&problem, effort.saturating_mul(2) / (dimensions as u64 + 1));

    let award = |pair: &Offer| {
        let (task, agent) = (
            round.tasks[pair.job as usize].id,
            agents[pair.agent as usize],
        );
        Award::at(
            &Bid {
                task,
                agent,
                price: pair.cost,
            },
            pair.cost,
        )
    };

    let awards = found.pairs.iter().map(award).collect();
    GapFound {
        awards,
        optimal: found.optimal,
        steps: found.steps,
    }
}

/// Returns the bidders in the order of their tie keys for the first task. Among equals the solver
/// prefers those that come first, and nobody can choose this order.
fn drawn(round: &Round) -> Vec<PublicKey> {
    let mut agents: Vec<PublicKey> = round.bidders.iter().map(|bidder| bidder.agent).collect();
    if let Some(task) = round.tasks.first() {
        agents.sort_by_cached_key(|agent| round.ties.key(&task.id, agent));
    }
    agents
}

/// Builds the problem for the solver, and returns with it the number of dimensions of the widest
/// agent. `None` if the round is beyond the solver's sizes.
///
/// Each agent has dimensions of its own, those of the tasks that it offers to do. The tasks that
/// others offer to do, or nobody does, add none.
fn problem(round: &Round, agents: &[PublicKey]) -> Option<(Problem, usize)> {
    let places: BTreeMap<&PublicKey, usize> = agents.iter().zip(0..).collect();
    let mut names: Vec<BTreeMap<&Label, usize>> = vec![BTreeMap::new(); agents.len()];

    let mut taken = Vec::with_capacity(round.bids.len());

    // The offers within the limit of their task, as far as the agent's dimensions have room.
    for bid in &round.bids {
        // A bid on an absent task, or by an absent bidder, is ignored.
        let (Some(&agent), Some(job)) = (places.get(&bid.agent), round.task_index(&bid.task))
        else {
            continue;
        };

        let task = &round.tasks[job];
        if bid.price <= task.limit && widen(&mut names[agent], &task.demand) {
            taken.push((agent, job, bid.price));
        }
    }

    // The solver takes vectors of one length, so all are as long as the widest agent needs.
    let dimensions = names.iter().map(BTreeMap::len).max().unwrap_or(0).max(1);
    let vector = |agent: usize, amounts: &Amounts| {
        let mut vector = vec![0; dimensions];
        for (name, at) in &names[agent] {
            vector[*at] = amounts.get(*name).copied().unwrap_or(0).max(0);
        }
        vector
    };

    let budget = |(agent, key): (usize, &PublicKey)| {
        let at = round.bidder_index(key)?;
        Some(vector(agent, &round.bidders[at].budget))
    };

    let budgets: Vec<Vec<i64>> = agents.iter().enumerate().filter_map(budget).collect();

    let offers = taken.into_iter().map(|(agent, job, cost)| {
        let demand = vector(agent, &round.tasks[job].demand);
        Offer {
            agent: agent as u32,
            job: job as u32,
            cost,
            demand,
        }
    });

    let problem = Problem::new(round.tasks.len(), &budgets, offers.collect()).ok()?;
    Some((problem, dimensions))
}

/// Gives the names of a demand their places among an agent's dimensions. Returns false, and changes
/// nothing, if there is no room for them.
fn widen<'a>(names: &mut BTreeMap<&'a Label, usize>, demand: &'a Amounts) -> bool {
    let wanted = || {
        demand
            .iter()
            .filter(|(_, amount)| **amount > 0)
            .map(|(name, _)| name)
    };

    // A demand gets places for all its names, or for none.
    let new = wanted().filter(|name| !names.contains_key(name)).count();
    if names.len() + new > DIMENSIONS {
        return false;
    }

    for name in wanted() {
        let next = names.len();
        names.entry(name).or_insert(next);
    }

    true
}

/// The quality of a clearing (M-30); the lesser score is the better one. More tasks come first,
/// then the lesser total price, then the lesser sequence of sorted tie keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// The number of tasks that are awarded.
    pub tasks: Reverse<usize>,
    /// The sum of the winning bids.
    pub total: Price,
    /// The tie keys of the awarded pairs, ascending.
    pub keys: Vec<Hash>,
}

impl Score {
    /// Computes the score of a clearing of this round.
    pub fn new(round: &Round, clearing: &Clearing) -> Self {
        let awards = &clearing.awards;
        let mut keys: Vec<Hash> = awards
            .iter()
            .map(|award| round.ties.key(&award.task, &award.agent))
            .collect();
        keys.sort_unstable();

        let total = awards
            .iter()
            .map(|award| award.bid)
            .fold(0, Price::saturating_add);

        Self {
            tasks: Reverse(awards.len()),
            total,
            keys,
        }
    }
}

/// Returns the part of a solution that holds, paid as bid (M-31). It takes each pair in turn that
/// has a bid within its task's limit and fits into what the pairs before it leave of the agent's
/// budget. So the result is a valid clearing whatever was proposed, and it has all pairs exactly if
/// all of them hold.
pub fn clearing_of(round: &Round, solution: &[Pair]) -> Clearing {
    let mut remaining: BTreeMap<PublicKey, Amounts> = round
        .bidders
        .iter()
        .map(|bidder| (bidder.agent, bidder.budget.clone()))
        .collect();
    let mut awards: Vec<Award> = Vec::with_capacity(solution.len());

    for pair in solution {
        let Some((task, bid)) = bid(round, pair) else {
            continue;
        };
        let Some(budget) = remaining.get_mut(&pair.agent) else {
            continue;
        };

        // A pair that is out of order might award its task twice.
        let follows = awards.last().is_none_or(|last| last.task < pair.task);
        if follows && fits(&task.demand, budget) {
            take(budget, &task.demand);
            awards.push(Award::at(bid, bid.price));
        }
    }

    Clearing {
        awards,
        duals: None,
        solution: None,
    }
}

/// Returns the task of a pair and the agent's bid on it, if that bid is within the limit.
fn bid<'a>(round: &'a Round, pair: &Pair) -> Option<(&'a Task, &'a Bid)> {
    let task = &round.tasks[round.task_index(&pair.task)?];
    let bids = round.bids_on(&pair.task);
    let bid = &bids[bids
        .binary_search_by_key(&pair.agent, |bid| bid.agent)
        .ok()?];
    (bid.price <= task.limit).then_some((task, bid))
}

/// Returns the best of what was found and the round's solutions. Of equals it prefers what was
/// found, then the first solution.
fn best(round: &Round, found: Clearing) -> Clearing {
    if round.solutions.is_empty() {
        return found;
    }

    let mut least = Score::new(round, &found);
    let mut best = found;
    for (at, solution) in round.solutions.iter().enumerate() {
        let clearing = clearing_of(round, solution);
        let score = Score::new(round, &clearing);

        // Only a better solution replaces another, so of equals the first one stays.
        if score < least {
            (best, least) = (
                Clearing {
                    solution: Some(at),
                    ..clearing
                },
                score,
            );
        }
    }

    best
}
