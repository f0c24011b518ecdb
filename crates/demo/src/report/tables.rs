//! The run as tables: agents, tasks that changed hands, refused bids, certificates, heights, keys.

use maud::{Markup, html};

use super::html::{Section, cell, colour, count, numbers, seconds, table, words};
use super::map::{badges, kilometres};
use super::{Agent, Assignment, DemoReport, Ended, Height, Refusal, Task};

/// A table of refusals with more rows than this is folded.
const LONG: usize = 60;

/// Returns every table that has something to show.
pub(super) fn sections(report: &DemoReport) -> Markup {
    html! {
        @if report.trading.is_none() {
            (part("drones", "Drones", "", drones(report)))
        }
        @if let Some(body) = reassigned(report) {
            (part("reassigned", "Tasks that changed hands", REASSIGNED, body))
        }
        @if let Some(body) = refused(report) {
            (part("refused", "Refused bids", REFUSED, body))
        }
        (part("certificates", "Certificates", "", certificates(report)))
        (part("record", "The record", "", html! { (heights(report)) (keys(report)) }))
    }
}

const REASSIGNED: &str = "A lease that ends without a completion frees its task. The next award \
                          carries a higher fencing token, and reports under the older one are \
                          refused.";

const REFUSED: &str = "A refusal is committed like an award: everybody sees the same one, with its \
                       reason.";

fn part(id: &'static str, title: &'static str, lead: &'static str, body: Markup) -> Section {
    Section {
        id,
        title,
        lead,
        body,
    }
}

fn drones(report: &DemoReport) -> Markup {
    let columns = [
        words("Drone"),
        numbers("Awards"),
        numbers("Done"),
        numbers("Lost"),
        numbers("Flown"),
        words("Completed tasks, in order"),
    ];

    let rows: Vec<_> = report
        .agents
        .iter()
        .enumerate()
        .map(|(index, agent)| drone_row(report, index, agent))
        .collect();
    table(&columns, &rows)
}

fn drone_row(report: &DemoReport, index: usize, agent: &Agent) -> Vec<Markup> {
    let awards = report.awards();
    let awards: Vec<(&Task, &Assignment)> = awards
        .filter(|(_, award)| award.agent == agent.name)
        .collect();

    let lost = awards
        .iter()
        .filter(|(_, award)| !matches!(award.ended, Ended::Completed | Ended::Held))
        .count();
    let name = named(report, &agent.name, Some(index));

    vec![
        html! { (name) " " (badges(agent)) },
        cell(awards.len()),
        cell(agent.tasks_done),
        cell(lost),
        cell(kilometres(agent)),
        chips(&awards),
    ]
}

/// Returns the completed tasks among `awards`, in the order in which they were completed.
fn chips(awards: &[(&Task, &Assignment)]) -> Markup {
    let mut done: Vec<_> = awards
        .iter()
        .filter(|(_, award)| award.ended == Ended::Completed)
        .collect();
    done.sort_by_key(|(task, award)| (award.ended_at_ms, &task.id));

    html! {
        div class="chips" {
            @for (task, award) in done {
                span class={ "chip" @if award.token > 1 { " again" } } { (task.id) } " "
            }
        }
    }
}

/// Returns an agent's name behind a mark in its colour.
pub(super) fn named(report: &DemoReport, name: &str, index: Option<usize>) -> Markup {
    let index = index.or_else(|| report.agent_index(name));
    html! {
        span class={ "who " (colour(index)) } { i {} (name) }
    }
}

/// Returns the awards of the tasks that changed hands; `None` if none did.
fn reassigned(report: &DemoReport) -> Option<Markup> {
    let moved: Vec<&Task> = report
        .tasks
        .iter()
        .filter(|task| task.was_reassigned())
        .collect();
    if moved.is_empty() {
        return None;
    }

    let columns = [
        words("Task"),
        words("Requires"),
        words("Agent"),
        numbers("Token"),
        numbers("Awarded"),
        words("Ended"),
        numbers("At"),
    ];

    let rows: Vec<_> = moved
        .into_iter()
        .flat_map(|task| award_rows(report, task))
        .collect();
    Some(table(&columns, &rows))
}

