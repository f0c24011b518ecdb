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

use crate::plan::{AgentPlan, MarketPlan, Plan, TaskPlan, ValidatorPlan};

pub use error::ScenarioError;
pub use hosts::MAX_AGENTS;
pub use links::{RoundTrips, RoundTripsError};

use error::{SourceText, ranged};
use form::{Agents, Form, Tasks};
use hosts::Hosts;
use links::Regions;

/// The greatest number of tasks.
pub const MAX_TASKS: usize = 100_000;
/// Milliseconds from the last task or fault to the healed phase, if the file has no `heal_at`.
const HEAL_AFTER: Millis = 5_000;
/// Milliseconds to the first task, and between two tasks, if the file has no `from` and no `every`.
const SECOND: Millis = 1_000;
/// Milliseconds from the beginning of the healed phase to the end, if the file has no `patience`.
const PATIENCE: Millis = 240_000;
/// The longest duration of each stage of a market, in milliseconds: 30 days.
const MONTH: Millis = 30 * 24 * 3_600_000;

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
        let form = &self.form;
        let place = SourceText(&self.text);

        // Regions come first, since hosts are in them.
        let regions = Regions::of(&form.links, table, place)?;
        let hosts = Hosts::of(form, place)?;

        let tasks = self.tasks()?;

        let mut plan = Plan {
            seed,
            validators: validators(form, &regions, place)?,
            agents: agents(form, &regions, place)?,
            market: self.market()?,
            tasks,
            links: regions.plan,
            faults: Vec::new(),
            heal_at: self.heal_at(),
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
        let market = &self.form.market;
        let window_ms = market.window.millis();
        let lease_ms = market.lease.millis();

        let reveal_ms = market.reveal.map(|time| time.millis());
        let solve_ms = market.solve.map(|time| time.millis());

        ranged("market.attempts", market.attempts, 1..=1000)?;
        ranged("market.window in ms", window_ms, 1..=MONTH)?;
        ranged("market.lease in ms", lease_ms, 1..=MONTH)?;

        // Keys that are left out are not checked: 1 is in range.
        ranged("market.reveal in ms", reveal_ms.unwrap_or(1), 1..=MONTH)?;
        ranged("market.solve in ms", solve_ms.unwrap_or(1), 1..=MONTH)?;

        Ok(MarketPlan {
            mechanism: market.mechanism.clone(),
            window_ms,
            reveal_ms,
            solve_ms,
            lease_ms,
            attempts: market.attempts,
        })
    }

    /// The tasks of all groups, in the order of their submission.
    fn tasks(&self) -> Result<Vec<TaskPlan>, ScenarioError> {
        let mut tasks = Vec::new();

        for group in &self.form.tasks {
            let requires = hosts::labels(&group.requires, SourceText(&self.text))?;
            let times = times(group)?;

            let count = (tasks.len() + times.len()) as u64;
            ranged("tasks, all together", count, 0..=MAX_TASKS as u64)?;

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
        if let Some(written) = self.form.heal_at {
            return written.millis();
        }

        // Times that are not valid are reported elsewhere, so they do not count here.
        let groups = self.form.tasks.iter();
        let tasks = groups.filter_map(|group| times(group).ok()?.pop());

        let faults = self.form.faults.iter().map(|fault| {
            let at = fault.at.get_ref().millis();
            let lasts = fault.lasts.map_or(0, |lasts| lasts.millis());

            at.saturating_add(lasts)
        });

        let last = tasks.chain(faults).max();
        last.unwrap_or(0).saturating_add(HEAL_AFTER)
    }
}

/// The times at which the tasks of a group are submitted, in order.
fn times(group: &Tasks) -> Result<Vec<Millis>, ScenarioError> {
    match group.at {
        Some(_) => listed_times(group),
        None => regular_times(group),
    }
}

/// The times in the list of a group, in order.
fn listed_times(group: &Tasks) -> Result<Vec<Millis>, ScenarioError> {
    let has_count = group.count.is_some();
    let has_step = group.from.is_some() || group.every.is_some();

    // A list of times leaves nothing to the keys that make regular ones.
    if has_count || has_step {
        return Err(ScenarioError::Both("tasks.at", "count, from or every"));
    }

    let times = group.at.iter().flatten();
    let mut times: Vec<Millis> = times.map(|time| time.millis()).collect();

    times.sort_unstable();
    Ok(times)
}

/// The regular times of a group without a list.
fn regular_times(group: &Tasks) -> Result<Vec<Millis>, ScenarioError> {
    let count = group.count.unwrap_or(1);
    ranged("tasks.count", count, 1..=MAX_TASKS as u64)?;

    let from = group.from.map_or(SECOND, |time| time.millis());
    let every = group.every.map_or(SECOND, |time| time.millis());

    let time = |number| {
        let after = every.saturating_mul(number);
        from.saturating_add(after)
    };

    Ok((0..count).map(time).collect())
}

/// The validators of all groups, one after the other.
fn validators(
    form: &Form,
    regions: &Regions,
    place: SourceText<'_>,
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
    place: SourceText<'_>,
) -> Result<Vec<AgentPlan>, ScenarioError> {
    let mut plans = Vec::new();

    for group in &form.agents {
        let plan = agent(group, regions, place)?;

        // Members of a group are equal.
        plans.extend(std::iter::repeat_n(plan, group.count as usize));
    }

    Ok(plans)
}

/// An agent of a group.
fn agent(
    group: &Agents,
    regions: &Regions,
    place: SourceText<'_>,
) -> Result<AgentPlan, ScenarioError> {
    let slots = group.slots as u64;
    let most_price = limits::PRICE.unsigned_abs();

    ranged("agents.slots", slots, 1..=16)?;
    ranged("agents.price", group.price, 0..=most_price)?;
    ranged("agents.fails_permille", group.fails_permille, 0..=1000)?;

    Ok(AgentPlan {
        labels: hosts::labels(&group.labels, place)?,
        slots: group.slots,
        price: group.price,
        work_ms: group.work.millis(),
        fails_permille: group.fails_permille,
        region: regions.find(group.region.as_ref(), place)?,
        manner: group.manner,
        solves: group.solves,
    })
}

/// Whether validators with a third of the power or more lie, or have disks that lie.
fn lies_by_a_third(plan: &Plan) -> bool {
    let faults = plan.faults.iter().map(|timed| &timed.fault);
    let lying_disks: BTreeSet<usize> = faults
        .filter(|fault| fault.makes_faulty())
        .flat_map(|fault| fault.validators().collect::<Vec<_>>())
        .collect();

    let mut all = 0_u64;
    let mut lying = 0_u64;

    // Powers may be too large to add up. The genesis refuses that later.
    for (at, validator) in plan.validators.iter().enumerate() {
        all = all.saturating_add(validator.power);

        if validator.lie.is_some() || lying_disks.contains(&at) {
            lying = lying.saturating_add(validator.power);
        }
    }

    lying.saturating_mul(3) >= all
}
