//! Checking signatures and evidence: pure work that any thread may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_crypto::{
    Known, Verified, verify, verify_block, verify_body, verify_evidence, verify_quorum,
    verify_statement,
};
use quorate_ledger::Ledger;
use quorate_types::operation::Suspicion;
use quorate_types::{
    Block, CommitProof, Evidence, OperationBody, OperationId, PublicKey, QuorumCertificate, Sign1,
    Signature, SignedOperation, SignedStatement, ValidatorSet,
};

/// The number of signatures that executing a block counts as: a hundredth of a second at least.
const EXECUTION: usize = 256;

/// The origin of something unverified, which is charged if it does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The peer with this key.
    Peer(PublicKey),
    /// A request of a client, which waits for an answer.
    Client {
        /// The client's key.
        from: PublicKey,
        /// The number of the request, chosen by the client.
        id: u64,
    },
    /// This process itself.
    Local,
}

/// Something unverified, with everything that is needed to check it.
#[derive(Debug)]
pub struct Work {
    /// The origin that the claim came from.
    pub origin: Origin,
    /// The claim to check.
    pub claim: Claim,
}

/// The things that can be checked.
#[derive(Debug)]
pub enum Claim {
    /// A proposal or vote.
    Statement(SignedStatement),
    /// Operations for the pool.
    Operations(Vec<SignedOperation>),
    /// A block body.
    Block(Box<Block>, BlockContext),
    /// A certificate, with the validator set that it must be by.
    Certificate(QuorumCertificate, QuorumContext),
    /// A decided block with its commit.
    Decided(Box<Block>, BlockContext, QuorumCertificate, QuorumContext),
    /// Evidence against a validator, with the state that judges it.
    Evidence(Box<Evidence>, Arc<Ledger>),
    /// A suspicion of an assignee by a validator.
    Suspicion(Sign1<Suspicion>),
}

/// The context that a certificate is checked in.
#[derive(Debug)]
pub struct QuorumContext {
    /// The validator set that signed the certificate.
    pub validators: Arc<ValidatorSet>,
    /// Votes of the certificate whose very signatures were verified before.
    pub votes: BTreeSet<(PublicKey, Signature)>,
}

/// The context that a block is checked in.
#[derive(Debug)]
pub struct BlockContext {
    /// The validator set that signed the commit of the block before.
    pub previous: Arc<ValidatorSet>,
    /// Operations of the block whose very signatures were verified before.
    pub operations: BTreeSet<(OperationId, Signature)>,
    /// Votes of its previous commit whose very signatures were verified before.
    pub votes: BTreeSet<(PublicKey, Signature)>,
}

/// A claim that held, with its origin.
#[derive(Debug)]
pub struct Proof {
    /// The origin that the claim came from.
    pub origin: Origin,
    /// The verified claim.
    pub fact: Fact,
}

/// The results of a check that succeeded.
#[derive(Debug)]
pub enum Fact {
    /// A proposal or vote.
    Statement(Verified<SignedStatement>),
    /// The operations that held, and the number of those that did not.
    Operations(Vec<Verified<SignedOperation>>, u64),
    /// A block body whose signatures all hold.
    Block(Box<Verified<Block>>),
    /// The body that a header binds, with a signature in it that does not hold.
    Forged(Box<Block>),
    /// A certificate whose quorum holds.
    Certificate(Verified<QuorumCertificate>),
    /// A decided block with its commit.
    Decided(Box<Verified<Block>>, Verified<QuorumCertificate>),
    /// Evidence that convicts a validator. An accused block was executed for it.
    Evidence(Box<Verified<Evidence>>),
    /// A suspicion of an assignee by a validator.
    Suspicion(Verified<Sign1<Suspicion>>),
}

impl Work {
    /// Checks the claim. A pure function: the same work gives the same answer anywhere.
    ///
    /// # Errors
    /// The origin, if the claim did not hold.
    pub fn run(self) -> Result<Proof, Origin> {
        let origin = self.origin;
        self.claim
            .check()
            .map(|fact| Proof { origin, fact })
            .ok_or(origin)
    }

