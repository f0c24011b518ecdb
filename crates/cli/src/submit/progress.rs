//! What happens to tasks, in words or as JSON.

use std::fmt;
use std::path::PathBuf;

use quorate_types::{FencingToken, Hash, Price, PublicKey};
use serde::Serialize;

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Progress {
    /// The tasks are on their way.
    Submitted {
        /// Task.
        task: String,
    },
    /// An agent has the task.
    Awarded {
        /// Task.
        task: String,
        /// Assignee.
        agent: PublicKey,
        /// What it is to be paid.
        price: Price,
        /// Fencing token of the assignment.
        token: FencingToken,
        /// Where the certificate is kept.
        certificate: PathBuf,
    },
    /// All that an auction followed from is kept, for `quorate audit replay`.
    Dossier {
        /// Hash of the clearing's record.
        clearing: Hash,
        /// Where it is kept; `None` where no validator has it any more.
        dossier: Option<PathBuf>,
    },
    /// The task is done.
    Completed {
        /// Task.
        task: String,
        /// What the agent reported; `None` where it is no text.
        detail: Option<String>,
        /// The same in hexadecimal digits.
        detail_hex: String,
        /// Where the certificate is kept.
        certificate: PathBuf,
    },
    /// The task ended undone.
    Failed {
        /// Task.
        task: String,
        /// Why.
        reason: String,
    },
    /// The swarm refused something this requester did.
    Refused {
        /// Name of the reason code.
        reason: &'static str,
        /// The reason in words.
        explanation: &'static str,
    },
    /// Time ran out.
    TimedOut {
        /// Tasks that have not ended.
        unfinished: usize,
        /// How far it had come.
        hint: String,
    },
}

impl fmt::Display for Progress {
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
                    "auctioned  in clearing {}, whose dossier nobody has",
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
