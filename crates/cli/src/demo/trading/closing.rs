//! The end of the trading demonstration: audit, report and summary.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use quorate_trader::{Ticks, show_price};
use quorate_types::Reason;
use serde::Serialize;

use super::Args;
use super::collusion::{Insight, ppm, resists};
use super::play::Played;
use super::stage::{Character, MARKETS, Stage};
use crate::demo::audit::{self, Audit};
use crate::report::{
    Agent, Bar, Fill, Mechanism, Order, Refusal, Report, Summary, Task, TaskState, Trading,
};

/// The reasons of refusals that the report lists: each is for breaking a rule. Bids that come too
/// late for a window are refused too, such as all quotes on slices that were just called back.
/// Nobody is at fault there, so their certificates are kept and nothing more.
const TOLD: [Reason; 4] = [
    Reason::BudgetExceeded,
    Reason::CapabilityNotAttested,
    Reason::Unopened,
    Reason::Barred,
];

/// The keys of `--json` that other demonstrations do not have. Keys may be added, not changed.
/// Money is in ten-thousandths of the currency's unit; `bps` are ten-thousandths of the value.
#[derive(Debug, Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    /// Slices that nobody took and that the broker called back.
    canceled: u64,
    fills: usize,
    bars: usize,
    slippage_bps: f64,
    /// Windows at whose end an agent had commitments that it had not opened, for each such agent.
    defaults: u64,
    /// Bids that were refused because their budget exceeded the attested credit.
    refused_over_credit: u64,
    collusion_cost: Ticks,
    /// The name of the mechanism under which collusion cost less.
    resists: Option<&'a str>,
    mechanisms: Vec<Line<'a>>,
}

/// The results of one mechanism.
#[derive(Debug, Serialize)]
struct Line<'a> {
    market: &'a str,
    mechanism: &'a str,
    slices: u64,
    fills: u64,
    slippage_bps: f64,
    collusion_cost: Option<Ticks>,
    collusion_cost_bps: Option<f64>,
    ring_gain: Option<Ticks>,
}

pub(super) fn close(args: &Args, stage: &Stage, played: &Played) -> Result<ExitCode> {
    // The audit reads what is on the disk, not what this process remembers.
    let audit = Audit::of(&stage.setting)?;
    let trading = trading(stage, played, &audit);
    let report = report(stage, played, &audit, trading);
    audit::write_report(&stage.setting, &report)?;

    // It is always there: `report` was given it.
    let Some(trading) = &report.trading else {
        return Ok(ExitCode::FAILURE);
    };

    let json = json(&report.summary, trading, played);
    let faults = faults(args, stage, played, &audit, (&json, trading));

    if args.json {
        audit::print_json(&stage.setting, &report, &json, &faults)?;
    } else {
        print_summary(&report, trading, &json);
        audit::print_end(&stage.setting, &report);
    }

    Ok(audit::conclude(&faults))
}

