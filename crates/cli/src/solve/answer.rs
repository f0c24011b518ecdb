//! Runs a mechanism on an instance.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use quorate_market::assignment::{self, Edge, Problem};
use quorate_market::mechanisms::Vcg;
use quorate_market::{
    Auction, Bid, Bidder, Clearing, Mechanism, TieSeed, Winner, eligibility, gap, gap_effort,
    proves_least_total,
};
use quorate_types::slots::slots;
use quorate_types::{Amounts, Hash, Label, PublicKey, SwarmId, TaskId, limits};
use tokio::time::Instant;

use super::instance::{Instance, InstanceOffer, Task};

/// The steps of the search for a generalised assignment without `--effort`.
const DEFAULT_STEPS: u64 = 500_000_000;

/// How to read an instance, and how long to search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether prices are gains, so that the greatest sum wins.
    pub maximize: bool,
    /// The highest price for tasks that state none.
    pub reserve: Option<i64>,
    /// The length of the search for a generalised assignment, as a multiple of the steps of the
    /// mechanism's own search.
    pub effort: Option<u64>,
}

/// The answer of a mechanism.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The tasks that are assigned, in ascending order of tasks.
    pub winners: Vec<SolvedTask>,
    /// Whether it is proved that no other answer is better; `None` if the mechanism does not look
    /// for the best of all.
    pub optimal: Option<bool>,
    /// The objective that no answer can surpass, if one was proved.
    pub bound: Option<i64>,
    pub duals: Option<Duals>,
    /// The time that the mechanism took.
    pub elapsed: Duration,
}

/// A task and the agent that got it, by their places in the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SolvedTask {
    pub task: usize,
    pub agent: usize,
    /// The price that the agent asked.
    pub price: i64,
    /// The amount that the agent is paid.
    pub payment: i64,
    /// The amount that the requester pays.
    pub charge: i64,
}

impl SolvedTask {
    /// An award that is paid as bid.
    fn as_bid(task: u32, agent: u32, price: i64) -> Self {
        Self {
            task: task as usize,
            agent: agent as usize,
            price,
            payment: price,
            charge: price,
        }
    }
}

/// The prices that prove an assignment to be the best. The sum of an agent's and a task's price is
/// at most the price of their pair, or with `--maximize` at least that; on assigned pairs it is
/// equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duals {
    pub agents: Vec<i64>,
    pub tasks: Vec<i64>,
}

impl Duals {
    /// Turns the duals of distances to the greatest price into duals of the gains.
    fn turn_back(&mut self, cost: impl Fn(i64) -> i64) {
        self.agents.iter_mut().for_each(|dual| *dual = -*dual);
        self.tasks.iter_mut().for_each(|dual| *dual = cost(*dual));
    }
}

impl Answer {
    /// Sum of the prices.
    pub(super) fn objective(&self) -> i64 {
        self.winners.iter().map(|award| award.price).sum()
    }
}

/// Runs the mechanism.
///
/// # Errors
/// If the instance has something that the mechanism cannot take.
pub(super) fn solve(
    instance: &Instance,
    mechanism: &'static dyn Mechanism,
    rules: Rules,
) -> Result<Answer> {
    match mechanism.name() {
        "assignment" => optimal(instance, rules),
        "gap" => within_budgets(instance, rules),
        name => {
            ensure!(
                !rules.maximize,
                "--maximize is only for the mechanisms assignment and gap"
            );
            auction(instance, mechanism, rules).with_context(|| format!("mechanism {name}"))
        }
    }
}

fn limit(instance: &Instance, task: usize, rules: Rules) -> i64 {
    let limit = instance.tasks[task].limit.or(rules.reserve);
    limit.unwrap_or(limits::PRICE).min(limits::PRICE)
}

fn fits(instance: &Instance, offer: &InstanceOffer) -> bool {
    eligibility::fits(instance.demand(offer), &instance.agents[offer.agent].budget)
}

