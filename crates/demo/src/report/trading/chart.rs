//! The chart of a day: its bars, the price of each fill, and how far that lies above the benchmark.

use quorate_trader::show_price;

use super::super::html::{colour, escape};
use super::super::projection::round_below;
use super::tables::bps;
use super::{Bar, DemoReport, Fill, Trading};

const WIDTH: f64 = 1_000.0;
/// The x coordinate at which the numbers end and the day begins.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
/// The top and the bottom of the panel of prices.
const PRICES: (f64, f64) = (14.0, 330.0);
/// The top and the bottom of the panel of slippage.
const SLIPPAGE: (f64, f64) = (372.0, 500.0);
const HEIGHT: f64 = 508.0;
/// The approximate number of lines across a panel.
const LINES: f64 = 5.0;
/// The greatest number of times that are written along the day.
const TIMES: usize = 13;

/// Draws the chart, followed by the meaning of its signs.
pub(super) fn figure(report: &DemoReport, trading: &Trading) -> String {
    let Some(chart) = Chart::of(trading) else {
        return "<p>There are no bars.</p>\n".to_owned();
    };
    format!(
        "<figure class=\"scroll\">\n<svg class=\"timeline prices\" viewBox=\"0 0 {WIDTH} \
         {HEIGHT}\" role=\"img\" aria-label=\"Bars, fills and slippage\">\n{}{}{}{}</svg>\n\
         </figure>\n{}{SIGNS}",
        chart.grid(),
        chart.times(trading),
        chart.bars(trading),
        chart.fills(report, trading),
        sellers(report, trading),
    )
}

const SIGNS: &str = "<ul class=\"signs row\">\n\
    <li><svg viewBox=\"-9 -9 18 18\"><path class=\"wick\" d=\"M0-8V8\"/><rect class=\"candle\" \
    x=\"-4\" y=\"-4\" width=\"8\" height=\"8\"/></svg>bar: low to high, and open to close (filled \
    where the price fell)</li>\n\
    <li><svg viewBox=\"-9 -9 18 18\"><path class=\"benchmark\" d=\"M-8 0H8\"/></svg>\
    benchmark</li>\n\
    <li><svg viewBox=\"-9 -9 18 18\"><circle class=\"dot\" r=\"4\"/></svg>second price</li>\n\
    <li><svg viewBox=\"-9 -9 18 18\"><path class=\"dot\" d=\"M0-5.5 5.5 0 0 5.5-5.5 0z\"/></svg>\
    double auction</li>\n</ul>\n";

/// The scales of the drawing.
struct Chart {
    /// The width that each bar has for itself.
    slot: f64,
    prices: Scale,
    /// The scale of slippage, which is in millionths.
    slippage: Scale,
}

/// Maps numbers to heights between the bottom and the top of a panel.
struct Scale {
    low: f64,
    high: f64,
    panel: (f64, f64),
}

impl Scale {
    fn of(numbers: impl Iterator<Item = i64> + Clone, panel: (f64, f64)) -> Option<Self> {
        let low = to_f64(numbers.clone().min()?);
        let high = to_f64(numbers.max()?);
        // Marks must not touch the edge, and a flat day must not have a height of 0.
        let room = ((high - low) * 0.06).max(1.0);

        Some(Self {
            low: low - room,
            high: high + room,
            panel,
        })
    }

    fn y(&self, number: i64) -> f64 {
        let (top, bottom) = self.panel;
        bottom - (to_f64(number) - self.low) / (self.high - self.low) * (bottom - top)
    }

    /// Returns the round numbers at which lines cross the panel.
    fn lines(&self) -> Vec<i64> {
        let step = round_below((self.high - self.low) / LINES * 2.0);
        let first = (self.low / step).ceil();
        let count = ((self.high / step).floor() - first).clamp(0.0, 2.0 * LINES);

        #[expect(clippy::cast_possible_truncation, reason = "prices are far below 2^53")]
        let line = |at: i32| ((first + f64::from(at)) * step) as i64;
        #[expect(clippy::cast_possible_truncation, reason = "ten lines at most")]
        (0..=count as i32).map(line).collect()
    }
}

impl Chart {
    fn of(trading: &Trading) -> Option<Self> {
        let bars = trading.bars.iter().flat_map(|bar| [bar.low, bar.high]);
        let fills = trading.fills.iter().map(price);
        let slippage = trading.fills.iter().map(|fill| fill.slippage_ppm);

        Some(Self {
            slot: (WIDTH - LEFT - RIGHT) / to_f64(i64::try_from(trading.bars.len()).ok()?.max(1)),
            prices: Scale::of(bars.chain(fills), PRICES)?,
            slippage: Scale::of(slippage.chain([0]), SLIPPAGE)?,
        })
    }

    /// Returns the left edge of a bar's place.
    fn left(&self, bar: usize) -> f64 {
        LEFT + to_f64(i64::try_from(bar).unwrap_or(0)) * self.slot
    }

    fn grid(&self) -> String {
        let mut out = String::from("<g class=\"grid\">\n");
        let line = |y: f64, label: &str| {
            format!(
                "<path d=\"M{LEFT} {y:.1}H{:.0}\"/><text x=\"{:.0}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{label}</text>\n",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
            )
        };

        for price in self.prices.lines() {
            out += &line(self.prices.y(price), &show_price(price));
        }
        for ppm in self.slippage.lines() {
            out += &line(self.slippage.y(ppm), &format!("{} bps", bps(ppm)));
        }
        out + "</g>\n"
    }

