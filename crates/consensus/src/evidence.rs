//! Conflicts: pairs of statements that convict their signer (N-4, N-24).
//!
//! For each (signer, round, kind) one conflicting statement is kept beside the one that counts, so
//! that each slot convicts once and memory is bounded. Only statements of the same round convict:
//! amnesia across rounds cannot be told from a lost message (N-24).

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_types::{Evidence, Kind, PublicKey, Round, SignedStatement};

/// The second statement of each validator that made two in one slot.
#[derive(Debug, Clone, Default)]
pub struct Conflicts {
    second: BTreeMap<(Round, Kind, PublicKey), Verified<SignedStatement>>,
}

impl Conflicts {
    /// Takes `other`, which came after `counted` in the same slot, and returns the evidence the
    /// first time. Returns `None` if the slot has convicted already or the two do not conflict.
    pub fn add(
        &mut self,
        counted: &Verified<SignedStatement>,
        other: Verified<SignedStatement>,
    ) -> Option<Verified<Evidence>> {
        let slot = slot(&other);
        if self.second.contains_key(&slot) {
            return None;
        }

        let evidence = Verified::<Evidence>::from_pair(counted, &other)?;
        self.second.insert(slot, other);
        Some(evidence)
    }

    /// The statement that conflicts with the counted one in the slot of `statement`.
    pub fn second_of(&self, statement: &SignedStatement) -> Option<&SignedStatement> {
        self.second.get(&slot(statement)).map(|held| &**held)
    }

    /// Forgets the rounds before `round`.
    pub fn forget_before(&mut self, round: Round) {
        self.second.retain(|(at, ..), _| *at >= round);
    }
}

fn slot(signed: &SignedStatement) -> (Round, Kind, PublicKey) {
    (signed.statement.round, signed.statement.kind, signed.signer)
}
