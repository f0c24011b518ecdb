//! The replica on its disk: a validator without network, clock and threads.
//!
//! [`DurableReplica`] owns replica, store, signing guard and key. It carries out itself whatever
//! has to be durable before it is visible: it logs, asks the guard, signs, persists, and recovers
//! from all of that. [`Effect`]s are left to its driver. `quorate-node` drives it with sockets and
//! a clock, the simulator drives it with a seed, and both run this same code.
//!
//! **Absent here:** tokio, libp2p, sockets, threads, clocks, randomness; files only behind
//! [`quorate_store::Disk`].

mod effect;
mod error;
mod open;
mod records;
mod replica;

pub use effect::{Effect, Served};
pub use error::DurableError;
pub use open::{Opened, Settings, Start};
pub use replica::DurableReplica;
