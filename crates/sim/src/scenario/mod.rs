//! Scenario files: a swarm, its tasks and its faults, as a person writes them in TOML.
//!
//! In a file, hosts have names and come in groups, times have units, and latencies are round trips
//! as `ping` shows them. [`Scenario::plan`] makes a [`Plan`] of it, in which hosts have indices,
//! times are milliseconds and latencies are one-way. The form is documented in the book's chapter
//! on simulation. An unknown key is an error; it is not ignored. This module reads text and returns
//! a plan: files are read elsewhere.

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

/// The greatest number of agents.
pub const MAX_AGENTS: usize = 10_000;
/// The greatest number of tasks.
pub const MAX_TASKS: usize = 100_000;
/// The greatest number of validators.
const MAX_VALIDATORS: usize = limits::VALIDATORS;
/// Milliseconds from the last task or fault to the healed phase, if the file has no `heal_at`.
const HEAL_AFTER: Millis = 5_000;
/// Milliseconds to the first task, and between two tasks, if the file has no `from` and no `every`.
const SECOND: Millis = 1_000;
/// Milliseconds from the beginning of the healed phase to the end, if the file has no `patience`.
const PATIENCE: Millis = 240_000;

/// A scenario file that was read.
#[derive(Debug, Clone)]
pub struct Scenario {
    form: Form,
    text: String,
}

impl Scenario {
    /// Reads the TOML of a scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Form`] with the line, if the text is not TOML, or a key is unknown, missing
    /// or of the wrong type.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let form = toml::from_str(text).map_err(|error| ScenarioError::form(text, &error))?;
        Ok(Self {
            form,
            text: text.to_owned(),
        })
    }

    /// The name that the file gives the scenario.
    pub fn name(&self) -> Option<&str> {
        self.form.name.as_deref()
    }

    /// The seed that the file asks for.
    pub fn seed(&self) -> Option<u64> {
        self.form.seed
    }

    /// The path of the file of round trips that the scenario names, relative to its own folder.
    pub fn round_trip_file(&self) -> Option<&str> {
        self.form.links.round_trip_file.as_deref()
    }

    /// The hosts as traces and reports name them, and the name of each in the file: `v0`, or
    /// `c0-c7` for a group. The requester comes after the agents.
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

        // The requester is the client after the last agent.
        let count: u64 = self.form.agents.iter().map(|group| group.count).sum();
        let requester = (format!("c{count}"), "the requester".to_owned());

        [
            hosts::legend("v", validators),
            hosts::legend("c", agents),
            vec![requester],
        ]
        .concat()
    }

    /// The groups of agents and their sizes, in the order of the plan.
    pub fn groups(&self) -> impl Iterator<Item = (&str, usize)> {
        let groups = self.form.agents.iter();
        groups.map(|group| (group.name.get_ref().as_str(), group.count as usize))
    }

    /// Makes the plan that runs from `seed`. The table holds the contents of
    /// [`Self::round_trip_file`].
    ///
    /// # Errors
    /// [`ScenarioError`], mostly with the line: a name that does not exist or exists twice, a
    /// number out of range, or a fault that lacks a key or has one that it does not take.
    pub fn plan(&self, seed: u64, table: Option<&RoundTrips>) -> Result<Plan, ScenarioError> {
        let (form, place) = (&self.form, Place(&self.text));
        // Regions come first, since hosts are in them.
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

        // Faults name hosts and regions of the plan, and end when its healed phase begins.
        plan.faults = faults::all(form, &hosts, &plan, place)?;
        plan.over_threshold = lies_by_a_third(&plan);

        Ok(plan)
    }

    /// The market of the plan.
    fn market(&self) -> Result<MarketPlan, ScenarioError> {
        const MONTH: u64 = 30 * 24 * 3_600_000;
        let market = &self.form.market;
        let (attempts, window, lease) = (market.attempts, market.window, market.lease);

        ranged("market.attempts", attempts, 1..=1000)?;
        ranged("market.window in ms", window.millis(), 1..=MONTH)?;
        ranged("market.lease in ms", lease.millis(), 1..=MONTH)?;

        // Keys that are left out are not checked: 1 is in range.
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

    /// The tasks of all groups, in the order of their submission.
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

    /// The time at which the healed phase begins.
    fn heal_at(&self) -> Millis {
        // Times that are not valid are reported elsewhere, so they do not count here.
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

/// The times at which the tasks of a group are submitted, in order.
fn times(group: &Tasks) -> Result<Vec<Millis>, ScenarioError> {
    if let Some(at) = &group.at {
        // A list of times leaves nothing to the keys that make regular ones.
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

    // Without a list, tasks are submitted at regular times.
    let count = group.count.unwrap_or(1);
    ranged("tasks.count", count, 1..=MAX_TASKS as u64)?;

    let from = group.from.map_or(SECOND, |time| time.millis());
    let every = group.every.map_or(SECOND, |time| time.millis());

    Ok((0..count)
        .map(|n| from.saturating_add(every.saturating_mul(n)))
        .collect())
}

/// The validators of all groups, one after the other.
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

        // Members of a group are equal.
        plans.extend(std::iter::repeat_n(plan, group.count as usize));
    }

    Ok(plans)
}

/// The agents of all groups, one after the other.
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

/// Whether validators with a third of the power or more lie, or have disks that lie.
fn lies_by_a_third(plan: &Plan) -> bool {
    let lying = plan
        .faults
        .iter()
        .filter(|timed| timed.fault.makes_faulty());
    let by_disk: BTreeSet<usize> = lying
        .flat_map(|timed: &TimedFault| timed.fault.validators().collect::<Vec<_>>())
        .collect();

    // Powers may be too large to add up. The genesis refuses that later.
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
