//! The assignee's half of the client: the awards that it holds, and the reports that it owes on
//! them.

use std::collections::{BTreeMap, VecDeque};

use quorate_types::cose::Owned;
use quorate_types::operation::TaskReport;
use quorate_types::outcome::{Assignment, Receipt};
use quorate_types::{FencingToken, Millis, MonotonicMillis, OperationBody, TaskId};

use super::{ClientEvent, LossCause};

/// The number of past awards that are remembered, so that a repeated certificate does not start the
/// work again.
const DONE: usize = 16_384;

/// Awards that this agent holds or still owes a report on.
#[derive(Debug, Default)]
pub(super) struct Work {
    held: BTreeMap<TaskId, Held>,
    /// The highest token of each task whose award is over.
    done: BTreeMap<TaskId, FencingToken>,
    done_order: VecDeque<TaskId>,
}

#[derive(Debug)]
struct Held {
    token: FencingToken,
    lease: Millis,
    /// The time of the award, by the driver's clock.
    since: MonotonicMillis,
    /// The report, until its receipt comes.
    report: Option<OperationBody>,
    /// Whether the owner was told to stop.
    lost: bool,
}

impl Work {
    /// Takes an assignment to this agent. Returns `false` if it is known or superseded.
    pub(super) fn award(&mut self, assignment: &Assignment, now: MonotonicMillis) -> bool {
        if self.knows(assignment.task, assignment.token) {
            return false;
        }

        let held = Held {
            token: assignment.token,
            lease: assignment.lease,
            since: now,
            report: None,
            lost: false,
        };

        self.held.insert(assignment.task, held);
        true
    }

    /// Returns whether the award is held and not yet reported on.
    pub(super) fn owes(&self, task: TaskId, token: FencingToken) -> bool {
        self.held
            .get(&task)
            .is_some_and(|held| held.token == token && held.report.is_none())
    }

    /// Returns whether an award of this token or a later one is held or over.
    pub(super) fn knows(&self, task: TaskId, token: FencingToken) -> bool {
        let held = self.held.get(&task).map(|held| held.token);
        held.max(self.done.get(&task).copied())
            .is_some_and(|known| known >= token)
    }

    /// Notes the report on an award.
    pub(super) fn report(&mut self, task: TaskId, body: OperationBody) {
        if let Some(held) = self.held.get_mut(&task) {
            held.report = Some(body);
        }
    }

    /// Returns the shortest lease that heartbeats must keep; `None` if no award is held.
    pub(super) fn shortest_lease(&self) -> Option<Millis> {
        self.held.values().map(|held| held.lease).min()
    }

    /// Returns the reports that have no receipt yet.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (TaskId, &OperationBody)> {
        self.held
            .iter()
            .filter_map(|(task, held)| Some((*task, held.report.as_ref()?)))
    }

    /// Ends the award of `token` or an earlier one. Returns the loss if there was such an award.
    pub(super) fn end(
        &mut self,
        task: TaskId,
        token: FencingToken,
        cause: LossCause,
    ) -> Option<ClientEvent> {
        let held = self.held.get(&task).filter(|held| held.token <= token)?;

        let event = ClientEvent::LeaseLost {
            task,
            token: held.token,
            cause,
        };
        self.close(task, token);
        Some(event)
    }

    /// Gives back an award that nobody here works on. Only its report is left, which is owed until
    /// its receipt comes, because an operation of a predecessor may have its number.
    pub(super) fn give_back(
        &mut self,
        task: TaskId,
        token: FencingToken,
        now: MonotonicMillis,
    ) -> OperationBody {
        let detail = b"nobody works on this award after a restart".to_vec();
        let body = OperationBody::Fail(report(task, token, detail));
        let report = Some(body.clone());

        // The lease is not known. The heartbeats of an idle agent are enough.
        let held = Held {
            token,
            lease: Millis::MAX,
            since: now,
            report,
            lost: true,
        };

        self.held.insert(task, held);
        body
    }

    fn close(&mut self, task: TaskId, token: FencingToken) {
        self.held.remove(&task);
        if self.done.insert(task, token).is_none() {
            self.done_order.push_back(task);
        }

        if self.done_order.len() > DONE
            && let Some(oldest) = self.done_order.pop_front()
        {
            self.done.remove(&oldest);
        }
    }

    /// Handles a receipt on an award of this agent.
    pub(super) fn handle_receipt(
        &mut self,
        receipt: &Receipt,
        certificate: &[u8],
    ) -> Option<ClientEvent> {
        let Receipt { task, token, .. } = *receipt;

        match &receipt.operation.payload.body {
            OperationBody::Complete(_) | OperationBody::Fail(_) | OperationBody::Decline(_) => {
                self.held.get(&task).filter(|held| held.token == token)?;
                self.close(task, token);
                Some(ClientEvent::Reported {
                    task,
                    token,
                    certificate: certificate.to_vec(),
                })
            }
            OperationBody::Lapse(_) => self.end(task, token, LossCause::Lapsed),
            OperationBody::Cancel(_) => self.end(task, token, LossCause::Ended),
            _ => None,
        }
    }

    /// Returns the time at which the first lease ends unless a validator is heard before. `reach`
    /// is the latest time since which enough validators were heard.
    pub(super) fn deadline(&self, reach: MonotonicMillis) -> Option<MonotonicMillis> {
        let running = self
            .held
            .values()
            .filter(|held| !held.lost && held.report.is_none());
        running
            .map(|held| held.since.max(reach).saturating_add(held.lease))
            .min()
    }

    /// Ends the leases for which too few validators were heard, and returns their losses.
    pub(super) fn expire(
        &mut self,
        reach: MonotonicMillis,
        now: MonotonicMillis,
    ) -> Vec<ClientEvent> {
        let mut events = Vec::new();

        for (task, held) in &mut self.held {
            let end = held.since.max(reach).saturating_add(held.lease);
            if end <= now && !held.lost && held.report.is_none() {
                held.lost = true;
                events.push(ClientEvent::LeaseLost {
                    task: *task,
                    token: held.token,
                    cause: LossCause::OutOfReach,
                });
            }
        }

        events
    }
}

/// Makes a report. Its detail is cut to the limit.
pub(super) fn report(task: TaskId, token: FencingToken, mut detail: Vec<u8>) -> TaskReport {
    detail.truncate(quorate_types::limits::RESULT_BYTES);
    TaskReport {
        task,
        token,
        detail: Owned(detail),
    }
}
