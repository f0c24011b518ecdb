//! The court that evidence comes before: whom it convicts at which height, whether that is recent
//! enough and not done before, and, if it accuses a block, whether executing that block shows it to
//! be invalid (L-20, L-22).

use quorate_crypto::{Fault, NoneKnown, verify_block};
use quorate_types::{Block, CommitProof, Evidence, Height, PROTOCOL_VERSION, cbor, limits};

use crate::committee::Committee;
use crate::{EvidenceError, Ledger, cost, operations};

/// The judge of the evidence in one block, piece by piece.
pub(crate) struct EvidenceJudge<'a> {
    ledger: &'a Ledger,
    committee: Committee,
    accused_blocks: usize,
}

impl<'a> EvidenceJudge<'a> {
    /// Returns the judge for the block after the last decided one.
    pub(crate) fn new(ledger: &'a Ledger) -> Option<Self> {
        let committee = (**ledger.state().view().committee()?).clone();
        Some(Self {
            ledger,
            committee,
            accused_blocks: 0,
        })
    }

    /// Convicts the culprit of this evidence. Later evidence against it is refused.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason why the evidence convicts nobody. Nothing is changed then.
    pub(crate) fn convict(&mut self, evidence: &Evidence) -> Result<(), EvidenceError> {
        let fault = self.admit(evidence)?;

        if let Some(block) = fault.accused {
            self.try_block(block)?;
            self.accused_blocks = self.accused_blocks.saturating_add(1);
        }

        self.committee.bar(fault.culprit);
        Ok(())
    }

    /// Checks everything that can be checked without executing an accused block, and returns the
    /// fault that the evidence is of.
    fn admit<'e>(&self, evidence: &'e Evidence) -> Result<Fault<'e>, EvidenceError> {
        let fault = self
            .committee
            .check(evidence, &self.ledger.swarm(), self.height())?;

        if let Some(block) = fault.accused {
            self.admit_block(block)?;
        }

        Ok(fault)
    }

    /// Checks that an accused block can be judged here (L-22). It must be of this version, whose
    /// rules its builder knew, and small enough. It must follow the block that was decided before
    /// it, and the state after that block must still be kept: a builder that stood on another block
    /// is not judged.
    fn admit_block(&self, block: &Block) -> Result<(), EvidenceError> {
        let header = &block.header;
        if header.version != PROTOCOL_VERSION {
            return Err(EvidenceError::Version(header.version));
        }

        // At most one in a block, since it costs as much as a block to judge.
        if self.accused_blocks >= limits::BAD_BLOCKS_PER_BLOCK {
            return Err(EvidenceError::Second);
        }

        // Otherwise judging one block could mean judging many.
        if carries_accused(block) {
            return Err(EvidenceError::Nested);
        }

        // A builder that stood on another block is not judged by this state.
        let parent = self.ledger.parent_of(header.height);
        if parent.ok_or(EvidenceError::Expired(header.height))? != header.previous {
            return Err(EvidenceError::Parent(header.previous));
        }

        check_size(block)
    }

    /// Checks the block as the committee did: each signature, then execution. The header that the
    /// builder signed binds all of that, and only the state before the block is used besides.
    fn try_block(&self, block: &Block) -> Result<(), EvidenceError> {
        let header = &block.header;
        let expired = EvidenceError::Expired(header.height);
        let parent = self.ledger.before(header.height).ok_or(expired)?;

        // A signature that does not verify is enough: the builder bound it by its header. No
        // earlier check counts, because every node must come to the same verdict.
        let Ok(block) = verify_block(block.clone(), parent.previous_validators(), &NoneKnown)
        else {
            return Ok(());
        };

        // Only a rule that the block itself breaks convicts its builder.
        match parent.execute(&block) {
            Err(reason) if reason.convicts() => Ok(()),
            _ => Err(EvidenceError::Valid(header.id())),
        }
    }

    fn height(&self) -> Height {
        self.ledger.height().saturating_add(1)
    }
}

impl Ledger {
    /// Checks whether the next block may carry this evidence, as far as that is possible without
    /// checking signatures or executing an accused block. Once [`Self::judge`] has accepted the
    /// evidence, this check is enough: the verdict on an accused block does not change.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason why the evidence convicts nobody.
    pub fn admits_evidence(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        EvidenceJudge::new(self).map_or(Ok(()), |court| court.admit(evidence).map(|_| ()))
    }

    /// Checks whether the next block may carry this evidence: whether it convicts a validator that
    /// is not convicted yet. The caller must have checked it with
    /// [`quorate_crypto::verify_evidence`], which covers its own signatures and that a body is the
    /// one of its header. For a bad block this takes as long as executing the block.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason why the evidence convicts nobody.
    pub fn judge(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        EvidenceJudge::new(self).map_or(Ok(()), |mut court| court.convict(evidence))
    }
}

/// Returns the cost of judging a piece of evidence, which counts among the operations of the block
/// that carries it (L-6). The signatures on its own statements cost nothing: checking 16 of them
/// takes no more than a millisecond.
pub(crate) fn cost_of(evidence: &Evidence) -> u64 {
    evidence.accused().map_or(0, cost_of_trial)
}

/// Returns the cost of checking and executing an accused block, without its clearings: these take
/// the place of the clearings of the block that carries it ([`cost::clearings_beside`]).
fn cost_of_trial(block: &Block) -> u64 {
    let commit = block
        .previous_commit
        .as_ref()
        .map_or(0, CommitProof::signatures);

    // A piece of evidence has up to two signatures.
    let signatures = commit.saturating_add(block.evidence.len().saturating_mul(2));
    let operations = block
        .operations
        .iter()
        .map(|signed| operations::cost_of(&signed.payload.body));

    operations.fold(
        cost::OPERATION.saturating_add(cost::times(signatures, cost::SIGNATURE)),
        u64::saturating_add,
    )
}

/// Returns whether a block carries an accused block as evidence.
fn carries_accused(block: &Block) -> bool {
    let mut evidence = block.evidence.iter();
    evidence.any(|inner| inner.accused().is_some())
}

/// Checks that an accused block is cheap and short enough to be judged.
fn check_size(block: &Block) -> Result<(), EvidenceError> {
    let cost = cost_of_trial(block);
    if cost > cost::OPERATIONS {
        return Err(EvidenceError::Cost(cost));
    }

    let bytes = cbor::encode(block).len();
    if bytes > limits::BAD_BLOCK_BYTES {
        return Err(EvidenceError::TooLong(bytes));
    }

    Ok(())
}
