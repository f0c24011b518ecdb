//! Generalised assignment as a mechanism: all due tasks together, several for each agent within its
//! budget.
//!
//! NP-hard, so that nobody can be asked for the optimum: [`Gap`] computes a deterministic baseline,
//! and takes a solution from outside in its place where that is better by its [`Score`]. What of a
//! solution holds is [`clearing_of`]'s to say.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use quorate_types::operation::Pair;
use quorate_types::{Amounts, Hash, Label, Price, PublicKey};

use crate::eligibility::fits;
use crate::first_price::take;
use crate::gap::{self, Offer, Problem};
use crate::mechanism::{Bidding, Mechanism};
use crate::round::{Award, Bid, Clearing, Round, Task};

/// The baseline: as many tasks as it finds, among those ways the least total price it finds, within
/// a fixed effort by [`gap::solve`], or a better solution from outside; paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Gap;

/// Steps of the solver, in any case, for each of the first bids, and for each further one: in a
/// large round they must fit into a block beside what judging its bids costs.
const EFFORT: (u64, u64, u64) = (400_000, 500, 100);
/// Bids that count for the full effort.
const FIRST_BIDS: u64 = 4_000;
/// Dimensions of one agent, at most: its offers beyond them do not count in the search.
const DIMENSIONS: usize = 16;
/// Steps of the solver (up to 25 nanoseconds in large rounds) that make one unit of cost.
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
        // The solver may overstep its effort by a quarter, and builds a table of all pairs.
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

/// Steps that [`Gap`] searches for, at most, by the number of bids that take part (clause M-22):
/// whoever proposes a better solution searches longer.
pub fn gap_effort(bids: usize) -> u64 {
    let first = (bids as u64).min(FIRST_BIDS);
    let further = (bids as u64).saturating_sub(first).saturating_mul(EFFORT.2);
    EFFORT
        .0
        .saturating_add(first.saturating_mul(EFFORT.1))
        .saturating_add(further)
}

/// What a search by [`gap_search`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapFound {
    /// Strictly ascending by task, paid as bid.
    pub awards: Vec<Award>,
    /// Nothing assigns more tasks, or as many for less: proved, for the offers that count (M-22).
    pub optimal: bool,
    /// Steps that it took.
    pub steps: u64,
}

/// The search of [`Gap`] with an effort of so many steps, whatever solutions the round has.
pub fn gap_search(round: &Round, effort: u64) -> GapFound {
    let agents = drawn(round);
    let Some((problem, dimensions)) = problem(round, &agents) else {
        return GapFound {
            awards: Vec::new(),
            optimal: false,
            steps: 0,
        };
    };
    // A step looks at all dimensions of an offer.
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

/// The bidders in the order of their tie keys for the first task: of equals the solver prefers what
/// comes first, and this order is nobody's choice.
fn drawn(round: &Round) -> Vec<PublicKey> {
    let mut agents: Vec<PublicKey> = round.bidders.iter().map(|bidder| bidder.agent).collect();
    if let Some(task) = round.tasks.first() {
        agents.sort_by_cached_key(|agent| round.ties.key(&task.id, agent));
    }
    agents
}

/// The round for the solver, and how many dimensions the widest agent has; `None` beyond the
/// solver's sizes.
///
/// Dimensions are each agent's own: what others offer to do, or nobody does, adds none to it.
fn problem(round: &Round, agents: &[PublicKey]) -> Option<(Problem, usize)> {
    let places: BTreeMap<&PublicKey, usize> = agents.iter().zip(0..).collect();
    let mut names: Vec<BTreeMap<&Label, usize>> = vec![BTreeMap::new(); agents.len()];
    let mut taken = Vec::with_capacity(round.bids.len());
    for bid in &round.bids {
        let (Some(&agent), Some(job)) = (places.get(&bid.agent), round.task_index(&bid.task))
        else {
            continue;
        };
        let task = &round.tasks[job];
        if bid.price <= task.limit && widen(&mut names[agent], &task.demand) {
            taken.push((agent, job, bid.price));
        }
    }
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

/// Gives the names of a demand their places among an agent's dimensions, if there is room.
fn widen<'a>(names: &mut BTreeMap<&'a Label, usize>, demand: &'a Amounts) -> bool {
    let wanted = || {
        demand
            .iter()
            .filter(|(_, amount)| **amount > 0)
            .map(|(name, _)| name)
    };
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

/// How good a clearing is: the lesser is the better. More tasks, then less total price, then the
/// lesser sequence of sorted tie keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// Tasks awarded.
    pub tasks: Reverse<usize>,
    /// Sum of the winning bids.
    pub total: Price,
    /// Of the pairs, ascending.
    pub keys: Vec<Hash>,
}

impl Score {
    /// The score of a clearing of this round.
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

/// What of a solution holds, paid as bid: each pair in turn that has a bid within its task's limit
/// and fits into what the pairs before leave of the agent's budget. So it is a clearing whatever
/// was proposed, and one of all the pairs exactly where all of them hold.
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

fn bid<'a>(round: &'a Round, pair: &Pair) -> Option<(&'a Task, &'a Bid)> {
    let task = &round.tasks[round.task_index(&pair.task)?];
    let bids = round.bids_on(&pair.task);
    let bid = &bids[bids
        .binary_search_by_key(&pair.agent, |bid| bid.agent)
        .ok()?];
    (bid.price <= task.limit).then_some((task, bid))
}

/// The best of what was found and the round's solutions; of equals what was found, then the first.
fn best(round: &Round, found: Clearing) -> Clearing {
    if round.solutions.is_empty() {
        return found;
    }
    let mut least = Score::new(round, &found);
    let mut best = found;
    for (at, solution) in round.solutions.iter().enumerate() {
        let clearing = clearing_of(round, solution);
        let score = Score::new(round, &clearing);
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
