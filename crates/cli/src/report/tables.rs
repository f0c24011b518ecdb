//! The run as tables: agents, tasks that changed hands, refused bids, certificates, heights, keys.

use super::html::{Section, colour, count, escape, numbers, seconds, section, table, words};
use super::map::{badges, kilometres};
use super::{Agent, Assignment, Ended, Report, Task};

/// A table of refusals with more rows than this is folded.
const LONG: usize = 60;

/// Returns every table that has something to show.
pub(super) fn sections(report: &Report) -> String {
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

fn drones(report: &Report) -> String {
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

fn drone_row(report: &Report, index: usize, agent: &Agent) -> Vec<String> {
    let awards: Vec<(&Task, &Assignment)> = report
        .awards()
        .filter(|(_, award)| award.agent == agent.name)
        .collect();

    let lost = awards
        .iter()
        .filter(|(_, award)| !matches!(award.ended, Ended::Completed | Ended::Held))
        .count();

    let mut done: Vec<_> = awards
        .iter()
        .filter(|(_, award)| award.ended == Ended::Completed)
        .collect();
    done.sort_by_key(|(task, award)| (award.ended_at_ms, &task.id));

    let chips: String = done
        .iter()
        .map(|(task, award)| {
            let again = if award.token > 1 { " again" } else { "" };
            format!("<span class=\"chip{again}\">{}</span> ", escape(&task.id))
        })
        .collect();

    vec![
        format!(
            "{} {}",
            named(report, &agent.name, Some(index)),
            badges(agent)
        ),
        awards.len().to_string(),
        agent.tasks_done.to_string(),
        lost.to_string(),
        kilometres(agent),
        format!("<div class=\"chips\">{chips}</div>"),
    ]
}

/// Returns an agent's name behind a mark in its colour.
pub(super) fn named(report: &Report, name: &str, index: Option<usize>) -> String {
    let index = index.or_else(|| report.agent_index(name));
    format!(
        "<span class=\"who {}\"><i></i>{}</span>",
        colour(index),
        escape(name)
    )
}

fn reassigned(report: &Report) -> String {
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

    let mut rows = Vec::new();
    for task in moved {
        for (number, award) in task.assignments.iter().enumerate() {
            let (id, requires) = match number {
                0 => (format!("<b>{}</b>", escape(&task.id)), requires(task)),
                _ => (String::new(), String::new()),
            };
            rows.push(vec![
                id,
                requires,
                named(report, &award.agent, None),
                award.token.to_string(),
                seconds(award.at_ms),
                ended(award),
                award.ended_at_ms.map(seconds).unwrap_or_default(),
            ]);
        }
    }

    table(&columns, &rows)
}

fn requires(task: &Task) -> String {
    escape(&task.requires.join(", ")).to_string()
}

fn ended(award: &Assignment) -> String {
    let name = award.ended.name();
    format!("<span class=\"ended {name}\">{name}</span>")
}

fn refused(report: &Report) -> String {
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

    let rows: Vec<_> = report
        .refusals
        .iter()
        .map(|refusal| {
            vec![
                named(report, &refusal.agent, None),
                escape(&refusal.task).to_string(),
                seconds(refusal.at_ms),
                refusal.code.to_string(),
                format!(
                    "<code>{}</code><br>{}",
                    escape(&refusal.name),
                    escape(&refusal.text)
                ),
                refusal.certificate.as_deref().map(file).unwrap_or_default(),
            ]
        })
        .collect();

    let all = table(&columns, &rows);
    if rows.len() > LONG {
        folded(&count(rows.len(), "refusal"), &all)
    } else {
        all
    }
}

pub(super) fn file(name: &str) -> String {
    format!("<code class=\"file\">{}</code>", escape(name))
}

fn certificates(report: &Report) -> String {
    let columns = [
        words("Task"),
        numbers("Token"),
        words("Agent"),
        numbers("Price"),
        numbers("Height"),
        words("Ended"),
        words("File"),
    ];

    let rows: Vec<_> = report
        .awards()
        .map(|(task, award)| {
            vec![
                escape(&task.id).to_string(),
                award.token.to_string(),
                named(report, &award.agent, None),
                award.price.to_string(),
                award.height.to_string(),
                ended(award),
                file(&award.certificate),
            ]
        })
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

/// Folds a long table: it opens on demand, and in print.
pub(super) fn folded(summary: &str, body: &str) -> String {
    format!("<details><summary>{summary}</summary>\n{body}</details>\n")
}

fn heights(report: &Report) -> String {
    let columns = [
        numbers("Height"),
        numbers("Round"),
        numbers("Decided"),
        words("Builder"),
        numbers("Operations"),
        numbers("Outcomes"),
    ];

    let rows: Vec<_> = report
        .heights
        .iter()
        .map(|height| {
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
        })
        .collect();

    folded(&count(rows.len(), "height"), &table(&columns, &rows))
}

fn keys(report: &Report) -> String {
    let row = |role: &str, name: &str, key: &str| {
        vec![escape(name).to_string(), role.to_owned(), file(key)]
    };

    let validators = report
        .validators
        .iter()
        .map(|v| row("validator", &v.name, &v.key));
    let drones = report
        .agents
        .iter()
        .map(|agent| row(report.noun(), &agent.name, &agent.key));
    let rows: Vec<_> = validators.chain(drones).collect();

    let columns = [words("Name"), words("Role"), words("Public key")];
    folded(&count(rows.len(), "public key"), &table(&columns, &rows))
}
