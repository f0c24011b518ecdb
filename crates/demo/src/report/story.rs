//! The story of a run: a dozen sentences on what happened, ordered by time.

use std::collections::{BTreeMap, BTreeSet};

use super::html::{count, escape, seconds};
use super::{Agent, Assignment, DemoReport, Ended, Refusal, Summary};

/// An event, and when it began. `kind` is its class in `style.css`; `text` is markup.
struct StoryLine {
    at_ms: u64,
    kind: &'static str,
    text: String,
}

/// Returns the list of events as markup.
pub(super) fn list(report: &DemoReport) -> String {
    let mut events: Vec<StoryLine> = first_awards(report).into_iter().collect();
    events.extend(validator_kills(report));
    events.extend(drone_kills(report));
    events.extend(lost_leases(report));
    events.extend(repeated_awards(report));
    events.extend(refusals(report));
    events.extend(later_rounds(report));
    events.extend(last_completion(report));
    events.push(audit(report));
    events.sort_by_key(|event| event.at_ms);

    let mut out = String::from("<ol class=\"story\">\n");
    for StoryLine { at_ms, kind, text } in events {
        out += &format!(
            "<li class=\"{kind}\"><time>{}</time><p>{text}</p></li>\n",
            seconds(at_ms)
        );
    }

    out + "</ol>\n"
}

fn first_awards(report: &DemoReport) -> Option<StoryLine> {
    let first = report
        .awards()
        .map(|(_, award)| award)
        .min_by_key(|award| award.at_ms)?;
    let together = report
        .awards()
        .filter(|(_, award)| award.height == first.height)
        .count();

    Some(StoryLine {
        at_ms: first.at_ms,
        kind: "good",
        text: format!(
            "The first awards: {} at height {}.",
            count(together, "task"),
            first.height
        ),
    })
}

fn validator_kills(report: &DemoReport) -> impl Iterator<Item = StoryLine> {
    report.validators.iter().filter_map(|validator| {
        let at_ms = validator.killed_at_ms?;
        let after = report
            .heights
            .iter()
            .filter(|height| height.time_ms > at_ms)
            .count();

        Some(StoryLine {
            at_ms,
            kind: "loss",
            text: format!(
                "<b>{}</b> is killed. The other validators decide {}.",
                escape(&validator.name),
                count(after, "more height"),
            ),
        })
    })
}

fn drone_kills(report: &DemoReport) -> impl Iterator<Item = StoryLine> {
    report.agents.iter().filter_map(|agent: &Agent| {
        let at_ms = agent.killed_at_ms?;
        let held = report
            .awards()
            .filter(|(_, award)| award.agent == agent.name && award.at_ms <= at_ms)
            .filter(|(_, award)| award.ended_at_ms.is_none_or(|end| end > at_ms))
            .count();

        Some(StoryLine {
            at_ms,
            kind: "loss",
            text: format!(
                "<b>{}</b> is killed in flight, holding {}.",
                escape(&agent.name),
                count(held, "task"),
            ),
        })
    })
}

/// Returns one event for each agent and each way in which it lost leases.
fn lost_leases(report: &DemoReport) -> impl Iterator<Item = StoryLine> {
    let mut lost: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    for (_, award) in report.awards() {
        if matches!(award.ended, Ended::Lapsed | Ended::Failed | Ended::Declined) {
            let times = lost.entry((&award.agent, award.ended.name())).or_default();
            times.push(award.ended_at_ms.unwrap_or(award.at_ms));
        }
    }

    lost.into_iter().map(|((agent, how), times)| StoryLine {
        at_ms: times.iter().copied().min().unwrap_or(0),
        kind: "warn",
        text: format!(
            "{} of <b>{}</b> {how}.",
            count(times.len(), "lease"),
            escape(agent)
        ),
    })
}

fn repeated_awards(report: &DemoReport) -> Option<StoryLine> {
    let awards = report.awards().map(|(_, award)| award);
    let again: Vec<&Assignment> = awards.filter(|award| award.token > 1).collect();
    let agents: BTreeSet<&str> = again.iter().map(|award| award.agent.as_str()).collect();
    let names: Vec<String> = agents.into_iter().map(bold).collect();

    Some(StoryLine {
        at_ms: again.iter().map(|award| award.at_ms).min()?,
        kind: "good",
        text: format!(
            "{} awarded again, under a higher fencing token, to {}.",
            count(again.len(), "task"),
            names.join(", "),
        ),
    })
}

fn bold(name: &str) -> String {
    format!("<b>{}</b>", escape(name))
}

/// Returns one event for each agent and each reason of its refusals.
fn refusals(report: &DemoReport) -> impl Iterator<Item = StoryLine> {
    let mut groups: BTreeMap<(&str, u16), Vec<&Refusal>> = BTreeMap::new();
    for refusal in &report.refusals {
        groups
            .entry((&refusal.agent, refusal.code))
            .or_default()
            .push(refusal);
    }

    groups.into_iter().filter_map(|((agent, code), group)| {
        let first = group.first()?;
        Some(StoryLine {
            at_ms: first.at_ms,
            kind: "warn",
            text: format!(
                "{} of <b>{}</b> refused: {} <code>{code} {}</code>",
                count(group.len(), "bid"),
                escape(agent),
                escape(&first.text),
                escape(&first.name),
            ),
        })
    })
}

fn later_rounds(report: &DemoReport) -> Option<StoryLine> {
    let late: Vec<_> = report
        .heights
        .iter()
        .filter(|height| height.round > 0)
        .collect();
    let first = late.first()?;
    let highest = late.iter().map(|height| height.round).max()?;

    Some(StoryLine {
        at_ms: first.time_ms,
        kind: "warn",
        text: format!(
            "{} took a later round than the first, up to round {highest}: a proposer was absent or \
             late, and the next one took over.",
            count(late.len(), "height"),
        ),
    })
}

fn last_completion(report: &DemoReport) -> Option<StoryLine> {
    let completed = |award: &&Assignment| award.ended == Ended::Completed;
    let ends = report.awards().map(|(_, award)| award).filter(completed);

    Some(StoryLine {
        at_ms: ends.filter_map(|award| award.ended_at_ms).max()?,
        kind: "good",
        text: format!(
            "The last completion: {} of {} done.",
            report.summary.completed,
            count(
                usize::try_from(report.summary.tasks).unwrap_or(usize::MAX),
                "task"
            ),
        ),
    })
}

fn audit(report: &DemoReport) -> StoryLine {
    let Summary {
        certificates,
        certificates_verified: verified,
        ..
    } = report.summary;
    // A run without certificates has proved nothing.
    let all = verified == certificates && certificates > 0;

    StoryLine {
        at_ms: report.duration_ms,
        kind: if all { "good" } else { "loss" },
        text: if all {
            format!(
                "The auditor's code verified all {certificates} certificates, with nothing but \
                 the trust root."
            )
        } else {
            format!("The auditor's code verified only {verified} of {certificates} certificates.")
        },
    }
}
