//! Accept, decline, complete, fail: the reports of an assignee under its fencing token.

use quorate_types::operation::{Body, Report};
use quorate_types::{Reason, SignedOperation, limits};

use crate::lifecycle::{Claim, Event};
use crate::run::Run;

impl Run<'_> {
    /// Applies a report to its task.
    pub(super) fn report(
        &mut self,
        signed: &SignedOperation,
        report: &Report,
        claim: Claim,
    ) -> Result<(), Reason> {
        if report.detail.0.len() > limits::RESULT_BYTES {
            return Err(Reason::ResultMalformed);
        }

        let event = match &signed.payload.body {
            Body::Accept(_) => Event::Accept(claim),
            Body::Decline(_) => Event::Decline(claim),
            Body::Complete(_) => Event::Complete(claim),
            _ => Event::Fail(claim),
        };

        let advanced = self.advance(report.task, &event)?;
        self.receipt(report.task, &advanced, signed);
        Ok(())
    }
}
