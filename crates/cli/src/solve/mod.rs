//! `quorate solve`: runs a mechanism on an instance from a file, without a swarm.

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

/// Clear an auction from a file, to choose a market or to check results against known optima
///
/// Reads agents, tasks and prices from the file, and lets a mechanism decide exactly as a swarm's
/// validators would. Prints who gets what, for how much, and whether that is proved to be the best
/// there is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// File with the instance: assignment or generalised assignment of OR-Library, CSV, or JSON.
    file: PathBuf,
    /// Mechanism that decides who wins, and at what price; see `quorate markets` [default: gap if
    /// what a task takes differs from agent to agent, otherwise assignment]
    #[arg(long, value_name = "NAME", value_parser = names())]
    mechanism: Option<String>,
    /// Form of the file, for files whose name and numbers do not tell it.
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Treat prices as gains, and look for the greatest sum instead of the least.
    #[arg(long)]
    maximize: bool,
    /// Highest price for a task that states none.
    #[arg(long, value_name = "PRICE", value_parser = clap::value_parser!(i64).range(0..=1 << 40))]
    reserve: Option<i64>,
    /// Solve only this problem of a file that has several, counted from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    problem: Option<u64>,
    /// Length of the search for a generalised assignment, in offers that it looks at. The same
    /// effort gives the same answer on every machine.
    #[arg(long, value_name = "STEPS", default_value_t = 500_000_000)]
    effort: u64,
    /// Print one JSON object for each problem.
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Forms of a file (told by .csv, by .json, or by how many numbers there are):
  dense    n, then n times n costs; or m n, then m times n costs (a row for each agent, a column
           for each task)
  sparse   n, then lines `agent task cost`, where agents and tasks are numbers from 1
  gap      m n, then m times n costs, m times n resources, m capacities; or the number of
           problems, then each problem like that
  csv      a header and rows with the columns task, agent, price and, if you like, limit, requester,
           demand, budget
  json     {\"tasks\": [{\"id\", \"limit\"?, \"requester\"?, \"demand\"?: {\"slots\": 1}}],
            \"agents\": [{\"id\", \"budget\"?: {\"slots\": 1}}],
            \"bids\": [{\"task\", \"agent\", \"price\", \"demand\"?}]}
An agent without a budget has one slot, and a task without a demand takes one.

Keys of --json: file, problem, format, mechanism, version, sense, agents, tasks, bids,
objective, assigned, open, assignment (task, agent, price, payment, charge), payments (by
agent), paid, charged, optimal (true, false, or null if the mechanism does not look for the
best), bound, duals (by agent and by task, or null), milliseconds.

Examples:
  quorate solve assign100.txt
  quorate solve gap1.txt --maximize --json
  quorate solve bids.csv --mechanism second-price --reserve 100";

fn names() -> PossibleValuesParser {
    let value = |one: &&'static dyn Mechanism| PossibleValue::new(one.name()).help(one.guarantee());
    PossibleValuesParser::new(mechanisms().iter().map(value).collect::<Vec<_>>())
}

/// Solves the problems of the file, one after the other.
///
/// # Errors
/// If the file cannot be read, or if the mechanism cannot take a problem. The error names the file.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let instances = Instance::read(&args.file, args.format)?;
    let file = args.file.display().to_string();
    let problems = instances.len();

    if let Some(wanted) = args.problem {
        ensure!(
            wanted <= problems as u64,
            "{file}: problem {wanted} of {problems} does not exist"
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

/// The mechanism that was asked for, or the default one for the instance.
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
        .with_context(|| format!("there is no mechanism {name}"))
}
