//! Judges evidence: a conflict by the two statements that its culprit signed, a bad block by
//! executing it (L-20, L-22).

use quorate_crypto::{Known, verify_block};
use quorate_types::{
    BadBlock, Block, Evidence, Height, PROTOCOL_VERSION, SignedOperation, SignedStatement, cbor,
    limits,
};

use crate::state::Committee;
use crate::{EvidenceError, Ledger, cost};

/// The judge of the evidence in one block, piece by piece.
pub(crate) struct EvidenceJudge<'a> {
    ledger: &'a Ledger,
    committee: Committee,
    bad_blocks: usize,
}

impl<'a> EvidenceJudge<'a> {
    /// Returns the judge for the block after the last decided one.
    pub(crate) fn new(ledger: &'a Ledger) -> Option<Self> {
        let committee = (**ledger.state().view().committee()?).clone();
        Some(Self {
            ledger,
            committee,
            bad_blocks: 0,
        })
    }

    /// Convicts the culprit of this evidence. Later evidence against it is refused.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason why the evidence convicts nobody. Nothing is changed then.
    pub(crate) fn convict(&mut self, evidence: &Evidence) -> Result<(), EvidenceError> {
        self.admit(evidence)?;
        if let Evidence::BadBlock(bad) = evidence {
            self.try_block(bad)?;
            self.bad_blocks = self.bad_blocks.saturating_add(1);
        }

        self.committee.convicted.insert(evidence.culprit());
        Ok(())
    }

    /// Checks everything that can be checked without executing an accused block.
    fn admit(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        if !evidence.is_well_formed() {
            return Err(EvidenceError::Form);
        }

        self.committee
            .check(evidence, &self.ledger.swarm(), self.height())?;

        match evidence {
            Evidence::Conflict(_) => Ok(()),
            Evidence::BadBlock(bad) => self.admit_block(bad),
        }
    }

    /// Checks that an accused block can be judged here (L-22). It must be of this version, whose
    /// rules its builder knew, and small enough. It must follow the block that was decided before
    /// it, and the state after that block must still be kept: a builder that stood on another block
    /// is not judged.
    fn admit_block(&self, bad: &BadBlock) -> Result<(), EvidenceError> {
        let header = &bad.block.header;
        if header.version != PROTOCOL_VERSION {
            return Err(EvidenceError::Version(header.version));
        }

        // At most one in a block, since it costs as much as a block to judge.
        if self.bad_blocks >= limits::BAD_BLOCKS_PER_BLOCK {
            return Err(EvidenceError::Second);
        }

        // Otherwise judging one block could mean judging many.
        if carries_accused(&bad.block) {
            return Err(EvidenceError::Nested);
        }

        // A builder that stood on another block is not judged by this state.
        let parent = self.ledger.parent_of(header.height);
        if parent.ok_or(EvidenceError::Expired(header.height))? != header.previous {
            return Err(EvidenceError::Parent(header.previous));
        }

        check_size(&bad.block)
    }

    /// Checks the block as its voters did: each signature, then execution. The header that the
    /// builder signed binds all of that, and only the state before the block is used besides.
    fn try_block(&self, bad: &BadBlock) -> Result<(), EvidenceError> {
        let header = &bad.block.header;
        let expired = EvidenceError::Expired(header.height);
        let parent = self.ledger.before(header.height).ok_or(expired)?;

        // A signature that does not verify is enough: the builder bound it by its header.
        let Ok(block) = verify_block(bad.block.clone(), parent.previous_validators(), &Unseen)
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

/// Vouches for no signature, so that each is checked here: every node must come to the same
/// verdict.
struct Unseen;

impl Known for Unseen {
    fn operation(&self, _: &SignedOperation) -> bool {
        false
    }

    fn statement(&self, _: &SignedStatement) -> bool {
        false
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
        EvidenceJudge::new(self).map_or(Ok(()), |court| court.admit(evidence))
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

/// Returns whether a block carries an accused block as evidence.
fn carries_accused(block: &Block) -> bool {
    let mut evidence = block.evidence.iter();
    evidence.any(|inner| matches!(inner, Evidence::BadBlock(_)))
}

/// Checks that an accused block is cheap and short enough to be judged.
fn check_size(block: &Block) -> Result<(), EvidenceError> {
    let cost = cost::accused(block);
    if cost > cost::OPERATIONS {
        return Err(EvidenceError::Cost(cost));
    }

    let bytes = cbor::encode(block).len();
    if bytes > limits::BAD_BLOCK_BYTES {
        return Err(EvidenceError::TooLong(bytes));
    }

    Ok(())
}
