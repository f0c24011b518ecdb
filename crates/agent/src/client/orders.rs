//! The requester's half of the client: the progress of the tasks that it submitted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_types::outcome::{Assignment, Expiry, Receipt};
use quorate_types::{FencingToken, OperationBody, Reason, TaskId};

use super::ClientEvent;

/// The number of ended tasks that are remembered, so that a repeated certificate does not cause a
/// second event.
const ENDED: usize = 16_384;

/// The tasks of this requester.
#[derive(Debug, Default)]
pub(super) struct Orders {
    tasks: BTreeMap<TaskId, Order>,
    ended: VecDeque<TaskId>,
    /// The task after which the next look-up of missing certificates begins.
    cursor: Option<TaskId>,
}

#[derive(Debug, Default)]
struct Order {
    seen: BTreeSet<(FencingToken, Step)>,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Awarded,
    Accepted,
    Returned,
    Ended,
}

impl Orders {
    /// Expects outcomes of a task.
    pub(super) fn open(&mut self, task: TaskId) {
        self.tasks.entry(task).or_default();
    }

    /// Returns the number of tasks that have not ended.
    pub(super) fn unfinished(&self) -> usize {
        self.tasks.len() - self.ended.len()
    }

    /// Returns up to `count` unfinished tasks, and others at the next call.
    pub(super) fn next_unfinished(&mut self, count: usize) -> Vec<TaskId> {
        let unfinished = |(task, order): (&TaskId, &Order)| (!order.ended).then_some(*task);
        let start = self
            .cursor
            .map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let range = (start, std::ops::Bound::Unbounded);

        let tasks: Vec<_> = self
            .tasks
            .range(range)
            .filter_map(unfinished)
            .take(count)
            .collect();

        // If fewer tasks are left than asked for, the next call starts from the beginning.
        self.cursor = tasks.last().copied().filter(|_| tasks.len() == count);
        tasks
    }

    /// Handles the assignment of a task of this requester.
    pub(super) fn handle_assignment(
        &mut self,
        assignment: &Assignment,
        certificate: &[u8],
    ) -> Option<ClientEvent> {
        let Assignment {
            task,
            token,
            agent,
            price,
            ..
        } = *assignment;

        self.advance(task, token, Step::Awarded)?;
        Some(ClientEvent::Awarded {
            task,
            token,
            agent,
            price,
            certificate: certificate.to_vec(),
        })
    }

    /// Handles a receipt on a task of this requester.
    pub(super) fn handle_receipt(
        &mut self,
        receipt: &Receipt,
        certificate: &[u8],
    ) -> Option<ClientEvent> {
        let Receipt { task, token, .. } = *receipt;
        let certificate = certificate.to_vec();

        let (step, event) = match &receipt.operation.payload.body {
            OperationBody::Accept(_) => (
                Step::Accepted,
                ClientEvent::Accepted {
                    task,
                    token,
                    certificate,
                },
            ),

            OperationBody::Decline(_) | OperationBody::Fail(_) | OperationBody::Lapse(_) => (
                Step::Returned,
                ClientEvent::Returned {
                    task,
                    token,
                    certificate,
                },
            ),

            OperationBody::Complete(report) => {
                let detail = report.detail.0.clone();
                (
                    Step::Ended,
                    ClientEvent::Completed {
                        task,
                        detail,
                        certificate,
                    },
                )
            }

            OperationBody::Cancel(_) => (
                Step::Ended,
                ClientEvent::Failed {
                    task,
                    reason: None,
                    certificate,
                },
            ),
            _ => return None,
        };

        self.advance(task, token, step)?;
        Some(event)
    }

    /// Handles the end of a task of this requester that was not completed.
    pub(super) fn handle_expiry(
        &mut self,
        expiry: &Expiry,
        certificate: &[u8],
    ) -> Option<ClientEvent> {
        let task = expiry.task;
        self.advance(task, expiry.token, Step::Ended)?;

        let reason = Some(expiry.reason);
        Some(ClientEvent::Failed {
            task,
            reason,
            certificate: certificate.to_vec(),
        })
    }

    /// Handles the refusal of a submission, so that the task was never opened.
    pub(super) fn handle_refusal(
        &mut self,
        task: TaskId,
        reason: Reason,
        certificate: &[u8],
    ) -> Option<ClientEvent> {
        self.advance(task, FencingToken::ZERO, Step::Ended)?;
        Some(ClientEvent::Failed {
            task,
            reason: Some(reason),
            certificate: certificate.to_vec(),
        })
    }

    /// Notes a step of a task. Returns `None` if the step is known.
    fn advance(&mut self, task: TaskId, token: FencingToken, step: Step) -> Option<()> {
        let order = self.tasks.entry(task).or_default();
        // Every validator sends each certificate, so a step may come several times.
        if !order.seen.insert((token, step)) {
            return None;
        }

        if step == Step::Ended && !order.ended {
            order.ended = true;
            self.ended.push_back(task);
            if self.ended.len() > ENDED {
                let oldest = self.ended.pop_front()?;
                self.tasks.remove(&oldest);
            }
        }

        Some(())
    }
}
