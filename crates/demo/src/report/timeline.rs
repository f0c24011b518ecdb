//! The timeline: a lane for each validator with the blocks it built, and a lane for each agent with
//! its leases, over one axis of seconds. Rounds above 0, kills, lapses and repeated awards are
//! marked.

use maud::{Markup, html};

use super::html::{colour, seconds};
use super::projection::round_below;
use super::svg::{tenths, whole};
use super::{Agent, Assignment, DemoReport, Ended, Height, Refusal, Task, Validator};

const WIDTH: f64 = 1_000.0;
/// The x coordinate at which the names end and the time axis begins.
const LEFT: f64 = 112.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 26.0;
const VALIDATOR_LANE: f64 = 26.0;
const DRONE_LANE: f64 = 34.0;
/// The gap between the lanes of the validators and those of the agents.
const GAP: f64 = 20.0;
/// The number of rows in which leases that one agent holds together are drawn, one above another.
const ROWS: usize = 6;
/// The distance between two of these rows.
const ROW: f64 = 5.0;
/// The approximate number of grid lines.
const TICKS: f64 = 10.0;

/// Draws the timeline, followed by the meaning of its signs.
pub(super) fn figure(report: &DemoReport) -> Markup {
    let axis = Axis::of(report);
    let lane = |number: usize, height: f64| as_f64(number) * height;
    let drones_top = TOP + lane(report.validators.len(), VALIDATOR_LANE) + GAP;
    let bottom = drones_top + lane(report.agents.len(), DRONE_LANE);

    let validator_y = |index| TOP + (as_f64(index) + 0.5) * VALIDATOR_LANE;
    let drone_lane = |index| Lane {
        axis: &axis,
        top: drones_top + lane(index, DRONE_LANE),
    };

    html! {
        figure class="scroll" {
            svg class="timeline" viewBox={ "0 0 " (WIDTH) " " (whole(bottom + 8.0)) } role="img"
                aria-label="Timeline of blocks and leases" {
                (axis.grid(bottom))
                @for (index, validator) in report.validators.iter().enumerate() {
                    (validator_lane(report, validator, &axis, validator_y(index)))
                }
                @for (index, agent) in report.agents.iter().enumerate() {
                    (drone_lane(index).of(report, index, agent))
                }
            }
        }
        (signs())
    }
}

/// Returns the meaning of the signs on the timeline.
fn signs() -> Markup {
    html! {
        ul class="signs row" {
            li {
                svg viewBox="-9 -9 18 18" {
                    rect class="block" x="-2" y="-7" width="4" height="14" rx="1" {}
                }
                "block, taller with more operations"
            }
            li {
                svg viewBox="-9 -9 18 18" {
                    rect class="block late" x="-2" y="-8" width="4" height="16" rx="1" {}
                }
                "decided in a later round (r1: one proposer passed over)"
            }
            li {
                svg viewBox="-9 -9 18 18" {
                    rect class="bar" x="-8" y="-2" width="16" height="4" rx="2" {}
                }
                "lease, from award to completion"
            }
            li {
                svg viewBox="-9 -9 18 18" { path class="again" d="M0-6 6 0 0 6-6 0z" {} }
                "awarded again, under a higher fencing token"
            }
            li class="refused" {
                svg viewBox="-9 -9 18 18" { circle r="4" {} }
                "bid refused"
            }
            li class="lost" {
                svg viewBox="-9 -9 18 18" { path d="M-4-4 4 4M-4 4 4-4" {} }
                "lease lapsed, failed or declined"
            }
            li class="lost" {
                svg viewBox="-9 -9 18 18" { path d="M0-9V9" {} }
                "killed"
            }
        }
    }
}

/// The axis of time, from left to right.
struct Axis {
    end_ms: f64,
}

impl Axis {
    fn of(report: &DemoReport) -> Self {
        let last = report
            .heights
            .iter()
            .map(|height| height.time_ms)
            .max()
            .unwrap_or(0);

        // At least 1, since `x` divides by it.
        Self {
            end_ms: to_f64(report.duration_ms.max(last).max(1)),
        }
    }

