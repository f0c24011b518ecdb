//! 8, accountability: where two correct validators decide differently, at least a third of the
//! power is guilty by what it signed; and nobody correct ever is.
//!
//! Guilty is, at one height, who
//!
//! - **a** signed two votes of one kind in one round;
//! - **b** precommitted a block v in round r, and in a later round r' prevoted another one that no
//!   quorum had prevoted in any round from r to r' - 1: he had locked v, and nothing unlocked him;
//! - **c** precommitted a block that no quorum prevoted in that round.
//!
//! A correct validator does none of these (N-10, N-11, N-13). Say that more than two thirds (Q)
//! precommitted v in round r, and more than two thirds (Q') another v' in r' >= r. Any two quorums
//! have more than a third of the power in common.
//!
//! - If r' = r, what Q and Q' have in common did **a**.
//! - If r' > r and v' has no polka in r', all of Q' did **c**.
//! - Else let s be the first round after r in which any other block w has a polka: s <= r'. What
//!   that polka and Q have in common precommitted v in r and prevoted w in s. In no round between
//!   r and s has w a polka, s being the first. If it has none in r either, they did **b**. If it
//!   has one in r: either v has none there, and all of Q did **c**, or what both have in common
//!   did **a**.
//!
//! Whoever did **b** or **c** cannot be convicted by two signatures alone, since one would have to
//! prove that no polka exists; here everything said was heard, so it can be told.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{BlockId, Height, Kind, PublicKey, Round, ValidatorSet};

use super::Invariant;
use super::oracle::{Committee, Voices, is_correct, is_quorum, power};
use crate::seen::Seen;
use crate::world::World;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Accountability {
    committee: Committee,
    voices: Voices,
    decided: BTreeMap<Height, BlockId>,
}

impl Invariant for Accountability {
    fn number(&self) -> u8 {
        8
    }

    fn name(&self) -> &'static str {
        "accountability"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.committee.take(world, seen);
        self.voices.hear(seen);
        let Seen::Committed {
            validator, block, ..
        } = seen
        else {
            return Ok(());
        };
        if !world.validators()[*validator].is_correct() {
            return Ok(());
        }
        let (height, id) = (block.header.height, block.header.id());
        let first = *self.decided.entry(height).or_insert(id);
        if first == id || height > self.committee.settled() {
            return Ok(());
        }
        let set = self.committee.at(world, height);
        if set.hash() != block.header.validators {
            // They parted before this height: what followed has committees of its own.
            return Ok(());
        }
        let guilty = guilty(&self.voices, height, set);
        let total: u128 = set.iter().map(|member| u128::from(member.power)).sum();
        let found = power(set, &guilty);
        if 3 * found < total {
            return Err(format!(
                "height {height}: two blocks were decided, and of {total} only {found} are guilty"
            ));
        }
        acquit(world, height, &guilty)
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        let parted = |height: &Height| *height <= self.committee.settled();
        for height in self.voices.heights().filter(parted) {
            let set = self.committee.at(world, height);
            acquit(world, height, &guilty(&self.voices, height, set))?;
        }
        Ok(())
    }
}

/// Nobody among them is correct.
fn acquit(world: &World, height: Height, guilty: &BTreeSet<PublicKey>) -> Result<(), String> {
    match guilty.iter().find(|key| is_correct(world, key)) {
        Some(key) => Err(format!(
            "height {height}: {key:?} looks guilty and is correct"
        )),
        None => Ok(()),
    }
}

/// Votes of a kind, by block and round.
type Votes<'a> = BTreeMap<BlockId, BTreeMap<Round, &'a BTreeSet<PublicKey>>>;

/// Whoever broke a rule at a height by what was signed.
pub(super) fn guilty(voices: &Voices, height: Height, set: &ValidatorSet) -> BTreeSet<PublicKey> {
    let mut guilty = BTreeSet::new();
    let (mut prevotes, mut precommits) = (Votes::new(), Votes::new());
    for ((round, kind), said) in voices.at(height) {
        let mut once = BTreeSet::new();
        for ((block, _), signers) in said {
            guilty.extend(signers.iter().filter(|signer| !once.insert(**signer)));
            let votes = match kind {
                Kind::Proposal => continue,
                Kind::Prevote => &mut prevotes,
                Kind::Precommit => &mut precommits,
            };
            if let Some(block) = block {
                votes.entry(*block).or_default().insert(round, signers);
            }
        }
    }
    let has_polka = |block: &BlockId, round: Round| {
        let signers = prevotes.get(block).and_then(|rounds| rounds.get(&round));
        signers.is_some_and(|signers| is_quorum(set, *signers))
    };
    for (block, rounds) in &precommits {
        for (round, signers) in rounds {
            if !has_polka(block, *round) {
                guilty.extend(signers.iter());
            }
            for (other, prevoted) in prevotes.iter().filter(|(other, _)| *other != block) {
                let mut excused = has_polka(other, *round);
                for later in prevoted.range(round + 1..) {
                    if !excused {
                        guilty.extend(signers.intersection(later.1));
                    }
                    excused |= has_polka(other, *later.0);
                }
            }
        }
    }
    guilty
}
