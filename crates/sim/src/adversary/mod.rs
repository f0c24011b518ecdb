//! Liars: validators and agents that are correct except for one lie each.
//!
//! A lying validator is the product's replica with a [`Lie`] between it and the world. The lie may
//! change, withhold and add messages, and sign whatever it likes with the liar's own key. Each lie
//! is a small file that says what the liar does, and why the protocol bears it.

mod abandoner;
mod agent;
mod bad_block;
mod bid_spammer;
mod censor;
mod certificate_forger;
mod doubles;
mod false_polka;
mod false_solver;
mod false_suspicion;
mod flooder;
mod forged_bid;
mod forger;
mod kinds;
mod lie;
mod manners;
mod mutations;
mod mutator;
mod nil_only;
mod proposal_equivocator;
mod replayer;
mod silent;
mod vote_equivocator;
mod withholder;
mod wrong_set;

pub use agent::{AgentLiarContext, AgentLie};
pub use kinds::LieKind;
pub use lie::{LiarContext, Lie};
pub use manners::Manner;

use lie::is_bid;
