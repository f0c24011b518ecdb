//! The map: tasks as dots in the colour of the drone that completed them, flown paths, homes, the
//! last place of every killed drone, a scale bar, and a legend that singles out a drone.

use maud::{Markup, html};

use super::html::{colour, count, seconds};
use super::labels::{Dot, Labels, Spot};
use super::projection::{Frame, Point, Projection, metres_between, round_below};
use super::svg::tenths;
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
pub(super) fn figure(report: &DemoReport) -> Markup {
    let Some(projection) = Projection::fit(places(report), &FRAME) else {
        return html! { p { "Nothing in this run has coordinates." } };
    };

    let mut labels = Labels::new(FRAME.width, projection.height);
    keep_clear(report, &projection, &mut labels);
    // Killed drones get their words before the tasks do.
    let killed = last_places(report, &projection, &mut labels);
    let tasks = task_dots(report, &projection, &mut labels);

    let view = format!("0 0 {:.0} {:.0}", FRAME.width, projection.height);

    html! {
        div class="mapwrap" {
            figure {
                svg class="map" viewBox=(view) role="img" aria-label="Map of the mission" {
                    (paths(report, &projection))
                    (homes(report, &projection))
                    (tasks)
                    (killed)
                    (scale_bar(&projection))
                }
            }
            (legend(report))
        }
    }
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

fn paths(report: &DemoReport, projection: &Projection) -> Markup {
    html! {
        g class="paths" {
            @for (index, agent) in report.agents.iter().enumerate() {
                (path(index, agent, projection))
            }
        }
    }
}

/// Draws the path that a drone flew, if it was in more than one place.
fn path(index: usize, agent: &Agent, projection: &Projection) -> Markup {
    let points: Vec<String> = agent
        .places()
        .filter_map(|place| projection.point(place))
        .map(|Point { x, y }| format!("{x:.1},{y:.1}"))
        .collect();

    html! {
        @if points.len() > 1 {
            polyline class=(drone_class(index)) points=(points.join(" ")) {
                title { (agent.name) }
            }
        }
    }
}

/// Returns the classes of what belongs to a drone: `highlight_rules` uses them.
fn drone_class(index: usize) -> String {
    format!("d d{index} {}", colour(Some(index)))
}

/// Draws a square at each home. The squares of drones that start at one place coincide.
fn homes(report: &DemoReport, projection: &Projection) -> Markup {
    html! {
        g class="homes" {
            @for (index, agent) in report.agents.iter().enumerate() {
                @if let Some(at) = agent.home.and_then(|home| projection.point(home)) {
                    rect class=(drone_class(index)) x=(tenths(at.x - 5.0)) y=(tenths(at.y - 5.0))
                        width="10" height="10" rx="2" {
                        title { "home of " (agent.name) }
                    }
                }
            }
        }
    }
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

fn task_dots(report: &DemoReport, projection: &Projection, labels: &mut Labels) -> Markup {
    // Tasks that changed hands get their words first: they are what a reader looks for.
    let (moved, others): (Vec<&Task>, Vec<&Task>) =
        report.tasks.iter().partition(|task| task.was_reassigned());

    html! {
        g class="tasks" {
            @for task in moved.into_iter().chain(others) {
                @if let Some(at) = task.place.and_then(|place| projection.point(place)) {
                    (task_dot(report, task, at))
                    (task_name(task, at, labels))
                }
            }
        }
    }
}

/// Writes the name of a task beside its dot, if there is a free place.
fn task_name(task: &Task, at: Point, labels: &mut Labels) -> Markup {
    let radius = if task.was_reassigned() { RING } else { DOT };
    let spot = labels.place(Dot { at, radius }, &task.id);
    html! {
        @if let Some(spot) = spot { (word("name", spot, &task.id)) }
    }
}

fn task_dot(report: &DemoReport, task: &Task, Point { x, y }: Point) -> Markup {
    let agent = task
        .completed_by()
        .and_then(|award| report.agent_index(&award.agent));
    let drone = agent.map_or_else(|| "d".to_owned(), |index| format!("d d{index}"));

    html! {
        g class={ "task " (drone) " " (colour(agent)) }
            transform={ "translate(" (tenths(x)) " " (tenths(y)) ")" } {
            title { (task_story(task)) }
            @if task.was_reassigned() {
                circle class="ring" r=(RING) {}
            }
            circle class="dot" r=(DOT) {}
        }
    }
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
fn last_places(report: &DemoReport, projection: &Projection, labels: &mut Labels) -> Markup {
    html! {
        g class="killed" {
            @for (index, agent) in report.agents.iter().enumerate() {
                @if let Some(at) = last_seen(agent, projection) {
                    (cross(index, agent, at))
                    (cross_name(agent, at, labels))
                }
            }
        }
    }
}

/// Returns the place where a killed drone was last seen; `None` if it was not killed or is nowhere
/// in the drawing.
fn last_seen(agent: &Agent, projection: &Projection) -> Option<Point> {
    agent.killed_at_ms?;
    projection.point(agent.last_place()?)
}

fn cross(index: usize, agent: &Agent, Point { x, y }: Point) -> Markup {
    let killed = agent.killed_at_ms.map(seconds).unwrap_or_default();
    html! {
        g class=(drone_class(index))
            transform={ "translate(" (tenths(x)) " " (tenths(y)) ")" } {
            title { (agent.name) " was killed at " (killed) }
            circle r=(LOST) {}
            path d="M-5-5 5 5M-5 5 5-5" {}
        }
    }
}

/// Writes beside the cross of a drone that it was killed, if there is a free place.
fn cross_name(agent: &Agent, at: Point, labels: &mut Labels) -> Markup {
    let text = format!("{} killed", agent.name);
    let spot = labels.place(Dot { at, radius: LOST }, &text);
    html! {
        @if let Some(spot) = spot { (word("loss", spot, &text)) }
    }
}

fn word(class: &str, Spot { at, anchor }: Spot, text: &str) -> Markup {
    html! {
        text class=(class) x=(tenths(at.x)) y=(tenths(at.y)) text-anchor=(anchor) { (text) }
    }
}

fn scale_bar(projection: &Projection) -> Markup {
    let metres = round_below(FRAME.width * SCALE_PART / projection.units_per_metre);
    let y = projection.height - 16.0;
    let left = 18.0;
    let right = left + metres * projection.units_per_metre;
    let north = tenths(FRAME.width - 24.0);

    let name = if metres < 1_000.0 {
        format!("{metres} m")
    } else {
        format!("{} km", metres / 1e3)
    };

    html! {
        g class="scale" {
            path d={ "M" (left) " " (tenths(y - 5.0)) "v5H" (tenths(right)) "v-5" } {}
            text x=(tenths(right + 7.0)) y=(tenths(y + 2.0)) { (name) }
            path class="north" d={ "M" (north) " 40V20m-5 7 5-8 5 8" } {}
            text x=(north) y="54" text-anchor="middle" { "N" }
        }
    }
}

fn legend(report: &DemoReport) -> Markup {
    html! {
        aside class="legend" {
            ul class="drones" {
                @for (index, agent) in report.agents.iter().enumerate() {
                    li class={ "l" (index) " " (colour(Some(index))) } tabindex="0" {
                        i {}
                        b { (agent.name) }
                        span { (completed(agent)) ", " (kilometres(agent)) }
                        (badges(agent))
                    }
                }
            }
            (signs())
        }
    }
}

fn completed(agent: &Agent) -> String {
    let tasks = usize::try_from(agent.tasks_done).unwrap_or(usize::MAX);
    count(tasks, "task")
}

/// Returns the meaning of the signs on the map.
fn signs() -> Markup {
    html! {
        ul class="signs" {
            li {
                svg viewBox="-9 -9 18 18" { circle class="dot" r="5" {} }
                "completed task"
            }
            li {
                svg viewBox="-9 -9 18 18" {
                    circle class="dot" r="4.5" {}
                    circle class="ring" r="8" {}
                }
                "awarded more than once"
            }
            li class="c-none" {
                svg viewBox="-9 -9 18 18" { circle class="dot" r="5" {} }
                "not completed"
            }
            li {
                svg viewBox="-9 -9 18 18" {
                    rect class="home" x="-5" y="-5" width="10" height="10" rx="2" {}
                }
                "home"
            }
            li class="lost" {
                svg viewBox="-11 -11 22 22" {
                    circle r="10" {}
                    path d="M-5-5 5 5M-5 5 5-5" {}
                }
                "last place of a killed drone"
            }
        }
    }
}

/// Returns badges for a drone that was killed, and for one that claims a false capability.
pub(super) fn badges(agent: &Agent) -> Markup {
    html! {
        @if agent.killed_at_ms.is_some() {
            em class="badge loss" { "killed" }
        }
        @if agent.liar {
            em class="badge lie" { "false claim" }
        }
    }
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