/// Returns what should not have happened. Empty for a good run.
fn faults(
    args: &Args,
    stage: &Stage,
    played: &Played,
    audit: &Audit,
    (json, trading): (&Json<'_>, &Trading),
) -> Vec<String> {
    let mut faults = audit.faults(&played.record, json.summary.completed);

    let mut expect = |holds: bool, text: &str| {
        if !holds {
            faults.push(text.to_owned());
        }
    };

    let done = json.summary.completed + json.canceled;
    expect(
        done == json.summary.tasks,
        "a slice was neither bought nor called back",
    );
    expect(json.fills > 0, "no slice was bought");

    // Commitments that are refused or unopened must not win.
    let rejected =
        |name: &String| trading.silent.contains(name) | trading.over_credit.contains(name);
    let sold = trading.fills.iter().any(|fill| rejected(&fill.maker));
    expect(!sold, "a trader whose bids must be refused sold something");

    // A small swarm has fewer characters: see `makers`.
    if !args.no_faults {
        let plays = |character| !stage.names(character).is_empty();
        let refused = json.refused_over_credit > 0;
        expect(
            !plays(Character::OverCredit) || refused,
            "no bid beyond the credit was refused",
        );
        expect(
            !plays(Character::Silent) || json.defaults > 0,
            "nobody defaulted",
        );

        let compared = trading
            .mechanisms
            .iter()
            .all(|mechanism| mechanism.collusion.is_some());
        expect(
            !plays(Character::Ring) || compared,
            "no dossier tells what collusion cost",
        );
    }

    faults
}

fn json<'a>(summary: &'a Summary, trading: &'a Trading, played: &Played) -> Json<'a> {
    // Sums over all mechanisms.
    let (charged, value) = trading
        .mechanisms
        .iter()
        .fold((0, 0), |(charged, value), found| {
            (
                found.charged.saturating_add(charged),
                found.value.saturating_add(value),
            )
        });

    let ended = |state| {
        played
            .record
            .tasks
            .iter()
            .filter(|task| task.state == Some(state))
            .count()
    };

    // Only mechanisms for which the cost of collusion is known can be compared.
    let compared = trading.mechanisms.iter().filter_map(|found| {
        found
            .collusion
            .as_ref()
            .map(|collusion| (found.mechanism.as_str(), collusion))
    });

    let line = |found: &'a Mechanism| Line {
        market: &found.market,
        mechanism: &found.mechanism,
        slices: found.slices,
        fills: found.filled,
        slippage_bps: bps(found.slippage_ppm),
        collusion_cost: found.collusion.as_ref().map(|collusion| collusion.cost),
        collusion_cost_bps: found
            .collusion
            .as_ref()
            .map(|collusion| bps(collusion.cost_ppm)),
        ring_gain: found
            .collusion
            .as_ref()
            .map(|collusion| collusion.ring_gain),
    };

    Json {
        summary,
        canceled: ended(TaskState::Canceled) as u64,
        fills: trading.fills.len(),
        bars: trading.bars.len(),
        slippage_bps: bps(ppm(charged - value, value)),
        defaults: defaults(played),
        refused_over_credit: played.record.refused_for(Reason::BudgetExceeded),
        collusion_cost: compared.clone().map(|(_, collusion)| collusion.cost).sum(),
        resists: resists(compared),
        mechanisms: trading.mechanisms.iter().map(line).collect(),
    }
}

/// Counts the defaults: there is one certificate of unopened commitments for each agent and window.
fn defaults(played: &Played) -> u64 {
    let refusals = played.record.refusals.iter();
    let unopened = refusals.filter(|refusal| refusal.code == Reason::Unopened.code());
    unopened
        .map(|refusal| &refusal.certificate)
        .collect::<BTreeSet<_>>()
        .len() as u64
}

fn report(stage: &Stage, played: &Played, audit: &Audit, trading: Trading) -> Report {
    let record = &played.record;
    let genesis = &stage.setting.genesis;
    let tasks = tasks(stage, played);

    // A task with a second assignment went to market again.
    let reassigned = tasks
        .iter()
        .filter(|task| task.assignments.len() > 1)
        .count() as u64;

    let told = |refusal: &&Refusal| TOLD.iter().any(|reason| reason.code() == refusal.code);
    let refusals: Vec<_> = record.refusals.iter().filter(told).cloned().collect();

    Report {
        title: format!("Trading swarm: {}", stage.bars.name),
        swarm_id: genesis.swarm_id().to_string(),
        fingerprint: audit::fingerprint(&stage.setting),
        started: audit::rfc3339(genesis.created),
        duration_ms: record.now(),
        certificate_dir: "certificates".to_owned(),
        trust_root: "genesis.toml".to_owned(),
        summary: Summary {
            tasks: tasks.len() as u64,
            completed: trading.fills.len() as u64,
            reassigned,
            refused_bids: refusals.len() as u64,
            killed_drones: None,
            killed_validators: 0,
            // Heights count from 1, so the greatest is also their number.
            heights: record.heights.keys().next_back().copied().unwrap_or(0),
            certificates: audit.files,
            certificates_verified: audit.verified,
            auctions: audit.auctions,
            auctions_replayed: audit.replayed,
        },
        validators: audit::validators(&stage.setting, record),
        agents: agents(stage, &trading),
        tasks,
        heights: record.heights.values().cloned().collect(),
        refusals,
        trading: Some(trading),
    }
}

