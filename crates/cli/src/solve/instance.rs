//! What is auctioned, read from a file: agents, tasks and offers, by the names that the file gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use quorate_market::eligibility;
use quorate_types::{Amounts, Label, limits};

use super::{or_library, table};

/// Rules of the file's form, where its contents leave a choice.
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
    /// Its name, as in `--format`.
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
    pub offers: Vec<Offer>,
}

/// Who offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agent {
    pub name: String,
    /// What all it wins may take together.
    pub budget: Amounts,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub name: String,
    pub requester: String,
    /// Highest price, or what its requester bids for it.
    pub limit: Option<i64>,
    /// What it takes from its winner, unless the offer says otherwise.
    pub demand: Amounts,
}

/// An agent's price for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// Place in [`Instance::agents`].
    pub agent: usize,
    /// Place in [`Instance::tasks`].
    pub task: usize,
    pub price: i64,
    /// What this agent needs for this task, where that differs from agent to agent.
    pub demand: Option<Amounts>,
}

impl Instance {
    /// The auctions of a file: one, or as many as an OR-Library file of several problems has.
    ///
    /// # Errors
    /// Names the file, and the line or field that is not as it should be.
    pub(super) fn read(path: &Path, form: Option<Form>) -> Result<Vec<Self>> {
        let of_file = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(of_file)?;
        let extension = path.extension().and_then(|extension| extension.to_str());
        let named = match extension {
            Some("csv") => Some(Form::Csv),
            Some("json") => Some(Form::Json),
            _ => None,
        };
        let read = match form.or(named) {
            Some(Form::Csv) => table::csv(&text).map(|one| vec![one]),
            Some(Form::Json) => table::json(&text).map(|one| vec![one]),
            numbers => or_library::parse(&text, numbers),
        };
        let instances = read.with_context(of_file)?;
        instances
            .iter()
            .try_for_each(Self::check)
            .with_context(of_file)?;
        Ok(instances)
    }

    /// Whether what a task takes differs from agent to agent.
    pub(super) fn is_pairwise(&self) -> bool {
        self.offers.iter().any(|offer| offer.demand.is_some())
    }

    /// What the agent of an offer needs for its task.
    pub(super) fn demand<'a>(&'a self, offer: &'a Offer) -> &'a Amounts {
        offer
            .demand
            .as_ref()
            .unwrap_or(&self.tasks[offer.task].demand)
    }

    /// All dimensions that are demanded.
    pub(super) fn dimensions(&self) -> BTreeSet<&Label> {
        self.offers
            .iter()
            .flat_map(|offer| self.demand(offer).keys())
            .collect()
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.tasks.is_empty(), "no tasks");
        ensure!(!self.agents.is_empty(), "no agents");
        for pair in self.offers.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            if (first.agent, first.task) == (second.agent, second.task) {
                let (agent, task) = (&self.agents[first.agent].name, &self.tasks[first.task].name);
                bail!("agent {agent} bids twice on task {task}");
            }
        }
        for offer in &self.offers {
            let (agent, task) = (&self.agents[offer.agent].name, &self.tasks[offer.task].name);
            ensure!(
                offer.price.unsigned_abs() <= limits::PRICE.unsigned_abs(),
                "the price {} of agent {agent} for task {task} is beyond {}",
                offer.price,
                limits::PRICE
            );
            check_amounts(self.demand(offer)).with_context(|| format!("task {task}: demand"))?;
        }
        for agent in &self.agents {
            check_amounts(&agent.budget)
                .with_context(|| format!("agent {}: budget", agent.name))?;
        }
        Ok(())
    }
}

fn check_amounts(amounts: &Amounts) -> Result<()> {
    for (name, amount) in amounts {
        ensure!(
            (0..=limits::AMOUNT).contains(amount),
            "{name} is {amount}, not 0 to 2^40"
        );
    }
    Ok(())
}

/// One slot: what a task takes that says nothing, and what an agent has that says nothing.
pub(super) fn one_slot() -> Amounts {
    eligibility::demand_or_slot(&Amounts::new())
}

/// Gives names their places, in the order in which they are first met.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    /// The place of a name, and whether it is new.
    pub(super) fn of(&mut self, name: &str) -> (usize, bool) {
        let next = self.0.len();
        let place = *self.0.entry(name.to_owned()).or_insert(next);
        (place, place == next)
    }

    /// The place of a name that was met before.
    pub(super) fn known(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}
