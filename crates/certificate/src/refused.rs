//! The reasons why a certificate is refused. Their registry is `protocols/reason-codes.md`.

use std::fmt;

use crate::judgement::Judgement;

/// Defines each reason once: its variant, judgement, stable name, and text for a person.
macro_rules! refused {
    ($($variant:ident $judgement:ident $name:literal $text:literal,)*) => {
        /// The first rule that a certificate broke.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refused {
            $(#[doc = $text] $variant,)*
        }

        impl Refused {
            /// Every reason, roughly in the order in which they are looked for.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the stable name, such as `bad_signature`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns one sentence for a person.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Returns the judgement that follows from the reason.
            pub fn judgement(self) -> Judgement {
                match self { $(Self::$variant => Judgement::$judgement,)* }
            }
        }
    };
}

refused! {
    Empty NotAuthentic "empty" "There is nothing to verify.",
    TooLong NotAuthentic "too_long" "More bytes than a certificate may have.",
    TrailingBytes NotAuthentic "trailing_bytes" "Bytes follow the certificate.",
    NotCanonical NotAuthentic "not_canonical"
        "Well-formed CBOR, but not in its one canonical form.",
    Malformed NotAuthentic "malformed" "Not the CBOR of a certificate.",
    UnsupportedVersion CannotEvaluate "unsupported_version"
        "The format is of a version that this program does not know.",
    UnsupportedAlgorithm CannotEvaluate "unsupported_algorithm"
        "A signature of another algorithm than EdDSA (-8).",
    UnprotectedHeader NotAuthentic "unprotected_header"
        "Something stands in an unprotected header, where nothing is signed.",
    PolRound NotAuthentic "pol_round" "A vote with a POL round; only proposals have one.",
    DuplicateSigner NotAuthentic "duplicate_signer" "One validator is listed twice.",
    VotesUnsorted NotAuthentic "votes_unsorted" "The votes do not ascend by key.",
    SetMalformed NotAuthentic "set_malformed"
        "A hand-over's validators are not a valid set: empty, unsorted, repeated, or wrong power.",
    UnknownReason CannotEvaluate "unknown_reason" "A reason code that this program does not know.",
    TooManyHandovers NotAuthentic "too_many_handovers" "More hand-overs than are allowed.",
    HeaderVersion CannotEvaluate "header_version"
        "The header is of a version that this program does not know.",
    WrongSwarm NotAuthentic "wrong_swarm" "The header is of another swarm than the trust root.",
    HeightZero NotAuthentic "height_zero" "The height is 0, but the first block has height 1.",
    UnknownParameters CannotEvaluate "unknown_parameters"
        "The rules in force are not those of the trust root.",
    HandoverLate NotAuthentic "handover_late"
        "A hand-over at or after the height of the certificate.",
    HandoverOrder NotAuthentic "handover_order" "Hand-overs do not ascend by height.",
    HandoverGap NotAuthentic "handover_gap"
        "A hand-over by a set that the trust root does not lead to.",
    HandoverSuperfluous NotAuthentic "handover_superfluous"
        "A hand-over that changes nothing.",
    HandoverSet NotAuthentic "handover_set"
        "The new validators are not those that the header names.",
    UntrustedValidators NotAuthentic "untrusted_validators"
        "The validator set is not one that the trust root leads to.",
    NotPrecommit NotAuthentic "not_precommit" "The signatures are not precommits.",
    NilCommit NotAuthentic "nil_commit" "The precommits are for nil, not for a block.",
    StatementSwarm NotAuthentic "statement_swarm" "The precommits are for another swarm.",
    StatementHeight NotAuthentic "statement_height" "The precommits are for another height.",
    StatementBlock NotAuthentic "statement_block" "The precommits are for another block.",
    StatementValidators NotAuthentic "statement_validators"
        "The precommits name another validator set.",
    NoVotes NotAuthentic "no_votes" "Nobody signed.",
    UnknownSigner NotAuthentic "unknown_signer" "A signer is not a validator of the set.",
    InsufficientPower NotAuthentic "insufficient_power"
        "The signers do not hold more than two thirds of the power.",
    WeakKey NotAuthentic "weak_key" "A key is of small order, or not in canonical form.",
    BadSignature NotAuthentic "bad_signature" "A listed signature does not verify.",
    ProofTooLong NotAuthentic "proof_too_long" "The inclusion proof is longer than any tree.",
    ProofIndex NotAuthentic "proof_index" "The place of the outcome is beyond the tree.",
    NotIncluded NotAuthentic "not_included" "The outcome is not under the header's root.",
    AssignmentToken NotAuthentic "assignment_token" "The fencing token is 0; the first is 1.",
    AssignmentPrice NotAuthentic "assignment_price"
        "The price is out of the limits, or above the charge.",
    AssignmentTime NotAuthentic "assignment_time"
        "The assignment was not made at the active time of its block, or its lease is 0.",
    AssignmentAttestations NotAuthentic "assignment_attestations"
        "Attestations unsorted, or one twice.",
    ClearingCounts NotAuthentic "clearing_counts"
        "More tasks are assigned than there are inputs, or a price is out of the limits.",
    ReceiptOperation NotAuthentic "receipt_operation"
        "The operation in the receipt is of a kind that makes no receipt.",
    ReceiptSwarm NotAuthentic "receipt_swarm" "The operation in the receipt is of another swarm.",
    ReceiptTask NotAuthentic "receipt_task" "The operation in the receipt is on another task.",
    ReceiptToken NotAuthentic "receipt_token"
        "The operation in the receipt is on another assignment.",
    ReceiptSigner NotAuthentic "receipt_signer"
        "The operation in the receipt is not signed by its agent.",
    ReceiptAgent NotAuthentic "receipt_agent"
        "The operation in the receipt is not by an agent that may make it.",
    ReceiptSignature NotAuthentic "receipt_signature"
        "The signature of the operation in the receipt does not verify.",
    LapseOrder NotAuthentic "lapse_order" "Suspicions unsorted, or of one validator twice.",
    LapseStranger NotAuthentic "lapse_stranger" "A suspicion is not by a validator of the set.",
    LapsePower NotAuthentic "lapse_power"
        "Suspicions of this assignment do not hold more than two thirds of the power.",
    LapseSignature NotAuthentic "lapse_signature" "A suspicion's signature does not verify.",
    RefusalItems NotAuthentic "refusal_items" "A refusal without items, or with unsorted ones.",
    ExpiryReason NotAuthentic "expiry_reason" "A task does not expire for this reason.",
    PolicyOperators PolicyFailed "policy_operators"
        "The signers belong to fewer operators than the policy asks for.",
    PolicyHandovers PolicyFailed "policy_handovers"
        "More hand-overs than the policy relies on.",
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the reason of the first rule that does not hold, as an error.
pub(crate) fn first_broken(rules: &[(bool, Refused)]) -> Result<(), Refused> {
    rules
        .iter()
        .find(|(holds, _)| !holds)
        .map_or(Ok(()), |(_, reason)| Err(*reason))
}

/// A reason, and the place in the certificate to which it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyError {
    /// The rule that was broken.
    pub reason: Refused,
    /// The index, from 0, of the hand-over that broke it; `None` if it was the certificate itself.
    pub handover: Option<usize>,
}

impl VerifyError {
    /// Returns the stable name of the reason.
    pub fn code(&self) -> &'static str {
        self.reason.name()
    }

    pub(crate) fn in_handover(reason: Refused, index: usize) -> Self {
        Self {
            reason,
            handover: Some(index),
        }
    }
}

impl From<Refused> for VerifyError {
    fn from(reason: Refused) -> Self {
        Self {
            reason,
            handover: None,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.handover {
            None => write!(f, "{}: {}", self.reason, self.reason.text()),
            Some(at) => write!(
                f,
                "{} in hand-over {at}: {}",
                self.reason,
                self.reason.text()
            ),
        }
    }
}

impl std::error::Error for VerifyError {}
