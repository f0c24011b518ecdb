//! The replicated state machine: it executes blocks, and gives the state root, the assignments and
//! the validator set.
//!
//! [`Ledger`] holds the state after the last decided block. [`Ledger::execute`] and
//! [`Ledger::propose`] run a block on top of it without changing it; [`Ledger::commit`] takes over
//! the result once consensus has decided the block. The effects of a block are a pure function of
//! the state and of the block: evidence first, then the operations by phase, then deadlines, then
//! the clearing of each market whose window closes (`protocols/ledger.md`).
//!
//! The ordering of blocks is not known here. A block comes with its builder, the number of turns to
//! propose that were missed before ([`Proposal::missed_turns`]) and an opaque proof that the block
//! before was decided. `quorate-crypto` judges what proves a commit, and what proves a fault.
//! **Absent here:** rounds, votes, the network, and any clock: the only time is that of the block.

mod advance;
mod check;
mod clearing;
mod clearing_inputs;
mod committee;
mod cost;
mod court;
mod declared;
mod execute;
mod execution;
mod inputs;
mod invalid;
mod ledger;
mod lifecycle;
mod operations;
mod propose;
mod queries;
mod run;
mod state;
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
