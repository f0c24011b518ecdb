//! One peer's whole protocol as a deterministic state machine: it owns consensus and ledger.
//!
//! The grammar of [`Replica`]: feed it with [`Replica::handle`] and [`Replica::handle_timeout`],
//! after each drain [`Replica::poll_action`] until `None`, then sleep until
//! [`Replica::poll_timeout`]. What takes long or touches the world is an [`Action`] whose
//! completion comes back as an [`Event`]; the same events in the same order give the same actions.
//!
//! **Durable before visible.** [`Action::Log`] appends to the write-ahead log; [`Action::Sign`]
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
mod sync;
mod timers;
mod work;

pub use event::{Action, Counters, Event, HaltReason, Now, Recipients, ToSign};
pub use pace::PaceConfig;
pub use recover::{LogRecord, RecoverError, RestoreError};
pub use rejoin::{Standing, Voting};
pub use replica::{Config, Replica};
pub use work::{BlockContext, Claim, Fact, Origin, Proof, QuorumContext, Work};
