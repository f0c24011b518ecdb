//! Wins tasks by low prices and falls silent. When it is back, it reports as done the tasks that
//! were taken from it.
//!
//! The protocol bears it because the lease of a silent assignee lapses, and the task goes to
//! another agent. A report carries the fencing token of its assignment, and an old token is
//! refused.

use std::collections::BTreeMap;

use quorate_types::cose::Owned;
use quorate_types::operation::TaskReport;
use quorate_types::{FencingToken, OperationBody, SignedOperation, TaskId};

use super::{AgentLiarContext, AgentLie};

/// The number of reports on each assignment that is gone.
const TIMES: u64 = 3;

#[derive(Debug, Default)]
pub(super) struct Abandoner {
    /// Assignments that it once had, with the number of reports that it will still make on each.
    had: BTreeMap<(TaskId, FencingToken), u64>,
}

impl AgentLie for Abandoner {
    fn volunteers(&mut self, context: &mut AgentLiarContext<'_>) -> Vec<SignedOperation> {
        let Some(account) = context.ledger.account(&context.me()) else {
            return Vec::new();
        };

        // The assignments of now may be gone when it is back.
        for held in &account.assigned {
            self.had.insert(*held, TIMES);
        }

        if !context.is_heard {
            return Vec::new();
        }

        let is_gone = |held: &(TaskId, FencingToken)| !account.assigned.contains(held);
        let Some((task, token)) = self.take_gone(is_gone) else {
            return Vec::new();
        };

        context.lies += 1;

        let report = TaskReport {
            task,
            token,
            detail: Owned(b"done, of course".to_vec()),
        };

        vec![context.sign(account.next_sequence, OperationBody::Complete(report))]
    }
}

impl Abandoner {
    /// Takes one of the reports that are left on the first assignment that is gone, and returns the
    /// assignment.
    fn take_gone(
        &mut self,
        is_gone: impl Fn(&(TaskId, FencingToken)) -> bool,
    ) -> Option<(TaskId, FencingToken)> {
        let mut had = self.had.iter_mut();
        let (held, left) = had.find(|(held, left)| **left > 0 && is_gone(held))?;

        *left -= 1;
        Some(*held)
    }
}