    fn times(&self, trading: &Trading) -> String {
        let every = trading.bars.len().div_ceil(TIMES).max(1);
        let mut out = String::from("<g class=\"grid\">\n");
        for (at, bar) in trading.bars.iter().enumerate().step_by(every) {
            out += &format!(
                "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>\n",
                self.left(at) + self.slot / 2.0,
                PRICES.1 + 22.0,
                escape(&bar.time),
            );
        }

        out + "</g>\n"
    }

    fn bars(&self, trading: &Trading) -> String {
        let mut out = String::from("<g class=\"bars\">\n");
        let width = (self.slot * 0.5).max(1.0);

        for (at, bar) in trading.bars.iter().enumerate() {
            out += "<g>";
            out += &bar_title(bar);
            out += &self.candle(bar, self.left(at) + self.slot / 2.0, width);
            out += &format!(
                "<path class=\"benchmark\" d=\"M{:.1} {:.1}h{:.1}\"/></g>\n",
                self.left(at),
                self.prices.y(bar.benchmark),
                self.slot,
            );
        }

        out + "</g>\n"
    }

    /// Draws a line from low to high, and a box from open to close.
    fn candle(&self, bar: &Bar, middle: f64, width: f64) -> String {
        let upper = self.prices.y(bar.open.max(bar.close));
        let lower = self.prices.y(bar.open.min(bar.close));
        let fell = if bar.close < bar.open { " fell" } else { "" };

        format!(
            "<path class=\"wick\" d=\"M{middle:.1} {:.1}V{:.1}\"/>\
             <rect class=\"candle{fell}\" x=\"{:.1}\" y=\"{upper:.1}\" width=\"{width:.1}\" \
             height=\"{:.1}\"/>",
            self.prices.y(bar.high),
            self.prices.y(bar.low),
            middle - width / 2.0,
            (lower - upper).max(1.0),
        )
    }

    /// Draws each fill twice: at its price, and at its distance from the benchmark.
    fn fills(&self, report: &DemoReport, trading: &Trading) -> String {
        let mut out = String::from("<g class=\"fills\">\n");
        let mut drawn = vec![0_usize; trading.bars.len()];

        for fill in &trading.fills {
            let Some(number) = drawn.get_mut(fill.bar) else {
                continue;
            };
            *number += 1;

            let x = self.fill_x(trading, fill.bar, *number);
            out += &format!(
                "<g class=\"{}\"><title>{} from {}: {} for one, {} bps</title>{}{}</g>\n",
                colour(report.agent_index(&fill.maker)),
                escape(&fill.slice),
                escape(&fill.maker),
                show_price(price(fill)),
                bps(fill.slippage_ppm),
                mark(fill, x, self.prices.y(price(fill))),
                mark(fill, x, self.slippage.y(fill.slippage_ppm)),
            );
        }

        out + "</g>\n"
    }

    /// Returns the x coordinate of a fill, of which `number` counts from 1 in its bar. The fills of
    /// a bar are spread evenly over its width.
    fn fill_x(&self, trading: &Trading, bar: usize, number: usize) -> f64 {
        let all = trading.fills.iter().filter(|fill| fill.bar == bar).count();
        let part = to_f64(i64::try_from(number).unwrap_or(0))
            / to_f64(i64::try_from(all + 1).unwrap_or(1));
        self.left(bar) + part * self.slot
    }
}

fn bar_title(bar: &Bar) -> String {
    format!(
        "<title>{}: open {}, high {}, low {}, close {}, benchmark {}</title>",
        escape(&bar.time),
        show_price(bar.open),
        show_price(bar.high),
        show_price(bar.low),
        show_price(bar.close),
        show_price(bar.benchmark),
    )
}

/// Draws a circle or a diamond, as in `SIGNS`.
fn mark(fill: &Fill, x: f64, y: f64) -> String {
    match fill.mechanism.as_str() {
        "second-price" => {
            format!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\"/>")
        }
        _ => format!(
            "<path class=\"dot\" d=\"M{x:.1} {:.1}l4.4 4.4-4.4 4.4-4.4-4.4z\"/>",
            y - 4.4
        ),
    }
}

/// Returns the sellers with their colours, and the number of slices that each sold.
fn sellers(report: &DemoReport, trading: &Trading) -> String {
    let mut out = String::from("<ul class=\"signs row\">\n");
    for (index, agent) in report.agents.iter().enumerate() {
        let mark = |names: &[String], text: &str| match names.contains(&agent.name) {
            true => format!(" <em class=\"badge lie\">{text}</em>"),
            false => String::new(),
        };

        out += &format!(
            "<li class=\"who {}\"><i></i>{}: {}{}{}{}</li>\n",
            colour(Some(index)),
            escape(&agent.name),
            agent.tasks_done,
            mark(&trading.ring, "colludes"),
            mark(&trading.silent, "silent"),
            mark(&trading.over_credit, "beyond its credit"),
        );
    }

    out + "</ul>\n"
}

/// Returns the price that a client paid for one unit.
fn price(fill: &Fill) -> i64 {
    fill.charged / fill.quantity.max(1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "prices and counts are far below 2^53"
)]
fn to_f64(number: i64) -> f64 {
    number as f64
}
