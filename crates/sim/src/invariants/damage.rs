//! Invariant 25 (damage): a frame that is damaged, or that no entitled key signed, changes neither
//! the height nor the round nor the state of the validator that takes it in.

use super::invariant::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 25, which keeps no state.
#[derive(Debug, Default)]
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

        // The process may have stopped because its disk failed just then; the frame did not do
        // that.
        let runs = world.validators()[*validator].replica().is_some();

        match runs && before != after {
            true => Err(format!(
                "validator {validator} went from {before:?} to {after:?} by a damaged frame"
            )),
            false => Ok(()),
        }
    }
}
