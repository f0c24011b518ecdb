//! The oracle: the rules of the protocol restated, to judge what validators decided and signed.
//!
//! [`Model`] follows the decided blocks, and a [`Rule`] judges each [`Step`] of a block against it.
//! [`Judge`] joins the two. [`Voices`] keeps what was signed, and [`guilty`] tells from it which
//! validators broke the rules of voting.
//!
//! **Absent here:** the code that is judged. The oracle takes values of the wire apart and checks
//! signatures and hashes; it asks neither a ledger nor a replica nor a driver. It asks a market
//! only for the mechanisms that are not written down here (see [`winners`]).

mod assignment;
mod attestations;
mod auction;
mod bids;
mod capacity;
mod causes;
mod chain;
mod clearing;
mod committee;
mod decided;
mod fencing;
mod follow;
mod forensics;
mod idempotence;
mod kept;
mod model;
mod offer;
mod round;
mod rule;
mod solutions;
mod standing;
mod steps;
mod task;
mod validity;
mod voices;
mod windows;

pub use auction::winners;
pub use bids::Bids;
pub use capacity::Capacity;
pub use causes::Causes;
pub use chain::Chain;
pub use clearing::Clearing;
pub use committee::{Committee, is_quorum, power, total_power};
pub use decided::{Decided, Effects};
pub use fencing::Fencing;
pub use forensics::guilty;
pub use idempotence::Idempotence;
pub use model::Model;
pub use round::{Bid, Bidder, ModelAuction};
pub use rule::{Judge, Rule};
pub use steps::Step;
pub use task::{ModelState, Moment, Task};
pub use validity::Validity;
pub use voices::{Said, Slot, Value, Voices};
