//! Why a block is invalid: one variant for each rule (`protocols/ledger.md`).

use quorate_types::{BlockId, Hash, Height, Millis, PublicKey};

/// The first rule that a block breaks. Whoever proposed it is faulty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    /// Another version of the protocol.
    #[error("version {0} is not this protocol's")]
    Version(u8),
    /// Of another swarm.
    #[error("the block is of another swarm")]
    Swarm,
    /// Not the height after the last decided one.
    #[error("height {found}, expected {expected}")]
    Height {
        /// The next height.
        expected: Height,
        /// What the header says.
        found: Height,
    },
    /// Not on top of the last decided block.
    #[error("it follows {0:?}, which is not the last decided block")]
    Previous(BlockId),
    /// Block time does not increase (L-3).
    #[error("block time {found} is not after {previous}")]
    BlockTime {
        /// Block time of the previous block.
        previous: Millis,
        /// What the header says.
        found: Millis,
    },
    /// Active time is not what block time gives.
    #[error("active time {found}, expected {expected}")]
    ActiveTime {
        /// What block time gives.
        expected: Millis,
        /// What the header says.
        found: Millis,
    },
    /// Not the hash of the validator set that votes on it.
    #[error("validator set {0:?} does not vote on this height")]
    Validators(Hash),
    /// Not the hash of the next height's validator set.
    #[error("validator set {0:?} is not the next height's")]
    NextValidators(Hash),
    /// Not the parameters in force.
    #[error("parameters {0:?} are not in force")]
    Parameters(Hash),
    /// The commit is not one of precommits for the previous block, or there is none, or the first
    /// block has one.
    #[error("the commit is not the previous block's")]
    PreviousCommit,
    /// The header does not bind the commit the block carries.
    #[error("the header binds another commit of the previous block")]
    PreviousCommitHash,
    /// More operations or evidence than a block may hold.
    #[error("{operations} operations and {evidence} pieces of evidence are too many")]
    TooMany {
        /// Operations found.
        operations: usize,
        /// Evidence found.
        evidence: usize,
    },
    /// Longer than a block may be.
    #[error("{0} bytes are too many")]
    TooLong(usize),
    /// More execution cost than operations and accused blocks of one block may have.
    #[error("operations and accused blocks cost {0}")]
    Cost(u64),
    /// Operations are not strictly ascending in the canonical order.
    #[error("operation {0} stands out of order")]
    OperationOrder(usize),
    /// An operation is longer than one may be.
    #[error("operation {index} has {bytes} bytes")]
    OperationBytes {
        /// Its place in the block.
        index: usize,
        /// Its length.
        bytes: usize,
    },
    /// An operation is for another swarm, or not signed by its agent.
    #[error("operation {0} is of another swarm or signer")]
    OperationSwarm(usize),
    /// The operations of an agent do not continue its sequence.
    #[error("operations of {agent}: sequence {found}, expected {expected}")]
    Sequence {
        /// Agent.
        agent: PublicKey,
        /// Its next sequence number.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// A stranger whose first operation does not admit it.
    #[error("{0} is no member, and its first operation does not admit it")]
    Stranger(PublicKey),
    /// Evidence is not strictly ascending.
    #[error("evidence {0} stands out of order")]
    EvidenceOrder(usize),
    /// A piece of evidence that convicts nobody.
    #[error("evidence {index}: {error}")]
    Evidence {
        /// Its place in the block.
        index: usize,
        /// Why.
        error: EvidenceError,
    },
    /// The header's root over the operations is wrong.
    #[error("operations root {0:?}")]
    OperationsRoot(Hash),
    /// The header's root over the evidence is wrong.
    #[error("evidence root {0:?}")]
    EvidenceRoot(Hash),
    /// Executing the block gives other outcomes.
    #[error("outcomes root {found:?}, executing gives {expected:?}")]
    OutcomesRoot {
        /// What executing gives.
        expected: Hash,
        /// What the header says.
        found: Hash,
    },
    /// Executing the block gives another state.
    #[error("state root {found:?}, executing gives {expected:?}")]
    StateRoot {
        /// What executing gives.
        expected: Hash,
        /// What the header says.
        found: Hash,
    },
}

impl InvalidBlock {
    /// Whether the builder who proposed such a block is guilty: it is invalid by itself on the
    /// state before it. Not guilty is who kept another version's rules, or stood on another state,
    /// in another swarm or height or with other validators: his block is not judged by this state.
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

/// Why evidence convicts nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The statements are not such as convict.
    #[error("the statements do not convict")]
    Form,
    /// Of another swarm.
    #[error("of another swarm")]
    Swarm,
    /// Too old, or of a height that is not being decided yet.
    #[error("of height {0}, out of the range")]
    Height(Height),
    /// The statements name a validator set that was not in force at their height.
    #[error("of a validator set that was not in force")]
    Validators,
    /// The signer was no validator at that height.
    #[error("{0} was no validator")]
    Stranger(PublicKey),
    /// The signer was convicted before, or earlier in this block.
    #[error("{0} is convicted already")]
    Convicted(PublicKey),
    /// The accused block is of another version of the protocol.
    #[error("the accused block is of version {0}, which is not this protocol's")]
    Version(u8),
    /// The state before the accused block is not kept any more.
    #[error("the state before height {0} is not kept")]
    Expired(Height),
    /// The accused block follows another block than the decided one.
    #[error("the accused block follows {0:?}, which was not decided there")]
    Parent(BlockId),
    /// The accused block carries an accused block itself.
    #[error("the accused block accuses a block itself")]
    Nested,
    /// The accused block is longer than evidence takes.
    #[error("the accused block has {0} bytes")]
    TooLong(usize),
    /// Executing the accused block costs more than a block may.
    #[error("the accused block costs {0}")]
    Cost(u64),
    /// A block carries one accused block at most.
    #[error("a second accused block")]
    Second,
    /// The accused block is valid.
    #[error("the accused block {0:?} is valid")]
    Valid(BlockId),
}

/// An execution that was not made on top of the last decided block. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the execution is of height {found}, the next is {expected}, or its parent is another")]
pub struct StaleExecution {
    /// Next height of the ledger.
    pub expected: Height,
    /// Height of the execution.
    pub found: Height,
}
