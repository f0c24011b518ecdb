//! Generalised assignment as a mechanism: all due tasks together, several for each agent within its
//! budget.
//!
//! NP-hard, so that nobody can be asked for the optimum: [`Gap`] computes a deterministic baseline,
//! and that is what a ledger clears by; no operation brings proposals yet. Given some, a
//! [`Candidate`] is judged by [`check`], compared by [`Score`], and wins in [`best`] only if it is
//! better than the baseline.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Amounts, Hash, Label, Price, PublicKey, TaskId};

use crate::eligibility::fits;
use crate::first_price::take;
use crate::gap::{self, Offer, Problem};
use crate::mechanism::{Bidding, Mechanism};
use crate::round::{Award, Bid, Clearing, Round, Task};

/// The baseline: as many tasks as it finds, among those ways the least total price it finds, within
/// a fixed effort by [`gap::solve`]; paid as bid.
#[derive(Debug, Clone, Copy)]
pub struct Gap;

/// Steps of the solver, in any case and for each bid.
const EFFORT: (u64, u64) = (400_000, 500);
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
        "most tasks, then least total, as far as a fixed search gets; exact where rounds are small"
    }

    fn limits(&self) -> &'static str {
        "2048 tasks, 2048 bidders, 64 dimensions"
    }

    fn bidding(&self) -> Bidding {
        Bidding::Either
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        // The solver may overstep its effort by a quarter, and builds a table of all pairs.
        let pairs = (tasks as u64).saturating_mul(bidders as u64);
        let steps = effort(bids).saturating_add(effort(bids) / 4).saturating_add(pairs / 4);
        let rows = (tasks as u64).saturating_add(bidders as u64);
        (steps / STEPS_PER_UNIT).saturating_add(rows).saturating_add(bids as u64)
    }

    fn clear(&self, round: &Round) -> Clearing {
        let agents = drawn(round);
        let Some(problem) = problem(round, &agents) else { return Clearing::default() };
        let solution = gap::solve(&problem, effort(round.bids.len()));
        let award = |pair: &Offer| {
            let (task, agent) = (round.tasks[pair.job as usize].id, agents[pair.agent as usize]);
            Award::at(&Bid { task, agent, price: pair.cost }, pair.cost)
        };
        Clearing { awards: solution.pairs.iter().map(award).collect(), duals: None }
    }
}

fn effort(bids: usize) -> u64 {
    EFFORT.0.saturating_add((bids as u64).saturating_mul(EFFORT.1))
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

/// `None` beyond the solver's sizes.
fn problem(round: &Round, agents: &[PublicKey]) -> Option<Problem> {
    let names: BTreeSet<&Label> = round.tasks.iter().flat_map(|task| task.demand.keys()).collect();
    let vector = |amounts: &Amounts| -> Vec<i64> {
        names.iter().map(|name| amounts.get(*name).copied().unwrap_or(0).max(0)).collect()
    };
    let places: BTreeMap<&PublicKey, u32> = agents.iter().zip(0..).collect();
    let budget = |agent: &PublicKey| round.bidder_index(agent).map(|at| &round.bidders[at].budget);
    let budgets: Vec<Vec<i64>> =
        agents.iter().filter_map(|agent| budget(agent).map(vector)).collect();
    let offers = round.bids.iter().filter_map(|bid| {
        let (agent, job) = (*places.get(&bid.agent)?, round.task_index(&bid.task)?);
        let task = &round.tasks[job];
        (bid.price <= task.limit).then(|| Offer {
            agent,
            job: job as u32,
            cost: bid.price,
            demand: vector(&task.demand),
        })
    });
    Problem::new(round.tasks.len(), &budgets, offers.collect()).ok()
}

/// A proposal of who does what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Task and agent, strictly ascending by task.
    pub pairs: Vec<(TaskId, PublicKey)>,
}

/// Why a proposal is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// Tasks are not strictly ascending.
    #[error("task {0} is out of order")]
    Order(TaskId),
    /// There is no such bid within the task's limit.
    #[error("agent {agent} has no bid within the limit on task {task}")]
    NoBid {
        /// Task.
        task: TaskId,
        /// Agent.
        agent: PublicKey,
    },
    /// What an agent would win does not fit into its budget.
    #[error("task {task} does not fit into what is left to agent {agent}")]
    OverBudget {
        /// Task, the first that does not fit.
        task: TaskId,
        /// Agent.
        agent: PublicKey,
    },
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

/// The clearing that a proposal stands for, paid as bid.
///
/// # Errors
/// [`CandidateError`] names the first pair that does not hold.
pub fn check(round: &Round, candidate: &Candidate) -> Result<Clearing, CandidateError> {
    let mut remaining: BTreeMap<PublicKey, Amounts> =
        round.bidders.iter().map(|bidder| (bidder.agent, bidder.budget.clone())).collect();
    let mut awards: Vec<Award> = Vec::with_capacity(candidate.pairs.len());
    for &(id, agent) in &candidate.pairs {
        if awards.last().is_some_and(|last| last.task >= id) {
            return Err(CandidateError::Order(id));
        }
        let missing = CandidateError::NoBid { task: id, agent };
        let (task, bid) = bid(round, id, agent).ok_or(missing)?;
        let budget = remaining.get_mut(&agent).ok_or(missing)?;
        if !fits(&task.demand, budget) {
            return Err(CandidateError::OverBudget { task: id, agent });
        }
        take(budget, &task.demand);
        awards.push(Award::at(bid, bid.price));
    }
    Ok(Clearing { awards, duals: None })
}

fn bid(round: &Round, id: TaskId, agent: PublicKey) -> Option<(&Task, &Bid)> {
    let task = &round.tasks[round.task_index(&id)?];
    let bids = round.bids_on(&id);
    let bid = &bids[bids.binary_search_by_key(&agent, |bid| bid.agent).ok()?];
    (bid.price <= task.limit).then_some((task, bid))
}

/// The score of a clearing of this round.
pub fn score(round: &Round, clearing: &Clearing) -> Score {
    let awards = &clearing.awards;
    let mut keys: Vec<Hash> =
        awards.iter().map(|award| round.ties.key(&award.task, &award.agent)).collect();
    keys.sort_unstable();
    let total = awards.iter().map(|award| award.bid).fold(0, Price::saturating_add);
    Score { tasks: Reverse(awards.len()), total, keys }
}

/// The best of the baseline and all proposals that hold. The baseline wins where none is better.
pub fn best(round: &Round, candidates: &[Candidate]) -> Clearing {
    let mut best = Gap.clear(round);
    let mut least = score(round, &best);
    for clearing in candidates.iter().filter_map(|candidate| check(round, candidate).ok()) {
        let score = score(round, &clearing);
        if score < least {
            (best, least) = (clearing, score);
        }
    }
    best
}
