//! Lapse: the committee ends an assignment whose holder it no longer hears.

use quorate_types::operation::{Lapse, Suspicion};
use quorate_types::{Height, Reason, Sign1, SignedOperation, limits};

use crate::cost;
use crate::lifecycle::{Assignee, TaskEvent, step};
use crate::run::{Items, Run};

use super::perform::{Perform, as_a_whole};

/// The number of heights for which a suspicion counts, after the height at which it was signed.
pub const SUSPICION_HEIGHTS: Height = 1000;

impl Perform for Lapse {
    fn cost(&self) -> u64 {
        cost::times(self.suspicions.len(), cost::SIGNATURE)
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        as_a_whole(run.lapse(signed, self))
    }
}

impl Run<'_> {
    /// Ends an assignment whose lease is over, if validators with more than two thirds of the power
    /// suspect its holder (L-19).
    fn lapse(&mut self, signed: &SignedOperation, lapse: &Lapse) -> Result<(), Reason> {
        let task = self.view.task(&lapse.task).ok_or(Reason::UnknownTask)?;

        // The state of the task is checked before the lease, so that its reasons come first (L-16).
        let event = TaskEvent::Lapse(lapse.token);

        step(&task.state, task.token, &event)?;

        let assignee = task.state.assignee().ok_or(Reason::WrongState)?;
        let lease_ends = assignee.assigned_at.saturating_add(assignee.lease);

        if self.now.active < lease_ends {
            return Err(Reason::LeaseRunning);
        }

        self.check_suspicions(lapse, assignee)?;
        self.advance_by(signed, lapse.task, &event)
    }

    /// Checks that suspicions of this very assignment which are recent hold more than two thirds of
    /// the power. Signatures are checked last.
    fn check_suspicions(&self, lapse: &Lapse, assignee: &Assignee) -> Result<(), Reason> {
        if !self.is_list_of_validators(&lapse.suspicions) {
            return Err(Reason::SuspicionSignature);
        }

        // Suspicions that are old or of another assignment may be listed, but do not count.
        let counting = || {
            let all = lapse.suspicions.iter();
            all.filter(|s| self.counts(&s.payload, lapse, assignee))
        };

        let power = self
            .validators
            .power_of(counting().map(|suspicion| &suspicion.signer));

        if !self.validators.is_quorum(power) {
            return Err(Reason::SuspicionsTooFew);
        }

        // Signatures cost most, so they are checked last.
        let verify = |suspicion: &Sign1<Suspicion>| quorate_crypto::verify(suspicion.clone());
        if counting().any(|suspicion| verify(suspicion).is_err()) {
            return Err(Reason::SuspicionSignature);
        }

        Ok(())
    }

    /// Returns whether there are not too many suspicions, and each of them is by another validator.
    fn is_list_of_validators(&self, all: &[Sign1<Suspicion>]) -> bool {
        let members = all.iter().all(|s| self.validators.get(&s.signer).is_some());

        // Each validator is listed at most once.
        let ordered = all.is_sorted_by(|a, b| a.signer < b.signer);

        members && ordered && all.len() <= limits::SUSPICIONS
    }

    /// Returns whether a suspicion counts: it is of this swarm, task and token, and was signed at a
    /// height from that of the assignment on, not too long ago, and before this block.
    fn counts(&self, suspicion: &Suspicion, lapse: &Lapse, assignee: &Assignee) -> bool {
        let about = (suspicion.swarm, suspicion.task, suspicion.token);
        let oldest = self
            .now
            .height
            .saturating_sub(SUSPICION_HEIGHTS)
            .max(assignee.height);

        about == (self.swarm, lapse.task, lapse.token)
            && (oldest..self.now.height).contains(&suspicion.height)
    }
}