fn tasks(stage: &Stage, played: &Played) -> Vec<Task> {
    let pairs = played.children.iter().zip(&played.record.tasks);

    let task = |((_, child), facts): (&(_, super::broker::Child), _)| {
        let facts: &crate::demo::record::TaskRecord = facts;
        Task {
            id: child.slice.id.clone(),
            place: None,
            requires: vec![stage.venue.to_string()],
            state: facts.final_state(),
            assignments: facts.assignments.clone(),
        }
    };

    pairs.map(task).collect()
}

fn agents(stage: &Stage, trading: &Trading) -> Vec<Agent> {
    let makers = stage.setting.agents.iter().zip(&stage.makers);

    let agent = |(member, maker): (&crate::demo::setting::Member, &super::stage::Maker)| Agent {
        name: member.name.clone(),
        key: member.key.to_string(),
        home: None,
        killed_at_ms: None,
        // The report marks a bid beyond the credit as a false claim.
        liar: maker.character == Character::OverCredit,
        tasks_done: trading
            .fills
            .iter()
            .filter(|fill| fill.maker == member.name)
            .count() as u64,
        path: Vec::new(),
    };

    makers.map(agent).collect()
}

fn trading(stage: &Stage, played: &Played, audit: &Audit) -> Trading {
    let fills = fills(played);

    let bars = stage.bars.bars.iter().map(|bar| Bar {
        time: bar.time.clone(),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        benchmark: bar.benchmark(),
    });

    Trading {
        source: stage.bars.name.clone(),
        bars: bars.collect(),
        orders: stage
            .orders
            .iter()
            .map(|order| self::order(order, &fills))
            .collect(),
        mechanisms: mechanisms(stage, played, audit, &fills),
        ring: stage.names(Character::Ring),
        silent: stage.names(Character::Silent),
        over_credit: stage.names(Character::OverCredit),
        fills,
    }
}

fn fills(played: &Played) -> Vec<Fill> {
    let pairs = played.children.iter().zip(&played.record.tasks);
    let completed = pairs.filter(|(_, facts)| facts.state == Some(TaskState::Completed));

    let fill = |((_, child), facts): (&(_, super::broker::Child), _)| {
        let facts: &crate::demo::record::TaskRecord = facts;
        // A task is completed under its last assignment.
        let (certified, award) = (facts.certified.as_ref()?, facts.assignments.last()?);
        let (market, mechanism) = MARKETS[child.market];

        Some(Fill {
            slice: child.slice.id.clone(),
            order: child.slice.order.clone(),
            bar: child.slice.bar,
            market: market.to_owned(),
            mechanism: mechanism.to_owned(),
            maker: award.agent.clone(),
            quantity: child.slice.quantity,
            benchmark: child.slice.benchmark,
            charged: certified.charge,
            paid: certified.price,
            slippage_ppm: child.slice.slippage_ppm(certified.charge),
            certificate: award.certificate.clone(),
        })
    };

    completed.filter_map(fill).collect()
}

fn order(order: &quorate_trader::ParentOrder, fills: &[Fill]) -> Order {
    let own: Vec<&Fill> = fills
        .iter()
        .filter(|fill| fill.order == order.name)
        .collect();
    let (charged, value) = sums(own.iter().copied());

    let schedule = match order.schedule {
        quorate_trader::Schedule::Even => "even",
        quorate_trader::Schedule::Volume => "volume",
    };

    Order {
        name: order.name.clone(),
        schedule: schedule.to_owned(),
        limit_ppm: order.limit_ppm,
        quantity: order
            .quantity
            .saturating_mul(i64::try_from(order.lots).unwrap_or(i64::MAX)),
        bought: own.iter().map(|fill| fill.quantity).sum(),
        charged,
        slippage_ppm: ppm(charged - value, value),
    }
}

