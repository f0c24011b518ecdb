//! The day of trading as tables.

use maud::{Markup, html};
use quorate_trader::show_price;
use quorate_types::Reason;

use super::super::html::{cell, count, numbers, seconds, table, words};
use super::super::tables::{file, folded, named};
use super::{DemoReport, Fill, Mechanism, Order, Refusal, Trading};

/// Returns the results of each mechanism and the effect of collusion on it.
pub(super) fn mechanisms(trading: &Trading) -> Markup {
    let columns = [
        words("Mechanism"),
        numbers("Slices"),
        numbers("Bought"),
        numbers("Charged"),
        numbers("Above benchmark"),
        numbers("If all were honest"),
        numbers("Fills lost"),
        numbers("Cost of collusion"),
        numbers("In bps"),
        numbers("Ring's gain"),
    ];

    let rows: Vec<_> = trading.mechanisms.iter().map(mechanism).collect();
    html! {
        (table(&columns, &rows))
        (verdict(trading))
    }
}

fn mechanism(found: &Mechanism) -> Vec<Markup> {
    let mut row = vec![
        html! { b { (found.mechanism) } },
        cell(found.slices),
        cell(found.filled),
        cell(show_price(found.charged)),
        in_bps(found.slippage_ppm),
    ];

    match &found.collusion {
        Some(collusion) => row.extend([
            in_bps(collusion.honest_slippage_ppm),
            cell(collusion.fills_lost),
            cell(show_price(collusion.cost)),
            cell(bps(collusion.cost_ppm)),
            cell(show_price(collusion.ring_gain)),
        ]),
        None => row.extend(std::iter::repeat_n(cell("–"), 5)),
    }

    row
}

/// Says under which mechanism collusion cost less; empty if fewer than two can be compared.
fn verdict(trading: &Trading) -> Markup {
    let compared = trading.mechanisms.iter();
    let mut compared: Vec<_> = compared
        .filter_map(|found| Some((found, found.collusion.as_ref()?)))
        .collect();
    compared.sort_by_key(|(_, collusion)| collusion.cost_ppm);

    let [(best, least), .., (worst, most)] = compared.as_slice() else {
        return Markup::default();
    };

    html! {
        p {
            @if least.cost_ppm == most.cost_ppm {
                "Collusion cost as much under one as under the other."
            } @else {
                b { (best.mechanism) } " resists better: collusion cost " (bps(least.cost_ppm))
                " bps of what was up for auction there, " (bps(most.cost_ppm)) " bps under "
                b { (worst.mechanism) } "."
            }
        }
    }
}

/// Returns a table of the agents that bid beyond their credit, kept their commitments shut or
/// colluded, with the consequences.
pub(super) fn conduct(report: &DemoReport, trading: &Trading) -> Markup {
    let mut rows = Vec::new();
    if !trading.over_credit.is_empty() {
        rows.push(over_credit(report, &trading.over_credit));
    }
    if !trading.silent.is_empty() {
        rows.push(silent(report, &trading.silent));
    }
    if !trading.ring.is_empty() {
        rows.push(ring(report, trading));
    }

    if rows.is_empty() {
        return html! { p { "Everybody played by the rules." } };
    }

    let columns = [
        words("Who"),
        words("What"),
        words("What came of it"),
        words("Certificate"),
    ];
    table(&columns, &rows)
}

fn over_credit(report: &DemoReport, names: &[String]) -> Vec<Markup> {
    let bids = refused(report, names, Reason::BudgetExceeded);

    vec![
        all_named(report, names),
        cell("bids for more than the credit that was attested to it"),
        html! { (count(bids.len(), "bid")) " refused, " (code(Reason::BudgetExceeded)) },
        example(&bids),
    ]
}

fn silent(report: &DemoReport, names: &[String]) -> Vec<Markup> {
    let shut = refused(report, names, Reason::Unopened);
    let barred = refused(report, names, Reason::Barred);

    vec![
        all_named(report, names),
        cell("commits to quotes, and does not open them once it could see the others'"),
        html! {
            (count(shut.len(), "quote")) " " (code(Reason::Unopened))
            ": it defaults and sells nothing; " (count(barred.len(), "bid"))
            " refused while it is out, " (code(Reason::Barred))
        },
        example(&shut),
    ]
}

