//! The assignee's half of the client: the awards that it holds, and the reports that it owes on
//! them. By its own rule, a lease is over once validators with more than a third of the power were
//! not heard for as long as it lasts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_certificate::VerifiedCertificate;
use quorate_types::cose::Owned;
use quorate_types::operation::TaskReport;
use quorate_types::outcome::{Assignment, Receipt};
use quorate_types::{FencingToken, Millis, MonotonicMillis, OperationBody, TaskId};

use super::cx::Cx;
use super::event::{ClientEvent, LossCause};
use super::out::Out;

/// The number of past awards that are remembered, so that a repeated certificate does not start the
/// work again.
const DONE: usize = 16_384;
/// The number of intervals after which an award that nobody here works on is given back.
const ORPHAN_TICKS: u64 = 3;

/// Awards that this agent holds or still owes a report on.
#[derive(Debug, Default)]
pub(super) struct Work {
    held: BTreeMap<TaskId, Held>,
    /// The highest token of each task whose award is over.
    done: BTreeMap<TaskId, FencingToken>,
    done_order: VecDeque<TaskId>,
    /// The awards that the swarm lists and this process does not have, and the times since when.
    orphans: BTreeMap<(TaskId, FencingToken), MonotonicMillis>,
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
    /// Takes an assignment to this agent, and accepts it. Returns `false` if it is known or
    /// superseded.
    pub(super) fn on_award(&mut self, cx: &Cx, assignment: &Assignment, out: &mut Out) -> bool {
        if self.knows(assignment.task, assignment.token) {
            return false;
        }

        let held = Held {
            token: assignment.token,
            lease: assignment.lease,
            since: cx.now(),
            report: None,
            lost: false,
        };

        self.held.insert(assignment.task, held);
        let accepted = report(assignment.task, assignment.token, Vec::new());
        out.operate(OperationBody::Accept(accepted));
        true
    }

    /// Returns whether the award is held and not yet reported on.
    pub(super) fn owes(&self, task: TaskId, token: FencingToken) -> bool {
        self.held
            .get(&task)
            .is_some_and(|held| held.token == token && held.report.is_none())
    }

    /// Returns whether an award of this token or a later one is held or over.
    fn knows(&self, task: TaskId, token: FencingToken) -> bool {
        let held = self.held.get(&task).map(|held| held.token);
        held.max(self.done.get(&task).copied())
            .is_some_and(|known| known >= token)
    }

    /// Sends the report on an award of this task.
    pub(super) fn report(&mut self, task: TaskId, body: OperationBody, out: &mut Out) {
        if let Some(held) = self.held.get_mut(&task) {
            held.report = Some(body.clone());
        }
        out.operate(body);
    }

    /// Returns the shortest lease that heartbeats must keep; `None` if no award is held.
    pub(super) fn shortest_lease(&self) -> Option<Millis> {
        self.held.values().map(|held| held.lease).min()
    }

    /// Returns up to `count` tasks whose reports have no receipt yet.
    pub(super) fn unsettled(&self, count: usize) -> Vec<TaskId> {
        let reported = self.held.iter().filter(|(_, held)| held.report.is_some());
        reported.map(|(task, _)| *task).take(count).collect()
    }

    /// Sends the reports on these tasks again.
    pub(super) fn repeat(&self, tasks: &[TaskId], out: &mut Out) {
        for held in tasks.iter().filter_map(|task| self.held.get(task)) {
            if let Some(report) = &held.report {
                out.operate(report.clone());
            }
        }
    }

    /// Ends the award of `token` or an earlier one. Returns whether there was such an award.
    pub(super) fn end(
        &mut self,
        task: TaskId,
        token: FencingToken,
        cause: LossCause,
        out: &mut Out,
    ) -> bool {
        let held = self.held.get(&task).filter(|held| held.token <= token);
        let Some(held) = held else { return false };

        out.event(ClientEvent::LeaseLost {
            task,
            token: held.token,
            cause,
        });
        self.close(task, token);
        true
    }

    /// Returns whether the swarm lists awards that nobody here works on.
    pub(super) fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Looks for awards that the swarm lists as this agent's and that nobody here works on. It asks
    /// for their certificates; if that brings no award, they are given back.
    pub(super) fn on_listed(
        &mut self,
        cx: &Cx,
        assigned: BTreeSet<(TaskId, FencingToken)>,
        out: &mut Out,
    ) {
        self.orphans.retain(|award, _| assigned.contains(award));
        let patience = ORPHAN_TICKS.saturating_mul(cx.config().resubmit);

        for (task, token) in assigned {
            if self.knows(task, token) {
                self.orphans.remove(&(task, token));
                continue;
            }

            // The certificate may only be late, so it is asked for before the award is given back.
            let Some(since) = self.orphans.get(&(task, token)).copied() else {
                self.orphans.insert((task, token), cx.now());
                for validator in cx.connected() {
                    out.ask_certificates(&validator, task);
                }
                continue;
            };

            if cx.now() >= since.saturating_add(patience) {
                self.orphans.remove(&(task, token));
                out.operate(self.give_back(task, token, cx.now()));
            }
        }
    }

