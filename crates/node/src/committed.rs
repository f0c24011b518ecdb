//! The events of a validator: the blocks that it committed.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_types::{
    Block, BlockId, Height, Millis, Outcome, PublicKey, QuorumCertificate, Round, UnixMillis,
};

/// Something that a validator did, for people and metrics.
#[derive(Debug, Clone)]
pub enum ValidatorEvent {
    /// A block was decided and applied.
    Committed(Arc<CommittedBlock>),
}

/// A decided block with its effects.
#[derive(Debug, Clone)]
pub struct CommittedBlock {
    /// The height of the block.
    pub height: Height,
    /// The round in which the block was decided, counted from 0.
    pub round: Round,
    /// The id of the block.
    pub block: BlockId,
    /// The validator that built the block.
    pub builder: PublicKey,
    /// The block time.
    pub block_time: UnixMillis,
    /// The number of operations in the block.
    pub operations: usize,
    /// The outcomes of the block, in the order of L-8.
    pub outcomes: Vec<Outcome>,
    /// The precommits that decided the block.
    pub commit: QuorumCertificate,
    /// Milliseconds since this node's previous commit, or since its start.
    pub took_ms: Millis,
    /// Microseconds from the time at which this node began to build the block, or received it, to
    /// its commit here; `None` if block sync brought it.
    pub proposed_to_committed_us: Option<u64>,
    /// The block, with all its operations and evidence.
    pub content: Arc<Verified<Block>>,
}
