//! The end of the trading demonstration: audit, report and summary.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;
use quorate_certificate::Dossier;
use quorate_trader::{ParentOrder, Schedule, Ticks, show_price};
use quorate_types::Reason;
use serde::Serialize;

use super::args::Args;
use super::broker::Child;
use super::collusion::{Insight, ppm, resists};
use super::play::Played;
use super::stage::{Character, MARKETS, TradingSetup};
use crate::audit::{self, Audit};
use crate::record::TaskRecord;
use crate::report::{
    Agent, Bar, DemoReport, Fill, Mechanism, Order, Refusal, Summary, Task, TaskState, Trading,
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

pub(super) fn close(args: &Args, stage: &TradingSetup, played: &Played) -> Result<ExitCode> {
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
    let mut faults = audit.faults(&played.record, json.summary.completed);
    faults.extend(self::faults(stage, trading, &json));
    if !args.run.no_faults {
        faults.extend(missing_misconduct(stage, trading, &json));
    }

    if args.run.json {
        audit::print_json(&stage.setting, &report, &json, &faults)?;
    } else {
        print_summary(&report, trading, &json);
        audit::print_end(&stage.setting, &report);
    }

    Ok(audit::conclude(&faults))
}

/// Returns what should not have happened in the market. Empty for a good run.
fn faults(stage: &TradingSetup, trading: &Trading, json: &Json<'_>) -> Vec<String> {
    let done = json.summary.completed + json.canceled;
    // Commitments that are refused or unopened must not win.
    let rejected = [Character::Silent, Character::OverCredit].map(|of| stage.names(of));
    let sold = trading
        .fills
        .iter()
        .any(|fill| rejected.iter().any(|names| names.contains(&fill.maker)));

    audit::unmet(&[
        (
            done == json.summary.tasks,
            "a slice was neither bought nor called back",
        ),
        (json.fills > 0, "no slice was bought"),
        (!sold, "a trader whose bids must be refused sold something"),
    ])
}

/// Returns the misconduct that should have shown and did not. A small swarm has fewer characters:
/// see `makers`.
fn missing_misconduct(stage: &TradingSetup, trading: &Trading, json: &Json<'_>) -> Vec<String> {
    let plays = |character| !stage.names(character).is_empty();
    let compared = trading
        .mechanisms
        .iter()
        .all(|mechanism| mechanism.collusion.is_some());

    audit::unmet(&[
        (
            !plays(Character::OverCredit) || json.refused_over_credit > 0,
            "no bid beyond the credit was refused",
        ),
        (
            !plays(Character::Silent) || json.defaults > 0,
            "nobody defaulted",
        ),
        (
            !plays(Character::Ring) || compared,
            "no dossier tells what collusion cost",
        ),
    ])
}

fn json<'a>(summary: &'a Summary, trading: &'a Trading, played: &Played) -> Json<'a> {
    let mechanisms = &trading.mechanisms;
    // Only mechanisms for which the cost of collusion is known can be compared.
    let compared = mechanisms
        .iter()
        .filter_map(|found| Some((found.mechanism.as_str(), found.collusion.as_ref()?)));

    Json {
        summary,
        canceled: canceled(played),
        fills: trading.fills.len(),
        bars: trading.bars.len(),
        slippage_bps: slippage_bps(mechanisms),
        defaults: defaults(played),
        refused_over_credit: played.record.refused_for(Reason::BudgetExceeded),
        collusion_cost: compared.clone().map(|(_, collusion)| collusion.cost).sum(),
        resists: resists(compared),
        mechanisms: mechanisms.iter().map(line).collect(),
    }
}

/// Returns how far all charges together lie above their value.
fn slippage_bps(mechanisms: &[Mechanism]) -> f64 {
    let charged = saturating_sum(mechanisms.iter().map(|found| found.charged));
    let value = saturating_sum(mechanisms.iter().map(|found| found.value));
    bps(ppm(charged - value, value))
}

fn saturating_sum(amounts: impl Iterator<Item = Ticks>) -> Ticks {
    amounts.fold(0, Ticks::saturating_add)
}

fn line(found: &Mechanism) -> Line<'_> {
    let collusion = found.collusion.as_ref();

    Line {
        market: &found.market,
        mechanism: &found.mechanism,
        slices: found.slices,
        fills: found.filled,
        slippage_bps: bps(found.slippage_ppm),
        collusion_cost: collusion.map(|of| of.cost),
        collusion_cost_bps: collusion.map(|of| bps(of.cost_ppm)),
        ring_gain: collusion.map(|of| of.ring_gain),
    }
}

