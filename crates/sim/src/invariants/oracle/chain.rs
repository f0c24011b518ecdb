//! The chain of decided blocks, height by height.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Committed;
use quorate_types::{Block, Height};

use crate::seen::Seen;
use crate::world::World;

/// A decided block and what it did, as a correct validator reports it.
#[derive(Debug, Clone)]
pub(in crate::invariants) struct Decided {
    pub(in crate::invariants) block: Arc<Verified<Block>>,
    pub(in crate::invariants) committed: Arc<Committed>,
}

/// Puts the blocks that validators decide in the order of heights, each height once. The first
/// report of a height counts; invariant 1 judges whether all validators decide the same.
#[derive(Debug, Default)]
pub(in crate::invariants) struct Chain {
    /// The last height that was taken.
    height: Height,
    /// Blocks that wait for the report of the block before. A validator may report a height first
    /// because the one that decided the height before crashed at that moment.
    waiting: BTreeMap<Height, Decided>,
}

impl Chain {
    /// Takes in an observation and returns the blocks that are next in order: mostly none, or one.
    pub(in crate::invariants) fn take(&mut self, world: &World, seen: &Seen) -> Vec<Decided> {
        let Seen::Committed {
            validator,
            block,
            committed,
            ..
        } = seen
        else {
            return Vec::new();
        };

        let height = block.header.height;
        if !world.validators()[*validator].is_correct() || height <= self.height {
            return Vec::new();
        }

        self.waiting.entry(height).or_insert_with(|| Decided {
            block: Arc::clone(block),
            committed: Arc::clone(committed),
        });

        self.take_ready()
    }

    /// Takes out the blocks that are next in order; a report may close a gap before several.
    fn take_ready(&mut self) -> Vec<Decided> {
        let mut next = Vec::new();

        while let Some(decided) = self.waiting.remove(&(self.height + 1)) {
            self.height += 1;
            next.push(decided);
        }

        next
    }

    /// The last height that was taken; 0 before the first.
    pub(in crate::invariants) fn height(&self) -> Height {
        self.height
    }
}
