//! `quorate solve`: a mechanism on an instance from outside of any swarm.

mod answer;
mod instance;
mod or_library;
mod report;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use quorate_market::{Mechanism, mechanisms};

use crate::output::say;
use answer::Rules;
use instance::{Form, Instance};
use report::Solved;

/// Clear an auction from a file, to choose a market or to check ours against known optima
///
/// Reads agents, tasks and prices, lets a mechanism decide exactly as a swarm's validators would,
/// and prints who gets what, for how much, and whether that is proved to be the best there is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The instance: OR-Library assignment or generalised assignment, CSV, or JSON
    file: PathBuf,
    /// Who wins, and what it gets; `quorate markets` tells them apart [default: gap where what a
    /// task takes differs from agent to agent, else assignment]
    #[arg(long, value_name = "NAME", value_parser = names())]
    mechanism: Option<String>,
    /// What the file is, where neither its name nor its numbers tell
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Prices are gains: the assignment with the most of them wins
    #[arg(long)]
    maximize: bool,
    /// Highest price of a task that states none
    #[arg(long, value_name = "PRICE", value_parser = clap::value_parser!(i64).range(0..=1 << 40))]
    reserve: Option<i64>,
    /// Only this problem of a file that has several, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    problem: Option<u64>,
    /// How long the search for a generalised assignment may go on, in offers looked at: the same
    /// effort gives the same answer on every machine
    #[arg(long, value_name = "STEPS", default_value_t = 500_000_000)]
    effort: u64,
    /// Prints one JSON object for each problem instead
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
What a file can be (told by .csv, .json, or by how many numbers it has):
  dense    n, then n times n costs; or m n, then m times n (rows are agents, columns tasks)
  sparse   n, then lines `agent task cost`, both from 1
  gap      m n, then m times n costs, m times n resources, m capacities; or how many
           problems, then each like that
  csv      task,agent,price and, where wanted, limit, requester, demand, budget
  json     {\"tasks\": [{\"id\", \"limit\"?, \"requester\"?, \"demand\"?: {\"slots\": 1}}],
            \"agents\": [{\"id\", \"budget\"?: {\"slots\": 1}}],
            \"bids\": [{\"task\", \"agent\", \"price\", \"demand\"?}]}
Who states no budget has one slot, and a task without demand takes one.

Keys of --json: file, problem, format, mechanism, version, sense, agents, tasks, bids,
objective, assigned, open, assignment (task, agent, price, payment, charge), payments (by
agent), paid, charged, optimal (true, false, or null where the mechanism does not look for
the best), bound, duals (by agent and by task, or null), milliseconds.

Examples:
  quorate solve assign100.txt
  quorate solve gap1.txt --maximize --json
  quorate solve bids.csv --mechanism second-price --reserve 100";

fn names() -> PossibleValuesParser {
    let value = |one: &&'static dyn Mechanism| PossibleValue::new(one.name()).help(one.guarantee());
    PossibleValuesParser::new(mechanisms().iter().map(value).collect::<Vec<_>>())
}

/// Solves what the file has, one problem after the other.
///
/// # Errors
/// Names the file, and what of it no mechanism can take.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let instances = Instance::read(&args.file, args.format)?;
    let file = args.file.display().to_string();
    let problems = instances.len();
    if let Some(wanted) = args.problem {
        ensure!(
            wanted <= problems as u64,
            "{file}: problem {wanted} of {problems}"
        );
    }
    for (place, instance) in instances.iter().enumerate() {
        let number = place + 1;
        if args.problem.is_some_and(|wanted| wanted != number as u64) {
            continue;
        }
        let mechanism = chosen(args, instance)?;
        let rules = Rules {
            maximize: args.maximize,
            reserve: args.reserve,
            effort: args.effort,
        };
        let answer = answer::solve(instance, mechanism, rules).with_context(|| file.clone())?;
        let problem = (number, problems);
        let solved = Solved {
            file: file.clone(),
            problem,
            instance,
            mechanism,
            rules,
            answer,
        };
        say(if args.json {
            solved.json().to_string()
        } else {
            solved.text()
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(args: &Args, instance: &Instance) -> Result<&'static dyn Mechanism> {
    let default = if instance.is_pairwise() {
        "gap"
    } else {
        "assignment"
    };
    let name = args.mechanism.as_deref().unwrap_or(default);
    let found = mechanisms()
        .iter()
        .find(|mechanism| mechanism.name() == name);
    found
        .copied()
        .with_context(|| format!("no mechanism {name}"))
}
