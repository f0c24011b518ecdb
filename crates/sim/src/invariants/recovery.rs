//! Invariant 23 (recovery): a correct validator that restarts has every block that it decided, and
//! a guard at what it signed or beyond. A validator whose disk was wiped starts from nothing.

use std::collections::BTreeMap;

use quorate_types::{Hash, Header, Height, Round, Statement};

use super::invariant::Invariant;
use crate::host::HostId;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 23, with what each validator decided and signed so far.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// By height: the state root that was decided.
    states: BTreeMap<Height, Hash>,
    /// By validator: the last height that it decided.
    decided: BTreeMap<usize, Height>,
    /// By validator: the last height, round and step that it signed.
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
            } if correct(validator) => self.note_block(*validator, &block.header),

            Seen::Signed {
                validator,
                statement,
            } if correct(validator) => {
                self.note_statement(*validator, &statement.statement);
                Ok(())
            }

            Seen::Fault {
                name: "wipe",
                place: Some(HostId::Validator(at)),
            } => {
                // Nothing is left on the disk that it could come back to (N-27).
                self.decided.remove(at);
                self.signed.remove(at);
                Ok(())
            }

            Seen::Started {
                validator,
                height,
                state,
                guarded,
            } if correct(validator) => self.started(*validator, *height, *state, *guarded),

            _ => Ok(()),
        }
    }
}

impl Recovery {
    /// Notes a decided block, which must be above the last one that the validator decided.
    fn note_block(&mut self, validator: usize, header: &Header) -> Result<(), String> {
        let height = header.height;
        self.states.insert(height, header.state);
        let last = self.decided.insert(validator, height);

        match last.filter(|last| height <= *last) {
            Some(last) => Err(format!(
                "validator {validator} decided height {height} after height {last}"
            )),
            None => Ok(()),
        }
    }

    /// Notes a statement that a validator signed.
    fn note_statement(&mut self, validator: usize, said: &Statement) {
        let at = (said.height, said.round, said.kind as u8);
        let last = self.signed.entry(validator).or_insert(at);
        *last = at.max(*last);
    }

    /// Judges a validator that came back at `height` with `state`, and its guard at `guarded`.
    fn started(
        &self,
        at: usize,
        height: Height,
        state: Hash,
        guarded: (Height, Round, u8),
    ) -> Result<(), String> {
        let decided = self.decided.get(&at).copied().unwrap_or(0);
        if height < decided {
            return Err(format!(
                "validator {at} came back at height {height}, but had decided height {decided}"
            ));
        }

        let known = self.states.get(&height);
        if known.is_some_and(|known| *known != state) {
            return Err(format!(
                "validator {at} came back at height {height} with another state than was decided"
            ));
        }

        match self.signed.get(&at).filter(|signed| guarded < **signed) {
            Some(signed) => Err(format!(
                "validator {at} is guarded at {guarded:?}, but had signed {signed:?}"
            )),
            None => Ok(()),
        }
    }
}
