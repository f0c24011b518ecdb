//! The proposer is cut off.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// The proposer is cut off, at each height and round anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolateLeader;

impl FaultKind for IsolateLeader {
    const SHARES: &'static [Share] = &[share(Part::Network, 5..6)];

    fn read(_: &Entry) -> Vec<Self> {
        vec![Self]
    }

    fn draw(_: &mut Draw<'_>) -> Vec<Self> {
        vec![Self]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        // Each time a replica has acted, the fault follows the proposer.
        ground.isolate_leader();
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        ground.end_isolation();
    }
}
