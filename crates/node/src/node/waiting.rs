//! The callers that wait for an answer: handles of tasks, and requests for dossiers and bids.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_agent::{ClientEvent, DossierBundle, StandingBids};
use quorate_types::{Hash, Label, TaskId};
use tokio::sync::{oneshot, watch};

use crate::task::{Receipt, TaskEvent, TaskFailure, TaskHandle, TaskProgress};

/// The channel for an answer, which is `None` if there is nothing to be had.
pub(super) type Caller<T> = oneshot::Sender<Option<Arc<T>>>;

/// The callers that wait, each for its answer.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tasks: BTreeMap<TaskId, watch::Sender<TaskProgress>>,
    /// The requests that wait for the dossier of a clearing.
    dossiers: BTreeMap<Hash, Vec<Caller<DossierBundle>>>,
    /// The requests that wait for the problem of a window.
    standing: BTreeMap<(Label, u64), Vec<Caller<StandingBids>>>,
}

impl Waiting {
    /// Makes a handle of a task, which is told of all that happens to the task from now on.
    pub(super) fn for_task(&mut self, task: TaskId) -> TaskHandle {
        let sender = self
            .tasks
            .entry(task)
            .or_insert_with(|| watch::channel(TaskProgress::default()).0);

        TaskHandle::new(task, sender.subscribe())
    }

    /// Has a caller wait for the dossier of a clearing.
    pub(super) fn for_dossier(&mut self, clearing: Hash, caller: Caller<DossierBundle>) {
        self.dossiers.entry(clearing).or_default().push(caller);
    }

    /// Has a caller wait for the problem of a window.
    pub(super) fn for_bids(&mut self, place: (Label, u64), caller: Caller<StandingBids>) {
        self.standing.entry(place).or_default().push(caller);
    }

    /// Tells those who wait for it what the client learned.
    pub(super) fn on_event(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Dossier { clearing, found } => {
                answer(self.dossiers.remove(clearing), found.as_ref());
            }

            ClientEvent::StandingBids {
                market,
                window,
                found,
            } => {
                let place = (market.clone(), *window);
                answer(self.standing.remove(&place), found.as_ref());
            }

            _ => self.on_progress(event),
        }
    }

    fn on_progress(&mut self, event: &ClientEvent) {
        let Some((task, happened)) = progress_of(event) else {
            return;
        };

        // A task that was submitted before a restart has no handle.
        let Some(sender) = self.tasks.get(&task) else {
            return;
        };

        // Nobody can ask for the events of a task whose handles are all gone.
        if sender.is_closed() {
            self.tasks.remove(&task);
        } else {
            sender.send_modify(|progress| progress.note(happened));
        }
    }
}

/// Returns what an event says of a task of this requester.
fn progress_of(event: &ClientEvent) -> Option<(TaskId, TaskEvent)> {
    Some(match event {
        ClientEvent::Awarded {
            task, certificate, ..
        } => (*task, TaskEvent::Awarded(certificate.clone())),

        ClientEvent::Accepted {
            task, certificate, ..
        } => (*task, TaskEvent::Accepted(certificate.clone())),

        ClientEvent::Returned {
            task, certificate, ..
        } => (*task, TaskEvent::Returned(certificate.clone())),

        ClientEvent::Completed {
            task,
            detail,
            certificate,
        } => {
            let receipt = Receipt {
                task: *task,
                detail: detail.clone(),
                certificate: certificate.clone(),
            };
            (*task, TaskEvent::Completed(receipt))
        }

        ClientEvent::Failed { task, reason, .. } => {
            let failure = TaskFailure::Ended {
                task: *task,
                reason: reason.map_or("canceled", |reason| reason.name()),
            };
            (*task, TaskEvent::Failed(failure))
        }

        _ => return None,
    })
}

/// Answers all requests that wait.
fn answer<T>(callers: Option<Vec<Caller<T>>>, found: Option<&Arc<T>>) {
    for caller in callers.into_iter().flatten() {
        // The caller may be gone.
        let _ = caller.send(found.cloned());
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::{PublicKey, Reason};

    use super::*;

    fn failed(task: TaskId) -> ClientEvent {
        ClientEvent::Failed {
            task,
            reason: Some(Reason::AttemptsUsedUp),
            certificate: quorate_certificate::example().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_task_tells_its_own_handles_and_is_forgotten_without_them() {
        let task = |number| TaskId {
            requester: PublicKey([1; 32]),
            number,
        };
        let mut waiting = Waiting::default();
        let mut one = waiting.for_task(task(1));
        drop(waiting.for_task(task(2)));
        for number in 1..=3 {
            waiting.on_event(&failed(task(number)));
        }

        assert_eq!(waiting.tasks.keys().collect::<Vec<_>>(), [&task(1)]);
        let failure = TaskFailure::Ended {
            task: task(1),
            reason: Reason::AttemptsUsedUp.name(),
        };
        assert_eq!(one.next().await, Some(TaskEvent::Failed(failure)));
    }

    #[test]
    fn all_that_wait_for_a_dossier_are_answered_once() {
        let clearing = Hash::ZERO;
        let mut waiting = Waiting::default();
        let mut answers: Vec<_> = (0..2)
            .map(|_| {
                let (caller, answer) = oneshot::channel();
                waiting.for_dossier(clearing, caller);
                answer
            })
            .collect();

        let event = ClientEvent::Dossier {
            clearing,
            found: None,
        };
        waiting.on_event(&event);
        assert!(
            answers
                .iter_mut()
                .all(|answer| answer.try_recv() == Ok(None))
        );
        assert!(waiting.dossiers.is_empty());
    }
}
