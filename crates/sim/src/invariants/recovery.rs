//! 23, recovery: a correct validator that starts again stands where it stood: with every block
//! that it decided, and with its guard at what it signed or beyond. A wiped one starts anew.

use std::collections::BTreeMap;

use quorate_types::{Hash, Height, Round};

use super::Invariant;
use crate::seen::Seen;
use crate::world::{Place, World};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    states: BTreeMap<Height, Hash>,
    /// By validator: the last height it decided.
    decided: BTreeMap<usize, Height>,
    /// By validator: the last height, round and step it signed.
    signed: BTreeMap<usize, (Height, Round, u8)>,
}

impl Invariant for Recovery {
    fn number(&self) -> u8 {
        23
    }

    fn name(&self) -> &'static str {
        "recovery"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let correct = |at: &usize| world.validators()[*at].is_correct();
        match seen {
            Seen::Committed {
                validator, block, ..
            } if correct(validator) => {
                let height = block.header.height;
                self.states.insert(height, block.header.state);
                let last = self.decided.insert(*validator, height);
                match last.filter(|last| height <= *last) {
                    Some(last) => Err(format!("validator {validator}: {height} after {last}")),
                    None => Ok(()),
                }
            }
            Seen::Signed {
                validator,
                statement,
            } if correct(validator) => {
                let said = &statement.statement;
                let at = (said.height, said.round, said.kind as u8);
                let last = self.signed.entry(*validator).or_insert(at);
                *last = at.max(*last);
                Ok(())
            }
            Seen::Fault {
                name: "wipe",
                place: Some(Place::Validator(at)),
            } => {
                self.decided.remove(at);
                self.signed.remove(at);
                Ok(())
            }
            Seen::Started {
                validator,
                height,
                state,
                guarded,
            } if correct(validator) => self.started(*validator, (*height, *state), *guarded),
            _ => Ok(()),
        }
    }
}

impl Recovery {
    fn started(
        &self,
        at: usize,
        (height, state): (Height, Hash),
        guarded: (Height, Round, u8),
    ) -> Result<(), String> {
        let decided = self.decided.get(&at).copied().unwrap_or(0);
        if height < decided {
            return Err(format!(
                "validator {at} is back at {height}, it had decided {decided}"
            ));
        }
        if self
            .states
            .get(&height)
            .is_some_and(|known| *known != state)
        {
            return Err(format!(
                "validator {at} is back at {height} with another state"
            ));
        }
        match self.signed.get(&at).filter(|signed| guarded < **signed) {
            Some(signed) => Err(format!(
                "validator {at} is guarded at {guarded:?}, signed {signed:?}"
            )),
            None => Ok(()),
        }
    }
}
