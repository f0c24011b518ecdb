//! Invariant 6 (one quorum): two values never have a quorum in one height, round and step, the
//! votes of liars included.

use quorate_oracle::{Committee, Slot, Voices, is_quorum};
use quorate_types::{Height, Kind};

use super::invariant::Invariant;
use super::observed::{decided, statements};
use crate::seen::Seen;
use crate::world::World;

/// Invariant 6, with the committees and all statements seen so far.
#[derive(Debug, Default)]
pub(super) struct SingleQuorum {
    committee: Committee,
    voices: Voices,
}

impl Invariant for SingleQuorum {
    fn number(&self) -> u8 {
        6
    }

    fn name(&self) -> &'static str {
        "one-quorum"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.committee.take(world.genesis(), decided(world, seen));
        for signed in self.voices.hear(statements(seen)) {
            let said = &signed.statement;
            self.check(world, said.height, (said.round, said.kind))?;
        }
        Ok(())
    }
}

impl SingleQuorum {
    /// Checks the votes of one slot.
    fn check(&self, world: &World, height: Height, slot: Slot) -> Result<(), String> {
        let Some(said) = self.voices.said(height, slot) else {
            return Ok(());
        };

        // Proposals have no quorum, and later committees are not known yet.
        if slot.1 == Kind::Proposal || said.len() < 2 || height > self.committee.settled() {
            return Ok(());
        }

        let set = self.committee.at(world.genesis(), height);
        let backed = said.iter().filter(|(_, signers)| is_quorum(set, *signers));
        let quorums: Vec<_> = backed.map(|(value, _)| value).collect();

        if quorums.len() < 2 {
            return Ok(());
        }

        Err(format!(
            "height {height}, {slot:?}: there are quorums for several values: {quorums:?}"
        ))
    }
}