fn ring(report: &DemoReport, trading: &Trading) -> Vec<Markup> {
    let compared = trading
        .mechanisms
        .iter()
        .filter_map(|found| found.collusion.as_ref());
    let gain: i64 = compared.map(|collusion| collusion.ring_gain).sum();
    let verb = if gain < 0 { "lost" } else { "gained" };
    let amount = show_price(gain.saturating_abs());

    vec![
        all_named(report, &trading.ring),
        cell("agreed to ask more than a slice costs them"),
        html! { "no rule forbids it; it " (verb) " them " (amount) },
        Markup::default(),
    ]
}

/// Returns the refusals of some agents for one reason.
fn refused<'a>(report: &'a DemoReport, names: &[String], reason: Reason) -> Vec<&'a Refusal> {
    let own = report
        .refusals
        .iter()
        .filter(|refusal| names.contains(&refusal.agent));
    own.filter(|refusal| refusal.code == reason.code())
        .collect()
}

/// Returns one certificate, as an example of all; empty if there is none.
fn example(refusals: &[&Refusal]) -> Markup {
    let first = refusals.first();
    let certificate = first.and_then(|refusal| refusal.certificate.as_deref());
    certificate.map(file).unwrap_or_default()
}

fn all_named(report: &DemoReport, names: &[String]) -> Markup {
    html! {
        @for (at, name) in names.iter().enumerate() {
            @if at > 0 { " " }
            (named(report, name, None))
        }
    }
}

/// Returns a reason code with its name: `302 budget_exceeded`.
fn code(reason: Reason) -> Markup {
    html! { code { (reason.code()) " " (reason.name()) } }
}

/// Returns a table of the clients' orders.
pub(super) fn orders(trading: &Trading) -> Markup {
    let columns = [
        words("Order"),
        words("Schedule"),
        numbers("At most above benchmark"),
        numbers("Wanted"),
        numbers("Bought"),
        numbers("Charged"),
        numbers("Above benchmark"),
    ];

    let rows: Vec<_> = trading.orders.iter().map(order).collect();
    table(&columns, &rows)
}

fn order(order: &Order) -> Vec<Markup> {
    vec![
        html! { b { (order.name) } },
        cell(&order.schedule),
        in_bps(order.limit_ppm),
        cell(order.quantity),
        cell(order.bought),
        cell(show_price(order.charged)),
        in_bps(order.slippage_ppm),
    ]
}

/// Returns a table of every slice that was bought.
pub(super) fn fills(report: &DemoReport, trading: &Trading) -> Markup {
    let columns = [
        words("Slice"),
        words("Bar"),
        words("Seller"),
        words("Mechanism"),
        numbers("Units"),
        numbers("Benchmark"),
        numbers("Charged for one"),
        numbers("Paid for one"),
        numbers("Bps"),
        numbers("At"),
        words("Certificate"),
    ];

    let fills = trading.fills.iter();
    let rows: Vec<_> = fills.map(|of| fill(report, trading, of)).collect();
    folded(&count(rows.len(), "fill"), &table(&columns, &rows))
}

fn fill(report: &DemoReport, trading: &Trading, fill: &Fill) -> Vec<Markup> {
    let time = trading.bars.get(fill.bar).map_or("", |bar| &bar.time);
    let award = report
        .awards()
        .find(|(_, award)| award.certificate == fill.certificate);

    vec![
        cell(&fill.slice),
        cell(time),
        named(report, &fill.maker, None),
        cell(&fill.mechanism),
        cell(fill.quantity),
        cell(show_price(fill.benchmark)),
        cell(show_price(fill.charged / fill.quantity.max(1))),
        cell(show_price(fill.paid / fill.quantity.max(1))),
        cell(bps(fill.slippage_ppm)),
        html! { @if let Some((_, award)) = award { (seconds(award.at_ms)) } },
        file(&fill.certificate),
    ]
}

/// Returns the cell of millionths as basis points: `5.25 bps`.
fn in_bps(ppm: i64) -> Markup {
    html! { (bps(ppm)) " bps" }
}

/// Formats millionths as basis points: `5.25`.
pub(super) fn bps(ppm: i64) -> String {
    let sign = if ppm < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:02}",
        ppm.unsigned_abs() / 100,
        ppm.unsigned_abs() % 100
    )
}

/// Returns a part in millionths of its whole.
pub(super) fn ppm(part: i64, whole: i64) -> i64 {
    let exact = i128::from(part) * 1_000_000 / i128::from(whole.max(1));
    i64::try_from(exact).unwrap_or(i64::MAX)
}
