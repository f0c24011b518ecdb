//! Submit and cancel: the operations of requesters on their tasks.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_types::operation::{Cancel, Submit};
use quorate_types::{
    Outcome, PublicKey, Reason, SignedOperation, TaskId, TaskSpec, limits, outcome,
};

use crate::advance::Advanced;
use crate::lifecycle::{Event, TaskState};
use crate::run::Run;
use crate::state::Task;

impl Run<'_> {
    /// Opens all tasks of an operation, or none. Numbers that continue the requester's are used up
    /// either way, so that tasks which were submitted after a refused one keep their names (L-14).
    pub(super) fn submit(&mut self, requester: PublicKey, submit: &Submit) -> Result<(), Reason> {
        let count = submit.tasks.len() as u64;
        if submit.tasks.is_empty() || submit.tasks.len() > limits::TASKS_PER_OPERATION {
            return Err(Reason::TaskMalformed);
        }

        let account = self.view.account(&requester);
        let (next, live) =
            account.map_or((0, 0), |account| (account.next_task, account.live_tasks));

        let after = next.checked_add(count).ok_or(Reason::TaskNumber)?;
        if submit.first != next {
            return Err(Reason::TaskNumber);
        }

        // From here on the numbers are used up, whether the tasks are opened or not.
        self.view
            .change_account(requester, |account| account.next_task = after);

        // One bad task refuses all of them.
        submit
            .tasks
            .iter()
            .try_for_each(|spec| self.check_spec(spec))?;

        if live.saturating_add(count) > limits::OPEN_TASKS_PER_REQUESTER {
            return Err(Reason::QuotaExceeded);
        }

        self.view.change_account(requester, |account| {
            account.live_tasks = account.live_tasks.saturating_add(count);
        });

        for (spec, number) in submit.tasks.iter().zip(next..) {
            let task = self.new_task(spec);
            self.open_new(TaskId { requester, number }, task);
        }

        Ok(())
    }

    fn check_spec(&self, spec: &TaskSpec) -> Result<(), Reason> {
        self.market(&spec.market)?;
        spec.check().map_err(|_| Reason::TaskMalformed)?;
        match spec.deadline {
            Some(deadline) if deadline <= self.now.wall => Err(Reason::DeadlinePassed),
            _ => Ok(()),
        }
    }

    fn new_task(&self, spec: &TaskSpec) -> Task {
        Task {
            spec: Arc::new(spec.clone()),
            spec_hash: spec.hash(),
            state: TaskState::Open,
            token: 0,
            due: self.now.height,
            excluded: BTreeSet::new(),
        }
    }

    /// Cancels a task that has not ended.
    pub(super) fn cancel(
        &mut self,
        signed: &SignedOperation,
        cancel: &Cancel,
    ) -> Result<(), Reason> {
        self.view.task(&cancel.task).ok_or(Reason::UnknownTask)?;
        if cancel.task.requester != signed.payload.agent {
            return Err(Reason::NotRequester);
        }

        let advanced = self.advance(cancel.task, &Event::Cancel)?;
        self.receipt(cancel.task, &advanced, signed);
        Ok(())
    }

    /// Commits the receipt of an operation on a task, and an expiry if this was the last attempt
    /// (L-17, L-18).
    pub(super) fn receipt(&mut self, task: TaskId, moved: &Advanced, operation: &SignedOperation) {
        let (token, operation) = (moved.before.token, operation.clone());
        let agent = moved.before.state.assignee().map(|assignee| assignee.agent);

        let receipt = outcome::Receipt {
            task,
            token,
            agent,
            operation,
        };
        self.outcomes.push(Outcome::Receipt(Box::new(receipt)));

        // The expiry follows the receipt (L-17).
        if moved.after.state == TaskState::Failed {
            let reason = Reason::AttemptsUsedUp;
            self.outcomes.push(Outcome::Expiry(outcome::Expiry {
                task,
                token,
                reason,
            }));
        }
    }
}