/// The function from a price to a cost for the solvers, which look for the least. Applied to such a
/// cost it gives the price again.
fn cost(instance: &Instance, rules: Rules) -> impl Fn(i64) -> i64 + Copy {
    let top = instance
        .offers
        .iter()
        .map(|offer| offer.price)
        .max()
        .unwrap_or(0);

    move |price| if rules.maximize { top - price } else { price }
}

fn within_limit(instance: &Instance, offer: &InstanceOffer, rules: Rules) -> bool {
    rules.maximize || offer.price <= limit(instance, offer.task, rules)
}

/// Lets the solver of `gap` assign several tasks to each agent within its budget. It is called
/// without a round, because a round cannot say that a task takes different amounts from different
/// agents.
fn within_budgets(instance: &Instance, rules: Rules) -> Result<Answer> {
    let problem = gap_problem(instance, rules)?;

    let start = Instant::now();
    let solution = gap::solve(&problem, steps(instance, rules));
    let elapsed = start.elapsed();

    let cost = cost(instance, rules);
    let winners: Vec<SolvedTask> = solution
        .pairs
        .iter()
        .map(|pair| SolvedTask::as_bid(pair.job, pair.agent, cost(pair.cost)))
        .collect();

    // The solver's bound is on the least cost of this many tasks, and for gains each cost is the
    // distance to the greatest price.
    let bound = match rules.maximize {
        true => winners.len() as i64 * cost(0) - solution.bound,
        false => solution.bound,
    };

    Ok(Answer {
        winners,
        optimal: Some(solution.optimal),
        bound: Some(bound),
        duals: None,
        elapsed,
    })
}

/// The generalised assignment problem of the offers within their limits.
fn gap_problem(instance: &Instance, rules: Rules) -> Result<gap::Problem> {
    let dimensions = instance.dimensions();

    let agents = instance.agents.iter();
    let capacities: Vec<_> = agents
        .map(|agent| in_dimensions(&agent.budget, &dimensions))
        .collect();

    let cost = cost(instance, rules);
    let offers = instance
        .offers
        .iter()
        .filter(|offer| within_limit(instance, offer, rules))
        .map(|offer| gap::GapOffer {
            agent: offer.agent as u32,
            job: offer.task as u32,
            cost: cost(offer.price),
            demand: in_dimensions(instance.demand(offer), &dimensions),
        });

    Ok(gap::Problem::new(
        instance.tasks.len(),
        &capacities,
        offers.collect(),
    )?)
}

/// The amounts in the order of the dimensions, with 0 for each that is not named.
fn in_dimensions(amounts: &Amounts, dimensions: &BTreeSet<&Label>) -> Vec<i64> {
    let amount = |name: &&Label| amounts.get(*name).copied().unwrap_or(0);
    dimensions.iter().map(amount).collect()
}

/// The steps of the search for a generalised assignment.
fn steps(instance: &Instance, rules: Rules) -> u64 {
    let Some(times) = rules.effort else {
        return DEFAULT_STEPS;
    };

    // A step looks at all dimensions of an offer, so more dimensions leave fewer steps (M-22).
    let dimensions = instance.dimensions().len().max(1) as u64;
    let effort = gap_effort(instance.offers.len()).saturating_mul(times);
    effort.saturating_mul(2) / (dimensions + 1)
}

/// Runs the exact solver without making a round. So prices may be negative or gains, and a file of
/// a million pairs needs no bids for them.
fn optimal(instance: &Instance, rules: Rules) -> Result<Answer> {
    let problem = assignment_problem(instance, rules)?;
    let keys = Keys::of(instance);

    let start = Instant::now();
    let solution = assignment::solve(&problem, |row, column| keys.tie(row, column))?;
    let elapsed = start.elapsed();

    // The answer says that it is proved, so the proof is checked here.
    assignment::verify(&problem, &solution).context("the proof of optimality")?;

    let cost = cost(instance, rules);
    // The solver sorts its pairs by row, which is the agent.
    let mut winners: Vec<SolvedTask> = solution
        .pairs
        .iter()
        .map(|pair| SolvedTask::as_bid(pair.column, pair.row, cost(pair.cost)))
        .collect();
    winners.sort_unstable_by_key(|award| award.task);

    // For gains the solver saw distances to the greatest price.
    let mut duals = Duals {
        agents: solution.row_duals,
        tasks: solution.column_duals,
    };
    if rules.maximize {
        duals.turn_back(cost);
    }

    Ok(Answer {
        optimal: Some(true),
        bound: Some(winners.iter().map(|award| award.price).sum()),
        duals: Some(duals),
        winners,
        elapsed,
    })
}

