//! Invariant 7 (innocence): no committed evidence convicts a correct validator, and no correct
//! validator loses its power.

use std::collections::BTreeMap;

use quorate_types::{Block, Power, PublicKey, Validator, ValidatorSet};

use super::invariant::Invariant;
use super::observed::is_correct;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 7, which keeps no state.
#[derive(Debug, Default)]
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
            effects,
            ..
        } = seen
        else {
            return Ok(());
        };

        if !world.validators()[*validator].is_correct() {
            return Ok(());
        }

        check_evidence(world, block)?;
        let height = block.header.height;

        // Power changes only with the set that the block decided on.
        let Some(set) = &effects.validators else {
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

/// Checks that the evidence in a block convicts no correct validator.
fn check_evidence(world: &World, block: &Block) -> Result<(), String> {
    let mut culprits = block.evidence.iter().map(|evidence| evidence.culprit());

    match culprits.find(|culprit| is_correct(world, culprit)) {
        Some(culprit) => Err(format!(
            "height {} convicts {culprit:?}, which is correct",
            block.header.height
        )),
        None => Ok(()),
    }
}

/// The key of a correct validator whose power in `set` is not its power in the genesis.
fn wronged(world: &World, set: &ValidatorSet) -> Option<PublicKey> {
    let powers: BTreeMap<PublicKey, Power> = set
        .iter()
        .map(|member| (member.key, member.power))
        .collect();

    // A validator that is no longer in the set has lost all of its power.
    let wronged = |was: &&Validator| {
        let power = powers.get(&was.key);
        power != Some(&was.power) && is_correct(world, &was.key)
    };

    let mut members = world.genesis().validators.iter();
    members.find(wronged).map(|was| was.key)
}
