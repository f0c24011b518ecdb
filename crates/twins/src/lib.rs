//! Twins (arXiv:2004.10617): a Byzantine validator made of two correct ones with one key.
//!
//! A twin needs no code that lies. Two instances of the product's own replica run with one key,
//! each with a signing guard of its own; what they honestly tell different peers conflicts. A
//! *scenario* fixes for each of its rounds the leader and the groups of hosts that hear each other.
//! [`Space`] enumerates scenarios and leaves out those that differ in names only. [`Runner`] runs a
//! scenario and judges it. [`Scenarios`] is a file of scenarios, so that anyone can add some.
//!
//! # The file
//!
//! JSON. Unknown fields are refused.
//!
//! - `num_nodes`: the number of keys in the committee, 1 to 16, each of power 1. Hosts
//!   `0..num_nodes` run with them.
//! - `num_twins`: nodes `0..num_twins` have a second instance. The second instance of node i is
//!   host `num_nodes + i`.
//! - `partitions`: the greatest number of groups that an entry has.
//! - `rounds`: the number of entries of each scenario, 1 to 16.
//! - `scenarios`: a list of scenarios. Each is a list of entries, one for each round:
//!   - `leader`: the node that proposes in the round. If it has a twin, both instances propose.
//!   - `partitions`: groups of hosts. Messages are heard only within a group. A host in no group is
//!     alone.
//!   - `precommits`: groups for precommits and commits, if they differ from `partitions`. It may be
//!     left out.
//!
//! `precommits` is this project's addition to the paper's form. A round of Tendermint has two
//! votes. With one partition for both, either a group decides or nobody is ever locked, and the
//! rules of locking are not reached. `[]` for `precommits` gives a polka, and locks, without a
//! decision.
//!
//! # How a scenario is run
//!
//! All of it happens at height 1, under a synchronous scheduler:
//!
//! 1. **Leader.** The protocol fixes the proposer of (height, round). While it is not the leader
//!    that the entry wants, all hosts pass one round of the protocol in total isolation: nobody
//!    else hears the proposer's block, so nothing is locked, and the next node gets its turn.
//! 2. **Round.** Hosts of one group tell each other where they stand, as after connecting. Then all
//!    messages within groups are delivered until there are none, then the earliest timer of a
//!    round's step fires, and so on. Messages for a later round wait for that round.
//! 3. **Leaving it.** In Tendermint nobody leaves a round without votes of two thirds. A host whose
//!    group is too small for that is given votes of the round from other hosts: as few as let it go
//!    on, and first those for the value that it has heard least of, so that it learns as little as
//!    possible. Precommits are given only when nobody waits for prevotes any more. Any order of
//!    delivery is a legal one, so this never reports a violation that is not real. If others have
//!    decided and no longer vote, a host stays behind.
//! 4. **Healing.** Everyone hears everyone. Messages that were withheld are lost, or arrive now:
//!    see [`Withheld`]. The run goes on until every correct host has decided a height that none had
//!    decided before.
//!
//! Within a group everyone hears everyone, and in a group with a polka two thirds vote. So with
//! four nodes a block is never locked by one correct host alone. For that case see the one-way
//! partitions of the simulation.
//!
//! # What must hold
//!
//! - Agreement: correct hosts decide one block at each height. Of all precommits ever signed, heard
//!   or not, none make up commits of two blocks at one height.
//! - One statement: no host is asked to sign two values for one height, round and step.
//! - Progress: after healing, within a bound.
//! - Evidence: a key whose statements to one correct host conflict is convicted within 16 heights,
//!   and no node without a twin ever is.
//!
//! **Absent here:** code that lies, disks, markets, threads, sockets, files and real clocks.

mod committee;
mod enumerate;
mod error;
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
pub use error::TwinsError;
pub use form::{Entry, Groups, Scenarios, Schedule};
pub use network::Withheld;
pub use report::{ScheduleOutcome, TwinsReport, TwinsViolation};
pub use runner::Runner;
