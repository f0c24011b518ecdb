//! The whole protocol of one peer as a deterministic state machine, which owns consensus and
//! ledger.
//!
//! How to drive a [`Replica`]: feed it with [`Replica::handle`] and [`Replica::handle_timeout`].
//! After each call drain [`Replica::poll_action`] until it returns `None`, then sleep until
//! [`Replica::poll_timeout`]. Anything that takes long or touches the world is an [`Action`], and
//! its completion comes back as an [`Event`]. The same events in the same order give the same
//! actions.
//!
//! **Durable before visible.** [`Action::Log`] appends to the write-ahead log. [`Action::Sign`]
//! first syncs the log, then makes the signing guard durable, then signs. A statement is sent only
//! after it came back signed, so everything that shaped it is on disk before it leaves (N-21).
//!
//! **Absent here:** tokio, libp2p, files, sockets, clocks, randomness.

mod accusations;
mod blocks;
mod clients;
mod commit;
mod dossiers;
mod event;
mod height;
mod leases;
mod pace;
mod pool;
mod propose;
mod recover;
mod rejoin;
mod replica;
mod slots;
mod sync;
mod timers;
mod work;

pub use event::{Action, Counters, Event, HaltReason, Now, Recipients, ToSign};
pub use pace::TimeoutConfig;
pub use recover::{LogRecord, RecoverError, RestoreError};
pub use rejoin::{Voting, VotingStatus};
pub use replica::{Config, Replica};
pub use slots::{describe_slot, parts_of_slot, signed_slot, slot_of};
pub use work::{BlockContext, Claim, Fact, Origin, Proof, QuorumContext, Work};
