//! Invariant 19 (committee changes): a change of the committee that a block decides takes effect
//! two heights later, in the headers and in the statements of all correct validators.

use quorate_types::Header;

use super::Invariant;
use super::oracle::{Committee, Decided};
use crate::seen::Seen;
use crate::world::World;

/// Invariant 19, with the committees that follow from the committed evidence.
#[derive(Debug, Default)]
pub(super) struct CommitteeChanges {
    committee: Committee,
}

impl Invariant for CommitteeChanges {
    fn number(&self) -> u8 {
        19
    }

    fn name(&self) -> &'static str {
        "committee-changes"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        for decided in self.committee.take(world, seen) {
            self.check(world, &decided)?;
        }

        let Seen::Signed {
            validator,
            statement,
        } = seen
        else {
            return Ok(());
        };

        let (said, host) = (&statement.statement, &world.validators()[*validator]);

        // The set of a later height is not known yet.
        if !host.is_correct() || said.height > self.committee.settled() {
            return Ok(());
        }

        match said.validators == self.committee.at(world, said.height).hash() {
            true => Ok(()),
            false => Err(format!(
                "height {}: validator {validator} signed for a set that is not in force",
                said.height
            )),
        }
    }
}

impl CommitteeChanges {
    /// Checks the sets that a header names, and the change that its block decides.
    fn check(&self, world: &World, decided: &Decided) -> Result<(), String> {
        let header: &Header = &decided.block.header;
        let height = header.height;

        let expected = [height, height + 1].map(|at| self.committee.at(world, at).hash());
        if expected != [header.validators, header.next_validators] {
            return Err(format!(
                "height {height}: the header's sets are not the sets of this height and the next"
            ));
        }

        // Evidence decides on the set that votes two heights later (N-25).
        let change = self.committee.changes_at(height + 2);
        if change != decided.committed.validators.as_deref() {
            return Err(format!(
                "height {height}: the set it decides is not the set that its evidence leaves"
            ));
        }

        Ok(())
    }
}
