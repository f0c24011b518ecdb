//! Invariant 8 (accountability): if two correct validators decide differently, at least a third of
//! the power is guilty by what it signed. No correct validator is ever guilty.
//!
//! `quorate_oracle::guilty` says when a validator is guilty.

use std::collections::{BTreeMap, BTreeSet};

use quorate_oracle::{Committee, Voices, guilty, power, total_power};
use quorate_types::{BlockId, Header, Height, PublicKey};

use super::invariant::Invariant;
use super::observed::{decided, is_correct, statements};
use crate::seen::Seen;
use crate::world::World;

/// Invariant 8, with the committees, all statements, and the first block decided at each height.
#[derive(Debug, Default)]
pub(super) struct Accountability {
    committee: Committee,
    voices: Voices,
    decided: BTreeMap<Height, BlockId>,
}

impl Invariant for Accountability {
    fn number(&self) -> u8 {
        8
    }

    fn name(&self) -> &'static str {
        "accountability"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.committee.take(world.genesis(), decided(world, seen));
        self.voices.hear(statements(seen));

        let Seen::Committed {
            validator, block, ..
        } = seen
        else {
            return Ok(());
        };

        if !world.validators()[*validator].is_correct() {
            return Ok(());
        }

        let height = block.header.height;
        let id = block.header.id();
        let first = *self.decided.entry(height).or_insert(id);

        // A later committee is not known yet.
        if first == id || height > self.committee.settled() {
            return Ok(());
        }

        self.blame(world, &block.header)
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        let parted = |height: &Height| *height <= self.committee.settled();
        for height in self.voices.heights().filter(parted) {
            let set = self.committee.at(world.genesis(), height);
            acquit(world, height, &guilty(&self.voices, height, set))?;
        }
        Ok(())
    }
}

impl Accountability {
    /// Checks that a third of the power is guilty of the second block that was decided at a height.
    fn blame(&self, world: &World, header: &Header) -> Result<(), String> {
        let height = header.height;

        let set = self.committee.at(world.genesis(), height);
        if set.hash() != header.validators {
            // The validators parted before this height, so later heights have separate committees.
            return Ok(());
        }

        let guilty = guilty(&self.voices, height, set);
        let total = total_power(set);
        let found = power(set, &guilty);

        if 3 * found < total {
            return Err(format!(
                "height {height}: two blocks were decided, but of a power of {total} only {found} \
                 are guilty"
            ));
        }

        acquit(world, height, &guilty)
    }
}

/// Checks that no correct validator is among the guilty.
fn acquit(world: &World, height: Height, guilty: &BTreeSet<PublicKey>) -> Result<(), String> {
    match guilty.iter().find(|key| is_correct(world, key)) {
        Some(key) => Err(format!(
            "height {height}: {key:?} is found guilty, but is correct"
        )),
        None => Ok(()),
    }
}
