//! Validators hear only their neighbours.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// Each validator hears only its two neighbours by index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring;

impl FaultKind for Ring {
    const SHARES: &'static [Share] = &[share(Part::Network, 4..5)];

    fn read(_: &Entry) -> Vec<Self> {
        vec![Self]
    }

    fn draw(_: &mut Draw<'_>) -> Vec<Self> {
        vec![Self]
    }

    fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
        let count = ground.validators();

        ground.cut(
            begun.fault,
            &|from, to| match (from.validator(), to.validator()) {
                (Some(a), Some(b)) => !are_neighbours(a, b, count),
                _ => false,
            },
        );
    }

    fn end(&self, ground: &mut dyn Ground, fault: usize) {
        ground.mend(fault);
    }
}

/// Whether two validators are the same or next to each other in the ring of all.
fn are_neighbours(a: usize, b: usize, count: usize) -> bool {
    a == b || (a + 1) % count == b || (b + 1) % count == a
}
