//! Invariant 6 (one quorum): two values never have a quorum in one height, round and step, the
//! votes of liars included.

use super::Invariant;
use super::oracle::{Committee, Voices, is_quorum};
use crate::seen::Seen;
use crate::world::World;

use quorate_types::{Height, Kind};

use super::oracle::Slot;

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
        self.committee.take(world, seen);
        for signed in self.voices.hear(seen) {
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

        let set = self.committee.at(world, height);
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
