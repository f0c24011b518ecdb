//! The check of decided blocks from before a restart: by structure, since this node verified their
//! signatures before it stored them.

use quorate_crypto::{Known, Verified, verify_block, verify_quorum};
use quorate_ledger::Ledger;
use quorate_types::{Block, Height, QuorumCertificate, SignedOperation, SignedStatement};

/// The reason why a stored block does not follow from the blocks before it. The value is its
/// height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The stored commit is not a commit for the stored block by its validator set.
    #[error("the stored commit at height {0} does not decide the stored block")]
    Commit(Height),
    /// Executing the stored block does not give the roots that its header names.
    #[error("the stored block at height {0} does not execute to the roots that its header names")]
    Block(Height),
}

/// Returns a stored block and its commit as verified, if the commit is one for the block by the
/// validator set after `ledger`, and the block is well formed.
///
/// # Errors
/// [`RestoreError`] naming the height.
pub(crate) fn verify_stored(
    ledger: &Ledger,
    block: Block,
    commit: QuorumCertificate,
) -> Result<(Verified<Block>, Verified<QuorumCertificate>), RestoreError> {
    let height = ledger.height() + 1;
    let commit = verify_commit(ledger, &block, commit).ok_or(RestoreError::Commit(height))?;
    let block = verify_block(block, ledger.previous_validators(), &OwnDisk)
        .map_err(|_| RestoreError::Block(height))?;

    Ok((block, commit))
}

/// Returns the stored commit as verified, if it is one for this block. Its votes were verified
/// before they were stored.
fn verify_commit(
    ledger: &Ledger,
    block: &Block,
    commit: QuorumCertificate,
) -> Option<Verified<QuorumCertificate>> {
    if commit.statement.block != Some(block.header.id()) {
        return None;
    }

    let known = |_: &SignedStatement| true;
    verify_quorum(commit, ledger.validators(), &known).ok()
}

/// Vouches for the signatures on this node's own disk: they were verified before they were written.
struct OwnDisk;

impl Known for OwnDisk {
    fn operation(&self, _: &SignedOperation) -> bool {
        true
    }

    fn statement(&self, _: &SignedStatement) -> bool {
        true
    }
}
