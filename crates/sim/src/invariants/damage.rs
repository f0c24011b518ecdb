//! 25, damage: a frame that is damaged, or that nobody entitled signed, changes neither height nor
//! round nor state of whoever takes it in.

use super::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// See the module.
#[derive(Debug)]
pub(super) struct Damage;

impl Invariant for Damage {
    fn number(&self) -> u8 {
        25
    }

    fn name(&self) -> &'static str {
        "damage"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let Seen::Damaged {
            validator,
            before,
            after,
        } = seen
        else {
            return Ok(());
        };
        // Its disk may have failed just then: that is no doing of the frame.
        let runs = world.validators()[*validator].replica().is_some();
        match runs && before != after {
            true => Err(format!(
                "validator {validator} went from {before:?} to {after:?}"
            )),
            false => Ok(()),
        }
    }
}
