//! The events of a submission, in words or as JSON.

use std::fmt;
use std::path::PathBuf;

use quorate_types::{FencingToken, Hash, Price, PublicKey};
use serde::Serialize;

/// An event of a submission.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum SubmitEvent {
    /// A task is on its way to the swarm.
    Submitted {
        /// The task that was submitted.
        task: String,
    },
    /// A task was assigned to an agent.
    Awarded {
        /// The task that was assigned.
        task: String,
        /// The agent that has it.
        agent: PublicKey,
        /// The price that the agent is paid.
        price: Price,
        /// Fencing token of the assignment.
        token: FencingToken,
        /// Path of the stored certificate.
        certificate: PathBuf,
    },
    /// The validators were asked for the dossier of an auction, for `quorate audit replay`.
    Dossier {
        /// Hash of the clearing's record.
        clearing: Hash,
        /// Path of the stored dossier; `None` if no validator has it any more.
        dossier: Option<PathBuf>,
    },
    /// A task is done.
    Completed {
        /// The task that is done.
        task: String,
        /// The agent's report; `None` if it is not valid UTF-8.
        detail: Option<String>,
        /// The agent's report in hexadecimal digits.
        detail_hex: String,
        /// Path of the stored certificate.
        certificate: PathBuf,
    },
    /// A task ended without being done.
    Failed {
        /// The task that ended.
        task: String,
        /// The reason why it ended.
        reason: String,
    },
    /// The swarm refused an operation of this requester, or a part of it.
    Refused {
        /// Name of the reason code.
        reason: &'static str,
        /// The reason in words.
        explanation: &'static str,
    },
    /// Time ran out before all tasks had ended.
    TimedOut {
        /// The number of tasks that have not ended.
        unfinished: usize,
        /// A hint at which step the submission is stuck.
        hint: String,
    },
}

impl fmt::Display for SubmitEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted { task } => write!(f, "submitted  task {task}"),

            Self::Awarded {
                task,
                agent,
                price,
                token,
                certificate,
            } => write!(
                f,
                "awarded    task {task} to agent {agent} for {price}, fencing token {token}\n\
                 {:11}{}",
                "",
                certificate.display()
            ),

            Self::Dossier {
                clearing,
                dossier: Some(path),
            } => {
                write!(
                    f,
                    "auctioned  in clearing {}\n{:11}{}",
                    clearing.short(),
                    "",
                    path.display()
                )
            }

            Self::Dossier {
                clearing,
                dossier: None,
            } => {
                write!(
                    f,
                    "auctioned  in clearing {}, whose dossier no validator has",
                    clearing.short()
                )
            }

            Self::Completed {
                task,
                detail,
                detail_hex,
                certificate,
            } => write!(
                f,
                "completed  task {task}: {}\n{:11}{}",
                detail.as_deref().unwrap_or(detail_hex).escape_debug(),
                "",
                certificate.display()
            ),

            Self::Failed { task, reason } => write!(f, "failed     task {task}: {reason}"),
            Self::Refused {
                reason,
                explanation,
            } => {
                write!(f, "refused    {reason}: {explanation}")
            }

            Self::TimedOut { unfinished, hint } => {
                write!(f, "timed out  with {unfinished} tasks unfinished: {hint}")
            }
        }
    }
}
