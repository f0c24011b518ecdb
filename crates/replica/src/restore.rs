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

#[cfg(test)]
mod tests {
    use quorate_types::Kind;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn a_stored_block_is_taken_with_the_commit_that_decides_it() {
        let bench = Bench::new();
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let (block, commit) = (block.into_inner(), commit.into_inner());
        assert!(verify_stored(bench.ledger(), block, commit).is_ok());
    }

    #[test]
    fn a_stored_block_is_not_taken_with_the_commit_of_another() {
        let bench = Bench::new();
        let commit = bench.certificate(Kind::Precommit, &bench.bad_block().header);
        let block = bench.next_block().into_inner();
        let error = verify_stored(bench.ledger(), block, commit.into_inner());
        assert_eq!(error.err(), Some(RestoreError::Commit(1)));
    }

    #[test]
    fn a_stored_commit_of_less_than_a_quorum_decides_nothing() {
        let bench = Bench::new();
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let mut commit = commit.into_inner();
        commit.votes.pop();
        let error = verify_stored(bench.ledger(), block.into_inner(), commit);
        assert_eq!(error.err(), Some(RestoreError::Commit(1)));
    }

    #[test]
    fn a_stored_block_with_an_operation_of_another_swarm_is_not_taken() {
        let bench = Bench::new();
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let mut block = block.into_inner();
        let mut foreign = bench.submission(0, 0).into_inner();
        foreign.alter(|parts| parts.payload.swarm.0[0] ^= 1);
        block.operations.push(foreign);
        let error = verify_stored(bench.ledger(), block, commit.into_inner());
        assert_eq!(error.err(), Some(RestoreError::Block(1)));
    }
}
