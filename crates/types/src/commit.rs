//! The proof that a block was decided, as the block after it carries it.

use serde::{Deserialize, Serialize};

use crate::{Hash, QuorumCertificate, cbor};

/// A claim that a block was decided. `quorate-crypto` judges whether it proves that.
///
/// Its form is that of the ordering, today a quorum certificate of precommits (N-5). Whoever only
/// carries it, hashes it or counts its length needs to know nothing of that form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitProof {
    certificate: QuorumCertificate,
}

impl CommitProof {
    /// Returns the BLAKE3 hash of the canonical encoding, which
    /// [`crate::Header::previous_commit`] binds (L-2).
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 commit", &[&cbor::encode(self)])
    }

    /// Returns the number of signatures that checking the proof takes.
    pub fn signatures(&self) -> usize {
        self.certificate.votes.len()
    }

    /// Returns the certificate, for those who know the ordering.
    pub fn certificate(&self) -> &QuorumCertificate {
        &self.certificate
    }

    /// Returns the certificate by value, for those who know the ordering.
    pub fn into_certificate(self) -> QuorumCertificate {
        self.certificate
    }
}

impl From<QuorumCertificate> for CommitProof {
    fn from(certificate: QuorumCertificate) -> Self {
        Self { certificate }
    }
}