    /// The signatures that [`Self::run`] checks at most. Executing a block counts as so many
    /// signatures that nobody does it in passing.
    pub fn signatures(&self) -> usize {
        match &self.claim {
            Claim::Statement(_) | Claim::Suspicion(_) => 1,

            Claim::Evidence(evidence, _) => match &**evidence {
                Evidence::Conflict(_) => 2,
                Evidence::BadBlock(_) => EXECUTION,
            },

            Claim::Operations(operations) => operations.len(),
            Claim::Certificate(certificate, context) => context.unknown(certificate),
            Claim::Block(block, context) => context.unknown(block),

            Claim::Decided(block, context, commit, quorum) => {
                context.unknown(block) + quorum.unknown(commit)
            }
        }
    }
}

impl Claim {
    fn check(self) -> Option<Fact> {
        match self {
            Self::Statement(signed) => verify_statement(signed).ok().map(Fact::Statement),
            Self::Suspicion(suspicion) => verify(suspicion).ok().map(Fact::Suspicion),
            Self::Evidence(evidence, ledger) => check_evidence(*evidence, &ledger),

            Self::Operations(operations) => Some(check_operations(operations)),
            Self::Block(block, context) => Some(check_body(block, &context)),

            Self::Certificate(certificate, context) => {
                context.verify(certificate).map(Fact::Certificate)
            }

            Self::Decided(block, context, commit, quorum) => {
                let commit = quorum.verify(commit)?;
                check_decided(*block, &context, commit)
            }
        }
    }
}

fn check_operations(operations: Vec<SignedOperation>) -> Fact {
    let all = operations.len();

    let held = operations
        .into_iter()
        .filter(is_vouched_for)
        .filter_map(|op| verify(op).ok());
    let held: Vec<_> = held.collect();

    let refused = (all - held.len()) as u64;
    Fact::Operations(held, refused)
}

/// Checks a body. A forged one is a fact too: it may convict its builder.
fn check_body(block: Box<Block>, context: &BlockContext) -> Fact {
    match verify_body(block, &context.previous, context) {
        Ok(block) => Fact::Block(block),
        Err(forged) => Fact::Forged(forged),
    }
}

/// Checks a decided block after its commit, which goes first: it is cheaper to check.
fn check_decided(
    block: Block,
    context: &BlockContext,
    commit: Verified<QuorumCertificate>,
) -> Option<Fact> {
    let block = verify_block(block, &context.previous, context).ok()?;
    Some(Fact::Decided(Box::new(block), commit))
}

fn check_evidence(evidence: Evidence, ledger: &Ledger) -> Option<Fact> {
    let evidence = verify_evidence(evidence).ok()?;
    ledger.judge(&evidence).ok()?;
    Some(Fact::Evidence(Box::new(evidence)))
}

/// An admission holds only if the signature of its attester holds.
fn is_vouched_for(operation: &SignedOperation) -> bool {
    match &operation.payload.body {
        OperationBody::Admit(admit) => verify(admit.attestation.clone()).is_ok(),
        _ => true,
    }
}

impl QuorumContext {
    fn unknown(&self, certificate: &QuorumCertificate) -> usize {
        certificate.votes.len().saturating_sub(self.votes.len())
    }

    fn verify(&self, certificate: QuorumCertificate) -> Option<Verified<QuorumCertificate>> {
        let known = |vote: &SignedStatement| self.votes.contains(&(vote.signer, vote.signature));

        verify_quorum(certificate, &self.validators, &known).ok()
    }
}

impl BlockContext {
    fn unknown(&self, block: &Block) -> usize {
        let votes = block
            .previous_commit
            .as_ref()
            .map_or(0, CommitProof::signatures);

        (block.operations.len() + votes).saturating_sub(self.operations.len() + self.votes.len())
    }
}

impl Known for BlockContext {
    fn operation(&self, operation: &SignedOperation) -> bool {
        self.operations
            .contains(&(operation.payload.id(), operation.signature))
    }

    fn statement(&self, statement: &SignedStatement) -> bool {
        self.votes
            .contains(&(statement.signer, statement.signature))
    }
}
