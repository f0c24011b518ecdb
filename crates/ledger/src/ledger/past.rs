//! The states before the last blocks, for as long as a block may be accused (L-22).
//!
//! Each state is kept as the changes that undo its block, which cost O(what the block changed). It
//! is not kept as a snapshot, because a snapshot would prevent changing the state in place. The
//! undo data follows from the decided blocks alone, so every node has the same, also after a
//! restart.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_types::{ProposerSchedule, PublicKey, limits};

use super::tip::{Sets, Tip};
use crate::state::Undo;

/// The parts of a ledger before a block that differ from those after it.
#[derive(Debug)]
pub(super) struct Before {
    pub tip: Tip,
    pub sets: Sets,
    pub benched: BTreeSet<PublicKey>,
    pub schedule: Arc<ProposerSchedule>,
    /// The changes that lead from the state after the block to the state before it.
    pub undo: Undo,
}

/// The last [`limits::BAD_BLOCK_HEIGHTS`] decided blocks, as far as they can be undone.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// The latest first.
    blocks: VecDeque<Arc<Before>>,
}

impl Past {
    /// Keeps the data that undoes a block which is about to be committed.
    pub(super) fn remember(&mut self, before: Before) {
        self.blocks.push_front(Arc::new(before));
        self.blocks.truncate(limits::BAD_BLOCK_HEIGHTS as usize);
    }

    /// Returns the data that undoes one block, of which `later` others are undone first; `None` if
    /// it is not kept.
    pub(super) fn before(&self, later: usize) -> Option<&Before> {
        self.blocks.get(later).map(|before| &**before)
    }

    /// Returns the changes that undo the last `count` blocks, the latest first.
    pub(super) fn undos(&self, count: usize) -> Vec<&Undo> {
        let blocks = self.blocks.iter().take(count);
        blocks.map(|before| &before.undo).collect()
    }
}
