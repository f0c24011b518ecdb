//! The invariants that the oracle judges by decided blocks alone: 3 (validity), 14 (capacity),
//! 15 (clearing), 16 (idempotence), 17 (causes) and 18 (bids).

use quorate_oracle::{Judge, Rule};

use super::invariant::Invariant;
use super::observed::decided;
use crate::seen::Seen;
use crate::world::World;

/// A rule of the oracle, judged over the blocks that correct validators decide.
#[derive(Debug, Default)]
pub(super) struct OfBlocks<R>(Judge<R>);

impl<R: Rule> Invariant for OfBlocks<R> {
    fn number(&self) -> u8 {
        R::NUMBER
    }

    fn name(&self) -> &'static str {
        R::NAME
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.0.follow(world.genesis(), decided(world, seen))
    }
}
