//! 4, one voice: a correct key never signs two values for one height, round and step, over all the
//! lives of its process.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Height, Kind, PublicKey, Round};

use super::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// A key's place in the order of its votes.
type Place = (PublicKey, Height, Round, Kind);
/// What it said there, for proposals with the POL round.
type Value = (Option<BlockId>, Option<Round>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SingleVote {
    said: BTreeMap<Place, Value>,
}

impl Invariant for SingleVote {
    fn number(&self) -> u8 {
        4
    }

    fn name(&self) -> &'static str {
        "one-voice"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let Seen::Signed {
            validator,
            statement: signed,
        } = seen
        else {
            return Ok(());
        };
        if !world.validators()[*validator].is_correct() {
            return Ok(());
        }
        let said = &signed.statement;
        let (height, round, kind) = (said.height, said.round, said.kind);
        let value = (said.block, said.pol_round);
        let first = *self
            .said
            .entry((signed.signer, height, round, kind))
            .or_insert(value);
        if first == value {
            return Ok(());
        }
        Err(format!(
            "validator {validator} signed {first:?} and {value:?} at height {height}, round \
             {round}, {kind:?}"
        ))
    }
}
