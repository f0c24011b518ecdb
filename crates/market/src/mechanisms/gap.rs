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

use super::first_price::take;
use crate::auction::{Auction, Bid, Clearing, Task, Winner};
use crate::eligibility::fits;
use crate::gap::{self, GapOffer, Problem};
use crate::mechanism::{About, Bidding, Mechanism};

/// The best of a baseline and of the solutions from outside. The baseline is what [`gap::solve`]
/// finds within a fixed effort: as many tasks as it can, then the least total price that it can.
/// Winners are paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Gap;

/// Steps of the solver in any case.
const BASE_EFFORT: u64 = 400_000;
/// Steps of the solver for each of the first [`FIRST_BIDS`] bids.
const FIRST_EFFORT: u64 = 500;
/// Steps of the solver for each further bid. In a large auction they must fit into a block beside
/// the cost of judging its bids.
const FURTHER_EFFORT: u64 = 100;
/// The number of bids that count with the full effort.
const FIRST_BIDS: u64 = 4_000;
/// The most dimensions of an agent. Offers that would add more do not count in the search.
const DIMENSIONS: usize = 16;
/// Solver steps that make one unit of cost. A step takes up to 25 nanoseconds in large auctions.
const STEPS_PER_UNIT: u64 = 45;

const ABOUT: About = About {
    name: "gap",
    version: 1,
    class: "MT-SR-IA",
    guarantee: "the best solution submitted, at least what a fixed search finds: most \
                tasks, least total",
    limits: "2048 tasks, 2048 bidders, 16 dimensions of all that an agent offers to do",
    bidding: Bidding::Either,
    takes_all_asks: false,
    takes_solutions: true,
};

impl Mechanism for Gap {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        // The solver may exceed its effort by a quarter, and it builds a table of all pairs.
        let pairs = (tasks as u64).saturating_mul(bidders as u64);
        let rows = (tasks as u64).saturating_add(bidders as u64);
        let effort = gap_effort(bids);
        let most = effort.saturating_add(effort / 4);
        let steps = most.saturating_add(pairs / 4);

        (steps / STEPS_PER_UNIT)
            .saturating_add(rows)
            .saturating_add(bids as u64)
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        let found = gap_search(auction, gap_effort(auction.bids.len()));
        best(auction, Clearing::of(found.winners))
    }
}

/// Returns the most steps that [`Gap`] searches for, by the number of bids that take part (M-22).
/// Anyone that wants to propose a better solution searches longer.
pub fn gap_effort(bids: usize) -> u64 {
    let first = (bids as u64).min(FIRST_BIDS);
    let further = (bids as u64).saturating_sub(first);

    BASE_EFFORT
        .saturating_add(first.saturating_mul(FIRST_EFFORT))
        .saturating_add(further.saturating_mul(FURTHER_EFFORT))
}

/// The result of [`gap_search`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapFound {
    /// The tasks that were won, strictly ascending by task and paid as bid.
    pub winners: Vec<Winner>,
    /// Whether it is proved that no awards assign more tasks, or as many for less. The proof covers
    /// the offers that count in the search (M-22).
    pub optimal: bool,
    /// The number of steps that the search took.
    pub steps: u64,
}

/// Runs the search of [`Gap`] with this effort, in steps. It ignores the auction's solutions.
pub fn gap_search(auction: &Auction, effort: u64) -> GapFound {
    let agents = drawn(auction);
    let Some(problem) = problem(auction, &agents) else {
        return GapFound {
            winners: Vec::new(),
            optimal: false,
            steps: 0,
        };
    };

    // A step looks at all dimensions of an offer, so a wide agent leaves fewer steps (M-22).
    let width = problem.dimensions() as u64;
    let found = gap::solve(&problem, effort.saturating_mul(2) / (width + 1));

    let winners = found
        .pairs
        .iter()
        .map(|pair| winner_of(auction, &agents, pair))
        .collect();

    GapFound {
        winners,
        optimal: found.optimal,
        steps: found.steps,
    }
}

