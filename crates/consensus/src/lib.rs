//! Decides one block id per height: Tendermint (arXiv:1807.04938) as a pure step function, a tally
//! and a driver.
//!
//! - [`round`] is the algorithm: one match whose arms name the lines of the paper.
//! - [`tally`] counts votes and reports the thresholds that they cross.
//! - [`evidence`] pairs the conflicting statements of one validator.
//! - [`Driver`] decides one height: it takes an [`Input`] and returns each [`Output`] that follows.
//!
//! Blocks are opaque ids. The driver asks for a block to propose ([`Output::Build`]), and asks the
//! ledger for its verdict on a block that was proposed ([`Output::Check`]).
//!
//! The differences from the paper, and their reasons:
//! - Line 20: the proposer schedules `timeoutPropose` too, see [`round`].
//! - Lines 36 and 49 need "a proposal from the proposer". Here the block body travels apart from
//!   the proposal, so a valid verdict on the block that a polka or commit names is enough (N-20).
//!   Of two proposals by an equivocating proposer, a node may therefore accept the one it did not
//!   see first, once a quorum names its block. A quorum contains correct validators that did see a
//!   proposal, so a block that nobody proposed cannot be decided.
//! - Line 55 counts prevotes and precommits, not proposals (N-17).
//! - A node that sees a commit for a block that its ledger refuses reports it and never decides it
//!   ([`Output::Contradiction`]).
//! - Votes of rounds far behind or far ahead are bounded, see [`tally`].
//!
//! **Absent here:** I/O, clocks, randomness and signing; anything of the ledger or the market.

mod driver;
pub mod evidence;
pub mod round;
pub mod tally;

pub use driver::{CatchUp, Config, Driver, Input, Output, Verdict};
pub use round::{Rule, RuleSet, Step};
