//! The signals that the parts of a replica send to each other, by way of the router.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Execution;
use quorate_types::{Block, CommitProof, Evidence, QuorumCertificate, Round};

use crate::event::HaltReason;

/// Something that one part found and another one must hear of.
#[derive(Debug)]
pub(crate) enum Signal {
    /// It is this node's turn: a block is wanted.
    Build(BuildRequest),
    /// A block is decided and durable: the height ends here.
    Decided(Box<Decided>),
    /// The votes of this height, or those of the last one, convict a validator.
    Convicted(Box<Verified<Evidence>>),
    /// A block of this height is bad: its builder may be accused, once that is judged.
    Accused(Box<Evidence>),
    /// Something waits that is a reason to start the height.
    Waiting,
    /// Going on would be wrong.
    Halt(HaltReason),
}

/// The parts of a block to be built that the ordering knows.
#[derive(Debug)]
pub(crate) struct BuildRequest {
    /// The round that the block is for.
    pub(crate) round: Round,
    /// The proof that the block before was decided; `None` at height 1.
    pub(crate) previous_commit: Option<Verified<CommitProof>>,
}

/// A decided block, the result of executing it, and the proof that it was decided.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) block: Arc<Verified<Block>>,
    pub(crate) execution: Box<Execution>,
    pub(crate) proof: Verified<QuorumCertificate>,
}
