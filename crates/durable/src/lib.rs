//! The replica on its disk: what a validator is without network, clock and threads.
//!
//! [`DurableReplica`] owns replica, store, signing guard and key, and carries out itself what has
//! to be durable before it is visible: it logs, asks the guard, signs, persists, and comes back
//! from all that. What is left for its driver are [`Effect`]s. `quorate-node` drives it with
//! sockets and a clock, the simulator with a seed: both run this very code.
//!
//! **Absent here:** tokio, libp2p, sockets, threads, clocks, randomness; files only behind
//! [`quorate_store::Disk`].

mod effect;
mod error;
mod open;
mod replica;

pub use effect::Effect;
pub use error::DurableError;
pub use open::{Opened, Settings, Start};
pub use replica::DurableReplica;
