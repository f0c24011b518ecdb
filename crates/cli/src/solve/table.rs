//! Reads bids with names, from CSV and from JSON.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use quorate_types::{Amounts, Label};
use serde::Deserialize;

use super::instance::{Agent, Form, Instance, InstanceOffer, Places, Task, one_slot};

/// A row of a CSV file. A field that is empty or has no column is `None`.
#[derive(Debug, Deserialize)]
struct Row {
    task: String,
    agent: String,
    price: i64,
    limit: Option<i64>,
    requester: Option<String>,
    /// Slots that the task takes from this agent.
    demand: Option<i64>,
    /// Slots that the agent has.
    budget: Option<i64>,
}

/// Reads an auction from rows with `task`, `agent` and `price`, and more columns if the market
/// needs them.
pub(super) fn csv(text: &str) -> Result<Instance> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());

    let mut rows = Rows::new();
    for (number, row) in reader.deserialize().enumerate() {
        let row: Row = row.context(
            "the columns task, agent and price are needed, with whole numbers as prices",
        )?;

        rows.add(&row).with_context(|| {
            format!(
                "row {} (task {}, agent {})",
                number + 1,
                row.task,
                row.agent
            )
        })?;
    }

    Ok(rows.into_instance())
}

/// The rows of a CSV file, as far as they have been read.
struct Rows {
    instance: Instance,
    agents: Places,
    tasks: Places,
    /// The requester of each task, if a row states it.
    requesters: Vec<Option<String>>,
    /// The slots of each agent, if a row states them.
    budgets: Vec<Option<i64>>,
}

impl Rows {
    fn new() -> Self {
        Self {
            instance: empty(Form::Csv),
            agents: Places::default(),
            tasks: Places::default(),
            requesters: Vec::new(),
            budgets: Vec::new(),
        }
    }

    fn add(&mut self, row: &Row) -> Result<()> {
        let agent = self.agent(&row.agent);
        let task = self.task(&row.task);
        let requester = row.requester.clone().filter(|name| !name.is_empty());

        // All rows about an agent or a task must agree.
        note("limit", &mut self.instance.tasks[task].limit, row.limit)?;
        note("requester", &mut self.requesters[task], requester)?;
        note("budget", &mut self.budgets[agent], row.budget)?;

        self.instance.offers.push(InstanceOffer {
            agent,
            task,
            price: row.price,
            demand: row.demand.map(slots),
        });

        Ok(())
    }

    /// The place of an agent. A name that occurs first makes an agent, with defaults for what no
    /// row may state.
    fn agent(&mut self, name: &str) -> usize {
        let (agent, is_new) = self.agents.of(name);
        if is_new {
            self.instance.agents.push(Agent {
                name: name.to_owned(),
                budget: one_slot(),
            });
            self.budgets.push(None);
        }

        agent
    }

    /// The place of a task. A name that occurs first makes a task, with defaults for what no row
    /// may state.
    fn task(&mut self, name: &str) -> usize {
        let (task, is_new) = self.tasks.of(name);
        if is_new {
            self.instance.tasks.push(named_task(name));
            self.requesters.push(None);
        }

        task
    }

    fn into_instance(self) -> Instance {
        let mut instance = self.instance;

        for (task, requester) in instance.tasks.iter_mut().zip(self.requesters) {
            // Without a requester in the file, each task has one of its own.
            task.requester = requester.unwrap_or_else(|| task.name.clone());
        }

        for (agent, budget) in instance.agents.iter_mut().zip(self.budgets) {
            agent.budget = budget.map_or_else(one_slot, slots);
        }

        settle_demands(&mut instance);
        instance.sort_offers();
        instance
    }
}

/// Notes what a row says of a task or agent. All rows that say something must say the same.
fn note<T: PartialEq>(what: &str, known: &mut Option<T>, said: Option<T>) -> Result<()> {
    if said.is_some() {
        ensure!(
            known.is_none() || *known == said,
            "another {what} than in an earlier row"
        );
        *known = said;
    }

    Ok(())
}

/// Moves a demand from the offers on a task to the task, if all of them have the same.
fn settle_demands(instance: &mut Instance) {
    let Instance { tasks, offers, .. } = instance;

    // The offers on a task must stand together, so that they can be compared.
    offers.sort_by_key(|offer| (offer.task, offer.agent));

    for of_task in offers.chunk_by_mut(|a, b| a.task == b.task) {
        let first = &of_task[0];
        let task = first.task;

        let is_shared = of_task.iter().all(|offer| offer.demand == first.demand);

        if is_shared && let Some(shared) = first.demand.clone() {
            tasks[task].demand = shared;
            of_task.iter_mut().for_each(|offer| offer.demand = None);
        }
    }
}