    /// Gives back an award that nobody here works on. Only its report is left, which is owed until
    /// its receipt comes, because an operation of a predecessor may have its number.
    fn give_back(
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

    /// Takes a receipt on an award of this agent. Returns whether the award ended by it.
    pub(super) fn on_receipt(
        &mut self,
        receipt: &Receipt,
        certificate: &VerifiedCertificate,
        out: &mut Out,
    ) -> bool {
        let Receipt { task, token, .. } = *receipt;

        match &receipt.operation.payload.body {
            OperationBody::Complete(_) | OperationBody::Fail(_) | OperationBody::Decline(_) => {
                let held = self.held.get(&task);
                if held.is_none_or(|held| held.token != token) {
                    return false;
                }

                self.close(task, token);
                out.event(ClientEvent::Reported {
                    task,
                    token,
                    certificate: certificate.clone(),
                });
                true
            }
            OperationBody::Lapse(_) => self.end(task, token, LossCause::Lapsed, out),
            OperationBody::Cancel(_) => self.end(task, token, LossCause::Ended, out),
            _ => false,
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

    /// Ends the leases for which too few validators were heard, and tells of their losses.
    pub(super) fn on_time(&mut self, cx: &Cx, out: &mut Out) {
        let reach = cx.links().in_reach_since(cx.validators());

        for (task, held) in &mut self.held {
            let end = held.since.max(reach).saturating_add(held.lease);
            if end <= cx.now() && !held.lost && held.report.is_none() {
                held.lost = true;
                out.event(ClientEvent::LeaseLost {
                    task: *task,
                    token: held.token,
                    cause: LossCause::OutOfReach,
                });
            }
        }
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

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, task};
    use super::*;

    fn awarded(bench: &Bench, out: &mut Out) -> (Work, Assignment) {
        let mut work = Work::default();
        let certificate = quorate_certificate::example().unwrap();
        let mut assignment = certificate.assignment().unwrap().clone();
        assignment.lease = 2_000;
        assert!(work.on_award(&bench.cx(), &assignment, out));
        (work, assignment)
    }

    #[test]
    fn an_award_is_taken_and_accepted_once() {
        let bench = Bench::new();
        let mut out = Out::default();
        let (mut work, assignment) = awarded(&bench, &mut out);
        assert!(!work.on_award(&bench.cx(), &assignment, &mut out));
        let accepted = out.take_operations();
        assert!(matches!(accepted[..], [OperationBody::Accept(_)]));

        // It does not begin again after its end.
        assert!(work.end(
            assignment.task,
            assignment.token,
            LossCause::Ended,
            &mut out
        ));
        assert!(!work.on_award(&bench.cx(), &assignment, &mut out));
        assert!(!work.owes(assignment.task, assignment.token));
    }

    #[test]
    fn a_lease_is_lost_once_when_too_few_validators_are_heard() {
        let mut bench = Bench::new();
        let mut out = Out::default();
        let (mut work, _) = awarded(&bench, &mut out);
        bench.wait(1_999);
        work.on_time(&bench.cx(), &mut out);
        assert_eq!(bench.events(&mut out), []);
        bench.wait(1);
        for _ in 0..2 {
            work.on_time(&bench.cx(), &mut out);
        }
        assert_eq!(bench.events(&mut out).len(), 1);
        assert_eq!(work.deadline(bench.at(0)), None);
    }

    #[test]
    fn an_award_that_nobody_works_on_is_looked_for_and_then_given_back() {
        let mut bench = Bench::new();
        let mut work = Work::default();
        let mut out = Out::default();
        let listed = BTreeSet::from([(task(1), FencingToken(1))]);

        work.on_listed(&bench.cx(), listed.clone(), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 4);
        assert!(work.has_orphans());

        bench.wait(2_999);
        work.on_listed(&bench.cx(), listed.clone(), &mut out);
        assert_eq!(out.take_operations(), []);
        bench.wait(1);
        work.on_listed(&bench.cx(), listed, &mut out);
        let given_back = out.take_operations();
        assert!(matches!(given_back[..], [OperationBody::Fail(_)]));
        assert!(!work.has_orphans());
    }
}
