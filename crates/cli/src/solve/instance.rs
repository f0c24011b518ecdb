//! The instance of an auction: agents, tasks and offers, with the names in their file.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use quorate_types::slots::demand_or_slot;
use quorate_types::{Amounts, Label, limits};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// n, then n times n costs (or m n, then m times n): OR-Library assignment
    Dense,
    /// n, then lines `i j cost`: OR-Library assignment, sparse
    Sparse,
    /// m n, costs, resources, capacities; or the number of problems, then each like that:
    /// OR-Library generalised assignment
    Gap,
    /// A header and rows task,agent,price[,limit][,requester][,demand][,budget]
    Csv,
    /// An object with tasks, agents and bids
    Json,
}

impl Form {
    /// The name of the form, as in `--format`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
            Self::Gap => "gap",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// One auction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    pub form: Form,
    pub agents: Vec<Agent>,
    pub tasks: Vec<Task>,
    /// Ascending by agent, then task; each pair once.
    pub offers: Vec<InstanceOffer>,
}

/// An agent that bids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agent {
    pub name: String,
    /// The amounts that all tasks it wins may take together.
    pub budget: Amounts,
}

/// A task to assign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub name: String,
    pub requester: String,
    /// The highest price for the task, or in a double auction the price that its requester bids.
    pub limit: Option<i64>,
    /// The amounts that it takes from its winner, unless an offer has a demand of its own.
    pub demand: Amounts,
}

/// An agent's price for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstanceOffer {
    /// Place in [`Instance::agents`].
    pub agent: usize,
    /// Place in [`Instance::tasks`].
    pub task: usize,
    pub price: i64,
    /// The amounts that this agent needs for this task, if they differ from agent to agent.
    pub demand: Option<Amounts>,
}

impl Instance {
    /// Whether a task takes different amounts from different agents.
    pub(super) fn is_pairwise(&self) -> bool {
        self.offers.iter().any(|offer| offer.demand.is_some())
    }

    /// The amounts that the agent of an offer needs for its task.
    pub(super) fn demand<'a>(&'a self, offer: &'a InstanceOffer) -> &'a Amounts {
        offer
            .demand
            .as_ref()
            .unwrap_or(&self.tasks[offer.task].demand)
    }

    /// All dimensions that occur in demands.
    pub(super) fn dimensions(&self) -> BTreeSet<&Label> {
        self.offers
            .iter()
            .flat_map(|offer| self.demand(offer).keys())
            .collect()
    }

    /// Puts the offers into the order of agents, and of tasks for the same agent.
    pub(super) fn sort_offers(&mut self) {
        self.offers.sort_by_key(|offer| (offer.agent, offer.task));
    }

    /// Checks the instance against the limits that hold for every form.
    ///
    /// # Errors
    /// If the instance is empty, bids twice, or is out of a limit. The error names the place.
    pub(super) fn check(&self) -> Result<()> {
        // Prices may be below 0 here. Only their size is bounded.
        ensure!(!self.tasks.is_empty(), "there are no tasks in the file");
        ensure!(!self.agents.is_empty(), "there are no agents in the file");

        self.check_pairs()?;
        self.offers
            .iter()
            .try_for_each(|offer| self.check_offer(offer))?;

        for agent in &self.agents {
            check_amounts(&agent.budget)
                .with_context(|| format!("agent {}: budget", agent.name))?;
        }

        Ok(())
    }

    /// Checks that each agent bids at most once on each task.
    fn check_pairs(&self) -> Result<()> {
        // Offers are sorted, so two offers of an agent on a task stand next to each other.
        for pair in self.offers.windows(2) {
            let first = &pair[0];
            let second = &pair[1];

            if (first.agent, first.task) == (second.agent, second.task) {
                let (agent, task) = self.names(first);
                bail!("agent {agent} bids twice on task {task}");
            }
        }

        Ok(())
    }

    fn check_offer(&self, offer: &InstanceOffer) -> Result<()> {
        let (agent, task) = self.names(offer);

        ensure!(
            offer.price.unsigned_abs() <= limits::PRICE.unsigned_abs(),
            "the price {} of agent {agent} for task {task} is beyond the limit of {}",
            offer.price,
            limits::PRICE
        );

        check_amounts(self.demand(offer)).with_context(|| format!("task {task}: demand"))
    }

    /// The names of an offer's agent and task.
    pub(super) fn names(&self, offer: &InstanceOffer) -> (&str, &str) {
        (&self.agents[offer.agent].name, &self.tasks[offer.task].name)
    }
}

fn check_amounts(amounts: &Amounts) -> Result<()> {
    for (name, amount) in amounts {
        ensure!(
            (0..=limits::AMOUNT).contains(amount),
            "{name} is {amount}; it must be from 0 to 2^40"
        );
    }
    Ok(())
}

/// One slot: the demand of a task without one in the file, and the budget of an agent without one.
pub(super) fn one_slot() -> Amounts {
    demand_or_slot(&Amounts::new())
}

/// Gives places to names, in the order in which the names first occur.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    /// The place of a name, and whether it is new.
    pub(super) fn of(&mut self, name: &str) -> (usize, bool) {
        let next = self.0.len();
        let place = *self.0.entry(name.to_owned()).or_insert(next);
        (place, place == next)
    }

    /// The place of a name, if the name has occurred before.
    pub(super) fn known(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}
