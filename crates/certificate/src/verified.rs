//! A certificate that was verified, as a value: its bytes and its parts together.

use std::fmt;
use std::sync::Arc;

use quorate_types::outcome::{Assignment, Receipt};
use quorate_types::{
    FencingToken, Height, Outcome, Price, PublicKey, Reason, Round, TaskId, UnixMillis,
};

use crate::verdict::{Policy, Summary, Verdict};
use crate::{Certificate, TrustRoot, verify};

/// A certificate that the verifier accepted under a trust root and a policy: the canonical bytes
/// with which others can be convinced, and what they say. Only [`Self::verify`] makes one, so
/// nobody has to decode or check it again. Clones share it.
///
/// Two of them are equal if their bytes are. Certificates of one outcome may differ in the quorum
/// that signed; [`Summary::identity`] is the same for all of them (C-6).
#[derive(Clone)]
pub struct VerifiedCertificate(Arc<Proved>);

struct Proved {
    bytes: Box<[u8]>,
    certificate: Certificate,
    summary: Summary,
}

impl VerifiedCertificate {
    /// Verifies a certificate in canonical CBOR, as [`verify()`](crate::verify()) does.
    ///
    /// # Errors
    /// The verdict if it is not [`crate::Judgement::Verified`], with the rule that was broken.
    pub fn verify(bytes: &[u8], root: &TrustRoot, policy: &Policy) -> Result<Self, Box<Verdict>> {
        let (certificate, mut verdict) = verify::examine(bytes, root, policy)?;

        match verdict.summary.take_if(|_| verdict.reason.is_none()) {
            Some(summary) => Ok(Self(Arc::new(Proved {
                bytes: bytes.into(),
                certificate,
                summary,
            }))),
            None => Err(verdict.into()),
        }
    }

    /// Returns the certificate in canonical CBOR, to be stored or shown to others.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Returns the parts of the certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// Returns the facts that are certified, with who signed them.
    pub fn summary(&self) -> &Summary {
        &self.0.summary
    }

    /// Returns the height of the block that decided.
    pub fn height(&self) -> Height {
        self.summary().height
    }

    /// Returns the round in which the block was decided.
    pub fn round(&self) -> Round {
        self.summary().round
    }

    /// Returns the block time, by the builder's clock.
    pub fn block_time(&self) -> UnixMillis {
        self.summary().block_time
    }

    /// Returns the outcome that was decided.
    pub fn outcome(&self) -> &Outcome {
        &self.certificate().outcome
    }

    /// Returns the kind of outcome: `assignment`, `clearing`, `receipt`, `refusal` or `expiry`.
    pub fn outcome_name(&self) -> &'static str {
        self.summary().outcome
    }

    /// Returns the name of the operation of a receipt: `accept`, `decline`, `complete`, `fail`,
    /// `lapse` or `cancel`; `None` for any other outcome.
    pub fn operation_name(&self) -> Option<&'static str> {
        self.summary().operation
    }

    /// Returns the assignment that is certified, if the outcome is one.
    pub fn assignment(&self) -> Option<&Assignment> {
        match self.outcome() {
            Outcome::Assignment(assignment) => Some(assignment),
            _ => None,
        }
    }

    /// Returns the receipt that is certified, if the outcome is one.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self.outcome() {
            Outcome::Receipt(receipt) => Some(receipt),
            _ => None,
        }
    }

    /// Returns the task that the outcome speaks of, if it speaks of exactly one.
    pub fn task(&self) -> Option<TaskId> {
        self.summary().task
    }

    /// Returns the fencing token that the outcome speaks of, if any.
    pub fn token(&self) -> Option<FencingToken> {
        self.summary().token
    }

    /// Returns the agent that the outcome speaks of, if any.
    pub fn agent(&self) -> Option<PublicKey> {
        self.summary().agent
    }

    /// Returns the price of an assignment, in the market's unit.
    pub fn price(&self) -> Option<Price> {
        self.assignment().map(|assignment| assignment.price)
    }

    /// Returns the refused parts of an operation with their reasons, as in
    /// [`quorate_types::outcome::Refusal`]; empty for any other outcome.
    pub fn refused(&self) -> &[(Option<TaskId>, Reason)] {
        match self.outcome() {
            Outcome::Refusal(refusal) => &refusal.items,
            _ => &[],
        }
    }
}

impl PartialEq for VerifiedCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for VerifiedCertificate {}

/// As the list of its bytes. The simulator's digests hold this text.
impl fmt::Debug for VerifiedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.bytes(), f)
    }
}
