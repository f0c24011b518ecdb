//! The day of trading as tables.

use quorate_trader::show_price;
use quorate_types::Reason;

use super::super::html::{count, escape, numbers, seconds, table, words};
use super::super::tables::{file, folded, named};
use super::{DemoReport, Fill, Mechanism, Order, Refusal, Trading};

/// Returns the results of each mechanism and the effect of collusion on it.
pub(super) fn mechanisms(trading: &Trading) -> String {
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
    table(&columns, &rows) + &verdict(trading)
}

fn mechanism(found: &Mechanism) -> Vec<String> {
    let mut row = vec![
        format!("<b>{}</b>", escape(&found.mechanism)),
        found.slices.to_string(),
        found.filled.to_string(),
        show_price(found.charged),
        format!("{} bps", bps(found.slippage_ppm)),
    ];

    match &found.collusion {
        Some(collusion) => row.extend([
            format!("{} bps", bps(collusion.honest_slippage_ppm)),
            collusion.fills_lost.to_string(),
            show_price(collusion.cost),
            bps(collusion.cost_ppm),
            show_price(collusion.ring_gain),
        ]),
        None => row.extend(std::iter::repeat_n("–".to_owned(), 5)),
    }

    row
}

/// Says under which mechanism collusion cost less; empty if fewer than two can be compared.
fn verdict(trading: &Trading) -> String {
    let compared = trading.mechanisms.iter();
    let mut compared: Vec<_> = compared
        .filter_map(|found| Some((found, found.collusion.as_ref()?)))
        .collect();
    compared.sort_by_key(|(_, collusion)| collusion.cost_ppm);

    let [(best, least), .., (worst, most)] = compared.as_slice() else {
        return String::new();
    };

    if least.cost_ppm == most.cost_ppm {
        return "<p>Collusion cost as much under one as under the other.</p>\n".to_owned();
    }

    format!(
        "<p><b>{}</b> resists better: collusion cost {} bps of what was up for auction there, {} \
         bps under <b>{}</b>.</p>\n",
        escape(&best.mechanism),
        bps(least.cost_ppm),
        bps(most.cost_ppm),
        escape(&worst.mechanism),
    )
}

/// Returns a table of the agents that bid beyond their credit, kept their commitments shut or
/// colluded, with the consequences.
pub(super) fn conduct(report: &DemoReport, trading: &Trading) -> String {
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
        return "<p>Everybody played by the rules.</p>\n".to_owned();
    }

    let columns = [
        words("Who"),
        words("What"),
        words("What came of it"),
        words("Certificate"),
    ];
    table(&columns, &rows)
}

fn over_credit(report: &DemoReport, names: &[String]) -> Vec<String> {
    let bids = refused(report, names, Reason::BudgetExceeded);

    vec![
        all_named(report, names),
        "bids for more than the credit that was attested to it".to_owned(),
        format!(
            "{} refused, {}",
            count(bids.len(), "bid"),
            code(Reason::BudgetExceeded)
        ),
        example(&bids),
    ]
}

fn silent(report: &DemoReport, names: &[String]) -> Vec<String> {
    let shut = refused(report, names, Reason::Unopened);
    let barred = refused(report, names, Reason::Barred);

    vec![
        all_named(report, names),
        "commits to quotes, and does not open them once it could see the others'".to_owned(),
        format!(
            "{} {}: it defaults and sells nothing; {} refused while it is out, {}",
            count(shut.len(), "quote"),
            code(Reason::Unopened),
            count(barred.len(), "bid"),
            code(Reason::Barred),
        ),
        example(&shut),
    ]
}

fn ring(report: &DemoReport, trading: &Trading) -> Vec<String> {
    let compared = trading
        .mechanisms
        .iter()
        .filter_map(|found| found.collusion.as_ref());
    let gain: i64 = compared.map(|collusion| collusion.ring_gain).sum();
    let verb = if gain < 0 { "lost" } else { "gained" };
    let amount = show_price(gain.saturating_abs());

    vec![
        all_named(report, &trading.ring),
        "agreed to ask more than a slice costs them".to_owned(),
        format!("no rule forbids it; it {verb} them {amount}"),
        String::new(),
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
fn example(refusals: &[&Refusal]) -> String {
    let first = refusals.first();
    let certificate = first.and_then(|refusal| refusal.certificate.as_deref());
    certificate.map(file).unwrap_or_default()
}

fn all_named(report: &DemoReport, names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| named(report, name, None)).collect();
    names.join(" ")
}

/// Returns a reason code with its name, as markup: `302 budget_exceeded`.
fn code(reason: Reason) -> String {
    format!("<code>{} {}</code>", reason.code(), reason.name())
}

/// Returns a table of the clients' orders.
pub(super) fn orders(trading: &Trading) -> String {
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

fn order(order: &Order) -> Vec<String> {
    vec![
        format!("<b>{}</b>", escape(&order.name)),
        escape(&order.schedule).to_string(),
        format!("{} bps", bps(order.limit_ppm)),
        order.quantity.to_string(),
        order.bought.to_string(),
        show_price(order.charged),
        format!("{} bps", bps(order.slippage_ppm)),
    ]
}

/// Returns a table of every slice that was bought.
pub(super) fn fills(report: &DemoReport, trading: &Trading) -> String {
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

fn fill(report: &DemoReport, trading: &Trading, fill: &Fill) -> Vec<String> {
    let time = trading.bars.get(fill.bar).map_or("", |bar| &bar.time);
    let award = report
        .awards()
        .find(|(_, award)| award.certificate == fill.certificate);

    vec![
        escape(&fill.slice).to_string(),
        escape(time).to_string(),
        named(report, &fill.maker, None),
        escape(&fill.mechanism).to_string(),
        fill.quantity.to_string(),
        show_price(fill.benchmark),
        show_price(fill.charged / fill.quantity.max(1)),
        show_price(fill.paid / fill.quantity.max(1)),
        bps(fill.slippage_ppm),
        award
            .map(|(_, award)| seconds(award.at_ms))
            .unwrap_or_default(),
        file(&fill.certificate),
    ]
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