/// Returns a row for each award of a task. Only the first one names the task.
fn award_rows(report: &DemoReport, task: &Task) -> Vec<Vec<Markup>> {
    let row = |(at, award): (usize, &Assignment)| {
        let is_first = at == 0;
        vec![
            html! { @if is_first { b { (task.id) } } },
            html! { @if is_first { (task.requires.join(", ")) } },
            named(report, &award.agent, None),
            cell(award.token),
            cell(seconds(award.at_ms)),
            ended(award),
            html! { @if let Some(at) = award.ended_at_ms { (seconds(at)) } },
        ]
    };

    task.assignments.iter().enumerate().map(row).collect()
}

fn ended(award: &Assignment) -> Markup {
    let name = award.ended.name();
    html! {
        span class={ "ended " (name) } { (name) }
    }
}

/// Returns the refused bids; `None` if there are none.
fn refused(report: &DemoReport) -> Option<Markup> {
    if report.refusals.is_empty() {
        return None;
    }

    let columns = [
        words("Agent"),
        words("Task"),
        numbers("At"),
        numbers("Code"),
        words("Reason"),
        words("Certificate"),
    ];

    let refusals = report.refusals.iter();
    let rows: Vec<_> = refusals.map(|of| refusal_row(report, of)).collect();
    let all = table(&columns, &rows);
    Some(if rows.len() > LONG {
        folded(&count(rows.len(), "refusal"), &all)
    } else {
        all
    })
}

fn refusal_row(report: &DemoReport, refusal: &Refusal) -> Vec<Markup> {
    vec![
        named(report, &refusal.agent, None),
        cell(&refusal.task),
        cell(seconds(refusal.at_ms)),
        cell(refusal.code),
        html! { code { (refusal.name) } br; (refusal.text) },
        html! { @if let Some(name) = &refusal.certificate { (file(name)) } },
    ]
}

/// Returns the name of a file, or another text of letters that are compared one by one.
pub(super) fn file(name: &str) -> Markup {
    html! { code class="file" { (name) } }
}

fn certificates(report: &DemoReport) -> Markup {
    let columns = [
        words("Task"),
        numbers("Token"),
        words("Agent"),
        numbers("Price"),
        numbers("Height"),
        words("Ended"),
        words("File"),
    ];

    let awards = report.awards();
    let rows: Vec<_> = awards
        .map(|(task, award)| certificate_row(report, task, award))
        .collect();

    html! {
        p {
            "Each award has a certificate that anyone can check, on any computer without a \
             network, in a copy of this folder:"
        }
        pre { code { (report.verify_command()) } }
        p {
            "Take the trust root from somebody you trust, not from this folder, and compare its \
             fingerprint: "
            code { (report.fingerprint) }
        }
        (folded(&count(rows.len(), "award"), &table(&columns, &rows)))
    }
}

fn certificate_row(report: &DemoReport, task: &Task, award: &Assignment) -> Vec<Markup> {
    vec![
        cell(&task.id),
        cell(award.token),
        named(report, &award.agent, None),
        cell(award.price),
        cell(award.height),
        ended(award),
        file(&award.certificate),
    ]
}

/// Folds a long table: it opens on demand, and in print.
pub(super) fn folded(summary: &str, body: &Markup) -> Markup {
    html! {
        details {
            summary { (summary) }
            (body)
        }
    }
}

fn heights(report: &DemoReport) -> Markup {
    let columns = [
        numbers("Height"),
        numbers("Round"),
        numbers("Decided"),
        words("Builder"),
        numbers("Operations"),
        numbers("Outcomes"),
    ];

    let rows: Vec<_> = report.heights.iter().map(height_row).collect();
    folded(&count(rows.len(), "height"), &table(&columns, &rows))
}

fn height_row(height: &Height) -> Vec<Markup> {
    let round = html! {
        @if height.round == 0 { "0" } @else { b class="late" { (height.round) } }
    };

    vec![
        cell(height.height),
        round,
        cell(seconds(height.time_ms)),
        cell(&height.builder),
        cell(height.operations),
        cell(height.outcomes),
    ]
}

fn keys(report: &DemoReport) -> Markup {
    let mut rows = Vec::new();
    for validator in &report.validators {
        rows.push(key_row("validator", &validator.name, &validator.key));
    }

    for agent in &report.agents {
        rows.push(key_row(report.noun(), &agent.name, &agent.key));
    }

    let columns = [words("Name"), words("Role"), words("Public key")];
    folded(&count(rows.len(), "public key"), &table(&columns, &rows))
}

fn key_row(role: &str, name: &str, key: &str) -> Vec<Markup> {
    vec![cell(name), cell(role), file(key)]
}
