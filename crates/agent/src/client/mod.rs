//! The protocol of an agent or requester as a state machine, without I/O.
//!
//! [`LightClient`] routes each input to the part that owns what it changes: `links` (connections
//! and open questions), `pace` (heartbeats and repetitions), `account` (membership and operations
//! on their way), `work` (awards of this agent), `orders` (tasks of this requester) and `markets`
//! (calls, commitments, fetches). A part reads what it needs in a `Cx`, and puts what it wants done
//! into an `Out`.

mod account;
mod account_state;
mod agreement;
mod asked;
mod calls;
mod commands;
mod config;
mod counters;
mod cx;
mod error;
mod event;
mod fetches;
mod light_client;
mod links;
mod markets;
mod orders;
mod out;
mod outbox;
mod pace;
mod seals;
mod standing_bids;
#[cfg(test)]
mod testing;
mod work;

pub use config::ClientConfig;
pub use counters::ClientCounters;
pub use error::ClientError;
pub use event::{ClientAction, ClientEvent, DossierBundle, LossCause};
pub use light_client::LightClient;
pub use standing_bids::StandingBids;
