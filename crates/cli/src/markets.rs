//! `quorate markets`: lists the mechanisms that a market can use, and what each of them guarantees.

use std::process::ExitCode;

use anyhow::Result;
use quorate_console::say;
use quorate_market::{Bidding, Mechanism, mechanisms};
use serde_json::{Value, json};

/// List the mechanisms that a market can use, with what each guarantees and costs
///
/// The class follows Gerkey and Mataric (2004). ST or MT: an agent does one task at a time, or
/// several. SR or MR: a task takes one agent, or several. IA or TA: one clearing decides
/// everything, or later clearings go on from it.
///
/// A mechanism that takes solutions also weighs the assignments that members propose, if its market
/// has `solve_ms` (see `quorate propose`). `quorate solve FILE --mechanism NAME` shows what a
/// mechanism makes of your bids.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// The sizes for which the worst-case cost of a clearing is printed: tasks, bidders, bids.
const SIZES: [(usize, usize, usize); 2] = [(100, 20, 1_000), (1_000, 100, 10_000)];

/// Prints all mechanisms.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match args.json {
        true => say(Value::from_iter(mechanisms().iter().map(|one| object(*one))).to_string())?,
        false => say(mechanisms()
            .iter()
            .map(|one| text(*one))
            .collect::<Vec<_>>()
            .join("\n\n"))?,
    }

    Ok(ExitCode::SUCCESS)
}

fn bidding(mechanism: &dyn Mechanism) -> &'static str {
    match mechanism.about().bidding {
        Bidding::Open => "open",
        Bidding::Sealed => "sealed",
        Bidding::Either => "either",
    }
}

fn object(mechanism: &dyn Mechanism) -> Value {
    let cost = SIZES.map(|(tasks, bidders, bids)| {
        json!({ "tasks": tasks, "bidders": bidders, "bids": bids,
            "cost": mechanism.cost(tasks, bidders, bids) })
    });

    json!({
        "name": mechanism.name(),
        "version": mechanism.version(),
        "class": mechanism.about().class,
        "bidding": bidding(mechanism),
        "takes_solutions": mechanism.about().takes_solutions,
        "guarantee": mechanism.about().guarantee,
        "limits": mechanism.about().limits,
        "worst_case_cost": cost,
    })
}

fn text(mechanism: &dyn Mechanism) -> String {
    let costs = SIZES.map(|(tasks, bidders, bids)| {
        let cost = mechanism.cost(tasks, bidders, bids);
        format!("{cost} for {tasks} tasks, {bidders} bidders, {bids} bids")
    });

    let bidding = match mechanism.about().bidding {
        Bidding::Open => "open bids",
        Bidding::Sealed => "wants sealed bids",
        Bidding::Either => "open or sealed bids",
    };

    let solutions = if mechanism.about().takes_solutions {
        ", takes solutions"
    } else {
        ""
    };

    let head = format!("{} {}", mechanism.name(), mechanism.version());
    [
        format!(
            "{head:<20} {}, {bidding}{solutions}",
            mechanism.about().class
        ),
        format!("  {}", mechanism.about().guarantee),
        format!("  Limits: {}", mechanism.about().limits),
        format!("  Cost at worst, in microseconds: {}", costs.join("; ")),
    ]
    .join("\n")
}
