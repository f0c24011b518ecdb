//! The states before the last blocks, for as long as a block may be accused (L-22).
//!
//! Kept as what takes each block back, so that it costs O(what the blocks changed) and holds no
//! snapshot: a snapshot would keep the state from being changed in place. It follows from the
//! decided blocks alone, so every node has the same, also after a restart.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_types::{Height, ProposerSchedule, PublicKey, limits};

use super::{Ledger, Sets, Tip};
use crate::state::{Changes, Undo};

/// The ledger before a block, where it differs from the one after it.
#[derive(Debug)]
pub(super) struct Past {
    tip: Tip,
    sets: Sets,
    benched: BTreeSet<PublicKey>,
    schedule: Arc<ProposerSchedule>,
    undo: Undo,
}

impl Ledger {
    /// The ledger on which the blocks of `height` are executed: the next one, or one of the last
    /// [`limits::BAD_BLOCK_HEIGHTS`] decided. `None` for any other height. It has no past itself.
    pub(crate) fn before(&self, height: Height) -> Option<Self> {
        let next = self.tip.height.saturating_add(1);
        let back = usize::try_from(next.checked_sub(height)?).ok()?;
        let Some(last) = back.checked_sub(1) else {
            return Some(Self {
                past: VecDeque::new(),
                ..self.clone()
            });
        };
        let then = self.past.get(last)?;
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

    /// The decided block before `height`; `None` where [`Self::before`] gives none.
    pub(crate) fn parent_of(&self, height: Height) -> Option<quorate_types::BlockId> {
        let next = self.tip.height.saturating_add(1);
        match usize::try_from(next.checked_sub(height)?)
            .ok()?
            .checked_sub(1)
        {
            None => Some(self.tip.block),
            Some(last) => self.past.get(last).map(|past| past.tip.block),
        }
    }

    /// Keeps what is needed to come back to this state, once `changes` are applied.
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
