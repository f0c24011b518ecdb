//! The states before the last blocks, for as long as a block may be accused (L-22).
//!
//! Each state is kept as the changes that undo its block, which cost O(what the block changed). It
//! is not kept as a snapshot, because a snapshot would prevent changing the state in place. The
//! undo data follows from the decided blocks alone, so every node has the same, also after a
//! restart.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_types::{Height, ProposerSchedule, PublicKey, limits};

use super::{Ledger, Sets, Tip};
use crate::state::{Changes, Undo};

/// The parts of the ledger before a block that differ from those after it.
#[derive(Debug)]
pub(super) struct Past {
    tip: Tip,
    sets: Sets,
    benched: BTreeSet<PublicKey>,
    schedule: Arc<ProposerSchedule>,
    undo: Undo,
}

impl Ledger {
    /// Returns the ledger on which the blocks of `height` are executed, for the next height and the
    /// last [`limits::BAD_BLOCK_HEIGHTS`] decided ones; `None` for any other height. The result has
    /// no past itself.
    pub(crate) fn before(&self, height: Height) -> Option<Self> {
        let back = self.blocks_since(height)?;

        // For the next height `back` is 0, and nothing has to be undone.
        let Some(last) = back.checked_sub(1) else {
            return Some(Self {
                past: VecDeque::new(),
                ..self.clone()
            });
        };

        let then = self.past.get(last)?;
        // The latest block is undone first.
        let undos: Vec<&Undo> = self.past.iter().take(back).map(|past| &past.undo).collect();

        Some(Self {
            genesis: Arc::clone(&self.genesis),
            swarm: self.swarm,
            parameters: self.parameters,
            tip: then.tip,
            state: self.state.rewound(&undos),
            sets: then.sets.clone(),
            benched: then.benched.clone(),
            schedule: Arc::clone(&then.schedule),
            past: VecDeque::new(),
        })
    }

    /// Returns the decided block before `height`; `None` if [`Self::before`] has no ledger for it.
    pub(crate) fn parent_of(&self, height: Height) -> Option<quorate_types::BlockId> {
        match self.blocks_since(height)?.checked_sub(1) {
            None => Some(self.tip.block),
            Some(last) => self.past.get(last).map(|past| past.tip.block),
        }
    }

    /// Returns the number of decided blocks from `height` on: 0 for the next height, and `None`
    /// above it.
    fn blocks_since(&self, height: Height) -> Option<usize> {
        let next = self.tip.height.saturating_add(1);
        usize::try_from(next.checked_sub(height)?).ok()
    }

    /// Keeps the data that leads back to this state once `changes` are applied.
    pub(super) fn remember(&mut self, changes: &Changes) {
        self.past.push_front(Arc::new(Past {
            tip: self.tip,
            sets: self.sets.clone(),
            benched: self.benched.clone(),
            schedule: Arc::clone(&self.schedule),
            undo: self.state.undo(changes),
        }));
        self.past.truncate(limits::BAD_BLOCK_HEIGHTS as usize);
    }
}
