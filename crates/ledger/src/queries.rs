//! Queries on the state after the last decided block.

use std::sync::Arc;

use quorate_crypto::map::MapProof;
use quorate_market::mechanism;
use quorate_types::outcome::ClearingInput;
use quorate_types::{
    ActiveMillis, FencingToken, Height, Label, Market, Millis, Operation, PublicKey, Stage, TaskId,
    TaskSpec, UnixMillis, cbor,
};

use crate::Ledger;
use crate::lifecycle::TaskState;
use crate::operations::admits;
use crate::run::Now;
use crate::state::{Entry, Index, Key};

/// A task in its current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// The id of the task: its requester and number.
    pub task: TaskId,
    /// The specification that the requester submitted.
    pub spec: Arc<TaskSpec>,
    /// The state of the task, with its assignee if it has one.
    pub state: TaskState,
    /// The number of assignments the task has had, which is the fencing token in force.
    pub token: FencingToken,
    /// The agents that failed, declined or lapsed on the task, ascending.
    pub excluded: Vec<PublicKey>,
}

/// The account of a member in its current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// The sequence number of its next operation.
    pub next_sequence: u64,
    /// The number of its next task.
    pub next_task: u64,
    /// The number of refusals of its operations, in whole or in part.
    pub refusals: u64,
    /// The number of clearings in which it left commitments unopened.
    pub defaults: u64,
    /// The active time before which none of its commitments is taken.
    pub barred_until: ActiveMillis,
    /// The assignments it holds now, ascending by task.
    pub assigned: Vec<(TaskId, FencingToken)>,
}

/// An assignment in force, with the terms of its lease. It stays in force until a lapse ends it,
/// however long the lease is over (L-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The task that is assigned.
    pub task: TaskId,
    /// The fencing token of the assignment.
    pub token: FencingToken,
    /// The agent that holds the task.
    pub agent: PublicKey,
    /// The active time of the assignment: the start of the lease.
    pub assigned_at: ActiveMillis,
    /// The height of the block that made the assignment.
    pub height: Height,
    /// Active milliseconds that the lease lasts without a heartbeat.
    pub lease: Millis,
}

/// The window of a market in its current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowView {
    /// The name of the market.
    pub market: Label,
    /// The number of the window, counted from 0.
    pub number: u64,
    /// The height at which its stage began; `None` if no task is open.
    pub opened: Option<Height>,
    /// The stage of the window, which says what it takes now.
    pub stage: Stage,
    /// The active time from which on its stage may end; `None` if no task is open.
    pub closes_from: Option<ActiveMillis>,
    /// The number of open tasks in the market.
    pub open_tasks: u64,
    /// The number of live bids on them.
    pub live_bids: u64,
}

impl Ledger {
    /// Returns the account of a member; `None` for a stranger.
    pub fn account(&self, agent: &PublicKey) -> Option<AccountView> {
        let view = self.state().view();
        let account = view.account(agent)?;

        let assigned = view
            .marks(Index::assigned(*agent))
            .filter_map(|(key, _)| match key {
                Index::Assigned(_, task) => Some((*task, view.task(task)?.token)),
                _ => None,
            });

        Some(AccountView {
            next_sequence: account.next_sequence,
            next_task: account.next_task,
            refusals: account.refusals,
            defaults: account.defaults,
            barred_until: account.barred_until,
            assigned: assigned.collect(),
        })
    }

    /// Returns whether this key is a member, whose operations may stand in a block.
    pub fn knows_agent(&self, agent: &PublicKey) -> bool {
        self.state().view().account(agent).is_some()
    }

    /// Returns the sequence number of the agent's next operation; 0 for a stranger.
    pub fn next_sequence(&self, agent: &PublicKey) -> u64 {
        self.state()
            .view()
            .account(agent)
            .map_or(0, |account| account.next_sequence)
    }

