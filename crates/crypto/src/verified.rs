//! The only way from unverified values to [`Verified`] values: all signatures are checked here.

use std::collections::BTreeMap;
use std::ops::Deref;

use quorate_types::{
    Block, Evidence, Hash, OperationId, Power, PublicKey, QuorumCertificate, Sign1, Signable,
    Signature, SignedOperation, SignedStatement, SwarmId, ValidatorSet, Vote, cbor, limits,
};

use crate::public_key::{KeyError, verifying_key};
use crate::{memo, merkle};

/// A value whose signatures were all checked here, by the strict rule (C-12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Wraps a value that this crate signed itself.
    pub(crate) fn trusted(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. The proof is lost.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The reason why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key itself is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature is not this key's over these bytes.
    #[error("the signature of {0} does not verify")]
    Wrong(PublicKey),
}

/// The reason why a quorum certificate is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// The statement names another validator set.
    #[error("the statement names another validator set")]
    ValidatorSet,
    /// Votes are out of order, or one key stands twice.
    #[error("the votes are unsorted, or one signer is listed twice")]
    Order,
    /// A signer is not a member of the set.
    #[error("{0} is not a validator of the set")]
    Stranger(PublicKey),
    /// The signers do not hold more than two thirds of the power.
    #[error("the signers hold {power} of {total} power, which is not more than two thirds")]
    Power {
        /// The power of the signers.
        power: Power,
        /// The power of the set.
        total: Power,
    },
    /// A listed signature is wrong. Each of them counts, also beyond the quorum.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// The reason why a block is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// There are more operations or evidence than a block may hold.
    #[error("there are more operations or evidence than a block may hold")]
    TooMany,
    /// An operation's signer is not its agent, or its swarm is another.
    #[error("operation {0:?} is signed by another key or for another swarm")]
    Foreign(OperationId),
    /// A signature on an operation or in evidence does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The commit of the previous block is not valid.
    #[error("commit of the previous block: {0}")]
    PreviousCommit(#[from] QuorumError),
    /// The evidence does not have the form that convicts.
    #[error("the evidence does not have the form that convicts")]
    Evidence,
}

/// Checks the signature of a `COSE_Sign1`.
///
/// # Errors
/// [`SignatureError`] if the key is refused, or the signature does not verify.
pub fn verify<T: Signable>(signed: Sign1<T>) -> Result<Verified<Sign1<T>>, SignatureError> {
    let bytes = Sign1::to_be_signed(&signed.signer, &signed.payload);
    check(&signed.signer, &bytes, &signed.signature)?;
    Ok(Verified(signed))
}

/// Checks the signature of a statement.
///
/// # Errors
/// [`SignatureError`] if the key is refused, or the signature does not verify.
pub fn verify_statement(
    signed: SignedStatement,
) -> Result<Verified<SignedStatement>, SignatureError> {
    check(
        &signed.signer,
        &signed.statement.to_be_signed(&signed.signer),
        &signed.signature,
    )?;
    Ok(Verified(signed))
}

/// Checks that evidence has the form that convicts, and checks the signatures of the culprit: on
/// both statements of a conflict, or on the proposal of a bad block, whose body must be the one
/// that the header binds. The ledger checks whether the block is bad, by its own signatures or by
/// executing it.
///
/// # Errors
/// [`BlockError::Evidence`] or [`BlockError::Signature`].
pub fn verify_evidence(evidence: Evidence) -> Result<Verified<Evidence>, BlockError> {
    check_evidence(&evidence)?;
    Ok(Verified(evidence))
}

fn check_evidence(evidence: &Evidence) -> Result<(), BlockError> {
    let is_whole = match evidence {
        Evidence::Conflict(_) => true,
        Evidence::BadBlock(bad) => is_body_of_header(&bad.block),
    };

    // Another body under a good header would accuse the builder of what it did not build.
    if !is_whole || !evidence.is_well_formed() {
        return Err(BlockError::Evidence);
    }

    for signed in evidence.statements() {
        let bytes = signed.statement.to_be_signed(&signed.signer);
        check(&signed.signer, &bytes, &signed.signature)?;
    }

    Ok(())
}

