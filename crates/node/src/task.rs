//! What a requester holds of a task it submitted.

use quorate_certificate::Certificate;
use quorate_types::{FencingToken, PublicKey, TaskId};
use tokio::sync::watch;

/// A submitted task. Dropping it does not cancel the task.
#[derive(Debug, Clone)]
pub struct TaskHandle {
    pub(crate) task: TaskId,
    pub(crate) progress: watch::Receiver<Progress>,
}

/// That a task is done, by the word of its assignee and the certificate of the committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Task.
    pub task: TaskId,
    /// What the assignee reported, opaque to the swarm.
    pub detail: Vec<u8>,
    /// The certificate in canonical CBOR.
    pub certificate: Vec<u8>,
}

/// Why a task did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailure {
    /// It ended undone: cancelled, expired, or out of attempts.
    #[error("task {task:?} ended undone: {reason}")]
    Ended {
        /// Task.
        task: TaskId,
        /// Name of the reason code, or `canceled`.
        reason: &'static str,
    },
    /// The node was stopped before.
    #[error("the node was stopped")]
    Stopped,
}

/// How far a task has come, by verified certificates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) awarded: Option<(FencingToken, PublicKey, Vec<u8>)>,
    pub(crate) completed: Option<Receipt>,
    pub(crate) failed: Option<&'static str>,
}

impl TaskHandle {
    /// Its name.
    pub fn id(&self) -> TaskId {
        self.task
    }

    /// Waits for an assignment; the certificate was verified. A later assignment, under a higher
    /// fencing token, replaces it: ask again.
    ///
    /// # Errors
    /// [`TaskFailure`] where the task ended without.
    pub async fn awarded(&self) -> Result<Certificate, TaskFailure> {
        let progress = self.wait(|progress| progress.awarded.is_some()).await?;
        let decoded = progress
            .awarded
            .and_then(|(_, _, bytes)| Certificate::decode(&bytes).ok());
        decoded.ok_or(TaskFailure::Stopped)
    }

    /// Waits until the task is done.
    ///
    /// # Errors
    /// [`TaskFailure`] where it ended undone.
    pub async fn completed(&self) -> Result<Receipt, TaskFailure> {
        let progress = self.wait(|progress| progress.completed.is_some()).await?;
        progress.completed.ok_or(TaskFailure::Stopped)
    }

    async fn wait(&self, done: impl Fn(&Progress) -> bool) -> Result<Progress, TaskFailure> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| done(progress) || progress.failed.is_some());
        let found = reached.await.map_err(|_| TaskFailure::Stopped)?.clone();
        match found.failed {
            Some(reason) if !done(&found) => Err(TaskFailure::Ended {
                task: self.task,
                reason,
            }),
            _ => Ok(found),
        }
    }
}
