//! The certificate: one outcome of one block, with everything that shows that a swarm decided it.

use quorate_crypto::merkle::{self, InclusionProof};
use quorate_types::{Hash, Header, Outcome, QuorumCertificate, ValidatorSet, cbor};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::diagnose;
use crate::format::{MAX_BYTES, VERSION};
use crate::refused::VerifyError;

/// One outcome, its place under a header, and the commit of that header. All of it is only a claim
/// until [`crate::verify`] has judged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The header of the block that decided.
    pub header: Header,
    /// The precommits for that block.
    pub commit: QuorumCertificate,
    /// The outcome that was decided; it is a leaf of the header's outcome tree.
    pub outcome: Outcome,
    /// The proof that the outcome is such a leaf.
    pub proof: InclusionProof,
    /// The hand-overs from the validator set of height 1 to that of this header, the oldest first.
    /// Empty if the set never changed; at most [`MAX_HANDOVERS`](crate::MAX_HANDOVERS).
    pub handovers: Vec<Handover>,
}

/// A committed header that names another validator set for the next height than its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Handover {
    /// The header, which names the new set as `next_validators`.
    pub header: Header,
    /// The precommits for it, by the old set.
    pub commit: QuorumCertificate,
    /// The new set, that of `header.height + 1`.
    pub validators: ValidatorSet,
}

impl Certificate {
    /// Assembles the certificate of `outcomes[index]`; `outcomes` are all those of the block, in
    /// its order. `None` if there is no such outcome, or if the header has another root.
    pub fn assemble(
        header: Header,
        commit: QuorumCertificate,
        outcomes: &[Outcome],
        index: usize,
        handovers: Vec<Handover>,
    ) -> Option<Self> {
        let leaves = leaves_under(&header, outcomes)?;
        let proof = merkle::prove(&leaves, index)?;
        let outcome = outcomes.get(index)?.clone();

        Some(Self {
            header,
            commit,
            outcome,
            proof,
            handovers,
        })
    }

    /// Assembles the certificates of all outcomes of a block, in their order, and computes each
    /// tree hash once. `None` if the header has another root.
    pub fn assemble_all(
        header: &Header,
        commit: &QuorumCertificate,
        outcomes: &[Outcome],
        handovers: &[Handover],
    ) -> Option<Vec<Self>> {
        let proofs = merkle::prove_all(&leaves_under(header, outcomes)?);
        let certificates = outcomes.iter().zip(proofs).map(|(outcome, proof)| Self {
            header: header.clone(),
            commit: commit.clone(),
            outcome: outcome.clone(),
            proof,
            handovers: handovers.to_vec(),
        });

        Some(certificates.collect())
    }

    /// Returns the canonical CBOR: `[version, header, commit, outcome, proof, handovers]`.
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            header,
            commit,
            outcome,
            proof,
            handovers,
        } = self;

        cbor::encode(&(VERSION, header, commit, outcome, proof, handovers))
    }

    /// Decodes what [`Self::encode`] gives, and accepts nothing else.
    ///
    /// # Errors
    /// [`VerifyError`] with the reason that fits best. It never judges what the certificate says.
    pub fn decode(bytes: &[u8]) -> Result<Self, VerifyError> {
        type Parts = (
            u8,
            Header,
            QuorumCertificate,
            Outcome,
            InclusionProof,
            Vec<Handover>,
        );

        // A certificate of a later version must be called that, and not malformed.
        diagnose::check_envelope(bytes)?;
        let (_, header, commit, outcome, proof, handovers) =
            cbor::decode::<Parts>(bytes, MAX_BYTES).map_err(|_| diagnose::name_fault(bytes))?;

        Ok(Self {
            header,
            commit,
            outcome,
            proof,
            handovers,
        })
    }

    /// Returns the hash that names what is certified: H(swarm, block id, leaf) (C-6). Certificates
    /// of one outcome may differ in their bytes, with the quorum that was at hand, but not in this.
    pub fn identity(&self) -> Hash {
        let leaf = cbor::encode(&self.outcome);
        let block = self.header.id();
        let parts: [&[u8]; 3] = [self.header.swarm.as_bytes(), block.as_bytes(), &leaf];
        Hash::derive("quorate 1 certificate", &parts)
    }
}

/// Returns the leaves of the outcome tree, if they give the header's root.
fn leaves_under(header: &Header, outcomes: &[Outcome]) -> Option<Vec<Vec<u8>>> {
    let leaves: Vec<_> = outcomes.iter().map(cbor::encode).collect();
    (merkle::root(&leaves) == header.outcomes).then_some(leaves)
}
