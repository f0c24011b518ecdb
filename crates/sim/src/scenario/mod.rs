//! Scenario files: a swarm, its tasks and what goes wrong, as a person writes them in TOML.
//!
//! Hosts have names and come in groups, times have units, latencies are round trips as `ping`
//! shows them. [`Scenario::plan`] makes a [`Plan`] of it, in which they have indices, milliseconds
//! and one-way latencies. The form is documented in the book's chapter on simulation; an unknown
//! key is an error, not ignored. Text comes in, a plan goes out: files are read elsewhere.

mod error;
mod faults;
mod form;
mod hosts;
mod links;
mod time;

use std::collections::BTreeSet;

use quorate_types::{Millis, limits};

use crate::plan::{AgentPlan, MarketPlan, Plan, TaskPlan, TimedFault, ValidatorPlan};

pub use error::ScenarioError;
pub use links::{RoundTrips, RoundTripsError};

use error::{Place, ranged};
use form::{Form, Tasks};
use hosts::Hosts;
use links::Regions;

/// Agents at most.
pub const MAX_AGENTS: usize = 10_000;
/// Tasks at most.
pub const MAX_TASKS: usize = 100_000;
/// Validators at most.
const MAX_VALIDATORS: usize = limits::VALIDATORS;
/// Without `heal_at`: so much later than the last task and the last fault.
const HEAL_AFTER: Millis = 5_000;
/// Without `from` and `every`, tasks begin after this time and follow each other by it.
const SECOND: Millis = 1_000;
/// Without `patience`.
const PATIENCE: Millis = 240_000;

/// A scenario file, read.
#[derive(Debug, Clone)]
pub struct Scenario {
    form: Form,
    text: String,
}

impl Scenario {
    /// Reads the TOML of a scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Form`] with the line: no TOML, an unknown or missing key, or a value of
    /// another kind.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let form = toml::from_str(text).map_err(|error| ScenarioError::form(text, &error))?;
        Ok(Self {
            form,
            text: text.to_owned(),
        })
    }

    /// What it calls itself.
    pub fn name(&self) -> Option<&str> {
        self.form.name.as_deref()
    }

    /// The seed it asks for.
    pub fn seed(&self) -> Option<u64> {
        self.form.seed
    }

    /// The file of round trips that it names, by its path from the scenario's folder.
    pub fn round_trip_file(&self) -> Option<&str> {
        self.form.links.round_trip_file.as_deref()
    }

    /// Whom traces and reports mean, with the name each has here: `v0`, or `c0-c7` for a group.
    /// The requester comes behind the agents.
    pub fn legend(&self) -> Vec<(String, String)> {
        let validators = self
            .form
            .validators
            .iter()
            .map(|group| (&group.name, group.count));
        let agents = self
            .form
            .agents
            .iter()
            .map(|group| (&group.name, group.count));
        let count: u64 = self.form.agents.iter().map(|group| group.count).sum();
        let requester = (format!("c{count}"), "the requester".to_owned());
        [
            hosts::legend("v", validators),
            hosts::legend("c", agents),
            vec![requester],
        ]
        .concat()
    }

    /// The groups of agents with their sizes, in the order of the plan.
    pub fn groups(&self) -> impl Iterator<Item = (&str, usize)> {
        let groups = self.form.agents.iter();
        groups.map(|group| (group.name.get_ref().as_str(), group.count as usize))
    }

    /// The plan, run from `seed`; `table` holds what [`Self::round_trip_file`] names.
    ///
    /// # Errors
    /// [`ScenarioError`] with the line: a name that nobody has or two have, a number out of range,
    /// a fault that lacks a key or has one that says nothing about it.
    pub fn plan(&self, seed: u64, table: Option<&RoundTrips>) -> Result<Plan, ScenarioError> {
        let (form, place) = (&self.form, Place(&self.text));
        let regions = Regions::of(&form.links, table, place)?;
        let hosts = Hosts::of(form, place)?;
        let (tasks, heal_at) = (self.tasks()?, self.heal_at());
        let mut plan = Plan {
            seed,
            validators: validators(form, &regions, place)?,
            agents: agents(form, &regions, place)?,
            market: self.market()?,
            tasks,
            links: regions.plan,
            faults: Vec::new(),
            heal_at,
            patience: form.patience.map_or(PATIENCE, |time| time.millis()),
            min_heights: form.heights.unwrap_or(0),
            over_threshold: false,
        };
        plan.faults = faults::all(form, &hosts, &plan, place)?;
        plan.over_threshold = lies_by_a_third(&plan);
        Ok(plan)
    }

    fn market(&self) -> Result<MarketPlan, ScenarioError> {
        const MONTH: u64 = 30 * 24 * 3_600_000;
        let market = &self.form.market;
        let (attempts, window, lease) = (market.attempts, market.window, market.lease);
        ranged("market.attempts", attempts, 1..=1000)?;
        ranged("market.window in ms", window.millis(), 1..=MONTH)?;
        ranged("market.lease in ms", lease.millis(), 1..=MONTH)?;
        let reveal = market.reveal.map(|time| time.millis());
        ranged("market.reveal in ms", reveal.unwrap_or(1), 1..=MONTH)?;
        let solve = market.solve.map(|time| time.millis());
        ranged("market.solve in ms", solve.unwrap_or(1), 1..=MONTH)?;
        Ok(MarketPlan {
            mechanism: market.mechanism.clone(),
            window_ms: window.millis(),
            reveal_ms: reveal,
            solve_ms: solve,
            lease_ms: lease.millis(),
            attempts,
        })
    }

    fn tasks(&self) -> Result<Vec<TaskPlan>, ScenarioError> {
        let mut tasks = Vec::new();
        for group in &self.form.tasks {
            let requires = hosts::labels(&group.requires, Place(&self.text))?;
            let times = times(group)?;
            ranged(
                "tasks, all together",
                (tasks.len() + times.len()) as u64,
                0..=MAX_TASKS as u64,
            )?;
            tasks.extend(times.into_iter().map(|at| TaskPlan {
                at,
                requires: requires.clone(),
                cancel_after: group.cancel.map(|time| time.millis()),
                deadline_after: group.deadline.map(|time| time.millis()),
            }));
        }
        tasks.sort_by_key(|task| task.at);
        Ok(tasks)
    }

    fn heal_at(&self) -> Millis {
        let tasks = self
            .form
            .tasks
            .iter()
            .filter_map(|group| times(group).ok()?.pop());
        let faults = self.form.faults.iter().map(|fault| {
            let lasts = fault.lasts.map_or(0, |lasts| lasts.millis());
            fault.at.get_ref().millis().saturating_add(lasts)
        });
        let last = tasks.chain(faults).max().unwrap_or(0);
        let written = self.form.heal_at.map(|time| time.millis());
        written.unwrap_or(last.saturating_add(HEAL_AFTER))
    }
}

