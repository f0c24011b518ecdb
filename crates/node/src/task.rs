//! The requester's handles of the tasks that it submitted.

use quorate_certificate::VerifiedCertificate;
use quorate_types::TaskId;
use tokio::sync::watch;

/// A submitted task. Dropping it does not cancel the task.
#[derive(Debug, Clone)]
pub struct TaskHandle {
    pub(crate) task: TaskId,
    pub(crate) progress: watch::Receiver<TaskProgress>,
}

/// The proof that a task is done: the report of its assignee, with the committee's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The task that was completed.
    pub task: TaskId,
    /// The report of the assignee, opaque to the swarm.
    pub detail: Vec<u8>,
    /// The certificate of the completion.
    pub certificate: VerifiedCertificate,
}

/// The reason why a task was not completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailure {
    /// The task ended without completion: it was canceled, expired, or ran out of attempts.
    #[error("task {task:?} ended without completion: {reason}")]
    Ended {
        /// The task that ended.
        task: TaskId,
        /// The name of the reason code, or `canceled`.
        reason: &'static str,
    },
    /// The node was stopped before the task ended.
    #[error("the node was stopped")]
    Stopped,
}

/// The progress of a task, by verified certificates.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskProgress {
    pub(crate) awarded: Option<VerifiedCertificate>,
    pub(crate) completed: Option<Receipt>,
    pub(crate) failed: Option<&'static str>,
}

impl TaskHandle {
    /// Returns the name of the task.
    pub fn id(&self) -> TaskId {
        self.task
    }

    /// Waits for an assignment and returns its verified certificate. A later assignment, under a
    /// higher fencing token, replaces it; call this again to get that one.
    ///
    /// # Errors
    /// [`TaskFailure`] if the task ended unassigned, or the node was stopped.
    pub async fn awarded(&self) -> Result<VerifiedCertificate, TaskFailure> {
        let progress = self.wait(|progress| progress.awarded.is_some()).await?;
        progress.awarded.ok_or(TaskFailure::Stopped)
    }

    /// Waits until the task is completed.
    ///
    /// # Errors
    /// [`TaskFailure`] if the task ended without completion, or the node was stopped.
    pub async fn completed(&self) -> Result<Receipt, TaskFailure> {
        let progress = self.wait(|progress| progress.completed.is_some()).await?;
        progress.completed.ok_or(TaskFailure::Stopped)
    }

    async fn wait(
        &self,
        done: impl Fn(&TaskProgress) -> bool,
    ) -> Result<TaskProgress, TaskFailure> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| done(progress) || progress.failed.is_some());
        let found = reached.await.map_err(|_| TaskFailure::Stopped)?.clone();

        // If the state was reached, a failure after it does not matter.
        match found.failed {
            Some(reason) if !done(&found) => Err(TaskFailure::Ended {
                task: self.task,
                reason,
            }),
            _ => Ok(found),
        }
    }
}
