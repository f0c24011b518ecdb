//! The reasons why a block is not valid, one variant for each rule (`protocols/ledger.md`).

use quorate_crypto::FaultError;
use quorate_types::{ActiveMillis, BlockId, Hash, Height, PublicKey, UnixMillis};

/// The first rule that a block breaks. The validator that proposed the block is faulty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    /// The block is of another version of the protocol.
    #[error("the block is of version {0}, which is not the version of this protocol")]
    Version(u8),
    /// The block is of another swarm.
    #[error("the block is of another swarm")]
    Swarm,
    /// The height is not the one after the last decided block.
    #[error("the block has height {found}, but the next height is {expected}")]
    Height {
        /// The height after the last decided block.
        expected: Height,
        /// The height in the header.
        found: Height,
    },
    /// The block is not on top of the last decided one.
    #[error("the block follows {0:?}, which is not the last decided block")]
    Previous(BlockId),
    /// Block time does not increase (L-3).
    #[error("block time {found} is not later than {previous}, the time of the previous block")]
    BlockTime {
        /// The block time of the previous block.
        previous: UnixMillis,
        /// The block time in the header.
        found: UnixMillis,
    },
    /// Active time is not the one that follows from block time (L-3).
    #[error("active time is {found}, but block time gives {expected}")]
    ActiveTime {
        /// The active time that follows from block time, in milliseconds.
        expected: ActiveMillis,
        /// The active time in the header.
        found: ActiveMillis,
    },
    /// `validators` in the header is not the hash of the set in force at this height.
    #[error("validator set {0:?} is not the set of this height")]
    Validators(Hash),
    /// `next_validators` in the header is not the hash of the set in force at the next height.
    #[error("validator set {0:?} is not the set of the next height")]
    NextValidators(Hash),
    /// The parameters are not those in force.
    #[error("parameters {0:?} are not those in force")]
    Parameters(Hash),
    /// The commit does not prove that the previous block was decided, or it is missing, or the
    /// first block has one.
    #[error("the commit in the block is not a commit of the previous block")]
    PreviousCommit,
    /// The header does not bind the commit that the block carries.
    #[error("the header binds another commit of the previous block than the block carries")]
    PreviousCommitHash,
    /// The block holds more operations or evidence than it may.
    #[error("{operations} operations and {evidence} pieces of evidence are too many for a block")]
    TooMany {
        /// The number of operations in the block.
        operations: usize,
        /// The number of pieces of evidence in the block.
        evidence: usize,
    },
    /// The block is longer than it may be. The number is its length in bytes.
    #[error("the block has {0} bytes, which is too many")]
    TooLong(usize),
    /// The operations and accused blocks in the block cost more to execute than they may (L-6).
    #[error("operations and accused blocks cost {0}, which is more than a block may have")]
    Cost(u64),
    /// Operations are not strictly ascending in the canonical order (L-4).
    #[error("operation {0} is not in canonical order")]
    OperationOrder(usize),
    /// An operation is longer than it may be.
    #[error("operation {index} has {bytes} bytes, which is too many")]
    OperationBytes {
        /// Its place in the block, counted from 0.
        index: usize,
        /// Its length in bytes.
        bytes: usize,
    },
    /// An operation is for another swarm, or is not signed by its agent.
    #[error("operation {0} is for another swarm, or not signed by its agent")]
    OperationSwarm(usize),
    /// The operations of an agent do not continue its sequence.
    #[error("an operation of {agent} has sequence number {found}, but the next is {expected}")]
    Sequence {
        /// The agent whose sequence is broken.
        agent: PublicKey,
        /// The next sequence number of the agent.
        expected: u64,
        /// The sequence number of the operation.
        found: u64,
    },
    /// The first operation of a stranger does not admit it (L-10).
    #[error("{0} is not a member, and its first operation does not admit it")]
    Stranger(PublicKey),
    /// Evidence is not strictly ascending.
    #[error("evidence {0} is not in ascending order")]
    EvidenceOrder(usize),
    /// A piece of evidence convicts nobody.
    #[error("evidence {index} convicts nobody: {error}")]
    Evidence {
        /// Its place in the block, counted from 0.
        index: usize,
        /// The reason why it convicts nobody.
        error: EvidenceError,
    },
    /// The header's root over the operations is wrong.
    #[error("the header has operations root {0:?}, which is not the root of its operations")]
    OperationsRoot(Hash),
    /// The header's root over the evidence is wrong.
    #[error("the header has evidence root {0:?}, which is not the root of its evidence")]
    EvidenceRoot(Hash),
    /// Executing the block gives other outcomes.
    #[error("the header has outcomes root {found:?}, but executing the block gives {expected:?}")]
    OutcomesRoot {
        /// The root that executing the block gives.
        expected: Hash,
        /// The root in the header.
        found: Hash,
    },
    /// Executing the block gives another state.
    #[error("the header has state root {found:?}, but executing the block gives {expected:?}")]
    StateRoot {
        /// The root that executing the block gives.
        expected: Hash,
        /// The root in the header.
        found: Hash,
    },
}