/// The assignment problem of the offers that fit into their agent's budget and are within their
/// limits: agents are rows, and tasks are columns.
fn assignment_problem(instance: &Instance, rules: Rules) -> Result<Problem> {
    let possible =
        |offer: &&InstanceOffer| fits(instance, offer) && within_limit(instance, offer, rules);

    let cost = cost(instance, rules);
    let edges = instance.offers.iter().filter(possible).map(|offer| Edge {
        row: offer.agent as u32,
        column: offer.task as u32,
        cost: cost(offer.price),
    });

    Ok(Problem::new(
        instance.agents.len(),
        instance.tasks.len(),
        edges.collect(),
    )?)
}

/// Runs any other mechanism on a round, with bids as a ledger would give them.
fn auction(instance: &Instance, mechanism: &dyn Mechanism, rules: Rules) -> Result<Answer> {
    check_auctionable(instance)?;

    let keys = Keys::of(instance);
    let mut auction = keys.auction(instance, rules);
    let mut answer = Answer::default();

    // A mechanism that awards one task in each clearing goes on with what is left.
    let goes_on = mechanism.about().class.ends_with("TA");

    loop {
        let start = Instant::now();
        let clearing = mechanism.clear(&auction);
        answer.elapsed += start.elapsed();

        // Of these mechanisms only VCG looks for the best of all, with prices that prove it.
        if mechanism.name() == Vcg.name() {
            answer.optimal = Some(proves_least_total(&auction, &clearing));
            answer.duals = keys.duals(&auction, &clearing);
        }

        for award in &clearing.winners {
            answer.winners.push(keys.solved(award)?);
            if goes_on {
                close(&mut auction, &award.task, &award.agent);
            }
        }

        if clearing.winners.is_empty() || !goes_on {
            break;
        }
    }

    answer.winners.sort_unstable_by_key(|award| award.task);
    Ok(answer)
}

/// Checks that the instance can be a round of a market: no demands by agent, and no prices below
/// 0.
fn check_auctionable(instance: &Instance) -> Result<()> {
    if instance.is_pairwise() {
        bail!("what a task takes differs from agent to agent here, and only gap can take that");
    }

    if let Some(offer) = instance.offers.iter().find(|offer| offer.price < 0) {
        let (agent, task) = instance.names(offer);
        bail!(
            "the price {} of agent {agent} for task {task} is below 0, which only the mechanisms \
             assignment and gap can take",
            offer.price
        );
    }

    Ok(())
}

/// Takes an awarded task out of the round, and what it needs out of its winner's budget.
fn close(auction: &mut Auction, task: &TaskId, agent: &PublicKey) {
    let Some(place) = auction.task_index(task) else {
        return;
    };

    let demand = auction.tasks.remove(place).demand;
    auction.bids.retain(|bid| bid.task != *task);

    if let Some(bidder) = auction.bidder_index(agent) {
        for (name, amount) in &mut auction.bidders[bidder].budget {
            *amount -= demand.get(name).copied().unwrap_or(0);
        }
    }
}

/// Keys that stand for the names. They depend only on the names, so that ties are drawn by a
/// swarm's rule and the same way each time.
struct Keys {
    ties: TieSeed,
    agents: Vec<PublicKey>,
    tasks: Vec<TaskId>,
}