/// The content of a JSON file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tasks: Vec<FileTask>,
    agents: Vec<FileAgent>,
    bids: Vec<FileBid>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTask {
    id: String,
    requester: Option<String>,
    limit: Option<i64>,
    demand: Option<BTreeMap<Label, i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAgent {
    id: String,
    budget: Option<BTreeMap<Label, i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBid {
    task: String,
    agent: String,
    price: i64,
    demand: Option<BTreeMap<Label, i64>>,
}

/// Reads an auction from a JSON object with tasks, agents and bids.
pub(super) fn json(text: &str) -> Result<Instance> {
    let file: File = serde_json::from_str(text)?;
    let mut instance = empty(Form::Json);

    // Tasks and agents are read first, because bids name them.
    let tasks = add_tasks(&mut instance, file.tasks)?;
    let agents = add_agents(&mut instance, file.agents)?;

    for (number, bid) in (1..).zip(file.bids) {
        let unknown =
            |what: &str, name: &str| format!("bid {number} names an unknown {what}: {name}");
        let agent = agents.known(&bid.agent);
        let task = tasks.known(&bid.task);

        instance.offers.push(InstanceOffer {
            agent: agent.with_context(|| unknown("agent", &bid.agent))?,
            task: task.with_context(|| unknown("task", &bid.task))?,
            price: bid.price,
            demand: bid.demand,
        });
    }

    // The file may list bids in any order.
    instance.sort_offers();
    Ok(instance)
}

/// Adds the tasks of a file to the instance. Returns the place of each name.
fn add_tasks(instance: &mut Instance, tasks: Vec<FileTask>) -> Result<Places> {
    let mut places = Places::default();

    for task in tasks {
        let (_, is_new) = places.of(&task.id);
        ensure!(is_new, "tasks: {} is there twice", task.id);

        let mut named = named_task(&task.id);
        named.limit = task.limit;
        named.requester = task.requester.unwrap_or(task.id);
        named.demand = task
            .demand
            .filter(|demand| !demand.is_empty())
            .unwrap_or_else(one_slot);

        instance.tasks.push(named);
    }

    Ok(places)
}

/// Adds the agents of a file to the instance. Returns the place of each name.
fn add_agents(instance: &mut Instance, agents: Vec<FileAgent>) -> Result<Places> {
    let mut places = Places::default();

    for agent in agents {
        let (_, is_new) = places.of(&agent.id);
        ensure!(is_new, "agents: {} is there twice", agent.id);

        instance.agents.push(Agent {
            name: agent.id,
            budget: agent.budget.unwrap_or_else(one_slot),
        });
    }

    Ok(places)
}

fn empty(form: Form) -> Instance {
    Instance {
        form,
        agents: Vec::new(),
        tasks: Vec::new(),
        offers: Vec::new(),
    }
}

fn named_task(name: &str) -> Task {
    let name = name.to_owned();
    Task {
        requester: name.clone(),
        name,
        limit: None,
        demand: one_slot(),
    }
}

fn slots(count: i64) -> Amounts {
    let mut slots = one_slot();
    slots.values_mut().for_each(|amount| *amount = count);
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_leave_out_what_the_market_does_not_need() {
        let one = csv("# bids\ntask,agent,price\nroof, ann, 7\nroof,bob,5\nwall,ann,2\n").unwrap();
        assert_eq!(
            (one.agents.len(), one.tasks.len(), one.offers.len()),
            (2, 2, 3)
        );
        assert_eq!(
            one.offers[0],
            InstanceOffer {
                agent: 0,
                task: 0,
                price: 7,
                demand: None
            }
        );
        assert_eq!(one.tasks[1].requester, "wall");
        assert_eq!(one.agents[1].budget, one_slot());
    }

    #[test]
    fn a_demand_is_the_tasks_where_all_agree_and_the_pairs_where_not() {
        let head = "task,agent,price,limit,requester,demand,budget\n";
        let alike = csv(&format!("{head}a,x,1,9,r,2,3\na,y,1,,,2,\n")).unwrap();
        assert!(!alike.is_pairwise());
        assert_eq!(alike.tasks[0].demand, slots(2));
        assert_eq!(
            (alike.tasks[0].limit, alike.tasks[0].requester.as_str()),
            (Some(9), "r")
        );
        assert_eq!(alike.agents[0].budget, slots(3));
        let unlike = csv(&format!("{head}a,x,1,,,2,\na,y,1,,,3,\n")).unwrap();
        assert!(unlike.is_pairwise());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let table = [
            ("task,agent\na,x\n", "price"),
            ("task,agent,price\na,x,cheap\n", "price"),
            (
                "task,agent,price,limit\na,x,1,2\na,y,1,3\n",
                "row 2 (task a, agent y): another limit",
            ),
        ];
        for (text, part) in table {
            let error = format!("{:#}", csv(text).unwrap_err());
            assert!(error.contains(part), "{text:?}: {error}");
        }
        let table = [
            (r#"{"tasks":[],"agents":[]}"#, "missing field `bids`"),
            (
                r#"{"tasks":[{"id":"a"},{"id":"a"}],"agents":[],"bids":[]}"#,
                "tasks: a is there twice",
            ),
            (
                r#"{"tasks":[{"id":"a"}],"agents":[],"bids":[{"task":"a","agent":"x","price":1}]}"#,
                "bid 1 names an unknown agent: x",
            ),
            (
                r#"{"tasks":[{"id":"a","limits":3}],"agents":[],"bids":[]}"#,
                "unknown field `limits`",
            ),
        ];
        for (text, part) in table {
            let error = format!("{:#}", json(text).unwrap_err());
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
