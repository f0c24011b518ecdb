//! The timeline: a lane for each validator with the blocks it built, and a lane for each agent with
//! its leases, over one axis of seconds. Rounds above 0, kills, lapses and repeated awards are
//! marked.

use super::html::{colour, escape, seconds};
use super::projection::round_below;
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
pub(super) fn figure(report: &DemoReport) -> String {
    let axis = Axis::of(report);
    let lane = |number: usize, height: f64| as_f64(number) * height;
    let drones_top = TOP + lane(report.validators.len(), VALIDATOR_LANE) + GAP;
    let bottom = drones_top + lane(report.agents.len(), DRONE_LANE);

    let mut out = format!(
        "<figure class=\"scroll\">\n<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {:.0}\" \
         role=\"img\" aria-label=\"Timeline of blocks and leases\">\n{}",
        bottom + 8.0,
        axis.grid(bottom),
    );

    for (index, validator) in report.validators.iter().enumerate() {
        let y = TOP + (as_f64(index) + 0.5) * VALIDATOR_LANE;
        out += &validator_lane(report, validator, &axis, y);
    }

    for (index, agent) in report.agents.iter().enumerate() {
        let top = drones_top + lane(index, DRONE_LANE);
        out += &drone_lane(report, index, agent, &Lane { axis: &axis, top });
    }

    out + "</svg>\n</figure>\n" + SIGNS
}

const SIGNS: &str = "<ul class=\"signs row\">\n\
    <li><svg viewBox=\"-9 -9 18 18\"><rect class=\"block\" x=\"-2\" y=\"-7\" width=\"4\" \
    height=\"14\" rx=\"1\"/></svg>block, taller with more operations</li>\n\
    <li><svg viewBox=\"-9 -9 18 18\"><rect class=\"block late\" x=\"-2\" y=\"-8\" width=\"4\" \
    height=\"16\" rx=\"1\"/></svg>decided in a later round (r1: one proposer passed over)</li>\n\
    <li><svg viewBox=\"-9 -9 18 18\"><rect class=\"bar\" x=\"-8\" y=\"-2\" width=\"16\" \
    height=\"4\" rx=\"2\"/></svg>lease, from award to completion</li>\n\
    <li><svg viewBox=\"-9 -9 18 18\"><path class=\"again\" d=\"M0-6 6 0 0 6-6 0z\"/></svg>\
    awarded again, under a higher fencing token</li>\n\
    <li class=\"refused\"><svg viewBox=\"-9 -9 18 18\"><circle r=\"4\"/></svg>bid refused</li>\n\
    <li class=\"lost\"><svg viewBox=\"-9 -9 18 18\"><path d=\"M-4-4 4 4M-4 4 4-4\"/></svg>\
    lease lapsed, failed or declined</li>\n\
    <li class=\"lost\"><svg viewBox=\"-9 -9 18 18\"><path d=\"M0-9V9\"/></svg>killed</li>\n</ul>\n";

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

    fn grid(&self, bottom: f64) -> String {
        let seconds = self.end_ms / 1_000.0;
        // Twice the step of `TICKS` lines, since `round_below` may more than halve it.
        let step = round_below((2.0 * seconds / TICKS).max(1.0));

        let mut out = String::from("<g class=\"grid\">\n");
        let mut at = 0.0;
        while at <= seconds {
            let x = LEFT + at / seconds * (WIDTH - LEFT - RIGHT);
            out += &format!(
                "<path d=\"M{x:.1} {TOP}V{bottom:.0}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{at} s</text>\n",
                TOP - 10.0,
            );
            at += step;
        }

        out + "</g>\n"
    }
}

fn validator_lane(report: &DemoReport, validator: &Validator, axis: &Axis, y: f64) -> String {
    let end = validator
        .killed_at_ms
        .map_or(WIDTH - RIGHT, |killed| axis.x(killed));
    let operations = report.heights.iter().map(|height| height.operations);
    let most = operations.max().unwrap_or(0).max(1);

    let mut out = format!(
        "<g class=\"validator\"><text class=\"name\" x=\"{:.0}\" y=\"{:.1}\">{}</text>\
         <path class=\"life\" d=\"M{LEFT} {y:.1}H{end:.1}\"/>\n",
        LEFT - 10.0,
        y + 4.0,
        escape(&validator.name),
    );

    let heights = report.heights.iter();
    for height in heights.filter(|height| height.builder == validator.name) {
        out += &block(height, axis.x(height.time_ms), y, to_f64(most));
    }

    if let Some(killed) = validator.killed_at_ms {
        out += &kill_mark(axis.x(killed), y, VALIDATOR_LANE, &validator.name, killed);
    }

    out + "</g>\n"
}

