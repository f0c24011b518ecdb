//! Submit and cancel: the operations of requesters on their tasks.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_types::operation::{Cancel, Submit};
use quorate_types::{
    FencingToken, Outcome, PublicKey, Reason, SignedOperation, TaskId, TaskSpec, limits, outcome,
};

use crate::advance::Advanced;
use crate::cost;
use crate::lifecycle::{TaskEvent, TaskState};
use crate::run::{Items, Run};
use crate::state::Task;

use super::perform::{Perform, as_a_whole};

/// The cost of opening a task and of ending it later.
const TASK: u64 = 40;

impl Perform for Submit {
    fn cost(&self) -> u64 {
        cost::times(self.tasks.len(), TASK)
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        as_a_whole(run.submit(signed.payload.agent, self))
    }
}

impl Perform for Cancel {
    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        as_a_whole(run.cancel(signed, self))
    }
}

impl Run<'_> {
    /// Opens all tasks of an operation, or none. Numbers that continue the requester's are used up
    /// either way, so that tasks which were submitted after a refused one keep their names (L-14).
    fn submit(&mut self, requester: PublicKey, submit: &Submit) -> Result<(), Reason> {
        if submit.tasks.is_empty() || submit.tasks.len() > limits::TASKS_PER_OPERATION {
            return Err(Reason::TaskMalformed);
        }

        // From here on the numbers are used up, whether the tasks are opened or not.
        let count = submit.tasks.len() as u64;

        self.use_numbers(requester, submit.first, count)?;

        self.check_tasks(requester, &submit.tasks)?;

        self.view.change_account(requester, |account| {
            account.live_tasks = account.live_tasks.saturating_add(count);
        });

        for (spec, number) in submit.tasks.iter().zip(submit.first..) {
            let id = TaskId { requester, number };
            let task = self.new_task(spec);

            self.open_new(id, task);
        }

        Ok(())
    }

    /// Uses up `count` numbers of a requester, which must be the next ones.
    fn use_numbers(&mut self, requester: PublicKey, first: u64, count: u64) -> Result<(), Reason> {
        let account = self.view.account(&requester);
        let next = account.map_or(0, |account| account.next_task);
        let after = next.checked_add(count).ok_or(Reason::TaskNumber)?;

        if first != next {
            return Err(Reason::TaskNumber);
        }

        self.view
            .change_account(requester, |account| account.next_task = after);

        Ok(())
    }

    /// Checks tasks before any of them is opened: one bad task refuses all of them.
    fn check_tasks(&self, requester: PublicKey, tasks: &[TaskSpec]) -> Result<(), Reason> {
        tasks.iter().try_for_each(|spec| self.check_spec(spec))?;

        let account = self.view.account(&requester);
        let live = account.map_or(0, |account| account.live_tasks);

        if live.saturating_add(tasks.len() as u64) > limits::OPEN_TASKS_PER_REQUESTER {
            return Err(Reason::QuotaExceeded);
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
            token: FencingToken::ZERO,
            due: self.now.height,
            excluded: BTreeSet::new(),
        }
    }

    /// Cancels a task that has not ended.
    fn cancel(&mut self, signed: &SignedOperation, cancel: &Cancel) -> Result<(), Reason> {
        self.view.task(&cancel.task).ok_or(Reason::UnknownTask)?;
        if cancel.task.requester != signed.payload.agent {
            return Err(Reason::NotRequester);
        }

        self.advance_by(signed, cancel.task, &TaskEvent::Cancel)
    }

    /// Applies the event of an operation to its task, and commits the receipt.
    pub(super) fn advance_by(
        &mut self,
        operation: &SignedOperation,
        task: TaskId,
        event: &TaskEvent,
    ) -> Result<(), Reason> {
        let advanced = self.advance(task, event)?;
        self.receipt(task, &advanced, operation);
        Ok(())
    }

    /// Commits the receipt of an operation on a task, and an expiry if this was the last attempt
    /// (L-17, L-18).
    fn receipt(&mut self, task: TaskId, moved: &Advanced, operation: &SignedOperation) {
        let token = moved.before.token;
        let assignee = moved.before.state.assignee();

        let receipt = outcome::Receipt {
            task,
            token,
            agent: assignee.map(|assignee| assignee.agent),
            operation: operation.clone(),
        };

        self.outcomes.push(Outcome::Receipt(Box::new(receipt)));

        // The expiry follows the receipt (L-17).
        if moved.after.state == TaskState::Failed {
            self.outcomes.push(Outcome::Expiry(outcome::Expiry {
                task,
                token,
                reason: Reason::AttemptsUsedUp,
            }));
        }
    }
}
