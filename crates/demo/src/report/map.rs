//! The map: tasks as dots in the colour of the drone that completed them, flown paths, homes, the
//! last place of every killed drone, a scale bar, and a legend that singles out a drone.

use super::html::{colour, count, escape, seconds};
use super::labels::{Dot, Labels, Spot};
use super::projection::{Frame, Point, Projection, metres_between, round_below};
use super::{Agent, DemoReport, GeoPoint, Task};

const FRAME: Frame = Frame {
    width: 880.0,
    min_height: 380.0,
    max_height: 760.0,
    margin: 46.0,
};
const DOT: f64 = 5.0;
/// The radius of the ring around a task that was awarded more than once.
const RING: f64 = 8.5;
/// The radius of the mark where a killed drone was last seen.
const LOST: f64 = 10.0;
/// The greatest length of the scale bar, as a part of the drawing's width.
const SCALE_PART: f64 = 0.22;

/// Draws the map and its legend, side by side if there is room.
pub(super) fn figure(report: &DemoReport) -> String {
    let Some(projection) = Projection::fit(places(report), &FRAME) else {
        return "<p>Nothing in this run has coordinates.</p>\n".to_owned();
    };

    let mut labels = Labels::new(FRAME.width, projection.height);
    keep_clear(report, &projection, &mut labels);
    // Killed drones get their words before the tasks do.
    let killed = last_places(report, &projection, &mut labels);
    let tasks = task_dots(report, &projection, &mut labels);

    format!(
        "<div class=\"mapwrap\">\n<figure>\n<svg class=\"map\" viewBox=\"0 0 {:.0} {:.0}\" \
         role=\"img\" aria-label=\"Map of the mission\">\n{}{}{}{}{}</svg>\n</figure>\n{}</div>\n",
        FRAME.width,
        projection.height,
        paths(report, &projection),
        homes(report, &projection),
        tasks,
        killed,
        scale_bar(&projection),
        legend(report),
    )
}

/// Returns the style rules by which the other drones fade while a legend entry is pointed at.
pub(super) fn highlight_rules(agents: usize) -> String {
    (0..agents)
        .map(|i| {
            format!(
                ".mapwrap:has(.l{i}:hover) .d:not(.d{i}),\
                 .mapwrap:has(.l{i}:focus-visible) .d:not(.d{i}){{opacity:.1}}\n"
            )
        })
        .collect()
}

fn places(report: &DemoReport) -> impl Iterator<Item = GeoPoint> {
    let tasks = report.tasks.iter().filter_map(|task| task.place);
    tasks.chain(report.agents.iter().flat_map(Agent::places))
}

fn paths(report: &DemoReport, projection: &Projection) -> String {
    let mut out = String::from("<g class=\"paths\">\n");
    for (index, agent) in report.agents.iter().enumerate() {
        let points: Vec<String> = agent
            .places()
            .filter_map(|place| projection.point(place))
            .map(|Point { x, y }| format!("{x:.1},{y:.1}"))
            .collect();

        if points.len() > 1 {
            out += &format!(
                "<polyline class=\"d d{index} {}\" points=\"{}\"><title>{}</title></polyline>\n",
                colour(Some(index)),
                points.join(" "),
                escape(&agent.name),
            );
        }
    }

    out + "</g>\n"
}

/// Draws a square at each home. The squares of drones that start at one place coincide.
fn homes(report: &DemoReport, projection: &Projection) -> String {
    let mut out = String::from("<g class=\"homes\">\n");
    for (index, agent) in report.agents.iter().enumerate() {
        let Some(Point { x, y }) = agent.home.and_then(|home| projection.point(home)) else {
            continue;
        };

        out += &format!(
            "<rect class=\"d d{index} {}\" x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" \
             rx=\"2\"><title>home of {}</title></rect>\n",
            colour(Some(index)),
            x - 5.0,
            y - 5.0,
            escape(&agent.name),
        );
    }

    out + "</g>\n"
}

/// Keeps words away from everything that is drawn.
fn keep_clear(report: &DemoReport, projection: &Projection, labels: &mut Labels) {
    for point in report
        .tasks
        .iter()
        .filter_map(|task| projection.point(task.place?))
    {
        labels.avoid(point, DOT + 1.0);
    }

    for point in report
        .agents
        .iter()
        .filter_map(|agent| projection.point(agent.home?))
    {
        labels.avoid(point, 7.0);
    }

    for agent in report
        .agents
        .iter()
        .filter(|agent| agent.killed_at_ms.is_some())
    {
        if let Some(point) = agent.last_place().and_then(|at| projection.point(at)) {
            labels.avoid(point, LOST);
        }
    }
}

fn task_dots(report: &DemoReport, projection: &Projection, labels: &mut Labels) -> String {
    let mut out = String::from("<g class=\"tasks\">\n");
    // Tasks that changed hands get their words first: they are what a reader looks for.
    let (moved, others): (Vec<&Task>, Vec<&Task>) =
        report.tasks.iter().partition(|task| task.was_reassigned());

    for task in moved.into_iter().chain(others) {
        let Some(point) = task.place.and_then(|place| projection.point(place)) else {
            continue;
        };

        out += &task_dot(report, task, point);
        let radius = if task.was_reassigned() { RING } else { DOT };
        if let Some(spot) = labels.place(Dot { at: point, radius }, &task.id) {
            out += &word("name", spot, &task.id);
        }
    }

    out + "</g>\n"
}

