//! The events of `quorate propose`, in words or as JSON.

use std::fmt;

use quorate_types::{Label, OperationId, PublicKey, Reason, TaskId};
use serde::Serialize;

use super::search::{Findings, Worth};

/// An event of `quorate propose`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum SolveEvent {
    /// The swarm knows the key, so it takes proposals from now on.
    Ready {
        /// The key that proposes.
        agent: PublicKey,
        /// The markets whose windows are searched.
        markets: Vec<Label>,
    },
    /// A window was searched, or it was missed.
    Window {
        /// The market of the window.
        market: Label,
        /// The number of the window.
        window: u64,
        /// The outcome for the window.
        outcome: WindowResult,
        /// The reason why a better solution was not proposed.
        explanation: Option<String>,
        /// The results of the search; `None` if the window was missed.
        #[serde(flatten)]
        findings: Option<Findings>,
    },
    /// The swarm refused a proposal.
    Refused {
        /// The operation with the proposal.
        operation: OperationId,
        /// The pairs that do not hold, or one item about the whole proposal.
        items: Vec<Item>,
    },
}

/// The outcome for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WindowResult {
    /// A solution was sent.
    Proposed,
    /// The search found nothing that is better than what there is.
    NotBetter,
    /// No validator had the bids any more.
    Missed,
    /// A better solution does not fit into an operation.
    TooLong,
}

/// One fault of a proposal.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    /// The task of the pair; `None` if the item is about the whole proposal.
    task: Option<String>,
    /// Name of the reason code.
    reason: &'static str,
    /// The reason in words.
    explanation: &'static str,
}

impl Item {
    /// Makes an item of one entry in a refusal.
    pub(super) fn new(task: Option<TaskId>, reason: Reason) -> Self {
        let task = task.map(|task| task.to_string());
        Self {
            task,
            reason: reason.name(),
            explanation: reason.text(),
        }
    }
}

impl fmt::Display for SolveEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { agent, markets } => {
                let names: Vec<_> = markets.iter().map(Label::as_str).collect();
                write!(f, "ready      agent {agent}, markets {}", names.join(", "))
            }

            Self::Window {
                market,
                window,
                outcome,
                explanation,
                findings,
            } => {
                write!(f, "{:<11}{market}, window {window}: ", outcome.word())?;
                match findings {
                    Some(findings) => write!(f, "{findings}")?,
                    None => write!(f, "no validator has its bids, so it is over")?,
                }

                let why = |text: &String| write!(f, ": {text}");
                explanation.as_ref().map_or(Ok(()), why)
            }
            Self::Refused { operation, items } => {
                write!(f, "refused    operation {}", operation.short())?;
                items.iter().try_for_each(|item| match &item.task {
                    Some(task) => write!(f, "\n{:11}task {task}: {}", "", item.explanation),
                    None => write!(f, ": {}", item.explanation),
                })
            }
        }
    }
}

impl WindowResult {
    fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::NotBetter => "looked",
            Self::Missed => "missed",
            Self::TooLong => "too long",
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tasks,
            bidders,
            bids,
            baseline,
            found,
            ..
        } = self;
        write!(
            f,
            "{tasks} tasks, {bidders} bidders, {bids} bids; baseline {baseline}"
        )?;

        if let Some(kept) = &self.best_kept {
            write!(f, ", best of {} kept {kept}", self.kept)?;
        }

        write!(f, ", this search {found}")?;

        match (self.optimal, &self.proposal) {
            (true, Some(_)) => write!(f, ", the best there is"),
            (true, None) => write!(f, ", and nothing is better than what there is"),
            (false, _) => Ok(()),
        }
    }
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.tasks, self.total)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn window(proposal: bool, optimal: bool) -> SolveEvent {
        let worth = |tasks, total| Worth { tasks, total };
        let outcome = if proposal {
            WindowResult::Proposed
        } else {
            WindowResult::NotBetter
        };
        let findings = Findings {
            tasks: 12,
            bidders: 3,
            bids: 36,
            kept: 2,
            baseline: worth(10, 90),
            best_kept: Some(worth(10, 88)),
            found: worth(11, 99),
            steps: 7,
            optimal,
            proposal: proposal.then(Vec::new),
        };
        let (market, findings) = ("grid".parse().unwrap(), Some(findings));
        SolveEvent::Window {
            market,
            window: 4,
            outcome,
            explanation: None,
            findings,
        }
    }

    #[test]
    fn a_window_is_a_line() {
        let facts = "grid, window 4: 12 tasks, 3 bidders, 36 bids; baseline 10 for 90, best of 2 \
                     kept 10 for 88, this search 11 for 99";
        for (proposal, optimal, expected) in [
            (true, false, format!("proposed   {facts}")),
            (true, true, format!("proposed   {facts}, the best there is")),
            (false, false, format!("looked     {facts}")),
            (
                false,
                true,
                format!("looked     {facts}, and nothing is better than what there is"),
            ),
        ] {
            assert_eq!(window(proposal, optimal).to_string(), expected);
        }
        let (market, explanation) = ("grid".parse().unwrap(), None);
        let outcome = WindowResult::Missed;
        let missed = SolveEvent::Window {
            market,
            window: 5,
            outcome,
            explanation,
            findings: None,
        };
        let expected = "missed     grid, window 5: no validator has its bids, so it is over";
        assert_eq!(missed.to_string(), expected);
    }

    #[test]
    fn json_has_the_documented_keys() {
        let keys = |progress: &SolveEvent| -> Vec<String> {
            let value = serde_json::to_value(progress).unwrap();
            value.as_object().unwrap().keys().cloned().collect()
        };
        let documented = "baseline best_kept bidders bids event explanation found kept market \
                          optimal outcome steps tasks window";
        assert_eq!(keys(&window(true, false)).join(" "), documented);
        let item = |task, reason| Item::new(task, reason);
        let task = TaskId {
            requester: PublicKey([1; 32]),
            number: 7,
        };
        let items = vec![
            item(None, Reason::NotBetter),
            item(Some(task), Reason::NoBid),
        ];
        let refused = SolveEvent::Refused {
            operation: OperationId([0; 32]),
            items,
        };
        let value = serde_json::to_value(&refused).unwrap();
        assert_eq!(value["items"][0]["task"], Value::Null);
        assert_eq!(value["items"][1]["reason"], json!(Reason::NoBid.name()));
        assert!(
            refused.to_string().starts_with("refused    operation 00"),
            "{refused}"
        );
    }
}
