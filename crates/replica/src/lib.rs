//! The whole protocol of one peer as a deterministic state machine, which owns consensus and
//! ledger.
//!
//! How to drive a [`Replica`]: feed it with [`Replica::handle`] and [`Replica::handle_timeout`].
//! After each call drain [`Replica::poll_action`] until it returns `None`, then sleep until
//! [`Replica::poll_timeout`]. Anything that takes long or touches the world is an [`Action`], and
//! its completion comes back as an [`Event`]. The same events in the same order give the same
//! actions.
//!
//! **Durable before visible.** [`Write::Log`] appends to the write-ahead log. [`Write::Sign`]
//! first syncs the log, then makes the signing guard durable, then signs. A statement is sent only
//! after it came back signed, so everything that shaped it is on disk before it leaves (N-21).
//!
//! **Absent here:** tokio, libp2p, files, sockets, clocks, randomness.

mod accusations;
mod action;
mod clients;
mod context;
mod event;
mod leases;
mod ordering;
mod pool;
mod replica;
mod restore;
mod signal;
#[cfg(test)]
mod testing;
mod timers;
mod work;

pub use action::{Action, Recipients, ToSign, Write};
pub use event::{Counters, Event, HaltReason, Now, Origin};
pub use ordering::{
    LogRecord, RecoverError, TimeoutConfig, Voting, VotingStatus, describe_slot, parts_of_slot,
    signed_slot, slot_of,
};
pub use replica::{Config, Replica};
pub use restore::RestoreError;
pub use work::{BlockContext, QUICK_SIGNATURES, QuorumContext, Work};
