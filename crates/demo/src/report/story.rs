//! The story of a run: a dozen sentences on what happened, ordered by time.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::html::{count, seconds};
use super::{Agent, Assignment, DemoReport, Ended, Refusal, Summary};

/// An event, and when it began. `kind` is its class in `style.css`.
struct StoryLine {
    at_ms: u64,
    kind: &'static str,
    text: Markup,
}

/// Returns the list of events.
pub(super) fn list(report: &DemoReport) -> Markup {
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

    html! {
        ol class="story" {
            @for event in events {
                li class=(event.kind) {
                    time { (seconds(event.at_ms)) }
                    p { (event.text) }
                }
            }
        }
    }
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
        text: html! {
            "The first awards: " (count(together, "task")) " at height " (first.height) "."
        },
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
            text: html! {
                b { (validator.name) } " is killed. The other validators decide "
                (count(after, "more height")) "."
            },
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
            text: html! {
                b { (agent.name) } " is killed in flight, holding " (count(held, "task")) "."
            },
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
        text: html! {
            (count(times.len(), "lease")) " of " b { (agent) } " " (how) "."
        },
    })
}

fn repeated_awards(report: &DemoReport) -> Option<StoryLine> {
    let awards = report.awards().map(|(_, award)| award);
    let again: Vec<&Assignment> = awards.filter(|award| award.token > 1).collect();
    let agents: BTreeSet<&str> = again.iter().map(|award| award.agent.as_str()).collect();

    Some(StoryLine {
        at_ms: again.iter().map(|award| award.at_ms).min()?,
        kind: "good",
        text: html! {
            (count(again.len(), "task")) " awarded again, under a higher fencing token, to "
            @for (at, name) in agents.iter().enumerate() {
                @if at > 0 { ", " }
                b { (name) }
            }
            "."
        },
    })
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
            text: html! {
                (count(group.len(), "bid")) " of " b { (agent) } " refused: " (first.text) " "
                code { (code) " " (first.name) }
            },
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
        text: html! {
            (count(late.len(), "height"))
            " took a later round than the first, up to round " (highest)
            ": a proposer was absent or late, and the next one took over."
        },
    })
}

fn last_completion(report: &DemoReport) -> Option<StoryLine> {
    let completed = |award: &&Assignment| award.ended == Ended::Completed;
    let ends = report.awards().map(|(_, award)| award).filter(completed);

    let tasks = usize::try_from(report.summary.tasks).unwrap_or(usize::MAX);

    Some(StoryLine {
        at_ms: ends.filter_map(|award| award.ended_at_ms).max()?,
        kind: "good",
        text: html! {
            "The last completion: " (report.summary.completed) " of " (count(tasks, "task"))
            " done."
        },
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
        text: html! {
            "The auditor's code verified "
            @if all {
                "all " (certificates) " certificates, with nothing but the trust root."
            } @else {
                "only " (verified) " of " (certificates) " certificates."
            }
        },
    }
}
