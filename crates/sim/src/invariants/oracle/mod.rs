//! What the invariants judge by: the rules of the book restated from what is committed and said.
//!
//! Nothing here asks a ledger, a driver or a market: only values of the wire are taken apart, and
//! signatures and hashes checked.

mod auction;
mod chain;
mod committee;
mod model;
mod rule;
mod solutions;
mod standing;
mod steps;
mod voices;
mod windows;

pub(super) use auction::{Bid, Bidder, Round, awards};
pub(super) use chain::{Chain, Decided};
pub(super) use committee::{Committee, is_quorum, power};
pub(super) use model::{Model, Said, State, Task, demand};
pub(super) use rule::{OnLedger, Rule};
pub(super) use steps::Step;
pub(super) use voices::{Slot, Voices};

use quorate_types::PublicKey;

use crate::world::World;

/// Whether a key belongs to a validator that is held to its word.
pub(super) fn is_correct(world: &World, key: &PublicKey) -> bool {
    let mut hosts = world
        .validators()
        .iter()
        .filter(|host| host.public_key() == *key);
    hosts.next().is_some_and(|host| host.is_correct()) && hosts.all(|host| host.is_correct())
}
