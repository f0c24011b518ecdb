//! The committee of each height: the validators of the genesis, without those that evidence
//! convicted at least two heights before.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Genesis, Height, PublicKey, ValidatorSet};

use crate::chain::Chain;
use crate::decided::Decided;

/// The number of heights from the decision on a set to its first vote (N-25).
const DELAY: Height = 2;

/// The committees, restated by N-25 and L-20 from the evidence that is committed.
#[derive(Debug, Default)]
pub struct Committee {
    chain: Chain,
    /// Sets by the first height at which they vote; before the first of them, the genesis set
    /// votes.
    changes: BTreeMap<Height, ValidatorSet>,
    /// The culprits of all committed evidence.
    convicted: BTreeSet<PublicKey>,
}

impl Committee {
    /// Takes in a report as [`Chain::take`] does, and learns from the evidence in its blocks.
    pub fn take(&mut self, genesis: &Genesis, report: Option<Decided>) -> Vec<Decided> {
        let next = self.chain.take(report);
        next.iter().for_each(|decided| self.learn(genesis, decided));
        next
    }

    /// Takes the culprits of a block out of the set that votes [`DELAY`] heights later.
    fn learn(&mut self, genesis: &Genesis, decided: &Decided) {
        for evidence in &decided.block.evidence {
            let from = decided.block.header.height + DELAY;
            let culprit = evidence.culprit();

            self.convicted.insert(culprit);

            let rest = self
                .at(genesis, from)
                .iter()
                .filter(|member| member.key != culprit);

            // An empty set is not valid, so the last validator stays (L-20).
            if let Ok(set) = ValidatorSet::new(rest.cloned().collect()) {
                self.changes.insert(from, set);
            }
        }
    }

    /// The committee of a height. Heights more than two above [`Self::height`] are not known yet.
    pub fn at<'a>(&'a self, genesis: &'a Genesis, height: Height) -> &'a ValidatorSet {
        let change = self.changes.range(..=height).next_back();
        change.map_or(&genesis.validators, |(_, set)| set)
    }

    /// The set that begins to vote at a height; `None` if the set of the height before goes on.
    pub fn changes_at(&self, height: Height) -> Option<&ValidatorSet> {
        self.changes.get(&height)
    }

    /// The last decided height that was taken in.
    pub fn height(&self) -> Height {
        self.chain.height()
    }

    /// The last height whose committee counts as settled.
    pub fn settled(&self) -> Height {
        self.height() + DELAY - 1
    }
}

/// The total power of these keys, each counted once.
pub fn power<'a>(set: &ValidatorSet, keys: impl IntoIterator<Item = &'a PublicKey>) -> u128 {
    let keys: BTreeSet<&PublicKey> = keys.into_iter().collect();
    let members = set.iter().filter(|member| keys.contains(&member.key));
    members.map(|member| u128::from(member.power)).sum()
}

/// Whether these keys hold more than two thirds of the power of the set (N-5).
pub fn is_quorum<'a>(set: &ValidatorSet, keys: impl IntoIterator<Item = &'a PublicKey>) -> bool {
    3 * power(set, keys) > 2 * total_power(set)
}

/// The total power of a set.
pub fn total_power(set: &ValidatorSet) -> u128 {
    set.iter().map(|member| u128::from(member.power)).sum()
}
