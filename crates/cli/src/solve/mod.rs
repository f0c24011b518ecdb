//! `quorate solve`: runs a mechanism on an instance from a file, without a swarm.

mod answer;
mod file;
mod instance;
mod or_library;
mod report;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use quorate_console::say;
use quorate_market::{Mechanism, mechanisms};

use crate::values;
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
    /// Length of the search for a generalised assignment, as a multiple of the steps of the
    /// mechanism's own search. The same effort gives the same answer on every machine. [default:
    /// what makes 500 million steps]
    #[arg(long, value_name = "N", value_parser = values::effort())]
    effort: Option<u64>,
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
    let value =
        |one: &&'static dyn Mechanism| PossibleValue::new(one.name()).help(one.about().guarantee);
    PossibleValuesParser::new(mechanisms().iter().map(value).collect::<Vec<_>>())
}

/// Solves the problems of the file, one after the other.
///
/// # Errors
/// If the file cannot be read, or if the mechanism cannot take a problem. The error names the file.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let instances = file::read(&args.file, args.format)?;
    let problems = instances.len();

    if let Some(wanted) = args.problem {
        ensure!(
            wanted <= problems as u64,
            "{}: problem {wanted} of {problems} does not exist",
            args.file.display()
        );
    }

    for (place, instance) in instances.iter().enumerate() {
        let number = place + 1;
        if args.problem.is_none_or(|wanted| wanted == number as u64) {
            solve_one(args, instance, number, problems)?;
        }
    }

    Ok(ExitCode::SUCCESS)
}

/// Solves one of the problems of the file, and prints the answer.
fn solve_one(args: &Args, instance: &Instance, problem: usize, problems: usize) -> Result<()> {
    let file = args.file.display().to_string();
    let mechanism = chosen(args, instance)?;
    let rules = args.rules();
    let answer = answer::solve(instance, mechanism, rules).with_context(|| file.clone())?;

    let solved = Solved {
        file,
        problem,
        problems,
        instance,
        mechanism,
        rules,
        answer,
    };

    match args.json {
        true => say(solved.json().to_string()),
        false => say(solved.text()),
    }
}

impl Args {
    fn rules(&self) -> Rules {
        Rules {
            maximize: self.maximize,
            reserve: self.reserve,
            effort: self.effort,
        }
    }
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