    /// Returns whether `operation`, the first one of a stranger, would make it a member in a next
    /// block of time `wall`. If not, no valid block holds it.
    pub fn admits(&self, operation: &Operation, wall: UnixMillis) -> bool {
        let wall = wall.max(self.block_time().saturating_add(1));
        admits(&self.admission(wall), &self.state().view(), operation)
    }

    /// Returns a task; `None` if there is none of this id.
    pub fn task(&self, task: TaskId) -> Option<TaskView> {
        let view = self.state().view();
        let found = view.task(&task)?;

        Some(TaskView {
            task,
            spec: Arc::clone(&found.spec),
            state: found.state.clone(),
            token: found.token,
            excluded: found.excluded.iter().copied().collect(),
        })
    }

    /// Returns at most `max` open tasks of a market, in the order in which they are due.
    pub fn open_tasks(&self, market: &Label, max: usize) -> Vec<(TaskId, Arc<TaskSpec>)> {
        let view = self.state().view();

        let open = view
            .marks(Index::open(market))
            .filter_map(|(key, _)| match key {
                Index::Open(_, _, task) => {
                    let spec = &view.task(task)?.spec;
                    Some((*task, Arc::clone(spec)))
                }

                _ => None,
            });

        open.take(max).collect()
    }

    /// Returns all assignments in force, ascending by agent and task.
    pub fn leases(&self) -> Vec<Lease> {
        let view = self.state().view();
        let leases = view.marks(Index::all_assigned()).filter_map(|(key, _)| {
            let Index::Assigned(_, task) = key else {
                return None;
            };

            let found = view.task(task)?;
            let assignee = found.state.assignee()?;

            Some(Lease {
                task: *task,
                token: found.token,
                agent: assignee.agent,
                assigned_at: assignee.assigned_at,
                height: assignee.height,
                lease: assignee.lease,
            })
        });

        leases.collect()
    }

    /// Returns the windows of all markets, ascending by market.
    pub fn windows(&self) -> Vec<WindowView> {
        let markets = self.genesis_info().markets.iter();
        markets.map(|market| self.window(market)).collect()
    }

    /// Returns the window of a market.
    fn window(&self, market: &Market) -> WindowView {
        let view = self.state().view();
        let window = view.window(&market.name);
        let opened = window.opened.as_ref();

        WindowView {
            market: market.name.clone(),
            number: window.number,
            opened: opened.map(|opened| opened.height),
            stage: opened.map(|opened| opened.stage).unwrap_or_default(),
            closes_from: opened.map(|opened| opened.closes(market)),
            open_tasks: view.count(&Index::OpenCount(market.name.clone())),
            live_bids: view.count(&Index::Live(market.name.clone())),
        }
    }

    /// Returns the inputs that a clearing of a market would have now, for members that look for a
    /// solution. `None` unless the market is at this window and takes solutions.
    pub fn standing_bids(&self, market: &Label, window: u64) -> Option<Vec<ClearingInput>> {
        // The next block is not there yet, so the last one stands for it.
        let run = self.start(Now {
            height: self.height(),
            active: self.active_time(),
            wall: self.block_time(),
        });

        if !run.is_at(market, window, Stage::Solutions) {
            return None;
        }

        let market = self.genesis_info().market(market)?;
        Some(run.inputs(market, mechanism(&market.mechanism)?))
    }

    /// Returns whether every index agrees with the state it is derived from. This is a check for
    /// simulators and tests, and reads the whole state.
    pub fn index_is_consistent(&self) -> bool {
        self.state().index_is_derived()
    }

    /// Returns the canonical CBOR of the entry under `key`, which the state root binds; `None` if
    /// there is no entry.
    pub fn entry_bytes(&self, key: &Key) -> Option<Vec<u8>> {
        self.state().view().entry(key).map(Entry::encode)
    }

    /// Proves under [`Ledger::state_root`] the entry under `key` ([`Ledger::entry_bytes`]), or its
    /// absence. The key in the map is the canonical CBOR of `key`.
    pub fn prove(&self, key: &Key) -> MapProof {
        self.state().tree().prove(&cbor::encode(key))
    }
}
