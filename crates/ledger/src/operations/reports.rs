//! Accept, decline, complete, fail: the reports of an assignee under its fencing token.

use quorate_types::operation::{OperationBody, TaskReport};
use quorate_types::{Reason, SignedOperation, limits};

use crate::lifecycle::{Claim, TaskEvent};
use crate::run::{Items, Run};

use super::perform::{Perform, as_a_whole};

impl Perform for TaskReport {
    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        as_a_whole(run.report(signed, self))
    }
}

impl Run<'_> {
    /// Applies a report to its task.
    fn report(&mut self, signed: &SignedOperation, report: &TaskReport) -> Result<(), Reason> {
        if report.detail.0.len() > limits::RESULT_BYTES {
            return Err(Reason::ResultMalformed);
        }

        let claim = Claim {
            agent: signed.payload.agent,
            token: report.token,
        };

        let event = match &signed.payload.body {
            OperationBody::Accept(_) => TaskEvent::Accept(claim),
            OperationBody::Decline(_) => TaskEvent::Decline(claim),
            OperationBody::Complete(_) => TaskEvent::Complete(claim),
            _ => TaskEvent::Fail(claim),
        };

        self.advance_by(signed, report.task, &event)
    }
}