/// When the tasks of a group are submitted, in order.
fn times(group: &Tasks) -> Result<Vec<Millis>, ScenarioError> {
    if let Some(at) = &group.at {
        let others = [
            group.count.is_some(),
            group.from.is_some(),
            group.every.is_some(),
        ];
        if others.contains(&true) {
            return Err(ScenarioError::Both("tasks.at", "count, from or every"));
        }
        let mut at: Vec<Millis> = at.iter().map(|time| time.millis()).collect();
        at.sort_unstable();
        return Ok(at);
    }
    let count = group.count.unwrap_or(1);
    ranged("tasks.count", count, 1..=MAX_TASKS as u64)?;
    let from = group.from.map_or(SECOND, |time| time.millis());
    let every = group.every.map_or(SECOND, |time| time.millis());
    Ok((0..count)
        .map(|n| from.saturating_add(every.saturating_mul(n)))
        .collect())
}

fn validators(
    form: &Form,
    regions: &Regions,
    place: Place<'_>,
) -> Result<Vec<ValidatorPlan>, ScenarioError> {
    let mut plans = Vec::new();
    for group in &form.validators {
        let plan = ValidatorPlan {
            power: group.power,
            region: regions.find(group.region.as_ref(), place)?,
            skew_ms: group.clock_ahead_ms,
            drift_permille: group.clock_fast_permille,
            lie: group.lie,
        };
        plans.extend(std::iter::repeat_n(plan, group.count as usize));
    }
    Ok(plans)
}

fn agents(
    form: &Form,
    regions: &Regions,
    place: Place<'_>,
) -> Result<Vec<AgentPlan>, ScenarioError> {
    let mut plans = Vec::new();
    for group in &form.agents {
        ranged("agents.slots", group.slots as u64, 1..=16)?;
        ranged(
            "agents.price",
            group.price,
            0..=limits::PRICE.unsigned_abs(),
        )?;
        ranged("agents.fails_permille", group.fails_permille, 0..=1000)?;
        let plan = AgentPlan {
            labels: hosts::labels(&group.labels, place)?,
            slots: group.slots,
            price: group.price,
            work_ms: group.work.millis(),
            fails_permille: group.fails_permille,
            region: regions.find(group.region.as_ref(), place)?,
            manner: group.manner,
            solves: group.solves,
        };
        plans.extend(std::iter::repeat_n(plan, group.count as usize));
    }
    Ok(plans)
}

/// Whether a third of the power or more is in hands, or on disks, that lie.
fn lies_by_a_third(plan: &Plan) -> bool {
    let lying = plan
        .faults
        .iter()
        .filter(|timed| timed.fault.makes_faulty());
    let by_disk: BTreeSet<usize> = lying
        .flat_map(|timed: &TimedFault| timed.fault.validators().collect::<Vec<_>>())
        .collect();
    let sum = |sum: u64, power: u64| sum.saturating_add(power);
    let all = plan
        .validators
        .iter()
        .map(|validator| validator.power)
        .fold(0, sum);
    let liars = plan.validators.iter().enumerate();
    let liars = liars.filter(|(at, validator)| validator.lie.is_some() || by_disk.contains(at));
    let liars = liars.map(|(_, validator)| validator.power).fold(0, sum);
    liars.saturating_mul(3) >= all
}
