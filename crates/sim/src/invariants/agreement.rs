//! Invariant 1 (agreement): all correct validators decide the same block at a height, restarts
//! included. So none of them ever contradicts a commit, and halts.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Height};

use super::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 1, with the first block decided at each height and the validator that decided it.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    decided: BTreeMap<Height, (BlockId, usize)>,
}

impl Invariant for Agreement {
    fn number(&self) -> u8 {
        1
    }

    fn name(&self) -> &'static str {
        "agreement"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let (Seen::Committed { validator, .. } | Seen::Halted { validator, .. }) = seen else {
            return Ok(());
        };

        if !world.validators()[*validator].is_correct() {
            return Ok(());
        }

        let block = match seen {
            Seen::Committed { block, .. } => block,
            // It halts because a commit contradicts what it decided.
            Seen::Halted { why, .. } => return Err(format!("validator {validator}: {why}")),
            _ => return Ok(()),
        };

        let (height, id) = (block.header.height, block.header.id());
        let (first, by) = *self.decided.entry(height).or_insert((id, *validator));

        if first == id {
            return Ok(());
        }

        Err(format!(
            "height {height}: validator {by} decided {}, but validator {validator} decided {}",
            first.short(),
            id.short()
        ))
    }
}
