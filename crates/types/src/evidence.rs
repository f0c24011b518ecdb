//! Evidence of misbehaviour that convicts its signer to anyone.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::{Hash, PublicKey, SignedStatement, cbor};

/// Two conflicting statements of one key (rule 13): same swarm, height, round and kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Evidence {
    /// The lesser of the two, so that a pair has one form.
    pub first: SignedStatement,
    /// The greater.
    pub second: SignedStatement,
}

impl Evidence {
    /// The pair in its one form; `None` where the statements do not convict their signer.
    pub fn new(a: SignedStatement, b: SignedStatement) -> Option<Self> {
        let (first, second) = if a.statement <= b.statement { (a, b) } else { (b, a) };
        let evidence = Self { first, second };
        evidence.is_conflict().then_some(evidence)
    }

    /// Whether this is a pair in its one form that contradicts itself; signatures apart.
    pub fn is_conflict(&self) -> bool {
        self.first.signer == self.second.signer
            && self.first.statement < self.second.statement
            && self.first.statement.conflicts_with(&self.second.statement)
    }

    /// Whom it convicts.
    pub fn culprit(&self) -> PublicKey {
        self.first.signer
    }

    /// BLAKE3 of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 evidence", &[&cbor::encode(self)])
    }
}