impl InvalidBlock {
    /// Returns whether the builder that proposed such a block is guilty, because the block breaks a
    /// rule on the state before it (L-22). A builder is not guilty if it kept the rules of another
    /// version, or built on another state, in another swarm, at another height or with other
    /// validators: this state cannot judge its block.
    pub fn convicts(&self) -> bool {
        !matches!(
            self,
            Self::Version(_)
                | Self::Swarm
                | Self::Height { .. }
                | Self::Previous(_)
                | Self::Validators(_)
        )
    }
}

/// The reason why evidence convicts nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The statements do not have the form that convicts: see
    /// [`quorate_types::Evidence::is_well_formed`].
    #[error("its statements do not have the form that convicts")]
    Form,
    /// The evidence is of another swarm.
    #[error("it is of another swarm")]
    Swarm,
    /// The height is too old, or is not being decided yet.
    #[error("it is of height {0}, which is too old or not being decided yet")]
    Height(Height),
    /// The statements name a validator set that was not in force at their height.
    #[error("it names a validator set that was not in force at its height")]
    Validators,
    /// The signer was not a validator at that height.
    #[error("{0} was not a validator at that height")]
    Stranger(PublicKey),
    /// The signer was convicted before, or earlier in this block.
    #[error("{0} is convicted already")]
    Convicted(PublicKey),
    /// The accused block is of another version of the protocol.
    #[error("the accused block is of version {0}, which is not the version of this protocol")]
    Version(u8),
    /// The state before the accused block is not kept any more.
    #[error("the state before height {0} is not kept any more")]
    Expired(Height),
    /// The accused block follows another block than the decided one.
    #[error("the accused block follows {0:?}, which was not decided there")]
    Parent(BlockId),
    /// The accused block carries an accused block itself.
    #[error("the accused block carries an accused block itself")]
    Nested,
    /// The accused block is longer than [`quorate_types::limits::BAD_BLOCK_BYTES`].
    #[error("the accused block has {0} bytes, which is too many")]
    TooLong(usize),
    /// The accused block costs more to execute than the operations of a block may cost (L-6).
    #[error("the accused block costs {0}, which is more than a block may have")]
    Cost(u64),
    /// The block carries a second accused block, but at most one is allowed.
    #[error("a block carries at most one accused block, and this is a second one")]
    Second,
    /// The accused block is valid.
    #[error("the accused block {0:?} is valid")]
    Valid(BlockId),
}

impl From<FaultError> for EvidenceError {
    fn from(error: FaultError) -> Self {
        match error {
            FaultError::Form => Self::Form,
            FaultError::Swarm => Self::Swarm,
            FaultError::Height(height) => Self::Height(height),
            FaultError::Validators => Self::Validators,
            FaultError::Stranger(key) => Self::Stranger(key),
        }
    }
}

/// The reason why an execution is not committed: it was not made on top of the last decided block.
/// Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the execution is of height {found} but the next height is {expected}, \
     or its parent is not the last decided block"
)]
pub struct StaleExecution {
    /// The next height of the ledger.
    pub expected: Height,
    /// The height of the execution.
    pub found: Height,
}
