//! The requester's handles of the tasks that it submitted.

use quorate_certificate::VerifiedCertificate;
use quorate_types::TaskId;
use tokio::sync::watch;

/// A submitted task. Dropping it does not cancel the task. Each clone follows the task on its own.
#[derive(Debug, Clone)]
pub struct TaskHandle {
    task: TaskId,
    progress: watch::Receiver<TaskProgress>,
    /// The number of events that [`Self::next`] returned.
    seen: usize,
}

/// Something that happened to a task, proved by a verified certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEvent {
    /// The task was assigned to an agent, which the certificate names.
    Awarded(VerifiedCertificate),
    /// The assignee accepted the task.
    Accepted(VerifiedCertificate),
    /// The assignee declined, failed or went silent. The task goes to market again while it has
    /// attempts left.
    Returned(VerifiedCertificate),
    /// The task is done.
    Completed(Receipt),
    /// The task ended without completion.
    Failed(TaskFailure),
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

/// The events of a task so far, in the order in which the node learned them.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskProgress {
    events: Vec<TaskEvent>,
}

impl TaskProgress {
    /// Notes an event. Each one comes once.
    pub(crate) fn note(&mut self, event: TaskEvent) {
        self.events.push(event);
    }

    fn award(&self) -> Option<&VerifiedCertificate> {
        self.events.iter().rev().find_map(|event| match event {
            TaskEvent::Awarded(certificate) => Some(certificate),
            _ => None,
        })
    }

    fn receipt(&self) -> Option<&Receipt> {
        self.events.iter().find_map(|event| match event {
            TaskEvent::Completed(receipt) => Some(receipt),
            _ => None,
        })
    }

    fn failure(&self) -> Option<&TaskFailure> {
        self.events.iter().find_map(|event| match event {
            TaskEvent::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}

impl TaskHandle {
    pub(crate) fn new(task: TaskId, progress: watch::Receiver<TaskProgress>) -> Self {
        Self {
            task,
            progress,
            seen: 0,
        }
    }

    /// Returns the name of the task.
    pub fn id(&self) -> TaskId {
        self.task
    }

    /// Waits for the next event of the task, from its submission on; none is left out. Returns
    /// `None` when the node was stopped. Certificates may arrive out of order, so an award may
    /// still follow the completion, but normally the end of the task is the last event.
    pub async fn next(&mut self) -> Option<TaskEvent> {
        let seen = self.seen;
        let reached = self.progress.wait_for(|of| of.events.len() > seen).await;
        let event = reached.ok()?.events.get(seen)?.clone();

        self.seen += 1;
        Some(event)
    }

    /// Waits for an assignment and returns its certificate. A later assignment, under a higher
    /// fencing token, replaces it; call this again to get that one, or follow the task by
    /// [`Self::next`].
    ///
    /// # Errors
    /// [`TaskFailure`] if the task ended unassigned, or the node was stopped.
    pub async fn awarded(&self) -> Result<VerifiedCertificate, TaskFailure> {
        self.wait(|progress| progress.award().cloned()).await
    }

    /// Waits until the task is completed.
    ///
    /// # Errors
    /// [`TaskFailure`] if the task ended without completion, or the node was stopped.
    pub async fn completed(&self) -> Result<Receipt, TaskFailure> {
        self.wait(|progress| progress.receipt().cloned()).await
    }

    /// Waits until `find` returns something, or the task ended without completion.
    async fn wait<T>(&self, find: impl Fn(&TaskProgress) -> Option<T>) -> Result<T, TaskFailure> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|of| find(of).is_some() || of.failure().is_some());
        let reached = reached.await.map_err(|_| TaskFailure::Stopped)?;

        // If the state was reached, a failure after it does not matter.
        let failure = || reached.failure().cloned().unwrap_or(TaskFailure::Stopped);
        find(&reached).ok_or_else(failure)
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::PublicKey;

    use super::*;

    fn handle() -> (watch::Sender<TaskProgress>, TaskHandle) {
        let (sender, receiver) = watch::channel(TaskProgress::default());
        let task = TaskId {
            requester: PublicKey([1; 32]),
            number: 0,
        };
        (sender, TaskHandle::new(task, receiver))
    }

    fn events(task: TaskId) -> [TaskEvent; 3] {
        let certificate = quorate_certificate::example().unwrap();
        let receipt = Receipt {
            task,
            detail: vec![1],
            certificate: certificate.clone(),
        };
        [
            TaskEvent::Awarded(certificate.clone()),
            TaskEvent::Returned(certificate),
            TaskEvent::Completed(receipt),
        ]
    }

    #[tokio::test]
    async fn each_handle_gets_every_event_in_order_and_the_stop_of_the_node() {
        let (sender, mut early) = handle();
        let mut late = early.clone();
        let events = events(early.id());

        for event in &events {
            sender.send_modify(|progress| progress.note(event.clone()));
            assert_eq!(early.next().await.as_ref(), Some(event));
        }
        drop(sender);
        for event in &events {
            assert_eq!(late.next().await.as_ref(), Some(event));
        }
        assert_eq!(early.next().await, None);
        assert!(late.awarded().await.is_ok() && late.completed().await.is_ok());
    }

    #[tokio::test]
    async fn a_failure_ends_the_wait_unless_the_state_was_reached() {
        let (sender, handle) = handle();
        let [award, _, _] = events(handle.id());
        let failure = TaskFailure::Ended {
            task: handle.id(),
            reason: "canceled",
        };
        sender.send_modify(|progress| progress.note(award));
        sender.send_modify(|progress| progress.note(TaskEvent::Failed(failure.clone())));
        assert!(handle.awarded().await.is_ok());
        assert_eq!(handle.completed().await, Err(failure));
    }

    #[tokio::test]
    async fn a_stopped_node_is_not_a_failure_of_the_task() {
        let (sender, handle) = handle();
        drop(sender);
        assert_eq!(handle.awarded().await, Err(TaskFailure::Stopped));
    }
}
