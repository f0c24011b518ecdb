//! The chain of decided blocks, height by height.

use std::collections::BTreeMap;

use quorate_types::Height;

use crate::decided::Decided;

/// Puts the blocks that validators decide in the order of heights, each height once. The first
/// report of a height counts; invariant 1 judges whether all validators decide the same.
#[derive(Debug, Default)]
pub struct Chain {
    /// The last height that was taken.
    height: Height,
    /// Blocks that wait for the report of the block before. A validator may report a height first
    /// because the one that decided the height before crashed at that moment.
    waiting: BTreeMap<Height, Decided>,
}

impl Chain {
    /// Takes in the report of a correct validator, if there is one, and returns the blocks that are
    /// next in order: mostly none, or one.
    pub fn take(&mut self, report: Option<Decided>) -> Vec<Decided> {
        let Some(decided) = report else {
            return Vec::new();
        };

        let height = decided.block.header.height;
        if height <= self.height {
            return Vec::new();
        }

        self.waiting.entry(height).or_insert(decided);
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
    pub fn height(&self) -> Height {
        self.height
    }
}
