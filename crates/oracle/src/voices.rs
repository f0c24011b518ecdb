//! The statements that were seen signed, by height, round, kind, value and signer.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{BlockId, Height, Kind, PublicKey, Round, SignedStatement, Statement};

/// The place of a statement within its height.
pub type Slot = (Round, Kind);
/// The value of a statement: its block and, for a proposal, its POL round.
pub type Value = (Option<BlockId>, Option<Round>);
/// The values that were said in one slot, each with its signers.
pub type Said = BTreeMap<Value, BTreeSet<PublicKey>>;

/// All statements that were heard, those of liars included.
#[derive(Debug, Default)]
pub struct Voices {
    heights: BTreeMap<Height, BTreeMap<Slot, Said>>,
}

impl Voices {
    /// Takes in statements, and returns those of them that are new.
    pub fn hear(
        &mut self,
        signed: impl IntoIterator<Item = SignedStatement>,
    ) -> Vec<SignedStatement> {
        signed
            .into_iter()
            .filter(|signed| self.add(signed))
            .collect()
    }

    /// Notes a statement; returns whether it is new.
    fn add(&mut self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        let slots = self.heights.entry(said.height).or_default();
        let values = slots.entry((said.round, said.kind)).or_default();
        values.entry(value(said)).or_default().insert(signed.signer)
    }

    /// The heights at which anything was said.
    pub fn heights(&self) -> impl Iterator<Item = Height> + '_ {
        self.heights.keys().copied()
    }

    /// The statements of a height, ascending by round and kind.
    pub fn at(&self, height: Height) -> impl Iterator<Item = (Slot, &Said)> + '_ {
        self.heights
            .get(&height)
            .into_iter()
            .flatten()
            .map(|(slot, said)| (*slot, said))
    }

    /// The values said in one slot, each with its signers; `None` if nothing was said there.
    pub fn said(&self, height: Height, slot: Slot) -> Option<&Said> {
        self.heights.get(&height)?.get(&slot)
    }

    /// Whether the signer of this statement was seen to sign its value in its slot.
    pub fn has(&self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        self.said(said.height, (said.round, said.kind))
            .and_then(|values| values.get(&value(said)))
            .is_some_and(|signers| signers.contains(&signed.signer))
    }
}

/// The value of a statement. Only a proposal has a POL round: a liar's vote that names one counts
/// as the vote without it.
fn value(said: &Statement) -> Value {
    (
        said.block,
        said.pol_round.filter(|_| said.kind == Kind::Proposal),
    )
}
