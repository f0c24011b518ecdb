//! What may be asked of the state after the last decided block.

use std::sync::Arc;

use quorate_crypto::map::MapProof;
use quorate_market::mechanism;
use quorate_types::outcome::ClearingInput;
use quorate_types::{
    FencingToken, Height, Label, Millis, Operation, PublicKey, Stage, TaskId, TaskSpec, cbor,
};

use crate::Ledger;
use crate::lifecycle::TaskState;
use crate::operations::admits;
use crate::run::Now;
use crate::state::{Entry, Index, Key};

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// Task.
    pub task: TaskId,
    /// What is to be done.
    pub spec: Arc<TaskSpec>,
    /// Where it stands, and who has it.
    pub state: TaskState,
    /// Assignments it has had: the fencing token in force.
    pub token: FencingToken,
    /// Who failed, declined or lapsed on it, ascending.
    pub excluded: Vec<PublicKey>,
}

/// A member as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Sequence number of its next operation.
    pub next_sequence: u64,
    /// Number of its next task.
    pub next_task: u64,
    /// Operations of it that were refused, wholly or in part.
    pub refusals: u64,
    /// Clearings in which it left commitments unopened.
    pub defaults: u64,
    /// Active time before which no commitment of it is taken.
    pub barred_until: Millis,
    /// Assignments it holds now, ascending by task.
    pub assigned: Vec<(TaskId, FencingToken)>,
}

/// An assignment in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Task.
    pub task: TaskId,
    /// Fencing token.
    pub token: FencingToken,
    /// Assignee.
    pub agent: PublicKey,
    /// Active time of the assignment.
    pub assigned_at: Millis,
    /// Height of the assignment.
    pub height: Height,
    /// Active milliseconds the lease lasts without a heartbeat.
    pub lease: Millis,
}

/// The window of a market as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowView {
    /// Market.
    pub market: Label,
    /// Number of the window, from 0.
    pub number: u64,
    /// Height at which its stage began; `None` where no task is open.
    pub opened: Option<Height>,
    /// What it takes now.
    pub stage: Stage,
    /// Active time from which on its stage may end; `None` where no task is open.
    pub closes_from: Option<Millis>,
    /// Tasks that are open.
    pub open_tasks: u64,
    /// Bids on them.
    pub live_bids: u64,
}

impl Ledger {
    /// A member; `None` for a stranger.
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

    /// Whether this key is a member: its operations may stand in a block.
    pub fn knows_agent(&self, agent: &PublicKey) -> bool {
        self.state().view().account(agent).is_some()
    }

    /// Sequence number of the agent's next operation; 0 for a stranger.
    pub fn next_sequence(&self, agent: &PublicKey) -> u64 {
        self.state()
            .view()
            .account(agent)
            .map_or(0, |account| account.next_sequence)
    }

    /// Whether `operation`, the first of a stranger, would make it a member in a next block of time
    /// `wall` (Unix milliseconds). What does not is never in a valid block.
    pub fn admits(&self, operation: &Operation, wall: Millis) -> bool {
        let wall = wall.max(self.block_time().saturating_add(1));
        admits(&self.admission(wall), &self.state().view(), operation)
    }

    /// A task; `None` where there is none of this name.
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

    /// At most `max` open tasks of a market, in the order in which they are due.
    pub fn open_tasks(&self, market: &Label, max: usize) -> Vec<(TaskId, Arc<TaskSpec>)> {
        let view = self.state().view();
        let open = view
            .marks(Index::open(market))
            .filter_map(|(key, _)| match key {
                Index::Open(_, _, task) => Some((*task, Arc::clone(&view.task(task)?.spec))),
                _ => None,
            });
        open.take(max).collect()
    }

    /// All assignments in force, ascending by agent and task.
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

    /// The windows of all markets, ascending by market.
    pub fn windows(&self) -> Vec<WindowView> {
        let view = self.state().view();
        let markets = self.genesis_info().markets.iter();
        let windows = markets.map(|market| {
            let (name, window) = (&market.name, view.window(&market.name));
            let opened = window.opened.as_ref();
            WindowView {
                market: name.clone(),
                number: window.number,
                opened: opened.map(|opened| opened.height),
                stage: opened.map(|opened| opened.stage).unwrap_or_default(),
                closes_from: opened.map(|opened| opened.closes(market)),
                open_tasks: view.count(&Index::OpenCount(name.clone())),
                live_bids: view.count(&Index::Live(name.clone())),
            }
        });
        windows.collect()
    }

    /// What would go into a clearing of a market now: for whoever wants to find a solution. `None`
    /// unless the market is at this window and takes solutions.
    pub fn standing_bids(&self, market: &Label, window: u64) -> Option<Vec<ClearingInput>> {
        let (height, active, wall) = (self.height(), self.active_time(), self.block_time());
        let run = self.start(Now {
            height,
            active,
            wall,
        });
        let now = run.view.window(market);
        let solves = now
            .opened
            .is_some_and(|opened| opened.stage == Stage::Solutions);
        if !solves || now.number != window {
            return None;
        }
        let market = self.genesis_info().market(market)?;
        Some(run.inputs(market, mechanism(&market.mechanism)?))
    }

    /// Whether every index agrees with the state it is derived from: a check for simulators and
    /// tests, which looks at everything.
    pub fn index_is_consistent(&self) -> bool {
        self.state().index_is_derived()
    }

    /// Canonical CBOR of the entry under `key`: what the state root binds. `None` where none is.
    pub fn entry_bytes(&self, key: &Key) -> Option<Vec<u8>> {
        self.state().view().entry(key).map(Entry::encode)
    }

    /// Proves under [`Ledger::state_root`] what stands under `key` ([`Ledger::entry_bytes`]), or
    /// that nothing does. The map's key is the canonical CBOR of `key`.
    pub fn prove(&self, key: &Key) -> MapProof {
        self.state().tree().prove(&cbor::encode(key))
    }
}