/// Draws a bar that grows with the square root of the operations, so that small blocks show.
fn block(height: &Height, x: f64, y: f64, most: f64) -> String {
    let half = 3.0 + 8.0 * (to_f64(height.operations) / most).sqrt();
    let late = if height.round > 0 { " late" } else { "" };
    let mut out = format!(
        "<rect class=\"block{late}\" x=\"{:.1}\" y=\"{:.1}\" width=\"3\" height=\"{:.1}\" \
         rx=\"1\"><title>height {}, round {}, at {}: {} operations, {} outcomes</title></rect>",
        x - 1.5,
        y - half,
        2.0 * half,
        height.height,
        height.round,
        seconds(height.time_ms),
        height.operations,
        height.outcomes,
    );

    if height.round > 0 {
        out += &format!(
            "<text class=\"round\" x=\"{:.1}\" y=\"{:.1}\">r{}</text>",
            x + 4.0,
            y - 3.0,
            height.round
        );
    }

    out + "\n"
}

fn kill_mark(x: f64, middle: f64, lane: f64, name: &str, killed: u64) -> String {
    // Near the right edge, the word stands on the left of the mark.
    let (anchor, shift) = if x > WIDTH - 80.0 {
        ("end", -5.0)
    } else {
        ("start", 5.0)
    };

    format!(
        "<g class=\"kill\"><title>{} was killed at {}</title>\
         <path d=\"M{x:.1} {:.1}v{:.1}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">killed</text></g>\n",
        escape(name),
        seconds(killed),
        middle - lane / 2.0 + 1.0,
        lane - 2.0,
        x + shift,
        middle + 4.0,
    )
}

/// The lane of an agent: the axis, and the upper edge of the lane.
struct Lane<'a> {
    axis: &'a Axis,
    top: f64,
}

fn drone_lane(report: &DemoReport, index: usize, agent: &Agent, lane: &Lane<'_>) -> String {
    let middle = lane.top + DRONE_LANE / 2.0;
    let end = agent
        .killed_at_ms
        .map_or(WIDTH - RIGHT, |killed| lane.axis.x(killed));
    let mut out = format!(
        "<g class=\"drone {}\"><text class=\"name\" x=\"{:.0}\" y=\"{:.1}\">{}</text>\
         <path class=\"life\" d=\"M{LEFT} {middle:.1}H{end:.1}\"/>\n",
        colour(Some(index)),
        LEFT - 10.0,
        middle + 4.0,
        escape(&agent.name),
    );

    out += &leases(report, &agent.name, lane.axis, middle);
    let own = report.refusals.iter();
    for refusal in own.filter(|refusal| refusal.agent == agent.name) {
        out += &refusal_mark(refusal, lane.axis.x(refusal.at_ms), middle);
    }

    if let Some(killed) = agent.killed_at_ms {
        out += &kill_mark(lane.axis.x(killed), middle, DRONE_LANE, &agent.name, killed);
    }

    out + "</g>\n"
}

fn refusal_mark(refusal: &Refusal, x: f64, y: f64) -> String {
    format!(
        "<g class=\"refused\"><title>bid on {} refused: {}</title>\
         <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/></g>\n",
        escape(&refusal.task),
        escape(&refusal.name),
    )
}

/// Draws the leases of an agent, with the rows in use centred on `middle`.
fn leases(report: &DemoReport, agent: &str, axis: &Axis, middle: f64) -> String {
    let rows = rows(report, agent);
    let used = rows.iter().map(|(row, _, _)| row + 1).max().unwrap_or(1);

    let mut out = String::new();
    for (row, task, award) in rows {
        let y = middle + (as_f64(row) - as_f64(used - 1) / 2.0) * ROW;
        out += &lease(task, award, axis, y);
    }

    out
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

fn lease(task: &Task, award: &Assignment, axis: &Axis, y: f64) -> String {
    let start = axis.x(award.at_ms);
    let end = award.ended_at_ms.map_or(WIDTH - RIGHT, |ms| axis.x(ms));
    // At least 1.5 units wide, so that a short lease remains visible.
    let end = end.max(start + 1.5);

    let mut out = format!(
        "<g class=\"lease {}\"><title>{} under token {}: awarded {}, {}</title>\
         <rect class=\"bar\" x=\"{start:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"3\" \
         rx=\"1.5\"/>",
        award.ended.name(),
        escape(&task.id),
        award.token,
        seconds(award.at_ms),
        award.ended.name(),
        y - 1.5,
        end - start,
    );

    if award.token > 1 {
        out += &format!(
            "<path class=\"again\" d=\"M{start:.1} {:.1}l4 4-4 4-4-4z\"/>",
            y - 4.0
        );
    }

    if matches!(award.ended, Ended::Lapsed | Ended::Failed | Ended::Declined) {
        out += &format!(
            "<path class=\"end\" d=\"M{:.1} {:.1}l6 6m-6 0l6-6\"/>",
            end - 3.0,
            y - 3.0
        );
    }

    out + "</g>\n"
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