fn task_dot(report: &DemoReport, task: &Task, Point { x, y }: Point) -> String {
    let agent = task
        .completed_by()
        .and_then(|award| report.agent_index(&award.agent));
    let drone = agent.map_or_else(|| "d".to_owned(), |index| format!("d d{index}"));

    let ring = if task.was_reassigned() {
        format!("<circle class=\"ring\" r=\"{RING}\"/>")
    } else {
        String::new()
    };

    format!(
        "<g class=\"task {drone} {}\" transform=\"translate({x:.1} {y:.1})\"><title>{}</title>\
         {ring}<circle class=\"dot\" r=\"{DOT}\"/></g>\n",
        colour(agent),
        escape(&task_story(task)),
    )
}

fn task_story(task: &Task) -> String {
    let mut story = format!("{}: {}", task.id, task.state.name());
    for award in &task.assignments {
        story += &format!(
            "\n{} under token {} at {}, {}",
            award.agent,
            award.token,
            seconds(award.at_ms),
            award.ended.name(),
        );
    }

    story
}

/// Draws a cross with the drone's name at the place where each killed drone was last seen.
fn last_places(report: &DemoReport, projection: &Projection, labels: &mut Labels) -> String {
    let mut out = String::from("<g class=\"killed\">\n");
    for (index, agent) in report.agents.iter().enumerate() {
        let Some(killed) = agent.killed_at_ms else {
            continue;
        };
        let Some(at) = agent.last_place().and_then(|at| projection.point(at)) else {
            continue;
        };

        let name = escape(&agent.name);
        out += &format!(
            "<g class=\"d d{index} {}\" transform=\"translate({:.1} {:.1})\"><title>{name} was \
             killed at {}</title><circle r=\"{LOST}\"/><path d=\"M-5-5 5 5M-5 5 5-5\"/></g>\n",
            colour(Some(index)),
            at.x,
            at.y,
            seconds(killed),
        );

        let text = format!("{} killed", agent.name);
        if let Some(spot) = labels.place(Dot { at, radius: LOST }, &text) {
            out += &word("loss", spot, &text);
        }
    }

    out + "</g>\n"
}

fn word(class: &str, Spot { at, anchor }: Spot, text: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
        at.x,
        at.y,
        escape(text),
    )
}

fn scale_bar(projection: &Projection) -> String {
    let metres = round_below(FRAME.width * SCALE_PART / projection.units_per_metre);
    let y = projection.height - 16.0;
    let left = 18.0;
    let right = left + metres * projection.units_per_metre;

    let name = if metres < 1_000.0 {
        format!("{metres} m")
    } else {
        format!("{} km", metres / 1e3)
    };

    format!(
        "<g class=\"scale\"><path d=\"M{left} {0:.1}v5H{right:.1}v-5\"/>\
         <text x=\"{1:.1}\" y=\"{2:.1}\">{name}</text>\
         <path class=\"north\" d=\"M{3:.1} 40V20m-5 7 5-8 5 8\"/>\
         <text x=\"{3:.1}\" y=\"54\" text-anchor=\"middle\">N</text></g>\n",
        y - 5.0,
        right + 7.0,
        y + 2.0,
        FRAME.width - 24.0,
    )
}

fn legend(report: &DemoReport) -> String {
    let mut out = String::from("<aside class=\"legend\">\n<ul class=\"drones\">\n");
    for (index, agent) in report.agents.iter().enumerate() {
        out += &format!(
            "<li class=\"l{index} {}\" tabindex=\"0\"><i></i><b>{}</b><span>{}, {}</span>{}</li>\n",
            colour(Some(index)),
            escape(&agent.name),
            count(
                usize::try_from(agent.tasks_done).unwrap_or(usize::MAX),
                "task"
            ),
            kilometres(agent),
            badges(agent),
        );
    }

    out + "</ul>\n<ul class=\"signs\">\n\
        <li><svg viewBox=\"-9 -9 18 18\"><circle class=\"dot\" r=\"5\"/></svg>completed task</li>\n\
        <li><svg viewBox=\"-9 -9 18 18\"><circle class=\"dot\" r=\"4.5\"/>\
        <circle class=\"ring\" r=\"8\"/></svg>awarded more than once</li>\n\
        <li class=\"c-none\"><svg viewBox=\"-9 -9 18 18\"><circle class=\"dot\" r=\"5\"/></svg>\
        not completed</li>\n\
        <li><svg viewBox=\"-9 -9 18 18\"><rect class=\"home\" x=\"-5\" y=\"-5\" width=\"10\" \
        height=\"10\" rx=\"2\"/></svg>home</li>\n\
        <li class=\"lost\"><svg viewBox=\"-11 -11 22 22\"><circle r=\"10\"/>\
        <path d=\"M-5-5 5 5M-5 5 5-5\"/></svg>last place of a killed drone</li>\n</ul>\n</aside>\n"
}

/// Returns badges for a drone that was killed, and for one that claims a false capability.
pub(super) fn badges(agent: &Agent) -> String {
    let mut out = String::new();
    if agent.killed_at_ms.is_some() {
        out += "<em class=\"badge loss\">killed</em>";
    }
    if agent.liar {
        out += "<em class=\"badge lie\">false claim</em>";
    }

    out
}

/// Formats the length of the flown path: `12.3 km`.
pub(super) fn kilometres(agent: &Agent) -> String {
    let places: Vec<GeoPoint> = agent.places().collect();
    // Not `sum`: the sum of no floats is -0.0, and would be shown as `-0.0 km`.
    let legs = places.windows(2).map(|leg| metres_between(leg[0], leg[1]));
    let metres = legs.fold(0.0, |all, leg| all + leg);

    format!(
        "{:.1} km",
        if metres.is_finite() {
            metres / 1e3
        } else {
            0.0
        }
    )
}
