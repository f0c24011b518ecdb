//! Moves a task on: applies what [`lifecycle::step`] decides to everything that depends on the
//! task.
//!
//! Queue, deadline, live bids, the commitment of the assignee and the count of the requester follow
//! from the task before and after. They are updated here and nowhere else.

use std::sync::Arc;

use quorate_types::slots::demand_or_slot;
use quorate_types::{Amounts, Label, Outcome, PublicKey, Reason, Stage, TaskId, limits, outcome};

use crate::lifecycle::{self, Next, TaskEvent, TaskState};
use crate::run::Run;
use crate::state::{Entry, Index, Key, Opened, Task};

/// A task that an event moved on.
#[derive(Debug)]
pub(crate) struct Advanced {
    /// The task before the event.
    pub before: Arc<Task>,
    /// The task after the event.
    pub after: Arc<Task>,
}

impl Run<'_> {
    /// Applies an event to a task.
    ///
    /// # Errors
    /// [`Reason::UnknownTask`] if there is no such task, or the error of [`lifecycle::step`].
    /// Nothing is changed then.
    pub(crate) fn advance(&mut self, id: TaskId, event: &TaskEvent) -> Result<Advanced, Reason> {
        let before = Arc::clone(self.view.task(&id).ok_or(Reason::UnknownTask)?);
        let next = lifecycle::step(&before.state, before.token, event)?;

        // The task before is kept, because everything that depends on it follows from both.
        let mut after = (*before).clone();

        match next {
            Next::State(state) => after.state = state,
            Next::Reopen(agent) => self.reopen_task(&mut after, agent),
        }

        // Each assignment has a fencing token of its own (L-16).
        if let TaskEvent::Assign(_) = event {
            after.token = after.token.next();
        }

        let after = Arc::new(after);

        self.follow(id, &before, &after);

        Ok(Advanced { before, after })
    }

    /// Opens a task again that `agent` lost, or lets it fail if that was the last attempt. The task
    /// goes to the end of the queue, and the agent cannot win it again (L-17).
    fn reopen_task(&self, task: &mut Task, agent: PublicKey) {
        task.excluded.insert(agent);
        task.due = self.now.height;

        let market = self.genesis.market(&task.spec.market);
        let attempts = market.map_or(0, |market| market.attempts);

        // The token counts the assignments.
        task.state = if task.token.0 >= attempts {
            TaskState::Failed
        } else {
            TaskState::Open
        };
    }

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

    /// Puts a new task into the queue of its market.
    pub(crate) fn open_new(&mut self, id: TaskId, task: Task) {
        self.enter_queue(id, &task);
        self.view.put(Key::Task(id), Entry::Task(Arc::new(task)));
    }

    /// Moves an open task to the end of the queue of its market.
    pub(crate) fn requeue(&mut self, id: TaskId) {
        let Some(task) = self
            .view
            .task(&id)
            .filter(|task| task.state == TaskState::Open)
        else {
            return;
        };

        let mut task = (**task).clone();
        let market = &task.spec.market;

        // The height is a part of the key, so the old key has to go.
        self.view.unmark(Index::Open(market.clone(), task.due, id));
        self.view
            .mark(Index::Open(market.clone(), self.now.height, id), 0);

        task.due = self.now.height;
        self.view.put(Key::Task(id), Entry::Task(Arc::new(task)));
    }

    /// Updates everything that depends on a task, from its state `before` to `after`.
    fn follow(&mut self, id: TaskId, before: &Task, after: &Arc<Task>) {
        if before.state == TaskState::Open {
            self.leave_queue(id, before);
        }

        if after.state == TaskState::Open {
            self.enter_queue(id, after);
        }

        self.hand_over(id, before, after);

        // A task that ended no longer counts against its requester's quota.
        if after.state.has_ended() {
            self.view.change_account(id.requester, |account| {
                account.live_tasks = account.live_tasks.saturating_sub(1);
            });
        }

        self.view.put(Key::Task(id), Entry::Task(Arc::clone(after)));
    }

    /// Updates what the assignees of a task have free.
    fn hand_over(&mut self, id: TaskId, before: &Task, after: &Task) {
        match (before.state.assignee(), after.state.assignee()) {
            (Some(assignee), None) => self.release(assignee.agent, id, &before.spec.demand),
            (None, Some(assignee)) => self.occupy(assignee.agent, id, &after.spec.demand),
            // An accept leaves the task with its assignee, so nothing changes hands.
            _ => {}
        }
    }

    /// Marks an open task in the index, and opens the window of its market if none is open (M-6).
    fn enter_queue(&mut self, id: TaskId, task: &Task) {
        let market = &task.spec.market;

        self.view.mark(Index::Open(market.clone(), task.due, id), 0);

        if let Some(deadline) = task.spec.deadline {
            self.view.mark(Index::Deadline(deadline, id), 0);
        }

        self.add(Index::OpenCount(market.clone()), 1);

        // The first open task opens the window of its market (M-6).
        let mut window = self.view.window(market);

        if window.opened.is_none() {
            window.opened = Some(Opened::new(self.now, Stage::Bids));
            self.view.put_window(market, window);
        }
    }

    /// Removes a task that is no longer open from the index, and ends the bids on it.
    fn leave_queue(&mut self, id: TaskId, task: &Task) {
        let market = &task.spec.market;

        self.view.unmark(Index::Open(market.clone(), task.due, id));

        if let Some(deadline) = task.spec.deadline {
            self.view.unmark(Index::Deadline(deadline, id));
        }

        self.add(Index::OpenCount(market.clone()), -1);

        // Collected first, because dropping an offer changes the index that is read here.
        let bidders: Vec<PublicKey> = self.bidders_of(id).collect();
        for agent in bidders {
            self.drop_offer(market, agent, id);
        }
    }

    fn bidders_of(&self, id: TaskId) -> impl Iterator<Item = PublicKey> {
        self.view
            .marks(Index::bids(id))
            .filter_map(|(key, _)| match key {
                Index::Bid(_, agent) => Some(*agent),
                _ => None,
            })
    }

    /// Ends one live bid. If it is the last one of its agent in the market, the reservation ends
    /// too.
    fn drop_offer(&mut self, market: &Label, agent: PublicKey, task: TaskId) {
        self.drop_mark(market, agent, task);
        if self.view.count(&Index::LiveOf(market.clone(), agent)) == 0 {
            self.drop_reservation(market, agent);
        }
    }

    /// Takes the demand of a new assignment from what the agent has free.
    fn occupy(&mut self, agent: PublicKey, id: TaskId, demand: &Amounts) {
        self.view.mark(Index::Assigned(agent, id), 0);

        self.view.change_account(agent, |account| {
            for (name, amount) in demand_or_slot(demand) {
                let taken = account.committed.entry(name).or_default();
                *taken = taken.saturating_add(amount);
            }

            account.committed.retain(|_, amount| *amount != 0);
        });
    }

    /// Gives back what an assignment took, once it ends.
    fn release(&mut self, agent: PublicKey, id: TaskId, demand: &Amounts) {
        self.view.unmark(Index::Assigned(agent, id));

        self.view.change_account(agent, |account| {
            for (name, amount) in demand_or_slot(demand) {
                let taken = account.committed.entry(name).or_default();
                *taken = taken.saturating_sub(amount);
            }

            // No zeros are kept, so that equal commitments have one encoding.
            account.committed.retain(|_, amount| *amount != 0);
        });
    }
}