/// Returns the award of a pair of the solver, paid as bid.
fn winner_of(auction: &Auction, agents: &[PublicKey], pair: &GapOffer) -> Winner {
    let bid = Bid {
        task: auction.tasks[pair.job as usize].id,
        agent: agents[pair.agent as usize],
        price: pair.cost,
    };

    Winner::at(&bid, bid.price)
}

/// Returns the bidders in the order of their tie keys for the first task. Among equals the solver
/// prefers those that come first, and nobody can choose this order.
fn drawn(auction: &Auction) -> Vec<PublicKey> {
    let mut agents: Vec<PublicKey> = auction.bidders.iter().map(|bidder| bidder.agent).collect();
    if let Some(task) = auction.tasks.first() {
        agents.sort_by_cached_key(|agent| auction.ties.key(&task.id, agent));
    }
    agents
}

/// Builds the problem for the solver. `None` if the auction is beyond the solver's sizes.
///
/// Each agent has dimensions of its own, those of the tasks that it offers to do. The tasks that
/// others offer to do, or nobody does, add none.
fn problem(auction: &Auction, agents: &[PublicKey]) -> Option<Problem> {
    let mut names = vec![Dimensions::new(); agents.len()];
    let counting = counting_bids(auction, agents, &mut names);

    // The solver takes vectors of one length, so all are as long as the widest agent needs. There
    // must be one dimension at least.
    let widest = names.iter().map(BTreeMap::len).max();
    let width = widest.unwrap_or(0).max(1);

    let budgets: Vec<Vec<i64>> = agents
        .iter()
        .zip(&names)
        .filter_map(|(agent, names)| budget(auction, agent, names, width))
        .collect();

    // All dimensions of a demand are among those of its agent.
    let offers = counting
        .iter()
        .map(|bid| bid.offer(auction, &names[bid.agent], width))
        .collect();

    let jobs = auction.tasks.len();
    Problem::new(jobs, &budgets, offers).ok()
}

/// The places of the names of amounts in the vectors of one agent.
type Dimensions<'a> = BTreeMap<&'a Label, usize>;

/// A bid that counts in the search, by the indices of its agent and its task.
struct CountingBid {
    agent: usize,
    job: usize,
    price: Price,
}

impl CountingBid {
    /// Makes the offer for the solver, by the dimensions of the bid's agent.
    fn offer(&self, auction: &Auction, names: &Dimensions<'_>, width: usize) -> GapOffer {
        let task = &auction.tasks[self.job];

        GapOffer {
            agent: self.agent as u32,
            job: self.job as u32,
            cost: self.price,
            demand: vector(names, &task.demand, width),
        }
    }
}

/// Returns the bids within the limit of their task, as far as the agent's dimensions have room, and
/// gives the names of their demands places in `names`.
fn counting_bids<'a>(
    auction: &'a Auction,
    agents: &[PublicKey],
    names: &mut [Dimensions<'a>],
) -> Vec<CountingBid> {
    let places: BTreeMap<&PublicKey, usize> = agents.iter().zip(0..).collect();
    let mut counting = Vec::with_capacity(auction.bids.len());

    for bid in &auction.bids {
        // A bid on an absent task, or by an absent bidder, is ignored.
        let Some(&agent) = places.get(&bid.agent) else {
            continue;
        };
        let Some(job) = auction.task_index(&bid.task) else {
            continue;
        };

        let price = bid.price;
        let task = &auction.tasks[job];

        // `widen` is asked last, because it keeps the places that it gives.
        if price <= task.limit && widen(&mut names[agent], &task.demand) {
            counting.push(CountingBid { agent, job, price });
        }
    }

    counting
}

/// Returns the budget of an agent as a vector.
fn budget(
    auction: &Auction,
    agent: &PublicKey,
    names: &Dimensions<'_>,
    width: usize,
) -> Option<Vec<i64>> {
    let bidder = auction.bidder(agent)?;
    Some(vector(names, &bidder.budget, width))
}