/// Checks that each listed vote is by a distinct member of `validators` and verifies, and that the
/// voters together hold more than two thirds of the power. `known` says of a vote whether this very
/// signature was verified before.
///
/// # Errors
/// [`QuorumError`], for the first fault in the order of its variants.
pub fn verify_quorum(
    certificate: QuorumCertificate,
    validators: &ValidatorSet,
    known: &dyn Fn(&SignedStatement) -> bool,
) -> Result<Verified<QuorumCertificate>, QuorumError> {
    check_quorum(&certificate, validators, known)?;
    Ok(Verified(certificate))
}

fn check_quorum(
    certificate: &QuorumCertificate,
    validators: &ValidatorSet,
    known: &dyn Fn(&SignedStatement) -> bool,
) -> Result<(), QuorumError> {
    check_voters(certificate, validators)?;

    // Every listed signature has to verify, also those that the quorum does not need (C-10).
    for signed in certificate.signed_statements() {
        if !known(&signed) {
            let bytes = signed.statement.to_be_signed(&signed.signer);
            check(&signed.signer, &bytes, &signed.signature)?;
        }
    }

    Ok(())
}

/// Checks that the voters are distinct members of `validators` and hold more than two thirds of the
/// power.
fn check_voters(
    certificate: &QuorumCertificate,
    validators: &ValidatorSet,
) -> Result<(), QuorumError> {
    if certificate.statement.validators != validators.hash() {
        return Err(QuorumError::ValidatorSet);
    }

    // A strict order also rules out one validator voting twice.
    if !certificate.votes.is_sorted_by(|a, b| a.signer < b.signer) {
        return Err(QuorumError::Order);
    }

    if let Some(vote) = certificate
        .votes
        .iter()
        .find(|v| validators.get(&v.signer).is_none())
    {
        return Err(QuorumError::Stranger(vote.signer));
    }

    let power = validators.power_of(certificate.votes.iter().map(|vote| &vote.signer));
    if !validators.is_quorum(power) {
        return Err(QuorumError::Power {
            power,
            total: validators.total(),
        });
    }

    Ok(())
}

/// The signatures that were verified before, so that a node checks each of them once.
pub trait Known {
    /// Returns whether this operation was verified with this very signature.
    fn operation(&self, operation: &SignedOperation) -> bool;
    /// Returns whether this vote was verified with this very signature.
    fn statement(&self, statement: &SignedStatement) -> bool;
}

/// Checks every signature in a block: operations, evidence, and the commit of the previous block by
/// `previous_validators` (ignored at height 1). The ledger checks the rules of the block.
///
/// # Errors
/// [`BlockError`], for the first fault.
pub fn verify_block(
    block: Block,
    previous_validators: &ValidatorSet,
    known: &dyn Known,
) -> Result<Verified<Block>, BlockError> {
    check_block(&block, previous_validators, known)?;
    Ok(Verified(block))
}

/// Checks a block as [`verify_block`] does, but gives back a block that does not hold: it may
/// convict its builder.
///
/// # Errors
/// The block, if [`verify_block`] would have an error.
pub fn verify_body(
    block: Box<Block>,
    previous_validators: &ValidatorSet,
    known: &dyn Known,
) -> Result<Box<Verified<Block>>, Box<Block>> {
    match check_block(&block, previous_validators, known) {
        Ok(()) => Ok(Box::new(Verified(*block))),
        Err(_) => Err(block),
    }
}

fn check_block(
    block: &Block,
    previous_validators: &ValidatorSet,
    known: &dyn Known,
) -> Result<(), BlockError> {
    // Counted first, so that no time goes into the signatures of too large a block.
    if block.operations.len() > limits::OPERATIONS_PER_BLOCK
        || block.evidence.len() > limits::EVIDENCE_PER_BLOCK
    {
        return Err(BlockError::TooMany);
    }

    if let Some(commit) = &block.previous_commit {
        check_quorum(commit, previous_validators, &|vote| known.statement(vote))?;
    }

    for operation in &block.operations {
        check_operation(operation, &block.header.swarm, known)?;
    }

    for evidence in &block.evidence {
        check_evidence(evidence)?;
    }

    Ok(())
}

