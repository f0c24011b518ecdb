//! Blocks: operations in canonical order under a header that states the result of executing them.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::{
    ActiveMillis, BlockId, CommitProof, Evidence, Hash, Height, PublicKey, SignedOperation,
    SwarmId, Turn, UnixMillis, cbor,
};

/// The header of a block, whose hash is the block id. The roots are those that executing the block
/// gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Header {
    /// The version of the protocol, [`crate::PROTOCOL_VERSION`].
    pub version: u8,
    /// The id of the swarm that the block belongs to.
    pub swarm: SwarmId,
    /// The height of the block, counted from 1.
    pub height: Height,
    /// Milliseconds for which the swarm was awake, up to and including this block:
    /// active(h) = active(h-1) + min(time(h) - time(h-1), `max_step_ms`).
    pub active_time: ActiveMillis,
    /// The time of the block by the builder's clock; strictly increasing.
    pub block_time: UnixMillis,
    /// The id of the block before; [`BlockId::GENESIS`] for the first.
    pub previous: BlockId,
    /// The BLAKE3 hash of the commit of the block before, as this block carries it; zero for the
    /// first.
    pub previous_commit: Hash,
    /// The hash of the validator set that votes on this block.
    pub validators: Hash,
    /// The hash of the validator set of the next height.
    pub next_validators: Hash,
    /// The hash of the genesis parameters in force.
    pub parameters: Hash,
    /// The key of the validator that built the block: the proposer of (height, missed turns).
    pub builder: PublicKey,
    /// The number of turns to propose that passed at this height before that of the builder, which
    /// is the number of the round in which the block was built (N-8). The round that decides it may
    /// be later.
    pub missed_turns: Turn,
    /// The root over the operations (RFC 9162 tree, SHA-256).
    pub operations: Hash,
    /// The root of the state after this block (authenticated map, BLAKE3).
    pub state: Hash,
    /// The root over the outcomes of this block (RFC 9162 tree, SHA-256).
    pub outcomes: Hash,
    /// The root over the evidence (RFC 9162 tree, SHA-256).
    pub evidence: Hash,
}

/// A header with everything that it binds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Block {
    /// The header, which binds the other parts.
    pub header: Header,
    /// The operations, strictly ascending by [`crate::Operation::order`].
    pub operations: Vec<SignedOperation>,
    /// The evidence, strictly ascending.
    pub evidence: Vec<Evidence>,
    /// The commit of the block before; `None` exactly at height 1.
    pub previous_commit: Option<CommitProof>,
}

impl Header {
    /// Returns the id of the block, the BLAKE3 hash of the canonical encoding. The round of the
    /// vote is not part of it.
    pub fn id(&self) -> BlockId {
        BlockId(Hash::derive("quorate 1 block", &[&cbor::encode(self)]).0)
    }
}
