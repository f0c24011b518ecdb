//! Eligibility and auction mechanisms: tasks, bids and budgets in, a clearing out.
//!
//! A [`Round`] holds all that a clearing may depend on; a [`Mechanism`] makes a [`Clearing`] of it.
//! The ledger runs mechanisms when a window closes, an auditor runs them again from the dossier.
//! **Absent here:** signatures, clocks, randomness, floats, and any state between two rounds.

pub mod assignment;
pub mod eligibility;
mod first_price;
mod mechanism;
mod optimal;
mod round;

pub use first_price::FirstPrice;
pub use mechanism::{Mechanism, mechanism};
pub use optimal::Optimal;
pub use round::{Award, Bid, Bidder, Clearing, Duals, Round, Task, TieSeed};
