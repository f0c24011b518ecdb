//! Runs a mechanism on an instance.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use quorate_market::assignment::{self, Edge, Problem};
use quorate_market::{
    Bid, Bidder, Mechanism, Round, TieSeed, Vcg, eligibility, gap, proves_least_total,
};
use quorate_types::{Amounts, Hash, Label, PublicKey, SwarmId, TaskId, limits};
use tokio::time::Instant;

use super::instance::{Instance, Offer};

/// How to read an instance, and how long to search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether prices are gains, so that the greatest sum wins.
    pub maximize: bool,
    /// The highest price for tasks that state none.
    pub reserve: Option<i64>,
    /// The number of offers that the search for a generalised assignment looks at.
    pub effort: u64,
}

/// The answer of a mechanism.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The tasks that are assigned, in ascending order of tasks.
    pub awards: Vec<Award>,
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
pub(super) struct Award {
    pub task: usize,
    pub agent: usize,
    /// The price that the agent asked.
    pub price: i64,
    /// The amount that the agent is paid.
    pub payment: i64,
    /// The amount that the requester pays.
    pub charge: i64,
}

impl Award {
    /// An award that is paid as bid.
    fn as_bid(task: u32, agent: u32, price: i64) -> Self {
        let (task, agent) = (task as usize, agent as usize);
        Self {
            task,
            agent,
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

impl Answer {
    /// Sum of the prices.
    pub(super) fn objective(&self) -> i64 {
        self.awards.iter().map(|award| award.price).sum()
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

fn fits(instance: &Instance, offer: &Offer) -> bool {
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

fn within_limit(instance: &Instance, offer: &Offer, rules: Rules) -> bool {
    rules.maximize || offer.price <= limit(instance, offer.task, rules)
}

/// Lets the solver of `gap` assign several tasks to each agent within its budget. It is called
/// without a round, because a round cannot say that a task takes different amounts from different
/// agents.
fn within_budgets(instance: &Instance, rules: Rules) -> Result<Answer> {
    let dimensions = instance.dimensions();
    let amounts = |of: &Amounts| -> Vec<i64> {
        dimensions
            .iter()
            .map(|name| of.get(*name).copied().unwrap_or(0))
            .collect()
    };

    let cost = cost(instance, rules);
    let capacities: Vec<_> = instance
        .agents
        .iter()
        .map(|agent| amounts(&agent.budget))
        .collect();

    let possible = instance
        .offers
        .iter()
        .filter(|offer| within_limit(instance, offer, rules));
    let offers = possible.map(|offer| gap::Offer {
        agent: offer.agent as u32,
        job: offer.task as u32,
        cost: cost(offer.price),
        demand: amounts(instance.demand(offer)),
    });

    let problem = gap::Problem::new(instance.tasks.len(), &capacities, offers.collect())?;
    let start = Instant::now();
    let solution = gap::solve(&problem, rules.effort);
    let elapsed = start.elapsed();

    let awards: Vec<Award> = solution
        .pairs
        .iter()
        .map(|pair| Award::as_bid(pair.job, pair.agent, cost(pair.cost)))
        .collect();

    // The solver's bound is on the least cost of this many tasks, and for gains each cost is the
    // distance to the greatest price.
    let bound = match rules.maximize {
        true => awards.len() as i64 * cost(0) - solution.bound,
        false => solution.bound,
    };

    Ok(Answer {
        awards,
        optimal: Some(solution.optimal),
        bound: Some(bound),
        duals: None,
        elapsed,
    })
}

/// Runs the exact solver without making a round. So prices may be negative or gains, and a file of
/// a million pairs needs no bids for them.
fn optimal(instance: &Instance, rules: Rules) -> Result<Answer> {
    let possible = |offer: &&Offer| fits(instance, offer) && within_limit(instance, offer, rules);

    let cost = cost(instance, rules);
    let edges = instance.offers.iter().filter(possible).map(|offer| Edge {
        row: offer.agent as u32,
        column: offer.task as u32,
        cost: cost(offer.price),
    });

    let (agents, tasks) = (instance.agents.len(), instance.tasks.len());
    let problem = Problem::new(agents, tasks, edges.collect())?;

    let keys = Keys::of(instance);
    let start = Instant::now();
    let solution = assignment::solve(&problem, |row, column| {
        keys.ties
            .key(&keys.tasks[column as usize], &keys.agents[row as usize])
            .0
    })?;
    let elapsed = start.elapsed();

    // The answer says that it is proved, so the proof is checked here.
    assignment::verify(&problem, &solution).context("the proof of optimality")?;

    let mut awards: Vec<Award> = solution
        .pairs
        .iter()
        .map(|pair| Award::as_bid(pair.column, pair.row, cost(pair.cost)))
        .collect();
    awards.sort_unstable_by_key(|award| award.task);

    let (mut agents, mut tasks) = (solution.row_duals, solution.column_duals);

    // For gains the solver saw distances to the greatest price. This turns its duals back.
    if rules.maximize {
        agents.iter_mut().for_each(|dual| *dual = -*dual);
        tasks.iter_mut().for_each(|dual| *dual = cost(*dual));
    }

    let bound = Some(awards.iter().map(|award| award.price).sum());
    let duals = Some(Duals { agents, tasks });

    Ok(Answer {
        awards,
        optimal: Some(true),
        bound,
        duals,
        elapsed,
    })
}

/// Runs any other mechanism on a round, with bids as a ledger would give them.
fn auction(instance: &Instance, mechanism: &dyn Mechanism, rules: Rules) -> Result<Answer> {
    if instance.is_pairwise() {
        bail!("what a task takes differs from agent to agent here, and only gap can take that");
    }

    if let Some(offer) = instance.offers.iter().find(|offer| offer.price < 0) {
        let (agent, task) = (
            &instance.agents[offer.agent].name,
            &instance.tasks[offer.task].name,
        );

        bail!(
            "the price {} of agent {agent} for task {task} is below 0, which only the mechanisms \
             assignment and gap can take",
            offer.price
        );
    }

    let keys = Keys::of(instance);
    let mut round = keys.round(instance, rules);
    let (mut awards, mut elapsed) = (Vec::new(), Duration::ZERO);
    let (mut optimal, mut duals) = (None, None);

    // A mechanism that awards one task in each clearing goes on with what is left.
    let goes_on = mechanism.class().ends_with("TA");

    loop {
        let start = Instant::now();
        let clearing = mechanism.clear(&round);
        elapsed += start.elapsed();

        let won = clearing.awards.len();

        // Of these mechanisms only VCG looks for the best of all, with prices that prove
        // it.
        if mechanism.name() == Vcg.name() {
            optimal = Some(proves_least_total(&round, &clearing));
            duals = clearing
                .duals
                .as_ref()
                .map(|found| keys.duals(&round, found));
        }

        for award in clearing.awards {
            if goes_on {
                close(&mut round, &award.task, &award.agent);
            }

            awards.push(Award {
                task: keys
                    .task(&award.task)
                    .context("a task that was not in the round")?,
                agent: keys
                    .agent(&award.agent)
                    .context("an agent that was not in the round")?,
                price: award.bid,
                payment: award.payment,
                charge: award.charge,
            });
        }

        if won == 0 || !goes_on {
            break;
        }
    }

    awards.sort_unstable_by_key(|award| award.task);

    Ok(Answer {
        awards,
        optimal,
        bound: None,
        duals,
        elapsed,
    })
}

/// Takes an awarded task out of the round, and what it needs out of its winner's budget.
fn close(round: &mut Round, task: &TaskId, agent: &PublicKey) {
    let Some(place) = round.task_index(task) else {
        return;
    };

    let demand = round.tasks.remove(place).demand;
    round.bids.retain(|bid| bid.task != *task);

    if let Some(bidder) = round.bidder_index(agent) {
        for (name, amount) in &mut round.bidders[bidder].budget {
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
        let key =
            |name: &str| PublicKey(Hash::derive("quorate 1 solve name", &[name.as_bytes()]).0);

        let agents = instance
            .agents
            .iter()
            .map(|agent| key(&agent.name))
            .collect();

        // The number of a task is made of the first bytes of its name's hash.
        let tasks = instance.tasks.iter().map(|task| {
            let number = Hash::derive("quorate 1 solve task", &[task.name.as_bytes()]).0;
            let number = u64::from_be_bytes(std::array::from_fn(|byte| number[byte]));
            TaskId {
                requester: key(&task.requester),
                number,
            }
        });

        Self {
            ties: ties(),
            agents,
            tasks: tasks.collect(),
        }
    }

    /// The prices of a round, in the order of the instance.
    fn duals(&self, round: &Round, found: &quorate_market::Duals) -> Duals {
        let of = |place: Option<usize>, prices: &[i64]| {
            place
                .and_then(|place| prices.get(place))
                .copied()
                .unwrap_or(0)
        };

        let agents = self
            .agents
            .iter()
            .map(|key| of(round.bidder_index(key), &found.bidders));
        let tasks = self
            .tasks
            .iter()
            .map(|id| of(round.task_index(id), &found.tasks));

        Duals {
            agents: agents.collect(),
            tasks: tasks.collect(),
        }
    }

    fn task(&self, id: &TaskId) -> Option<usize> {
        self.tasks.iter().position(|task| task == id)
    }

    fn agent(&self, key: &PublicKey) -> Option<usize> {
        self.agents.iter().position(|agent| agent == key)
    }

    fn round(&self, instance: &Instance, rules: Rules) -> Round {
        let tasks = instance.tasks.iter().zip(&self.tasks).enumerate();
        let tasks = tasks.map(|(place, (task, id))| quorate_market::Task {
            id: *id,
            demand: task.demand.clone(),
            limit: limit(instance, place, rules),
        });

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

        let mut round = Round {
            tasks: tasks.collect(),
            bidders: bidders.collect(),
            bids: bids.collect(),
            solutions: Vec::new(),
            ties: self.ties.clone(),
        };

        // A mechanism expects its round in the order of a ledger.
        round.tasks.sort_unstable_by_key(|task| task.id);
        round.bidders.sort_unstable_by_key(|bidder| bidder.agent);
        round.bids.sort_unstable_by_key(|bid| (bid.task, bid.agent));

        round
    }
}

/// The seed of ties. An instance is of no swarm and no market, so both are fixed.
fn ties() -> TieSeed {
    let market: Label = eligibility::slots();
    TieSeed {
        swarm: SwarmId([0; 32]),
        market,
    }
}
