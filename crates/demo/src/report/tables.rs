//! The run as tables: agents, tasks that changed hands, refused bids, certificates, heights, keys.

use super::html::{Section, colour, count, escape, numbers, seconds, section, table, words};
use super::map::{badges, kilometres};
use super::{Agent, Assignment, DemoReport, Ended, Height, Refusal, Task};

/// A table of refusals with more rows than this is folded.
const LONG: usize = 60;

/// Returns every table that has something to show.
pub(super) fn sections(report: &DemoReport) -> String {
    let mut out = match report.trading {
        Some(_) => String::new(),
        None => part("drones", "Drones", "", &drones(report)),
    };

    let lead = "A lease that ends without a completion frees its task. The next award carries a \
                higher fencing token, and reports under the older one are refused.";
    out += &optional(
        "reassigned",
        "Tasks that changed hands",
        lead,
        &reassigned(report),
    );

    let lead = "A refusal is committed like an award: everybody sees the same one, with its \
                reason.";
    out += &optional("refused", "Refused bids", lead, &refused(report));

    out += &part("certificates", "Certificates", "", &certificates(report));
    out += &part(
        "record",
        "The record",
        "",
        &(heights(report) + &keys(report)),
    );
    out
}

fn part(id: &str, title: &str, lead: &str, body: &str) -> String {
    section(Section {
        id,
        title,
        lead,
        body,
    })
}

fn optional(id: &str, title: &str, lead: &str, body: &str) -> String {
    if body.is_empty() {
        String::new()
    } else {
        part(id, title, lead, body)
    }
}

fn drones(report: &DemoReport) -> String {
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

fn drone_row(report: &DemoReport, index: usize, agent: &Agent) -> Vec<String> {
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
        format!("{name} {}", badges(agent)),
        awards.len().to_string(),
        agent.tasks_done.to_string(),
        lost.to_string(),
        kilometres(agent),
        chips(&awards),
    ]
}

/// Returns the completed tasks among `awards`, in the order in which they were completed.
fn chips(awards: &[(&Task, &Assignment)]) -> String {
    let mut done: Vec<_> = awards
        .iter()
        .filter(|(_, award)| award.ended == Ended::Completed)
        .collect();
    done.sort_by_key(|(task, award)| (award.ended_at_ms, &task.id));

    let mut out = String::from("<div class=\"chips\">");
    for (task, award) in done {
        let again = if award.token > 1 { " again" } else { "" };
        out += &format!("<span class=\"chip{again}\">{}</span> ", escape(&task.id));
    }

    out + "</div>"
}

/// Returns an agent's name behind a mark in its colour.
pub(super) fn named(report: &DemoReport, name: &str, index: Option<usize>) -> String {
    let index = index.or_else(|| report.agent_index(name));
    format!(
        "<span class=\"who {}\"><i></i>{}</span>",
        colour(index),
        escape(name)
    )
}

fn reassigned(report: &DemoReport) -> String {
    let moved: Vec<&Task> = report
        .tasks
        .iter()
        .filter(|task| task.was_reassigned())
        .collect();
    if moved.is_empty() {
        return String::new();
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
    table(&columns, &rows)
}

/// Returns a row for each award of a task. Only the first one names the task.
fn award_rows(report: &DemoReport, task: &Task) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut id = format!("<b>{}</b>", escape(&task.id));
    let mut requires = requires(task);

    for award in &task.assignments {
        rows.push(vec![
            std::mem::take(&mut id),
            std::mem::take(&mut requires),
            named(report, &award.agent, None),
            award.token.to_string(),
            seconds(award.at_ms),
            ended(award),
            award.ended_at_ms.map(seconds).unwrap_or_default(),
        ]);
    }

    rows
}

fn requires(task: &Task) -> String {
    escape(&task.requires.join(", ")).to_string()
}

fn ended(award: &Assignment) -> String {
    let name = award.ended.name();
    format!("<span class=\"ended {name}\">{name}</span>")
}

fn refused(report: &DemoReport) -> String {
    if report.refusals.is_empty() {
        return String::new();
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
    if rows.len() > LONG {
        folded(&count(rows.len(), "refusal"), &all)
    } else {
        all
    }
}

fn refusal_row(report: &DemoReport, refusal: &Refusal) -> Vec<String> {
    let reason = format!(
        "<code>{}</code><br>{}",
        escape(&refusal.name),
        escape(&refusal.text)
    );

    vec![
        named(report, &refusal.agent, None),
        escape(&refusal.task).to_string(),
        seconds(refusal.at_ms),
        refusal.code.to_string(),
        reason,
        refusal.certificate.as_deref().map(file).unwrap_or_default(),
    ]
}

pub(super) fn file(name: &str) -> String {
    format!("<code class=\"file\">{}</code>", escape(name))
}

fn certificates(report: &DemoReport) -> String {
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

    format!(
        "<p>Each award has a certificate that anyone can check, on any computer without a network, \
         in a copy of this folder:</p>\n<pre><code>{}</code></pre>\n<p>Take the trust root from \
         somebody you trust, not from this folder, and compare its fingerprint: \
         <code>{}</code></p>\n{}",
        escape(&report.verify_command()),
        escape(&report.fingerprint),
        folded(&count(rows.len(), "award"), &table(&columns, &rows)),
    )
}

fn certificate_row(report: &DemoReport, task: &Task, award: &Assignment) -> Vec<String> {
    vec![
        escape(&task.id).to_string(),
        award.token.to_string(),
        named(report, &award.agent, None),
        award.price.to_string(),
        award.height.to_string(),
        ended(award),
        file(&award.certificate),
    ]
}

/// Folds a long table: it opens on demand, and in print.
pub(super) fn folded(summary: &str, body: &str) -> String {
    format!("<details><summary>{summary}</summary>\n{body}</details>\n")
}

fn heights(report: &DemoReport) -> String {
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

fn height_row(height: &Height) -> Vec<String> {
    let round = match height.round {
        0 => "0".to_owned(),
        round => format!("<b class=\"late\">{round}</b>"),
    };

    vec![
        height.height.to_string(),
        round,
        seconds(height.time_ms),
        escape(&height.builder).to_string(),
        height.operations.to_string(),
        height.outcomes.to_string(),
    ]
}

fn keys(report: &DemoReport) -> String {
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

fn key_row(role: &str, name: &str, key: &str) -> Vec<String> {
    vec![escape(name).to_string(), role.to_owned(), file(key)]
}
