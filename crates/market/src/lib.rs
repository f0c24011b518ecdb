//! The rules of the market: which agents may do a task (eligibility), and which of them win it
//! (auction mechanisms).
//!
//! An [`Auction`] holds everything that a clearing may depend on, and a [`Mechanism`] makes a
//! [`Clearing`] of it. The ledger runs a mechanism when a window closes; an auditor runs it again
//! from the dossier.
//!
//! **Absent here:** signatures, clocks, randomness, floats, and any state between two auctions.

pub mod assignment;
mod auction;
pub mod eligibility;
pub mod gap;
mod inputs;
mod mechanism;
pub mod mechanisms;

pub use auction::{Auction, Bid, Bidder, Clearing, Duals, Task, TieSeed, Winner};
pub use mechanism::{About, Attempt, Bidding, Mechanism};
pub use mechanisms::{
    GapFound, Score, check_mechanisms, clearing_of, gap_effort, gap_search, mechanism, mechanisms,
    proves_least_total,
};
