//! 19, committee changes: what a block decides about the committee acts two heights later, for
//! everybody: in headers, and in what is signed.

use quorate_types::Header;

use super::Invariant;
use super::oracle::{Committee, Decided};
use crate::seen::Seen;
use crate::world::World;

/// See the module.
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
        if !host.is_correct() || said.height > self.committee.settled() {
            return Ok(());
        }
        match said.validators == self.committee.at(world, said.height).hash() {
            true => Ok(()),
            false => Err(format!(
                "height {}: validator {validator} is of another set",
                said.height
            )),
        }
    }
}

impl CommitteeChanges {
    fn check(&self, world: &World, decided: &Decided) -> Result<(), String> {
        let header: &Header = &decided.block.header;
        let height = header.height;
        let expected = [height, height + 1].map(|at| self.committee.at(world, at).hash());
        if expected != [header.validators, header.next_validators] {
            return Err(format!(
                "height {height}: not the sets of this height and the next"
            ));
        }
        let change = self.committee.changes_at(height + 2);
        if change != decided.committed.validators.as_deref() {
            return Err(format!(
                "height {height}: not the set that its evidence leaves"
            ));
        }
        Ok(())
    }
}
