//! The requester's half of the client: the progress of the tasks that it submitted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_certificate::VerifiedCertificate;
use quorate_types::outcome::{Assignment, Expiry, Receipt};
use quorate_types::{FencingToken, OperationBody, Reason, TaskId};

use super::cx::Cx;
use super::event::ClientEvent;
use super::out::Out;

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

    /// Tells of the assignment of a task of this requester.
    pub(super) fn on_assignment(
        &mut self,
        cx: &Cx,
        assignment: &Assignment,
        certificate: &VerifiedCertificate,
        out: &mut Out,
    ) {
        let Assignment {
            task,
            token,
            agent,
            price,
            ..
        } = *assignment;

        if cx.is_mine(&task) && self.is_new(task, token, Step::Awarded) {
            out.event(ClientEvent::Awarded {
                task,
                token,
                agent,
                price,
                certificate: certificate.clone(),
            });
        }
    }

    /// Tells of a receipt on a task of this requester.
    pub(super) fn on_receipt(
        &mut self,
        cx: &Cx,
        receipt: &Receipt,
        certificate: &VerifiedCertificate,
        out: &mut Out,
    ) {
        let Receipt { task, token, .. } = *receipt;
        let certificate = certificate.clone();

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
            _ => return,
        };

        if cx.is_mine(&task) && self.is_new(task, token, step) {
            out.event(event);
        }
    }

    /// Tells of the end of a task of this requester that was not completed.
    pub(super) fn on_expiry(
        &mut self,
        cx: &Cx,
        expiry: &Expiry,
        certificate: &VerifiedCertificate,
        out: &mut Out,
    ) {
        let task = expiry.task;
        if cx.is_mine(&task) && self.is_new(task, expiry.token, Step::Ended) {
            out.event(ClientEvent::Failed {
                task,
                reason: Some(expiry.reason),
                certificate: certificate.clone(),
            });
        }
    }

    /// Tells of the refusal of a submission, so that the task was never opened.
    pub(super) fn on_refusal(
        &mut self,
        task: TaskId,
        reason: Reason,
        certificate: &VerifiedCertificate,
        out: &mut Out,
    ) {
        if self.is_new(task, FencingToken::ZERO, Step::Ended) {
            out.event(ClientEvent::Failed {
                task,
                reason: Some(reason),
                certificate: certificate.clone(),
            });
        }
    }

    /// Notes a step of a task. Returns whether it was not known.
    fn is_new(&mut self, task: TaskId, token: FencingToken, step: Step) -> bool {
        let order = self.tasks.entry(task).or_default();
        // Every validator sends each certificate, so a step may come several times.
        if !order.seen.insert((token, step)) {
            return false;
        }

        if step == Step::Ended && !order.ended {
            order.ended = true;
            self.ended.push_back(task);
            if self.ended.len() > ENDED
                && let Some(oldest) = self.ended.pop_front()
            {
                self.tasks.remove(&oldest);
            }
        }

        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, task};
    use super::*;

    #[test]
    fn w11_a_step_of_an_own_task_is_told_once() {
        let certificate = quorate_certificate::example().unwrap();
        let mut bench = Bench::new();
        let mut assignment = certificate.assignment().unwrap().clone();
        let mut orders = Orders::default();
        let mut out = Out::default();

        // The task of another requester is not told.
        orders.on_assignment(&bench.cx(), &assignment, &certificate, &mut out);
        assert_eq!(bench.events(&mut out), []);

        assignment.task.requester = bench.cx().me();
        for _ in 0..2 {
            orders.on_assignment(&bench.cx(), &assignment, &certificate, &mut out);
        }
        assert_eq!(bench.events(&mut out).len(), 1);

        assignment.token = assignment.token.next();
        orders.on_assignment(&bench.cx(), &assignment, &certificate, &mut out);
        assert_eq!(bench.events(&mut out).len(), 1);
    }

    #[test]
    fn a_refused_submission_ends_its_task() {
        let certificate = quorate_certificate::example().unwrap();
        let mut bench = Bench::new();
        let mut orders = Orders::default();
        let mut out = Out::default();
        orders.open(task(1));
        assert_eq!(orders.unfinished(), 1);
        for _ in 0..2 {
            orders.on_refusal(task(1), Reason::TaskNumber, &certificate, &mut out);
        }
        assert_eq!(bench.events(&mut out).len(), 1);
        assert_eq!(orders.unfinished(), 0);
    }

    #[test]
    fn look_ups_go_around() {
        let mut orders = Orders::default();
        (1..=3).for_each(|number| orders.open(task(number)));
        assert_eq!(orders.next_unfinished(2), [task(1), task(2)]);
        assert_eq!(orders.next_unfinished(2), [task(3)]);
        assert_eq!(orders.next_unfinished(2), [task(1), task(2)]);
    }
}
