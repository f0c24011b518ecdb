//! Invariant 4 (one voice): a correct key never signs two values for one height, round and step,
//! restarts of its process included.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Height, Kind, PublicKey, Round};

use super::invariant::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// The place of a statement in the order in which a key signs.
type VoteSlot = (PublicKey, Height, Round, Kind);
/// The value of a statement: its block and, for a proposal, its POL round.
type Value = (Option<BlockId>, Option<Round>);

/// Invariant 4, with the first value that each key signed in each place.
#[derive(Debug, Default)]
pub(super) struct SingleVote {
    said: BTreeMap<VoteSlot, Value>,
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
        let height = said.height;
        let round = said.round;
        let kind = said.kind;

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
