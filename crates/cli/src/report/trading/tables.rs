//! The day of trading as tables.

use quorate_trader::show_price;

use super::super::html::{count, escape, numbers, seconds, table, words};
use super::super::tables::{file, folded, named};
use super::{Fill, Mechanism, Order, Report, Trading};

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
pub(super) fn conduct(report: &Report, trading: &Trading) -> String {
    let refused = |names: &[String], code: u16| {
        let own = report
            .refusals
            .iter()
            .filter(|refusal| names.contains(&refusal.agent));

        let own: Vec<_> = own.filter(|refusal| refusal.code == code).collect();
        // One certificate is shown as an example of all.
        let certificate = own
            .first()
            .and_then(|refusal| refusal.certificate.as_deref());
        (own.len(), certificate.map(file).unwrap_or_default())
    };

    let mut rows = Vec::new();
    let mut row = |names: &[String], did: &str, came: String, certificate: String| {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| named(report, name, None)).collect();
            rows.push(vec![names.join(" "), did.to_owned(), came, certificate]);
        }
    };

    let (bids, certificate) = refused(&trading.over_credit, 302);
    row(
        &trading.over_credit,
        "bids for more than the credit that was attested to it",
        format!(
            "{} refused, <code>302 budget_exceeded</code>",
            count(bids, "bid")
        ),
        certificate,
    );

    let (shut, certificate) = refused(&trading.silent, 407);
    let (barred, _) = refused(&trading.silent, 306);
    row(
        &trading.silent,
        "commits to quotes, and does not open them once it could see the others'",
        format!(
            "{} <code>407 unopened</code>: it defaults and sells nothing; {} refused while it is \
             out, <code>306 barred</code>",
            count(shut, "quote"),
            count(barred, "bid"),
        ),
        certificate,
    );

    let gain = trading
        .mechanisms
        .iter()
        .filter_map(|found| found.collusion.as_ref());
    let gain: i64 = gain.map(|collusion| collusion.ring_gain).sum();
    row(
        &trading.ring,
        "agreed to ask more than a slice costs them",
        match gain {
            0.. => format!("no rule forbids it; it gained them {}", show_price(gain)),
            _ => format!(
                "no rule forbids it; it lost them {}",
                show_price(gain.saturating_neg())
            ),
        },
        String::new(),
    );

    if rows.is_empty() {
        return "<p>Everybody played by the rules.</p>\n".to_owned();
    }

    table(
        &[
            words("Who"),
            words("What"),
            words("What came of it"),
            words("Certificate"),
        ],
        &rows,
    )
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

    let row = |order: &Order| {
        vec![
            format!("<b>{}</b>", escape(&order.name)),
            escape(&order.schedule).to_string(),
            format!("{} bps", bps(order.limit_ppm)),
            order.quantity.to_string(),
            order.bought.to_string(),
            show_price(order.charged),
            format!("{} bps", bps(order.slippage_ppm)),
        ]
    };

    table(
        &columns,
        &trading.orders.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Returns a table of every slice that was bought.
pub(super) fn fills(report: &Report, trading: &Trading) -> String {
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

    let row = |fill: &Fill| {
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
    };

    let rows: Vec<_> = trading.fills.iter().map(row).collect();
    folded(&count(rows.len(), "fill"), &table(&columns, &rows))
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