fn mechanisms(stage: &Stage, played: &Played, audit: &Audit, fills: &[Fill]) -> Vec<Mechanism> {
    let makers = stage.setting.agents.iter().zip(&stage.makers);
    // The true costs of the ring are in its settings, and in no dossier.
    let ring = makers.filter(|(_, maker)| maker.character == Character::Ring);

    let insight = Insight {
        swarm: stage.setting.genesis.swarm_id(),
        ring: ring
            .map(|(member, maker)| (member.key, &maker.config))
            .collect(),
        slices: played
            .children
            .iter()
            .map(|(task, child)| (*task, &child.slice))
            .collect(),
    };

    let mechanism = |(number, (market, mechanism)): (usize, (&str, &str))| {
        let own: Vec<&Fill> = fills.iter().filter(|fill| fill.market == market).collect();
        let (charged, value) = sums(own.iter().copied());

        let slices = played
            .children
            .iter()
            .filter(|(_, child)| child.market == number);

        let dossiers = audit.dossiers.iter();
        let dossiers = dossiers.filter(|dossier| dossier.record.market.as_str() == market);

        Mechanism {
            market: market.to_owned(),
            mechanism: mechanism.to_owned(),
            slices: slices.count() as u64,
            filled: own.len() as u64,
            value,
            charged,
            paid: own.iter().map(|fill| fill.paid).sum(),
            slippage_ppm: ppm(charged - value, value),
            collusion: insight.compare(dossiers),
        }
    };

    MARKETS.into_iter().enumerate().map(mechanism).collect()
}

/// Returns the sum that was charged, and the value at the benchmarks.
fn sums<'a>(fills: impl Iterator<Item = &'a Fill>) -> (Ticks, Ticks) {
    fills.fold((0, 0), |(charged, value), fill| {
        (
            charged + fill.charged,
            value + fill.benchmark.saturating_mul(fill.quantity),
        )
    })
}

fn print_summary(report: &Report, trading: &Trading, json: &Json<'_>) {
    let seconds = report.duration_ms as f64 / 1000.0;
    println!("\n{} in {seconds:.1} s", report.title);

    println!(
        "  slices         {} over {} bars: {} bought, {} called back",
        json.summary.tasks, json.bars, json.fills, json.canceled
    );

    for order in &trading.orders {
        println!(
            "  {:<14} {} of {} bought, {:+.2} bps against the benchmark",
            order.name,
            order.bought,
            order.quantity,
            bps(order.slippage_ppm)
        );
    }

    for found in &trading.mechanisms {
        let (filled, slices) = (found.filled, found.slices);
        print!("  {:<14} {filled} of {slices} slices, ", found.mechanism);
        print!("{:+.2} bps", bps(found.slippage_ppm));

        match &found.collusion {
            Some(collusion) => println!(
                "; collusion cost {} ({:.2} bps)",
                show_price(collusion.cost),
                bps(collusion.cost_ppm)
            ),
            None => println!(),
        }
    }

    let names = |names: &[String]| match names {
        [] => "nobody".to_owned(),
        names => names.join(", "),
    };

    println!(
        "  over credit    {}: {} bids refused",
        names(&trading.over_credit),
        json.refused_over_credit
    );
    println!(
        "  silent         {}: {} defaults",
        names(&trading.silent),
        json.defaults
    );
    println!(
        "  collusion      {}: {} resists it better",
        names(&trading.ring),
        json.resists.unwrap_or("neither mechanism")
    );
}

/// Converts millionths to basis points, with two decimals.
fn bps(ppm: i64) -> f64 {
    ppm as f64 / 100.0
}
