//! The replicated state machine: blocks in; state root, assignments and validator set out.
//!
//! [`Ledger`] holds the state after the last decided block. [`Ledger::execute`] and
//! [`Ledger::propose`] run a block on top of it without changing it; [`Ledger::commit`] takes the
//! result over once an ordering has decided the block. What a block does is a pure function of the
//! state and of what is in the block: evidence first, then the operations by phase, then deadlines,
//! then the clearing of each market whose window closes (`protocols/ledger.md`).
//! **Absent here:** rounds, votes, the network, and any clock: time is the block's.

mod advance;
mod check;
mod clearing;
mod committee;
mod cost;
mod court;
mod docket;
mod execute;
mod execution;
mod invalid;
mod ledger;
mod lifecycle;
mod operations;
mod propose;
mod queries;
mod run;
mod state;
mod timers;
mod windows;

pub use committee::EVIDENCE_HEIGHTS;
pub use execution::{Committed, Dossier, Execution};
pub use invalid::{EvidenceError, InvalidBlock, StaleExecution};
pub use ledger::Ledger;
pub use lifecycle::{Assignee, TaskState};
pub use operations::SUSPICION_HEIGHTS;
pub use propose::Proposal;
pub use queries::{AccountView, Lease, TaskView, WindowView};
pub use state::Key;
