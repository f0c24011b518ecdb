//! Twins (arXiv:2004.10617): a Byzantine validator as two correct ones with one key.
//!
//! A twin needs no lying code: two instances of the product's own replica run with one key, each
//! with a guard of its own, and what contradicts is what they honestly say to different peers. A
//! *scenario* says for each of its rounds who leads and who hears whom. [`Space`] enumerates
//! scenarios and leaves out those that differ in names only; [`Runner`] runs one and judges it;
//! [`Scenarios`] is a file of them, so that anyone can add schedules.
//!
//! # The file
//!
//! JSON; unknown fields are refused.
//!
//! - `num_nodes`: keys in the committee, 1 to 16, each of power 1. Hosts `0..num_nodes` run with
//!   them.
//! - `num_twins`: nodes `0..num_twins` have a second instance; that of node i is host
//!   `num_nodes + i`.
//! - `partitions`: groups that an entry has at most.
//! - `rounds`: entries of each scenario, 1 to 16.
//! - `scenarios`: each is a list of entries, one for each round:
//!   - `leader`: node that proposes in the round; with a twin, both of its instances.
//!   - `partitions`: groups of hosts; only within a group is anything heard. A host in no group is
//!     alone.
//!   - `precommits`, may be left out: groups for precommits and commits, where they are not those
//!     of `partitions`.
//!
//! `precommits` is this project's addition to the paper's form. A round of Tendermint has two
//! votes; with one partition for both, a group either decides or nobody is ever locked, and the
//! rules of locking are not reached. `[]` for `precommits` gives a polka, and locks, without a
//! decision.
//!
//! # How a scenario is run
//!
//! All of it happens at height 1, by a synchronous scheduler:
//!
//! 1. **Leader.** The proposer of (height, round) is fixed by the protocol. While it is not the
//!    leader that is wanted, all hosts pass a round of the protocol in total isolation: the natural
//!    proposer's block is heard by nobody else, so nothing is locked, and the next one's turn
//!    comes.
//! 2. **Round.** Hosts of one group tell each other where they stand, as after connecting. Then
//!    all that is said within groups is delivered until nothing is said any more, then the earliest
//!    timer of a round's step fires, and so on. What is said for a later round waits for it.
//! 3. **Leaving it.** Without votes of two thirds nobody leaves a round of Tendermint. A host whose
//!    group is too small for that gets votes of the round from other hosts, as few as let it go on,
//!    and of these those for the value it has heard least of: so it learns as little as possible.
//!    Precommits are given once nobody waits for prevotes any more.
//!    Any order of delivery is a legal one, so this can report no violation that is none. Where
//!    others have decided and no longer vote, a host stays behind.
//! 4. **Healing.** All hear all. What was withheld is lost, or arrives now: [`Withheld`]. The run
//!    goes on until every correct host has decided a height that none had before.
//!
//! Groups are symmetric and two thirds vote in each that has a polka, so at four nodes a block is
//! never locked by one correct host alone: for that see one-way partitions of the simulation.
//!
//! # What must hold
//!
//! - Agreement: correct hosts decide one block per height; and of all precommits ever signed,
//!   heard or not, none make up commits of two blocks at a height.
//! - One voice: no host is asked to sign two values for one height, round and step.
//! - Progress: after healing, within a bound.
//! - Evidence: whoever contradicted itself to the face of one correct host is convicted within 16
//!   heights, and nobody but nodes with twins ever is.

mod enumerate;
mod form;
mod hosts;
mod network;
mod oracle;
mod report;
mod run;
mod runner;
mod symmetry;
mod votes;

pub use enumerate::{Leaders, Precommits, Space};
pub use form::{Entry, Groups, Scenarios, Schedule, TwinsError};
pub use report::{Outcome, TwinsReport, TwinsViolation};
pub use runner::{Runner, Withheld};
