//! Who votes at which height: the genesis, less whom evidence convicted two heights before.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Height, PublicKey, ValidatorSet};

use super::{Chain, Decided};
use crate::seen::Seen;
use crate::world::World;

/// Heights from the decision on a set to its first vote (N-25).
const DELAY: Height = 2;

/// Restates N-25 and L-20 from the evidence that is committed.
#[derive(Debug, Default)]
pub(in crate::invariants) struct Committee {
    chain: Chain,
    /// Sets by the height from which on they vote; before the first, that of the genesis does.
    changes: BTreeMap<Height, ValidatorSet>,
    convicted: BTreeSet<PublicKey>,
}

impl Committee {
    /// As [`Chain::take`], and learns from the evidence.
    pub(in crate::invariants) fn take(&mut self, world: &World, seen: &Seen) -> Vec<Decided> {
        let next = self.chain.take(world, seen);
        next.iter().for_each(|decided| self.learn(world, decided));
        next
    }

    fn learn(&mut self, world: &World, decided: &Decided) {
        for evidence in &decided.block.evidence {
            let (from, culprit) = (decided.block.header.height + DELAY, evidence.culprit());
            self.convicted.insert(culprit);
            let rest = self
                .at(world, from)
                .iter()
                .filter(|member| member.key != culprit);
            // The last one stays.
            if let Ok(set) = ValidatorSet::new(rest.cloned().collect()) {
                self.changes.insert(from, set);
            }
        }
    }

    /// Who votes at a height. Not known yet more than two heights after [`Self::height`].
    pub(in crate::invariants) fn at<'a>(
        &'a self,
        world: &'a World,
        height: Height,
    ) -> &'a ValidatorSet {
        let change = self.changes.range(..=height).next_back();
        change.map_or(&world.genesis().validators, |(_, set)| set)
    }

    /// Whether the set of a height changed from the one before it.
    pub(in crate::invariants) fn changes_at(&self, height: Height) -> Option<&ValidatorSet> {
        self.changes.get(&height)
    }

    /// The last decided height it knows.
    pub(in crate::invariants) fn height(&self) -> Height {
        self.chain.height()
    }

    /// The last height whose set is settled.
    pub(in crate::invariants) fn settled(&self) -> Height {
        self.height() + DELAY - 1
    }
}

/// The power of these, each counted once.
pub(in crate::invariants) fn power<'a>(
    set: &ValidatorSet,
    keys: impl IntoIterator<Item = &'a PublicKey>,
) -> u128 {
    let keys: BTreeSet<&PublicKey> = keys.into_iter().collect();
    let members = set.iter().filter(|member| keys.contains(&member.key));
    members.map(|member| u128::from(member.power)).sum()
}

/// Whether these hold more than two thirds of the power.
pub(in crate::invariants) fn is_quorum<'a>(
    set: &ValidatorSet,
    keys: impl IntoIterator<Item = &'a PublicKey>,
) -> bool {
    let total: u128 = set.iter().map(|member| u128::from(member.power)).sum();
    3 * power(set, keys) > 2 * total
}
