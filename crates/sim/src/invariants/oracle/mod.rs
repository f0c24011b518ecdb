//! The oracle that the invariants judge by: the rules of the book, restated from what is committed
//! and said.
//!
//! Nothing here asks a ledger or a driver. The oracle takes values of the wire apart and checks
//! signatures and hashes. It asks a market only for the mechanisms that are not written down here
//! (see [`winners`]).

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

pub(super) use auction::{Bid, Bidder, ModelAuction, winners};
pub(super) use chain::{Chain, Decided};
pub(super) use committee::{Committee, is_quorum, power, total_power};
pub(super) use model::{Model, ModelState, Said, Task, demand};
pub(super) use rule::{OnLedger, Rule};
pub(super) use standing::{LiveOffer, amount_of};
pub(super) use steps::{Step, refuses};
pub(super) use voices::{Slot, Voices};

use quorate_types::PublicKey;

use crate::world::World;

/// Whether a key belongs to a correct validator. If twins share the key, none of them may be
/// faulty.
pub(super) fn is_correct(world: &World, key: &PublicKey) -> bool {
    let mut hosts = world
        .validators()
        .iter()
        .filter(|host| host.public_key() == *key);
    hosts.next().is_some_and(|host| host.is_correct()) && hosts.all(|host| host.is_correct())
}
