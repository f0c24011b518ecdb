//! Decides one block id per height: Tendermint (arXiv:1807.04938) as a pure step function, a tally
//! and a driver.
//!
//! - [`round`]: the algorithm, one match whose arms carry the paper's lines;
//! - [`tally`]: which thresholds were crossed; [`evidence`]: who contradicted himself;
//! - [`Driver`]: one height. [`Input`] in, [`Output`] out.
//!
//! Blocks are opaque ids. The driver asks for one to propose ([`Output::Build`]) and for the
//! ledger's word on one that was proposed ([`Output::Check`]).
//!
//! Where this differs from the paper, and why:
//! - Line 20: the proposer schedules `timeoutPropose` too, see [`round`].
//! - Lines 36, 49 need "a proposal from the proposer". Here the block body travels by itself, so a
//!   valid verdict on the block that a polka or commit names is enough. That is N-20: the other
//!   proposal of an equivocating proposer is accepted once a quorum names it. A quorum contains
//!   correct validators that did see a proposal, so nothing can be decided that nobody proposed.
//! - Line 55 counts prevotes and precommits, not proposals (N-17).
//! - A node that sees a commit for a block its ledger refuses reports and never decides it
//!   ([`Output::Contradiction`]).
//! - Votes of rounds far behind or ahead are bounded, see [`tally`].
//!
//! **Absent here:** I/O, clocks, randomness, signing; anything of the ledger or the market.

mod driver;
pub mod evidence;
pub mod round;
pub mod tally;

pub use driver::{CatchUp, Config, Driver, Input, Output, Verdict};
pub use round::{Rule, RuleSet, Step};
