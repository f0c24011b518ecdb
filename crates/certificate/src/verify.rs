//! The verifier: every rule of `protocols/certificate.md`, in the order of its clauses.

use std::collections::BTreeSet;

use quorate_crypto::merkle::{self, InclusionProof};
use quorate_crypto::{
    CommitError, Decision, QuorumError, SignatureError, check_commit, verify_quorum,
};
use quorate_types::{Header, Outcome, PROTOCOL_VERSION, QuorumCertificate, ValidatorSet, cbor};

use crate::certificate::{Certificate, Handover};
use crate::format::MAX_HANDOVERS;
use crate::judgement::Judgement;
use crate::outcome;
use crate::refused::{Refused, VerifyError, first_broken};
use crate::trust::TrustRoot;
use crate::verdict::{Policy, Summary, Verdict};

/// The most siblings in an inclusion proof: a tree has fewer than 2^64 leaves.
const PROOF_SIBLINGS: usize = 64;

/// Judges the bytes of a certificate by a trust root that came another way, and by a policy. It
/// never panics, and it reads no clock, file or network.
pub fn verify(bytes: &[u8], root: &TrustRoot, policy: &Policy) -> Verdict {
    match examine(bytes, root, policy) {
        Ok((_, verdict)) => verdict,
        Err(verdict) => *verdict,
    }
}

/// Judges the bytes of a certificate, and returns it as a value beside the verdict.
///
/// # Errors
/// The verdict alone, if the bytes are not a certificate or if it is not authentic.
pub(crate) fn examine(
    bytes: &[u8],
    root: &TrustRoot,
    policy: &Policy,
) -> Result<(Certificate, Verdict), Box<Verdict>> {
    let certificate = Certificate::decode(bytes).map_err(|error| Box::new(refuse(error, None)))?;

    match authenticate(&certificate, root) {
        Err(error) => Err(Box::new(refuse(error, Some(&certificate.outcome)))),
        Ok(validators) => {
            let verdict = judge(&certificate, root, &validators, policy);
            Ok((certificate, verdict))
        }
    }
}

/// The questions that a verdict leaves open and that running the auction again from its dossier
/// ([`crate::Replay`]) answers.
pub const ANSWERED_BY_REPLAY: [&str; 2] = [
    "whether the auction was run right: that takes the dossier of its clearing",
    "the inputs of the clearing, which it names by root only",
];

/// The questions that every verdict leaves open, whatever it says.
const NEVER_CHECKED: [&str; 7] = [
    "whether keys of the validator sets that signed were compromised: they are assumed not to be, \
     until now and for every set from the trust root on",
    "whether an outcome of a later height changed this one",
    "revocations of attestations and changes of the rules after this height",
    "block time against any other clock: it is the builder's word, which a quorum accepted",
    ANSWERED_BY_REPLAY[0],
    "that the committee executed its rules: state and parameters are what more than two thirds of \
     the power signed",
    "that the trust root is the right one: compare its fingerprint",
];

/// Returns the questions that a verdict on this outcome leaves open.
fn not_checked(outcome: Option<&Outcome>) -> Vec<&'static str> {
    let particular = match outcome {
        Some(Outcome::Assignment(_)) => Some(
            "the attestations behind the assignment, which it names by hash only, and whether what \
             the attester says is true",
        ),
        Some(Outcome::Receipt(_)) => {
            Some("whether the reported work was done: the receipt proves only who reported it")
        }
        Some(Outcome::Clearing(_)) => Some(ANSWERED_BY_REPLAY[1]),
        Some(Outcome::Refusal(_)) => Some("the refused operation, which it names by hash only"),
        Some(Outcome::Expiry(_)) | None => None,
    };

    particular.into_iter().chain(NEVER_CHECKED).collect()
}

fn refuse(error: VerifyError, outcome: Option<&Outcome>) -> Verdict {
    Verdict {
        verdict: error.reason.judgement(),
        reason: Some(error),
        summary: None,
        not_checked: not_checked(outcome),
    }
}

/// Checks everything but the policy. Returns the validator set of the certificate's height.
fn authenticate(certificate: &Certificate, root: &TrustRoot) -> Result<ValidatorSet, VerifyError> {
    let Certificate {
        header,
        commit,
        outcome,
        proof,
        handovers,
    } = certificate;

    // The order is that of C-10, because the first rule that is broken is the one reported.
    if handovers.len() > MAX_HANDOVERS {
        return Err(Refused::TooManyHandovers.into());
    }

    check_header(header, root)?;
    let validators = follow_handovers(certificate, root)?;
    if header.validators != validators.hash() {
        return Err(Refused::UntrustedValidators.into());
    }

    check_committed(header, commit, &validators)?;

    check_inclusion(header, outcome, proof)?;
    outcome::check(outcome, header, &validators)?;
    Ok(validators)
}

/// Returns the validator set of the certificate's height. It takes one step for each height at
/// which the set changes.
fn follow_handovers(
    certificate: &Certificate,
    root: &TrustRoot,
) -> Result<ValidatorSet, VerifyError> {
    let mut trusted = root.validators().clone();
    let mut last = 0;

    for (at, handover) in certificate.handovers.iter().enumerate() {
        let refused = |reason| VerifyError::in_handover(reason, at);
        let header = &handover.header;
        check_header(header, root).map_err(refused)?;

        if header.height >= certificate.header.height {
            return Err(refused(Refused::HandoverLate));
        }
        if header.height <= last {
            return Err(refused(Refused::HandoverOrder));
        }

        check_sets(handover, &trusted).map_err(refused)?;
        check_committed(header, &handover.commit, &trusted).map_err(refused)?;

        last = header.height;
        trusted = handover.validators.clone();
    }

    Ok(trusted)
}

