//! Whom evidence convicts: by what he signed alone, or by executing the block he proposed.

use quorate_crypto::{Known, verify_block};
use quorate_types::{
    BadBlock, Evidence, Height, PROTOCOL_VERSION, SignedOperation, SignedStatement, cbor, limits,
};

use crate::state::Committee;
use crate::{EvidenceError, Ledger, cost};

/// Judges the evidence of one block, piece by piece.
pub(crate) struct Court<'a> {
    ledger: &'a Ledger,
    committee: Committee,
    bad_blocks: usize,
}

impl<'a> Court<'a> {
    /// For the block after the last decided one.
    pub(crate) fn new(ledger: &'a Ledger) -> Option<Self> {
        let committee = (**ledger.state().view().committee()?).clone();
        Some(Self {
            ledger,
            committee,
            bad_blocks: 0,
        })
    }

    /// Finds guilty: what comes later convicts him no more.
    ///
    /// # Errors
    /// [`EvidenceError`]: why it convicts nobody; nothing is changed then.
    pub(crate) fn convict(&mut self, evidence: &Evidence) -> Result<(), EvidenceError> {
        self.admit(evidence)?;
        if let Evidence::BadBlock(bad) = evidence {
            self.try_block(bad)?;
            self.bad_blocks = self.bad_blocks.saturating_add(1);
        }
        self.committee.convicted.insert(evidence.culprit());
        Ok(())
    }

    /// All that can be said without executing an accused block.
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

    /// An accused block is one of this version, whose rules its builder knew, and that the state
    /// before it is still kept for, on the block that was decided there: whoever stood on another
    /// one is not judged. And it is small enough.
    fn admit_block(&self, bad: &BadBlock) -> Result<(), EvidenceError> {
        let header = &bad.block.header;
        if header.version != PROTOCOL_VERSION {
            return Err(EvidenceError::Version(header.version));
        }
        if self.bad_blocks >= limits::BAD_BLOCKS_PER_BLOCK {
            return Err(EvidenceError::Second);
        }
        if bad
            .block
            .evidence
            .iter()
            .any(|inner| matches!(inner, Evidence::BadBlock(_)))
        {
            return Err(EvidenceError::Nested);
        }
        let parent = self.ledger.parent_of(header.height);
        if parent.ok_or(EvidenceError::Expired(header.height))? != header.previous {
            return Err(EvidenceError::Parent(header.previous));
        }
        let cost = cost::accused(&bad.block);
        if cost > cost::OPERATIONS {
            return Err(EvidenceError::Cost(cost));
        }
        let bytes = cbor::encode(&bad.block).len();
        if bytes > limits::BAD_BLOCK_BYTES {
            Err(EvidenceError::TooLong(bytes))
        } else {
            Ok(())
        }
    }

    /// Looks at the block as its voters did: each signature, then execution. All of it is bound by
    /// the header that the builder signed, and nothing else than the state before is looked at.
    fn try_block(&self, bad: &BadBlock) -> Result<(), EvidenceError> {
        let header = &bad.block.header;
        let expired = EvidenceError::Expired(header.height);
        let parent = self.ledger.before(header.height).ok_or(expired)?;
        let Ok(block) = verify_block(bad.block.clone(), parent.previous_validators(), &Unseen)
        else {
            return Ok(());
        };
        match parent.execute(&block) {
            Err(reason) if reason.convicts() => Ok(()),
            _ => Err(EvidenceError::Valid(header.id())),
        }
    }

    fn height(&self) -> Height {
        self.ledger.height().saturating_add(1)
    }
}

/// No signature was checked before: every node is to find the same.
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
    /// Whether the next block may carry this evidence, as far as can be told without executing an
    /// accused block: what it says is right for good once [`Self::judge`] said so. Signatures are
    /// not looked at.
    ///
    /// # Errors
    /// [`EvidenceError`]: why it convicts nobody.
    pub fn admits_evidence(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        Court::new(self).map_or(Ok(()), |court| court.admit(evidence))
    }

    /// Whether the next block may carry this evidence: it convicts a validator that nothing has
    /// convicted yet. That its own signatures hold and the body is the header's is what
    /// [`quorate_crypto::verify_evidence`] says. Takes as long as an accused block takes.
    ///
    /// # Errors
    /// [`EvidenceError`]: why it convicts nobody.
    pub fn judge(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        Court::new(self).map_or(Ok(()), |mut court| court.convict(evidence))
    }
}