    fn x(&self, ms: u64) -> f64 {
        LEFT + (to_f64(ms) / self.end_ms).min(1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn grid(&self, bottom: f64) -> Markup {
        let seconds = self.end_ms / 1_000.0;
        // Twice the step of `TICKS` lines, since `round_below` may more than halve it.
        let step = round_below((2.0 * seconds / TICKS).max(1.0));
        let lines = std::iter::successors(Some(0.0), |at| Some(at + step));
        let x = |at: f64| tenths(LEFT + at / seconds * (WIDTH - LEFT - RIGHT));

        html! {
            g class="grid" {
                @for at in lines.take_while(|at| *at <= seconds) {
                    path d={ "M" (x(at)) " " (TOP) "V" (whole(bottom)) } {}
                    text x=(x(at)) y=(whole(TOP - 10.0)) text-anchor="middle" { (at) " s" }
                }
            }
        }
    }
}

fn validator_lane(report: &DemoReport, validator: &Validator, axis: &Axis, y: f64) -> Markup {
    let operations = report.heights.iter().map(|height| height.operations);
    let most = to_f64(operations.max().unwrap_or(0).max(1));
    let heights = report.heights.iter();
    let built = heights.filter(|height| height.builder == validator.name);

    html! {
        g class="validator" {
            (name_and_life(&validator.name, validator.killed_at_ms, axis, y))
            @for height in built {
                (block(height, axis.x(height.time_ms), y, most))
            }
            @if let Some(killed) = validator.killed_at_ms {
                (kill_mark(axis.x(killed), y, VALIDATOR_LANE, &validator.name, killed))
            }
        }
    }
}

/// Writes the name in front of a lane, and draws a line for as long as its member lived.
fn name_and_life(name: &str, killed_at_ms: Option<u64>, axis: &Axis, y: f64) -> Markup {
    let end = killed_at_ms.map_or(WIDTH - RIGHT, |killed| axis.x(killed));
    html! {
        text class="name" x=(whole(LEFT - 10.0)) y=(tenths(y + 4.0)) { (name) }
        path class="life" d={ "M" (LEFT) " " (tenths(y)) "H" (tenths(end)) } {}
    }
}

/// Draws a bar that grows with the square root of the operations, so that small blocks show.
fn block(height: &Height, x: f64, y: f64, most: f64) -> Markup {
    let half = 3.0 + 8.0 * (to_f64(height.operations) / most).sqrt();
    let is_late = height.round > 0;

    html! {
        rect class={ "block" @if is_late { " late" } } x=(tenths(x - 1.5)) y=(tenths(y - half))
            width="3" height=(tenths(2.0 * half)) rx="1" {
            title {
                "height " (height.height) ", round " (height.round) ", at "
                (seconds(height.time_ms)) ": " (height.operations) " operations, "
                (height.outcomes) " outcomes"
            }
        }
        @if is_late {
            text class="round" x=(tenths(x + 4.0)) y=(tenths(y - 3.0)) { "r" (height.round) }
        }
    }
}

fn kill_mark(x: f64, middle: f64, lane: f64, name: &str, killed: u64) -> Markup {
    let top = tenths(middle - lane / 2.0 + 1.0);
    // Near the right edge, the word stands on the left of the mark.
    let (anchor, shift) = if x > WIDTH - 80.0 {
        ("end", -5.0)
    } else {
        ("start", 5.0)
    };

    html! {
        g class="kill" {
            title { (name) " was killed at " (seconds(killed)) }
            path d={ "M" (tenths(x)) " " (top) "v" (tenths(lane - 2.0)) } {}
            text x=(tenths(x + shift)) y=(tenths(middle + 4.0)) text-anchor=(anchor) { "killed" }
        }
    }
}

/// The lane of an agent: the axis, and the upper edge of the lane.
struct Lane<'a> {
    axis: &'a Axis,
    top: f64,
}

impl Lane<'_> {
    fn of(&self, report: &DemoReport, index: usize, agent: &Agent) -> Markup {
        let axis = self.axis;
        let middle = self.top + DRONE_LANE / 2.0;
        let refusals = report.refusals.iter();
        let refusals = refusals.filter(|refusal| refusal.agent == agent.name);

        html! {
            g class={ "drone " (colour(Some(index))) } {
                (name_and_life(&agent.name, agent.killed_at_ms, axis, middle))
                (leases(report, &agent.name, axis, middle))
                @for refusal in refusals {
                    (refusal_mark(refusal, axis.x(refusal.at_ms), middle))
                }
                @if let Some(killed) = agent.killed_at_ms {
                    (kill_mark(axis.x(killed), middle, DRONE_LANE, &agent.name, killed))
                }
            }
        }
    }
}

