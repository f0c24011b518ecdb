//! Wins tasks by low prices and falls silent. When it is back, it reports as done the tasks that
//! were taken from it.
//!
//! The protocol bears it because the lease of a silent assignee lapses, and the task goes to
//! another agent. A report carries the fencing token of its assignment, and an old token is
//! refused.

use std::collections::BTreeMap;

use quorate_types::cose::Owned;
use quorate_types::operation::Report;
use quorate_types::{Body, FencingToken, SignedOperation, TaskId};

use super::{AgentLie, AgentMouth};

/// The number of reports on each assignment that is gone.
const TIMES: u64 = 3;

#[derive(Debug, Default)]
pub(super) struct Abandoner {
    /// Assignments that it once had, with the number of reports that it will still make on each.
    had: BTreeMap<(TaskId, FencingToken), u64>,
}

impl AgentLie for Abandoner {
    fn volunteers(&mut self, mouth: &mut AgentMouth<'_>) -> Vec<SignedOperation> {
        let Some(account) = mouth.ledger.account(&mouth.me()) else {
            return Vec::new();
        };

        // The assignments of now may be gone when it is back.
        for held in &account.assigned {
            self.had.insert(*held, TIMES);
        }

        if !mouth.is_heard {
            return Vec::new();
        }

        let gone = |(held, left): &(&(TaskId, FencingToken), &mut u64)| {
            **left > 0 && !account.assigned.contains(held)
        };

        let Some(((task, token), left)) = self.had.iter_mut().find(gone) else {
            return Vec::new();
        };

        *left -= 1;
        mouth.lies += 1;

        let detail = Owned(b"done, of course".to_vec());
        let report = Report {
            task: *task,
            token: *token,
            detail,
        };

        vec![mouth.sign(account.next_sequence, Body::Complete(report))]
    }
}
