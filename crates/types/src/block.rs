//! Blocks: a set of operations in canonical order under a header that says what executing it gives.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::{
    BlockId, Evidence, Hash, Height, Millis, PublicKey, QuorumCertificate, Round, SignedOperation,
    SwarmId, cbor,
};

/// What a block id is the hash of. Roots are those that executing the block gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Header {
    /// [`crate::PROTOCOL_VERSION`].
    pub version: u8,
    /// Swarm.
    pub swarm: SwarmId,
    /// Height, from 1.
    pub height: Height,
    /// Milliseconds the swarm was awake for, up to and with this block:
    /// active(h) = active(h-1) + min(time(h) - time(h-1), `max_step_ms`).
    pub active_time: Millis,
    /// Unix milliseconds by the builder's clock; strictly increasing.
    pub block_time: Millis,
    /// The block before; [`BlockId::GENESIS`] for the first.
    pub previous: BlockId,
    /// BLAKE3 of the commit of the block before, as this block carries it; zero for the first.
    pub previous_commit: Hash,
    /// Hash of the validator set that votes on this block.
    pub validators: Hash,
    /// Hash of the validator set of the next height.
    pub next_validators: Hash,
    /// Hash of the genesis parameters in force.
    pub parameters: Hash,
    /// Who built the block: the proposer of (height, build round).
    pub builder: PublicKey,
    /// Round it was built in. The round it is voted in may be later.
    pub build_round: Round,
    /// Root over the operations (RFC 9162 tree, SHA-256).
    pub operations: Hash,
    /// Root of the state after this block (authenticated map, BLAKE3).
    pub state: Hash,
    /// Root over the outcomes of this block (RFC 9162 tree, SHA-256).
    pub outcomes: Hash,
    /// Root over the evidence (RFC 9162 tree, SHA-256).
    pub evidence: Hash,
}

/// A header with all it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Block {
    /// Header.
    pub header: Header,
    /// Strictly ascending by [`crate::Operation::order`].
    pub operations: Vec<SignedOperation>,
    /// Strictly ascending.
    pub evidence: Vec<Evidence>,
    /// Commit of the block before; `None` exactly at height 1.
    pub previous_commit: Option<QuorumCertificate>,
}

impl Header {
    /// BLAKE3 of the canonical encoding. The round of the vote is not part of it.
    pub fn id(&self) -> BlockId {
        BlockId(Hash::derive("quorate 1 block", &[&cbor::encode(self)]).0)
    }
}

impl QuorumCertificate {
    /// BLAKE3 of the canonical encoding: what [`Header::previous_commit`] binds.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 commit", &[&cbor::encode(self)])
    }
}