fn refusal_mark(refusal: &Refusal, x: f64, y: f64) -> Markup {
    html! {
        g class="refused" {
            title { "bid on " (refusal.task) " refused: " (refusal.name) }
            circle cx=(tenths(x)) cy=(tenths(y)) r="4" {}
        }
    }
}

/// Draws the leases of an agent, with the rows in use centred on `middle`.
fn leases(report: &DemoReport, agent: &str, axis: &Axis, middle: f64) -> Markup {
    let rows = rows(report, agent);
    let used = rows.iter().map(|(row, _, _)| row + 1).max().unwrap_or(1);
    let y = |row| middle + (as_f64(row) - as_f64(used - 1) / 2.0) * ROW;

    html! {
        @for (row, task, award) in rows {
            (lease(task, award, axis, y(row)))
        }
    }
}

/// Returns the awards of an agent by time, each with its row. That is the first row that is free by
/// then or, if all are taken, the one that becomes free first.
fn rows<'a>(report: &'a DemoReport, agent: &str) -> Vec<(usize, &'a Task, &'a Assignment)> {
    let awards = report.awards();
    let mut awards: Vec<_> = awards.filter(|(_, award)| award.agent == agent).collect();
    awards.sort_by_key(|(task, award)| (award.at_ms, end_of(report, award), &task.id));

    let mut free_from = [0_u64; ROWS];
    let mut placed = Vec::with_capacity(awards.len());
    for (task, award) in awards {
        let row = pick_row(&free_from, award.at_ms);
        free_from[row] = free_from[row].max(end_of(report, award));
        placed.push((row, task, award));
    }

    placed
}

fn pick_row(free_from: &[u64; ROWS], at_ms: u64) -> usize {
    let first_free = free_from.iter().position(|free| *free <= at_ms);
    let soonest = (0..ROWS).min_by_key(|row| free_from[*row]);
    first_free.or(soonest).unwrap_or(0)
}

fn end_of(report: &DemoReport, award: &Assignment) -> u64 {
    award
        .ended_at_ms
        .unwrap_or(report.duration_ms)
        .max(award.at_ms)
}

fn lease(task: &Task, award: &Assignment, axis: &Axis, y: f64) -> Markup {
    let start = axis.x(award.at_ms);
    let end = award.ended_at_ms.map_or(WIDTH - RIGHT, |ms| axis.x(ms));
    // At least 1.5 units wide, so that a short lease remains visible.
    let end = end.max(start + 1.5);
    let ended = award.ended.name();
    let is_lost = matches!(award.ended, Ended::Lapsed | Ended::Failed | Ended::Declined);

    html! {
        g class={ "lease " (ended) } {
            title {
                (task.id) " under token " (award.token) ": awarded " (seconds(award.at_ms)) ", "
                (ended)
            }
            rect class="bar" x=(tenths(start)) y=(tenths(y - 1.5)) width=(tenths(end - start))
                height="3" rx="1.5" {}
            @if award.token > 1 {
                path class="again"
                    d={ "M" (tenths(start)) " " (tenths(y - 4.0)) "l4 4-4 4-4-4z" } {}
            }
            @if is_lost {
                path class="end"
                    d={ "M" (tenths(end - 3.0)) " " (tenths(y - 3.0)) "l6 6m-6 0l6-6" } {}
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run and counts are far below 2^53"
)]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of lanes are far below 2^53"
)]
fn as_f64(number: usize) -> f64 {
    number as f64
}