/// Counts the slices that were called back.
fn canceled(played: &Played) -> u64 {
    let tasks = played.record.tasks.iter();
    tasks
        .filter(|task| task.state == Some(TaskState::Canceled))
        .count() as u64
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

fn report(stage: &TradingSetup, played: &Played, audit: &Audit, trading: Trading) -> DemoReport {
    let record = &played.record;
    let tasks = tasks(stage, played);
    let told = |refusal: &&Refusal| TOLD.iter().any(|reason| reason.code() == refusal.code);
    let refusals: Vec<_> = record.refusals.iter().filter(told).cloned().collect();

    let summary = Summary {
        completed: trading.fills.len() as u64,
        refused_bids: refusals.len() as u64,
        ..audit.summary(record, &tasks)
    };

    DemoReport {
        title: format!("Trading swarm: {}", stage.bars.name),
        summary,
        agents: agents(stage, &trading),
        refusals,
        trading: Some(trading),
        ..audit.report(&stage.setting, record, tasks)
    }
}

fn tasks(stage: &TradingSetup, played: &Played) -> Vec<Task> {
    let pairs = played.children.iter().zip(&played.record.tasks);
    let tasks = pairs.map(|((_, child), facts)| Task {
        id: child.slice.id.clone(),
        place: None,
        requires: vec![stage.venue.to_string()],
        state: facts.final_state(),
        assignments: facts.assignments.clone(),
    });

    tasks.collect()
}

fn agents(stage: &TradingSetup, trading: &Trading) -> Vec<Agent> {
    let makers = stage.setting.agents.iter().zip(&stage.makers);
    let sold_by = |name: &str| {
        let fills = trading.fills.iter();
        fills.filter(|fill| fill.maker == name).count() as u64
    };

    let agents = makers.map(|(member, maker)| Agent {
        name: member.name.clone(),
        key: member.key.to_string(),
        home: None,
        killed_at_ms: None,
        // The report marks a bid beyond the credit as a false claim.
        liar: maker.character == Character::OverCredit,
        tasks_done: sold_by(&member.name),
        path: Vec::new(),
    });

    agents.collect()
}

fn trading(stage: &TradingSetup, played: &Played, audit: &Audit) -> Trading {
    let fills = fills(played);
    let orders = stage.orders.iter().map(|of| order(of, &fills));
    let results = Results {
        played,
        audit,
        fills: &fills,
        insight: insight(stage, played),
    };

    Trading {
        source: stage.bars.name.clone(),
        bars: stage.bars.bars.iter().map(bar).collect(),
        orders: orders.collect(),
        mechanisms: results.mechanisms(),
        ring: stage.names(Character::Ring),
        silent: stage.names(Character::Silent),
        over_credit: stage.names(Character::OverCredit),
        fills,
    }
}

fn bar(bar: &quorate_trader::Bar) -> Bar {
    Bar {
        time: bar.time.clone(),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        benchmark: bar.benchmark(),
    }
}

fn fills(played: &Played) -> Vec<Fill> {
    let pairs = played.children.iter().zip(&played.record.tasks);
    let completed = pairs.filter(|(_, facts)| facts.state == Some(TaskState::Completed));
    completed
        .filter_map(|((_, child), facts)| fill(child, facts))
        .collect()
}

/// Returns the fill of a slice that was completed; `None` if its award is not known.
fn fill(child: &Child, facts: &TaskRecord) -> Option<Fill> {
    let slice = &child.slice;
    let (market, mechanism) = MARKETS[child.market];
    let certified = facts.certified.as_ref()?;
    // A task is completed under its last assignment.
    let award = facts.assignments.last()?;

    Some(Fill {
        slice: slice.id.clone(),
        order: slice.order.clone(),
        bar: slice.bar,
        market: market.to_owned(),
        mechanism: mechanism.to_owned(),
        maker: award.agent.clone(),
        quantity: slice.quantity,
        benchmark: slice.benchmark,
        charged: certified.charge,
        paid: certified.price,
        slippage_ppm: slice.slippage_ppm(certified.charge),
        certificate: award.certificate.clone(),
    })
}

fn order(order: &ParentOrder, fills: &[Fill]) -> Order {
    let own: Vec<&Fill> = fills
        .iter()
        .filter(|fill| fill.order == order.name)
        .collect();
    let (charged, value) = sums(own.iter().copied());
    let lots = i64::try_from(order.lots).unwrap_or(i64::MAX);

    Order {
        name: order.name.clone(),
        schedule: name_of(order.schedule).to_owned(),
        limit_ppm: order.limit_ppm,
        quantity: order.quantity.saturating_mul(lots),
        bought: own.iter().map(|fill| fill.quantity).sum(),
        charged,
        slippage_ppm: ppm(charged - value, value),
    }
}

fn name_of(schedule: Schedule) -> &'static str {
    match schedule {
        Schedule::Even => "even",
        Schedule::Volume => "volume",
    }
}