impl Keys {
    fn of(instance: &Instance) -> Self {
        let agents = instance.agents.iter();
        let tasks = instance.tasks.iter();

        Self {
            ties: ties(),
            agents: agents.map(|agent| key_of(&agent.name)).collect(),
            tasks: tasks.map(id_of).collect(),
        }
    }

    /// The key that decides between equally good pairs of a row and a column.
    fn tie(&self, row: u32, column: u32) -> assignment::TieKey {
        let task = &self.tasks[column as usize];
        let agent = &self.agents[row as usize];
        self.ties.key(task, agent).0
    }

    /// The prices that prove a clearing to be the best, in the order of the instance.
    fn duals(&self, auction: &Auction, clearing: &Clearing) -> Option<Duals> {
        let found = clearing.duals.as_ref()?;
        let of = |place: Option<usize>, prices: &[i64]| {
            let price = place.and_then(|place| prices.get(place));
            price.copied().unwrap_or(0)
        };

        // A round has its own order, by keys.
        let agents = self
            .agents
            .iter()
            .map(|key| of(auction.bidder_index(key), &found.bidders));
        let tasks = self
            .tasks
            .iter()
            .map(|id| of(auction.task_index(id), &found.tasks));

        Some(Duals {
            agents: agents.collect(),
            tasks: tasks.collect(),
        })
    }

    /// The award by places in the instance.
    fn solved(&self, award: &Winner) -> Result<SolvedTask> {
        let mut tasks = self.tasks.iter();
        let task = tasks.position(|task| *task == award.task);

        let mut agents = self.agents.iter();
        let agent = agents.position(|agent| *agent == award.agent);

        Ok(SolvedTask {
            task: task.context("a task that was not in the round")?,
            agent: agent.context("an agent that was not in the round")?,
            price: award.bid,
            payment: award.payment,
            charge: award.charge,
        })
    }

    fn auction(&self, instance: &Instance, rules: Rules) -> Auction {
        let bidders = instance.agents.iter().zip(&self.agents);
        let bidders = bidders.map(|(agent, key)| Bidder {
            agent: *key,
            budget: agent.budget.clone(),
        });

        let bids = instance.offers.iter().map(|offer| Bid {
            task: self.tasks[offer.task],
            agent: self.agents[offer.agent],
            price: offer.price,
        });

        let mut auction = Auction {
            tasks: self.round_tasks(instance, rules),
            bidders: bidders.collect(),
            bids: bids.collect(),
            solutions: Vec::new(),
            ties: self.ties.clone(),
        };

        // A mechanism expects its round in the order of a ledger.
        auction.tasks.sort_unstable_by_key(|task| task.id);
        auction.bidders.sort_unstable_by_key(|bidder| bidder.agent);
        auction
            .bids
            .sort_unstable_by_key(|bid| (bid.task, bid.agent));

        auction
    }

    /// The tasks as a round has them, in the order of the instance.
    fn round_tasks(&self, instance: &Instance, rules: Rules) -> Vec<quorate_market::Task> {
        let tasks = instance.tasks.iter().zip(&self.tasks);

        tasks
            .enumerate()
            .map(|(place, (task, id))| quorate_market::Task {
                id: *id,
                demand: task.demand.clone(),
                limit: limit(instance, place, rules),
            })
            .collect()
    }
}

/// The key that stands for a name of an agent or requester.
fn key_of(name: &str) -> PublicKey {
    PublicKey(Hash::derive("quorate 1 solve name", &[name.as_bytes()]).0)
}

/// The id that stands for a task. Its number is made of the first bytes of the name's hash.
fn id_of(task: &Task) -> TaskId {
    let hash = Hash::derive("quorate 1 solve task", &[task.name.as_bytes()]).0;
    let number = u64::from_be_bytes(std::array::from_fn(|byte| hash[byte]));

    TaskId {
        requester: key_of(&task.requester),
        number,
    }
}

/// The seed of ties. An instance is of no swarm and no market, so both are fixed.
fn ties() -> TieSeed {
    let market: Label = slots();
    TieSeed {
        swarm: SwarmId([0; 32]),
        market,
    }
}
