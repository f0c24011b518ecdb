//! Invariant 7 (innocence): no committed evidence convicts a correct validator, and no correct
//! validator loses its power.

use std::collections::BTreeMap;

use quorate_types::{Power, PublicKey, ValidatorSet};

use super::Invariant;
use super::oracle::is_correct;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 7, which keeps no state.
#[derive(Debug)]
pub(super) struct Innocence;

impl Invariant for Innocence {
    fn number(&self) -> u8 {
        7
    }

    fn name(&self) -> &'static str {
        "innocence"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let Seen::Committed {
            validator,
            block,
            committed,
            ..
        } = seen
        else {
            return Ok(());
        };

        if !world.validators()[*validator].is_correct() {
            return Ok(());
        }

        let height = block.header.height;
        let mut culprits = block.evidence.iter().map(|evidence| evidence.culprit());
        if let Some(culprit) = culprits.find(|culprit| is_correct(world, culprit)) {
            return Err(format!(
                "height {height} convicts {culprit:?}, which is correct"
            ));
        }

        // Power changes only with the set that the block decided on.
        let Some(set) = &committed.validators else {
            return Ok(());
        };

        match wronged(world, set) {
            Some(key) => Err(format!(
                "height {height} takes power from {key:?}, which is correct"
            )),
            None => Ok(()),
        }
    }
}

/// The key of a correct validator whose power in `set` is not its power in the genesis.
fn wronged(world: &World, set: &ValidatorSet) -> Option<PublicKey> {
    let powers: BTreeMap<PublicKey, Power> = set
        .iter()
        .map(|member| (member.key, member.power))
        .collect();

    let mut members = world.genesis().validators.iter();
    let wronged = members
        .find(|was| is_correct(world, &was.key) && powers.get(&was.key) != Some(&was.power))?;

    Some(wronged.key)
}
