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
mod double;
pub mod eligibility;
mod first_price;
pub mod gap;
mod gap_market;
mod inputs;
mod mechanism;
mod optimal;
mod second_price;
mod sequential;
mod vcg;

pub use auction::{Auction, Bid, Bidder, Clearing, Duals, Task, TieSeed, Winner};
pub use double::{McAfee, UniformDouble};
pub use first_price::FirstPrice;
pub use gap_market::{Gap, GapFound, Score, clearing_of, gap_effort, gap_search};
pub use mechanism::{Attempt, Bidding, Mechanism, check_mechanisms, mechanism, mechanisms};
pub use optimal::Optimal;
pub use second_price::SecondPrice;
pub use sequential::Sequential;
pub use vcg::{Vcg, proves_least_total};
