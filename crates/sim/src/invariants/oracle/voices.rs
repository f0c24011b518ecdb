//! Who said what: every statement that was seen signed, by height, round, kind and value.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{BlockId, Height, Kind, PublicKey, Round, SignedStatement, Statement};

use crate::seen::Seen;

/// A place in the order of votes.
pub(in crate::invariants) type Slot = (Round, Kind);
/// What was said there, for proposals with the POL round.
type Value = (Option<BlockId>, Option<Round>);
/// Who said what in one place.
type Said = BTreeMap<Value, BTreeSet<PublicKey>>;

/// Everything said, liars included.
#[derive(Debug, Default)]
pub(in crate::invariants) struct Voices {
    heights: BTreeMap<Height, BTreeMap<Slot, Said>>,
}

impl Voices {
    /// Hears an observation; gives what was new in it.
    pub(in crate::invariants) fn hear(&mut self, seen: &Seen) -> Vec<SignedStatement> {
        let signed: Vec<SignedStatement> = match seen {
            Seen::Signed { statement, .. } => vec![(**statement).clone()],
            Seen::Committed { commit, .. } => commit.signed_statements().collect(),
            _ => Vec::new(),
        };
        signed
            .into_iter()
            .filter(|signed| self.add(signed))
            .collect()
    }

    fn add(&mut self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        let slots = self.heights.entry(said.height).or_default();
        let values = slots.entry((said.round, said.kind)).or_default();
        values.entry(value(said)).or_default().insert(signed.signer)
    }

    /// Heights at which anything was said.
    pub(in crate::invariants) fn heights(&self) -> impl Iterator<Item = Height> + '_ {
        self.heights.keys().copied()
    }

    /// What was said at a height, ascending by round and kind.
    pub(in crate::invariants) fn at(
        &self,
        height: Height,
    ) -> impl Iterator<Item = (Slot, &Said)> + '_ {
        self.heights
            .get(&height)
            .into_iter()
            .flatten()
            .map(|(slot, said)| (*slot, said))
    }

    /// Who said what in one place.
    pub(in crate::invariants) fn said(&self, height: Height, slot: Slot) -> Option<&Said> {
        self.heights.get(&height)?.get(&slot)
    }

    /// Whether this key was seen to say this.
    pub(in crate::invariants) fn has(&self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        self.said(said.height, (said.round, said.kind))
            .and_then(|values| values.get(&value(said)))
            .is_some_and(|signers| signers.contains(&signed.signer))
    }
}

/// Only a proposal has a POL round: a liar's vote that names one is a vote all the same.
fn value(said: &Statement) -> Value {
    (
        said.block,
        said.pol_round.filter(|_| said.kind == Kind::Proposal),
    )
}
