//! The chart of a day: its bars, the price of each fill, and how far that lies above the benchmark.

use maud::{Markup, html};
use quorate_trader::show_price;

use super::super::html::colour;
use super::super::projection::round_below;
use super::super::svg::{tenths, whole};
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
pub(super) fn figure(report: &DemoReport, trading: &Trading) -> Markup {
    let Some(chart) = Chart::of(trading) else {
        return html! { p { "There are no bars." } };
    };

    html! {
        figure class="scroll" {
            svg class="timeline prices" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
                aria-label="Bars, fills and slippage" {
                (chart.grid())
                (chart.times(trading))
                (chart.bars(trading))
                (chart.fills(report, trading))
            }
        }
        (sellers(report, trading))
        (signs())
    }
}

/// Returns the meaning of the signs on the chart.
fn signs() -> Markup {
    html! {
        ul class="signs row" {
            li {
                svg viewBox="-9 -9 18 18" {
                    path class="wick" d="M0-8V8" {}
                    rect class="candle" x="-4" y="-4" width="8" height="8" {}
                }
                "bar: low to high, and open to close (filled where the price fell)"
            }
            li {
                svg viewBox="-9 -9 18 18" { path class="benchmark" d="M-8 0H8" {} }
                "benchmark"
            }
            li {
                svg viewBox="-9 -9 18 18" { circle class="dot" r="4" {} }
                "second price"
            }
            li {
                svg viewBox="-9 -9 18 18" { path class="dot" d="M0-5.5 5.5 0 0 5.5-5.5 0z" {} }
                "double auction"
            }
        }
    }
}

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

    fn grid(&self) -> Markup {
        let line = |y: f64, label: String| {
            html! {
                path d={ "M" (LEFT) " " (tenths(y)) "H" (whole(WIDTH - RIGHT)) } {}
                text x=(whole(LEFT - 8.0)) y=(tenths(y + 4.0)) text-anchor="end" { (label) }
            }
        };

        html! {
            g class="grid" {
                @for price in self.prices.lines() {
                    (line(self.prices.y(price), show_price(price)))
                }
                @for ppm in self.slippage.lines() {
                    (line(self.slippage.y(ppm), format!("{} bps", bps(ppm))))
                }
            }
        }
    }

    fn times(&self, trading: &Trading) -> Markup {
        let every = trading.bars.len().div_ceil(TIMES).max(1);
        let bottom = whole(PRICES.1 + 22.0);

        html! {
            g class="grid" {
                @for (at, bar) in trading.bars.iter().enumerate().step_by(every) {
                    text x=(tenths(self.middle(at))) y=(bottom) text-anchor="middle" { (bar.time) }
                }
            }
        }
    }

    /// Returns the middle of a bar's place.
    fn middle(&self, bar: usize) -> f64 {
        self.left(bar) + self.slot / 2.0
    }

    fn bars(&self, trading: &Trading) -> Markup {
        html! {
            g class="bars" {
                @for (at, bar) in trading.bars.iter().enumerate() {
                    g {
                        title { (bar_title(bar)) }
                        (self.candle(bar, self.middle(at)))
                        (self.benchmark(bar, self.left(at)))
                    }
                }
            }
        }
    }

    /// Draws a line from low to high, and a box from open to close.
    fn candle(&self, bar: &Bar, middle: f64) -> Markup {
        let width = (self.slot * 0.5).max(1.0);
        let upper = self.prices.y(bar.open.max(bar.close));
        let lower = self.prices.y(bar.open.min(bar.close));
        let high = tenths(self.prices.y(bar.high));
        let low = tenths(self.prices.y(bar.low));
        let fell = bar.close < bar.open;

        html! {
            path class="wick" d={ "M" (tenths(middle)) " " (high) "V" (low) } {}
            rect class={ "candle" @if fell { " fell" } } x=(tenths(middle - width / 2.0))
                y=(tenths(upper)) width=(tenths(width)) height=(tenths((lower - upper).max(1.0))) {}
        }
    }

    /// Draws a line at the benchmark of a bar, over the width of its place.
    fn benchmark(&self, bar: &Bar, left: f64) -> Markup {
        let y = tenths(self.prices.y(bar.benchmark));
        html! {
            path class="benchmark" d={ "M" (tenths(left)) " " (y) "h" (tenths(self.slot)) } {}
        }
    }

    fn fills(&self, report: &DemoReport, trading: &Trading) -> Markup {
        let mut drawn = vec![0_usize; trading.bars.len()];
        let mut placed = Vec::new();
        for fill in &trading.fills {
            // A fill of a bar that is not there has no place.
            let Some(number) = drawn.get_mut(fill.bar) else {
                continue;
            };

            *number += 1;
            placed.push((fill, self.fill_x(trading, fill.bar, *number)));
        }

        html! {
            g class="fills" {
                @for (fill, x) in placed {
                    (self.fill(report, fill, x))
                }
            }
        }
    }

    /// Draws a fill twice: at its price, and at its distance from the benchmark.
    fn fill(&self, report: &DemoReport, fill: &Fill, x: f64) -> Markup {
        html! {
            g class=(colour(report.agent_index(&fill.maker))) {
                title {
                    (fill.slice) " from " (fill.maker) ": " (show_price(price(fill))) " for one, "
                    (bps(fill.slippage_ppm)) " bps"
                }
                (mark(fill, x, self.prices.y(price(fill))))
                (mark(fill, x, self.slippage.y(fill.slippage_ppm)))
            }
        }
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
        "{}: open {}, high {}, low {}, close {}, benchmark {}",
        bar.time,
        show_price(bar.open),
        show_price(bar.high),
        show_price(bar.low),
        show_price(bar.close),
        show_price(bar.benchmark),
    )
}

/// Draws a circle or a diamond, as in `signs`.
fn mark(fill: &Fill, x: f64, y: f64) -> Markup {
    html! {
        @if fill.mechanism == "second-price" {
            circle class="dot" cx=(tenths(x)) cy=(tenths(y)) r="3.4" {}
        } @else {
            path class="dot"
                d={ "M" (tenths(x)) " " (tenths(y - 4.4)) "l4.4 4.4-4.4 4.4-4.4-4.4z" } {}
        }
    }
}

/// Returns the sellers with their colours, and the number of slices that each sold.
fn sellers(report: &DemoReport, trading: &Trading) -> Markup {
    let badges = [
        (&trading.ring, "colludes"),
        (&trading.silent, "silent"),
        (&trading.over_credit, "beyond its credit"),
    ];

    html! {
        ul class="signs row" {
            @for (index, agent) in report.agents.iter().enumerate() {
                li class={ "who " (colour(Some(index))) } {
                    i {}
                    (agent.name) ": " (agent.tasks_done)
                    @for (_, text) in badges.iter().filter(|(of, _)| of.contains(&agent.name)) {
                        " " em class="badge lie" { (text) }
                    }
                }
            }
        }
    }
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