/// Returns the amounts of an agent's dimensions, in the order of their places. Dimensions that only
/// wider agents have are 0.
fn vector(names: &Dimensions<'_>, amounts: &Amounts, width: usize) -> Vec<i64> {
    let mut vector = vec![0; width];
    for (name, place) in names {
        vector[*place] = amounts.get(*name).copied().unwrap_or(0).max(0);
    }
    vector
}

/// Gives the names of a demand their places among an agent's dimensions. Returns false, and changes
/// nothing, if there is no room for them.
fn widen<'a>(names: &mut Dimensions<'a>, demand: &'a Amounts) -> bool {
    let positive = demand.iter().filter(|(_, amount)| **amount > 0);
    let wanted = positive.map(|(name, _)| name);

    // A demand gets places for all its names, or for none.
    let new = wanted.clone().filter(|name| !names.contains_key(name));
    if names.len() + new.count() > DIMENSIONS {
        return false;
    }

    // A name that is there already keeps its place.
    for name in wanted {
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
    /// Computes the score of a clearing of this auction.
    pub fn new(auction: &Auction, clearing: &Clearing) -> Self {
        let winners = &clearing.winners;
        let bids = winners.iter().map(|award| award.bid);
        let total = bids.fold(0, Price::saturating_add);

        // Sorted, so that the order in which tasks are awarded makes no difference.
        let mut keys: Vec<Hash> = winners
            .iter()
            .map(|award| auction.ties.key(&award.task, &award.agent))
            .collect();
        keys.sort_unstable();

        Self {
            tasks: Reverse(winners.len()),
            total,
            keys,
        }
    }
}

/// Returns the part of a solution that holds, paid as bid (M-31). It takes each pair in turn that
/// has a bid within its task's limit and fits into what the pairs before it leave of the agent's
/// budget. So the result is a valid clearing whatever was proposed, and it has all pairs exactly if
/// all of them hold.
pub fn clearing_of(auction: &Auction, solution: &[Pair]) -> Clearing {
    let mut remaining = auction.budgets();
    let mut winners: Vec<Winner> = Vec::with_capacity(solution.len());

    for pair in solution {
        let Some((task, bid)) = bid(auction, pair) else {
            continue;
        };

        let Some(budget) = remaining.get_mut(&pair.agent) else {
            continue;
        };

        // A pair that is out of order might award its task twice.
        let follows = winners.last().is_none_or(|last| last.task < pair.task);
        if follows && fits(&task.demand, budget) {
            take(budget, &task.demand);
            winners.push(Winner::at(bid, bid.price));
        }
    }

    Clearing::of(winners)
}

/// Returns the task of a pair and the agent's bid on it, if that bid is within the limit.
fn bid<'a>(auction: &'a Auction, pair: &Pair) -> Option<(&'a Task, &'a Bid)> {
    let task = auction.task(&pair.task)?;
    let bids = auction.bids_on(&pair.task);
    let found = bids.binary_search_by_key(&pair.agent, |bid| bid.agent);
    let bid = &bids[found.ok()?];

    (bid.price <= task.limit).then_some((task, bid))
}

/// Returns the best of what was found and the auction's solutions. Of equals it prefers what was
/// found, then the first solution.
fn best(auction: &Auction, found: Clearing) -> Clearing {
    if auction.solutions.is_empty() {
        return found;
    }

    let mut least = Score::new(auction, &found);
    let mut best = found;
    for (at, solution) in auction.solutions.iter().enumerate() {
        let clearing = clearing_of(auction, solution);
        let score = Score::new(auction, &clearing);

        // Only a better solution replaces another, so of equals the first one stays.
        if score < least {
            least = score;
            best = Clearing {
                solution: Some(at),
                ..clearing
            };
        }
    }

    best
}
