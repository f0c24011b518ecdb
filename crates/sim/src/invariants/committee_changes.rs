//! Invariant 19 (committee changes): a change of the committee that a block decides takes effect
//! two heights later, in the headers and in the statements of all correct validators.

use quorate_oracle::{Committee, Decided};
use quorate_types::{Header, Statement};

use super::invariant::Invariant;
use super::observed::decided;
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
        for decided in self.committee.take(world.genesis(), decided(world, seen)) {
            self.check(world, &decided)?;
        }

        match seen {
            Seen::Signed {
                validator,
                statement,
            } if world.validators()[*validator].is_correct() => {
                self.check_statement(world, *validator, &statement.statement)
            }
            _ => Ok(()),
        }
    }
}

impl CommitteeChanges {
    /// Checks that a statement of a correct validator names the set in force at its height.
    fn check_statement(
        &self,
        world: &World,
        validator: usize,
        said: &Statement,
    ) -> Result<(), String> {
        // The set of a later height is not known yet.
        if said.height > self.committee.settled()
            || said.validators == self.committee.at(world.genesis(), said.height).hash()
        {
            return Ok(());
        }

        Err(format!(
            "height {}: validator {validator} signed for a set that is not in force",
            said.height
        ))
    }

    /// Checks the sets that a header names, and the change that its block decides.
    fn check(&self, world: &World, decided: &Decided) -> Result<(), String> {
        let header: &Header = &decided.block.header;
        let height = header.height;

        let expected = [height, height + 1].map(|at| self.committee.at(world.genesis(), at).hash());
        if expected != [header.validators, header.next_validators] {
            return Err(format!(
                "height {height}: the header's sets are not the sets of this height and the next"
            ));
        }

        // Evidence decides on the set that votes two heights later (N-25).
        let change = self.committee.changes_at(height + 2);
        if change != decided.effects.validators.as_deref() {
            return Err(format!(
                "height {height}: the set it decides is not the set that its evidence leaves"
            ));
        }

        Ok(())
    }
}
