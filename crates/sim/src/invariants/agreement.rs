//! Invariant 1 (agreement): all correct validators decide the same block at a height, restarts
//! included. So none of them ever contradicts a commit, and halts.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Header, Height};

use super::invariant::Invariant;
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
        let correct = |at: &usize| world.validators()[*at].is_correct();

        match seen {
            Seen::Committed {
                validator, block, ..
            } if correct(validator) => self.decide(*validator, &block.header),

            // It halts because a commit contradicts what it decided.
            Seen::Halted { validator, why, .. } if correct(validator) => {
                Err(format!("validator {validator}: {why}"))
            }

            _ => Ok(()),
        }
    }
}

impl Agreement {
    /// Notes a decided block, which must be the one that was decided first at its height.
    fn decide(&mut self, validator: usize, header: &Header) -> Result<(), String> {
        let height = header.height;
        let id = header.id();
        let (first, by) = *self.decided.entry(height).or_insert((id, validator));

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