/// Checks that an operation is for this swarm and signed by its agent.
fn check_operation(
    operation: &SignedOperation,
    swarm: &SwarmId,
    known: &dyn Known,
) -> Result<(), BlockError> {
    let payload = &operation.payload;
    if payload.agent != operation.signer || payload.swarm != *swarm {
        return Err(BlockError::Foreign(payload.id()));
    }

    if !known.operation(operation) {
        let bytes = Sign1::to_be_signed(&operation.signer, payload);
        check(&operation.signer, &bytes, &operation.signature)?;
    }

    Ok(())
}

/// Returns whether operations, evidence and previous commit are those that the header binds. A
/// block id names the header alone. Without this check anyone could pair a good header with another
/// body, and a verdict on that body would be taken for one on the block.
pub fn is_body_of_header(block: &Block) -> bool {
    let operations: Vec<_> = block.operations.iter().map(cbor::encode).collect();

    let evidence: Vec<_> = block.evidence.iter().map(cbor::encode).collect();

    let commit = block
        .previous_commit
        .as_ref()
        .map_or(Hash::ZERO, QuorumCertificate::hash);

    let header = &block.header;

    header.previous_commit == commit
        && header.evidence == merkle::root(&evidence)
        && header.operations == merkle::root(&operations)
}

impl Verified<Block> {
    /// Assembles a block of the caller's own making, out of parts that are verified already.
    pub fn assemble(
        header: quorate_types::Header,
        operations: Vec<Verified<SignedOperation>>,
        evidence: Vec<Verified<Evidence>>,
        previous_commit: Option<Verified<QuorumCertificate>>,
    ) -> Self {
        Self(Block {
            header,
            operations: operations.into_iter().map(Verified::into_inner).collect(),
            evidence: evidence.into_iter().map(Verified::into_inner).collect(),
            previous_commit: previous_commit.map(Verified::into_inner),
        })
    }
}

impl Verified<QuorumCertificate> {
    /// Assembles a certificate from verified statements. `None` unless all of them are equal, and
    /// members with more than two thirds of the power are among the signers. Strangers are left
    /// out.
    pub fn assemble<'a>(
        statements: impl IntoIterator<Item = &'a Verified<SignedStatement>>,
        validators: &ValidatorSet,
    ) -> Option<Self> {
        let mut votes: BTreeMap<PublicKey, Signature> = BTreeMap::new();
        let mut statement = None;

        for signed in statements {
            if *statement.get_or_insert(&signed.statement) != &signed.statement {
                return None;
            }

            // A stranger's signature counts for nothing, and would make the certificate invalid.
            if validators.get(&signed.signer).is_some() {
                votes.insert(signed.signer, signed.signature);
            }
        }

        let statement = statement?.clone();
        if statement.validators != validators.hash()
            || !validators.is_quorum(validators.power_of(votes.keys()))
        {
            return None;
        }

        let votes = votes
            .into_iter()
            .map(|(signer, signature)| Vote { signer, signature })
            .collect();

        Some(Self(QuorumCertificate { statement, votes }))
    }

    /// Returns the votes, each as a verified statement.
    pub fn verified_statements(&self) -> impl Iterator<Item = Verified<SignedStatement>> {
        self.0.signed_statements().map(Verified)
    }
}

impl Verified<Evidence> {
    /// Returns evidence out of two verified statements; `None` if they do not contradict each
    /// other.
    pub fn from_pair(a: &Verified<SignedStatement>, b: &Verified<SignedStatement>) -> Option<Self> {
        Evidence::new(a.0.clone(), b.0.clone()).map(Self)
    }
}

/// Checks a signature by the strict rule (C-12), unless it is remembered.
fn check(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    memo::once(key, message, signature, || {
        let point = verifying_key(key)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        point
            .verify_strict(message, &signature)
            .map_err(|_| SignatureError::Wrong(*key))
    })
}
