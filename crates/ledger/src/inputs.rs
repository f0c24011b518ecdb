//! The contents of a block as execution takes them.

use quorate_types::{Block, CommitProof, Evidence, PublicKey, SignedOperation, Turn};

use crate::run::Now;

/// The contents of a block that execution needs, for a received block and for one that is being
/// built alike.
pub(crate) struct Inputs<'a> {
    pub now: Now,
    pub builder: PublicKey,
    pub missed_turns: Turn,
    pub operations: Vec<&'a SignedOperation>,
    pub evidence: Vec<&'a Evidence>,
    pub commit: Option<&'a CommitProof>,
}

impl<'a> Inputs<'a> {
    /// Returns the inputs that a received block has.
    pub(crate) fn of(block: &'a Block) -> Self {
        let header = &block.header;

        Self {
            now: Now {
                height: header.height,
                active: header.active_time,
                wall: header.block_time,
            },
            builder: header.builder,
            missed_turns: header.missed_turns,
            operations: block.operations.iter().collect(),
            evidence: block.evidence.iter().collect(),
            commit: block.previous_commit.as_ref(),
        }
    }
}
