//! Decided blocks, height by height.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Committed;
use quorate_types::{Block, Height};

use crate::seen::Seen;
use crate::world::World;

/// A decided block and what it did, as a correct validator says.
#[derive(Debug, Clone)]
pub(in crate::invariants) struct Decided {
    pub(in crate::invariants) block: Arc<Verified<Block>>,
    pub(in crate::invariants) committed: Arc<Committed>,
}

/// Puts what validators decide in the order of heights, each once: that of the first to tell. That
/// all decide the same is invariant 1's matter.
#[derive(Debug, Default)]
pub(in crate::invariants) struct Chain {
    height: Height,
    /// A validator may tell of a height before anybody told of the one before: who decided that
    /// may have lost power right then.
    waiting: BTreeMap<Height, Decided>,
}

impl Chain {
    /// Blocks that are next, after this observation: mostly none, or one.
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
        let (block, committed) = (Arc::clone(block), Arc::clone(committed));
        self.waiting
            .entry(height)
            .or_insert(Decided { block, committed });
        let mut next = Vec::new();
        while let Some(decided) = self.waiting.remove(&(self.height + 1)) {
            self.height += 1;
            next.push(decided);
        }
        next
    }

    /// The last height taken; 0 before the first.
    pub(in crate::invariants) fn height(&self) -> Height {
        self.height
    }
}
