//! The trading part of a report: prices and fills, the mechanisms compared, and misconduct.

mod chart;
mod data;
mod tables;

pub use data::{Bar, Collusion, Fill, Mechanism, Order, Trading};

use maud::{Markup, html};

use super::html::Section;
use super::tile::Tile;
use super::{DemoReport, Refusal};

/// Returns the sections that a trading run has in place of a map.
pub(super) fn sections(report: &DemoReport, trading: &Trading) -> Markup {
    let part = |id, title, lead, body| Section {
        id,
        title,
        lead,
        body,
    };

    html! {
        (part("prices", "Prices and fills", PRICES, chart::figure(report, trading)))
        (part("mechanisms", "Two mechanisms, one day", MECHANISMS, tables::mechanisms(trading)))
        (part("conduct", "Who did not play by the rules", "", tables::conduct(report, trading)))
        (part("orders", "Orders", "", tables::orders(trading)))
        (part("fills", "Fills", FILLS, tables::fills(report, trading)))
    }
}

const PRICES: &str = "Above, the bars and the price that clients paid for each slice, in the \
                      colour of its seller. Below, how far that lies above the bar's benchmark, \
                      the mean of open, high, low and close.";

const MECHANISMS: &str = "Each order puts its slices up in both markets by turns. The cost of \
                          collusion is computed auction by auction: each is run again from its \
                          dossier, and once more with the true costs of the colluders in place of \
                          their quotes. It is the amount by which clients would have stayed \
                          further below their limits without collusion.";

const FILLS: &str = "Each has a certificate that the slice was given to this seller at this price \
                     by this rule, and the dossier of its auction holds every quote: best \
                     execution, for a client who trusts nobody.";

/// Returns the tiles of the day.
pub(super) fn tiles(trading: &Trading) -> Vec<Tile> {
    let bought: i64 = trading.orders.iter().map(|order| order.bought).sum();
    let wanted: i64 = trading.orders.iter().map(|order| order.quantity).sum();
    let slippage = tables::bps(slippage_ppm(&trading.mechanisms));

    vec![
        Tile::part("units bought", bought, wanted),
        Tile::number("fills", trading.fills.len()),
        Tile::number("bps above benchmark", slippage),
    ]
}

/// Returns how far all charges together lie above their value, in millionths.
fn slippage_ppm(mechanisms: &[Mechanism]) -> i64 {
    let value: i64 = mechanisms.iter().map(|found| found.value).sum();
    let charged: i64 = mechanisms.iter().map(|found| found.charged).sum();
    tables::ppm(charged.saturating_sub(value), value)
}