/// Checks that a hand-over goes from `trusted`, the set that the hand-overs before it lead to, to
/// the set that its header names, and that this is another one.
fn check_sets(handover: &Handover, trusted: &ValidatorSet) -> Result<(), Refused> {
    let header = &handover.header;

    if header.validators != trusted.hash() {
        return Err(Refused::HandoverGap);
    }
    if header.next_validators != handover.validators.hash() {
        return Err(Refused::HandoverSet);
    }

    if header.next_validators == header.validators {
        return Err(Refused::HandoverSuperfluous);
    }

    Ok(())
}

fn check_header(header: &Header, root: &TrustRoot) -> Result<(), Refused> {
    let rules = [
        (header.version == PROTOCOL_VERSION, Refused::HeaderVersion),
        (header.swarm == root.swarm(), Refused::WrongSwarm),
        (header.height > 0, Refused::HeightZero),
        (
            header.parameters == root.parameters(),
            Refused::UnknownParameters,
        ),
    ];

    first_broken(&rules)
}

/// Checks that a quorum of `validators`, which are the header's, precommitted exactly this header.
fn check_committed(
    header: &Header,
    commit: &QuorumCertificate,
    validators: &ValidatorSet,
) -> Result<(), Refused> {
    let decision = Decision {
        swarm: header.swarm,
        height: header.height,
        block: header.id(),
        validators: header.validators,
    };

    check_commit(commit, &decision).map_err(commit_reason)?;

    if commit.votes.is_empty() {
        return Err(Refused::NoVotes);
    }

    // No signature is known from before, so every listed one is verified, needed or not (C-10).
    verify_quorum(commit.clone(), validators, &|_| false).map_err(quorum_reason)?;
    Ok(())
}

/// Checks that the outcome is a leaf under the root in the committed header.
fn check_inclusion(
    header: &Header,
    outcome: &Outcome,
    proof: &InclusionProof,
) -> Result<(), Refused> {
    if proof.path.len() > PROOF_SIBLINGS {
        return Err(Refused::ProofTooLong);
    }
    if proof.index >= proof.size {
        return Err(Refused::ProofIndex);
    }

    if !merkle::verify(&header.outcomes, &cbor::encode(outcome), proof) {
        return Err(Refused::NotIncluded);
    }

    Ok(())
}

fn commit_reason(error: CommitError) -> Refused {
    match error {
        CommitError::Kind => Refused::NotPrecommit,
        CommitError::Nil => Refused::NilCommit,
        CommitError::Swarm => Refused::StatementSwarm,
        CommitError::Height(_) => Refused::StatementHeight,
        CommitError::Block(_) => Refused::StatementBlock,
        CommitError::Validators => Refused::StatementValidators,
    }
}

fn quorum_reason(error: QuorumError) -> Refused {
    match error {
        QuorumError::ValidatorSet => Refused::StatementValidators,
        QuorumError::Order => Refused::VotesUnsorted,
        QuorumError::Stranger(_) => Refused::UnknownSigner,
        QuorumError::Power { .. } => Refused::InsufficientPower,
        QuorumError::Signature(SignatureError::Key(_)) => Refused::WeakKey,
        QuorumError::Signature(SignatureError::Wrong(_)) => Refused::BadSignature,
    }
}

fn judge(
    certificate: &Certificate,
    root: &TrustRoot,
    validators: &ValidatorSet,
    policy: &Policy,
) -> Verdict {
    let summary = summarize(certificate, validators);
    let reason = broken_policy(certificate, root, validators, policy);

    Verdict {
        verdict: reason.map_or(Judgement::Verified, |error| error.reason.judgement()),
        reason,
        summary: Some(summary),
        not_checked: not_checked(Some(&certificate.outcome)),
    }
}

fn broken_policy(
    certificate: &Certificate,
    root: &TrustRoot,
    validators: &ValidatorSet,
    policy: &Policy,
) -> Option<VerifyError> {
    if certificate.handovers.len() > policy.max_handovers {
        return Some(Refused::PolicyHandovers.into());
    }

    // The policy must hold for the commit of each hand-over, by the set that signed it.
    let mut signing = root.validators();
    for (at, handover) in certificate.handovers.iter().enumerate() {
        if operators(&handover.commit, signing) < policy.min_operators {
            return Some(VerifyError::in_handover(Refused::PolicyOperators, at));
        }
        signing = &handover.validators;
    }

    (operators(&certificate.commit, validators) < policy.min_operators)
        .then(|| Refused::PolicyOperators.into())
}

/// Returns the number of distinct operators among the signers.
fn operators(commit: &QuorumCertificate, validators: &ValidatorSet) -> usize {
    let signers = commit
        .votes
        .iter()
        .filter_map(|vote| validators.get(&vote.signer));

    signers
        .map(|validator| &validator.operator)
        .collect::<BTreeSet<_>>()
        .len()
}

fn summarize(certificate: &Certificate, validators: &ValidatorSet) -> Summary {
    let Certificate {
        header,
        commit,
        outcome,
        handovers,
        ..
    } = certificate;

    Summary {
        identity: certificate.identity(),
        swarm: header.swarm,
        height: header.height,
        round: commit.statement.round,
        block: header.id(),
        block_time: header.block_time,
        outcome: outcome.name(),
        operation: outcome::operation_name(outcome),
        task: outcome.task(),
        token: outcome::token(outcome),
        agent: outcome.agent(),
        signers: commit.votes.len(),
        power: validators.power_of(commit.votes.iter().map(|vote| &vote.signer)),
        total_power: validators.total(),
        operators: operators(commit, validators),
        handovers: handovers.len(),
    }
}
