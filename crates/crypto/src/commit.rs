//! The one judgement on what proves a commit (N-5, L-2). The quorum behind it is checked by
//! [`crate::verify_commit`].

use quorate_types::{BlockId, CommitProof, Hash, Height, Kind, QuorumCertificate, SwarmId};

/// The decision that a commit is to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The swarm that decided.
    pub swarm: SwarmId,
    /// The height of the block, counted from 1.
    pub height: Height,
    /// The block that was decided.
    pub block: BlockId,
    /// The hash of the validator set that votes on this height.
    pub validators: Hash,
}

impl Decision {
    /// Returns whether `proof` proves this decision, once its quorum is verified.
    pub fn is_proved_by(&self, proof: &CommitProof) -> bool {
        check_commit(proof.certificate(), self).is_ok()
    }
}

/// The reason why a certificate is not the commit of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The votes are not precommits.
    #[error("its votes are not precommits")]
    Kind,
    /// The votes are for nil.
    #[error("its votes are for nil")]
    Nil,
    /// The votes are of another swarm.
    #[error("its votes are of another swarm")]
    Swarm,
    /// The votes are of another height.
    #[error("its votes are of height {0}")]
    Height(Height),
    /// The votes are for another block.
    #[error("its votes are for block {0:?}")]
    Block(BlockId),
    /// The votes name another validator set.
    #[error("its votes name another validator set")]
    Validators,
}

/// Checks that a certificate is the commit of this decision: precommits, in whatever round, for
/// this block of this height, by this validator set. Signatures and power are not checked.
///
/// # Errors
/// [`CommitError`], for the first fault in the order of its variants, which is that of C-10.
pub fn check_commit(commit: &QuorumCertificate, decision: &Decision) -> Result<(), CommitError> {
    let said = &commit.statement;

    if said.kind != Kind::Precommit {
        return Err(CommitError::Kind);
    }

    let Some(block) = said.block else {
        return Err(CommitError::Nil);
    };

    if said.swarm != decision.swarm {
        return Err(CommitError::Swarm);
    }
    if said.height != decision.height {
        return Err(CommitError::Height(said.height));
    }

    if block != decision.block {
        return Err(CommitError::Block(block));
    }
    if said.validators != decision.validators {
        return Err(CommitError::Validators);
    }

    Ok(())
}