fn insight<'a>(stage: &'a TradingSetup, played: &'a Played) -> Insight<'a> {
    let makers = stage.setting.agents.iter().zip(&stage.makers);
    // The true costs of the ring are in its settings, and in no dossier.
    let ring = makers.filter(|(_, maker)| maker.character == Character::Ring);
    let ring = ring.map(|(member, maker)| (member.key, &maker.config));

    let children = played.children.iter();
    let slices = children.map(|(task, child)| (*task, &child.slice));

    Insight {
        swarm: stage.setting.genesis.swarm_id(),
        ring: ring.collect(),
        slices: slices.collect(),
    }
}

/// The facts that the results of a mechanism follow from.
struct Results<'a> {
    played: &'a Played,
    audit: &'a Audit,
    fills: &'a [Fill],
    insight: Insight<'a>,
}

impl Results<'_> {
    fn mechanisms(&self) -> Vec<Mechanism> {
        (0..MARKETS.len()).map(|at| self.mechanism(at)).collect()
    }

    /// Returns the results of the mechanism with this number in [`MARKETS`].
    fn mechanism(&self, number: usize) -> Mechanism {
        let (market, mechanism) = MARKETS[number];
        let fills = self.fills.iter();
        let own: Vec<&Fill> = fills.filter(|fill| fill.market == market).collect();
        let (charged, value) = sums(own.iter().copied());
        let paid = own.iter().map(|fill| fill.paid);

        let slices = self.played.children.iter();
        let slices = slices.filter(|(_, child)| child.market == number);

        Mechanism {
            market: market.to_owned(),
            mechanism: mechanism.to_owned(),
            slices: slices.count() as u64,
            filled: own.len() as u64,
            value,
            charged,
            paid: paid.sum(),
            slippage_ppm: ppm(charged - value, value),
            collusion: self.insight.compare(self.dossiers(market)),
        }
    }

    /// Returns the dossiers of the auctions in a market.
    fn dossiers(&self, market: &str) -> impl Iterator<Item = &Dossier> {
        let dossiers = self.audit.dossiers.iter();
        dossiers.filter(move |dossier| dossier.record.market.as_str() == market)
    }
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

fn print_summary(report: &DemoReport, trading: &Trading, json: &Json<'_>) {
    let seconds = report.duration_ms as f64 / 1000.0;
    println!("\n{} in {seconds:.1} s", report.title);

    println!(
        "  slices         {} over {} bars: {} bought, {} called back",
        json.summary.tasks, json.bars, json.fills, json.canceled
    );

    print_orders(&trading.orders);
    print_mechanisms(&trading.mechanisms);
    print_characters(trading, json);
}

fn print_orders(orders: &[Order]) {
    for order in orders {
        println!(
            "  {:<14} {} of {} bought, {:+.2} bps against the benchmark",
            order.name,
            order.bought,
            order.quantity,
            bps(order.slippage_ppm)
        );
    }
}

fn print_mechanisms(mechanisms: &[Mechanism]) {
    for found in mechanisms {
        print!(
            "  {:<14} {} of {} slices, {:+.2} bps",
            found.mechanism,
            found.filled,
            found.slices,
            bps(found.slippage_ppm)
        );

        match &found.collusion {
            Some(collusion) => println!(
                "; collusion cost {} ({:.2} bps)",
                show_price(collusion.cost),
                bps(collusion.cost_ppm)
            ),
            None => println!(),
        }
    }
}

/// Prints who misbehaved, and what came of it.
fn print_characters(trading: &Trading, json: &Json<'_>) {
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
