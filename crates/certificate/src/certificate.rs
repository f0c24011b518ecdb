//! The certificate: one outcome of one block, with all that shows a swarm decided it.

use quorate_crypto::merkle::{self, InclusionProof};
use quorate_types::{Hash, Header, Outcome, QuorumCertificate, ValidatorSet, cbor};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::diagnose;
use crate::refused::VerifyError;

/// Version of the certificate format; the first element of the array.
pub const VERSION: u8 = 1;
/// Bytes of a certificate in canonical form, at most.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Hand-overs in a certificate, at most.
pub const MAX_HANDOVERS: usize = 1024;

/// One outcome, its place under a header, and the commit of that header. All of it is a claim
/// until [`crate::verify`] has said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Header of the block that decided.
    pub header: Header,
    /// Precommits for that block.
    pub commit: QuorumCertificate,
    /// What was decided: a leaf of the header's outcome tree.
    pub outcome: Outcome,
    /// That it is one.
    pub proof: InclusionProof,
    /// From the validator set of height 1 to that of this header, oldest first; empty where the set
    /// never changed. At most [`MAX_HANDOVERS`].
    pub handovers: Vec<Handover>,
}

/// A committed header whose next validator set is another than its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Handover {
    /// Header that names the new set as `next_validators`.
    pub header: Header,
    /// Precommits for it, by the old set.
    pub commit: QuorumCertificate,
    /// The set of `header.height + 1`.
    pub validators: ValidatorSet,
}

impl Certificate {
    /// The certificate of `outcomes[index]`; `outcomes` are all those of the block, in its order.
    /// `None` where there is no such outcome or the header's root is another.
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

    /// The certificates of all outcomes of a block, in their order: each tree hash is computed
    /// once. `None` where the header's root is another.
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

    /// Canonical CBOR: `[version, header, commit, outcome, proof, handovers]`.
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

    /// The inverse of [`Self::encode`]; accepts nothing else.
    ///
    /// # Errors
    /// [`VerifyError`] with the reason that fits best; never a judgement of what it says.
    pub fn decode(bytes: &[u8]) -> Result<Self, VerifyError> {
        type Parts = (
            u8,
            Header,
            QuorumCertificate,
            Outcome,
            InclusionProof,
            Vec<Handover>,
        );
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

    /// Names what is certified: H(swarm, block id, leaf). Certificates of one outcome differ in
    /// their bytes with the quorum that was at hand, not in this.
    pub fn identity(&self) -> Hash {
        let leaf = cbor::encode(&self.outcome);
        let block = self.header.id();
        let parts: [&[u8]; 3] = [self.header.swarm.as_bytes(), block.as_bytes(), &leaf];
        Hash::derive("quorate 1 certificate", &parts)
    }
}

/// The leaves of the outcome tree, if they give the header's root.
fn leaves_under(header: &Header, outcomes: &[Outcome]) -> Option<Vec<Vec<u8>>> {
    let leaves: Vec<_> = outcomes.iter().map(cbor::encode).collect();
    (merkle::root(&leaves) == header.outcomes).then_some(leaves)
}
