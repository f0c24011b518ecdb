//! Deadlines that requesters set, in block time: open tasks expire at them.

use quorate_types::{Outcome, Reason, TaskId, limits, outcome};

use crate::lifecycle::TaskEvent;
use crate::run::Run;
use crate::state::Index;

impl Run<'_> {
    /// Expires the open tasks whose deadline has come, the earliest first, at most
    /// [`limits::EXPIRIES_PER_BLOCK`] of them.
    pub(crate) fn expire(&mut self) {
        let due =
            self.view
                .marks(Index::deadlines(self.now.wall))
                .filter_map(|(key, _)| match key {
                    Index::Deadline(_, task) => Some(*task),
                    _ => None,
                });

        // The rest waits for the next block.
        let due: Vec<TaskId> = due.take(limits::EXPIRIES_PER_BLOCK).collect();

        for task in due {
            if let Ok(advanced) = self.advance(task, &TaskEvent::Expire) {
                self.outcomes.push(Outcome::Expiry(outcome::Expiry {
                    task,
                    token: advanced.before.token,
                    reason: Reason::DeadlinePassed,
                }));
            }
        }
    }
}
