//! The validators that are guilty by what they signed (invariant 8).
//!
//! A validator is guilty at a height if it
//!
//! - **a** signed two votes of one kind in one round;
//! - **b** precommitted a block v in round r, and in a later round r' prevoted another block that
//!   no quorum had prevoted in any round from r to r' - 1: it had locked v, and nothing unlocked
//!   it;
//! - **c** precommitted a block that no quorum prevoted in that round.
//!
//! A correct validator does none of these (N-10, N-11, N-13). Suppose that a quorum Q precommitted
//! v in round r, and a quorum Q' precommitted another block v' in round r' >= r. A quorum is more
//! than two thirds of the power, so any two quorums have more than a third of the power in common.
//!
//! - If r' = r, the validators in both Q and Q' did **a**.
//! - If r' > r and v' has no polka in r', all of Q' did **c**.
//! - Otherwise let s be the first round after r in which any other block w has a polka; s <= r'.
//!   The validators in both that polka and Q precommitted v in r and prevoted w in s. Because s is
//!   the first such round, w has no polka in any round between r and s.
//!   - If w has no polka in r either, these validators did **b**.
//!   - If w has a polka in r and v has none, all of Q did **c**.
//!   - If both have a polka in r, the validators in both polkas did **a**.
//!
//! Two signatures alone cannot convict a validator of **b** or **c**, because one would have to
//! prove that no polka exists. Here every statement was heard, so it can be told.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{BlockId, Height, Kind, PublicKey, Round, ValidatorSet};

use crate::committee::is_quorum;
use crate::voices::Voices;

/// The signers of the votes of one kind, by block and round.
type Votes<'a> = BTreeMap<BlockId, BTreeMap<Round, &'a BTreeSet<PublicKey>>>;

/// The validators that broke rule **a**, **b** or **c** of the module's documentation at a height.
pub fn guilty(voices: &Voices, height: Height, set: &ValidatorSet) -> BTreeSet<PublicKey> {
    let mut guilty = contradicted(voices, height);

    let prevotes = Prevotes {
        set,
        votes: votes(voices, height, Kind::Prevote),
    };

    for (block, rounds) in &votes(voices, height, Kind::Precommit) {
        for (round, signers) in rounds {
            // Rule c.
            if !prevotes.has_polka(block, *round) {
                guilty.extend(signers.iter());
            }

            guilty.extend(prevotes.broke_lock(block, *round, signers));
        }
    }

    guilty
}

/// The validators that broke rule **a**: they signed two values in one slot.
fn contradicted(voices: &Voices, height: Height) -> BTreeSet<PublicKey> {
    let mut guilty = BTreeSet::new();

    for (_, said) in voices.at(height) {
        let mut once = BTreeSet::new();
        for signers in said.values() {
            guilty.extend(signers.iter().filter(|signer| !once.insert(**signer)));
        }
    }

    guilty
}

/// The votes of one kind for blocks at a height.
fn votes(voices: &Voices, height: Height, wanted: Kind) -> Votes<'_> {
    let mut votes = Votes::new();

    for ((round, _), said) in voices.at(height).filter(|((_, kind), _)| *kind == wanted) {
        for ((block, _), signers) in said {
            if let Some(block) = block {
                votes.entry(*block).or_default().insert(round, signers);
            }
        }
    }

    votes
}

/// The prevotes of a height, and the set that gave them.
struct Prevotes<'a> {
    set: &'a ValidatorSet,
    votes: Votes<'a>,
}

impl Prevotes<'_> {
    /// Whether a quorum prevoted the block in this round.
    fn has_polka(&self, block: &BlockId, round: Round) -> bool {
        let rounds = self.votes.get(block);
        let signers = rounds.and_then(|rounds| rounds.get(&round));

        signers.is_some_and(|signers| is_quorum(self.set, *signers))
    }

    /// Those of the signers that broke rule **b** after they precommitted the block in this round.
    fn broke_lock(
        &self,
        block: &BlockId,
        round: Round,
        signers: &BTreeSet<PublicKey>,
    ) -> BTreeSet<PublicKey> {
        let mut guilty = BTreeSet::new();

        for (other, prevoted) in self.votes.iter().filter(|(other, _)| *other != block) {
            let mut excused = self.has_polka(other, round);

            // A later prevote for another block is an offence until that block has a polka.
            for (later, prevoters) in prevoted.range(round + 1..) {
                if !excused {
                    guilty.extend(signers.intersection(prevoters));
                }
                excused = excused || self.has_polka(other, *later);
            }
        }

        guilty
    }
}
