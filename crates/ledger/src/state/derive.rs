//! The index as a function of the entries. Blocks update the index step by step, and must get the
//! same.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Label, PublicKey, TaskId};

use super::{Entry, Index, Key, Reservation, Task};
use crate::lifecycle::TaskState;

/// Returns the index that `entries` imply. A bid is live while its task is open.
pub(super) fn derive<'a>(
    entries: impl Iterator<Item = (&'a Key, &'a Entry)>,
) -> BTreeMap<Index, u64> {
    let mut derived = Derived::default();

    for (key, entry) in entries {
        match (key, entry) {
            (Key::Task(id), Entry::Task(task)) => derived.task(*id, task),

            (Key::Reservation(market, agent), Entry::Reservation(reservation)) => {
                derived.reservation(market, *agent, reservation);
            }

            // Other entries imply nothing for the index.
            _ => {}
        }
    }

    derived.index
}

#[derive(Default)]
struct Derived {
    index: BTreeMap<Index, u64>,
    open: BTreeSet<TaskId>,
}

impl Derived {
    fn task(&mut self, id: TaskId, task: &Task) {
        if let Some(assignee) = task.state.assignee() {
            self.index.insert(Index::Assigned(assignee.agent, id), 0);
        }

        // Only an open task has a place in the queue and a deadline that counts.
        if task.state == TaskState::Open {
            let market = &task.spec.market;
            self.index
                .insert(Index::Open(market.clone(), task.due, id), 0);

            self.count(Index::OpenCount(market.clone()));

            if let Some(deadline) = task.spec.deadline {
                self.index.insert(Index::Deadline(deadline, id), 0);
            }

            self.open.insert(id);
        }
    }

    /// Adds a reservation. Tasks come before reservations in the order of the keys, so all open
    /// tasks are known here.
    fn reservation(&mut self, market: &Label, agent: PublicKey, reservation: &Reservation) {
        self.count(Index::Bidders(market.clone()));

        for (task, value) in reservation.marks() {
            // The bid ended with its task.
            if !self.open.contains(&task) {
                continue;
            }

            self.index.insert(Index::Bid(task, agent), value);

            self.count(Index::LiveOf(market.clone(), agent));
            self.count(Index::Live(market.clone()));

            if value == Index::SEALED {
                self.count(Index::Sealed(market.clone()));
            }
        }
    }

    fn count(&mut self, key: Index) {
        let count = self.index.entry(key).or_default();
        *count = count.saturating_add(1);
    }
}
