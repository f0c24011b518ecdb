//! Checks, and blocks to build and to execute: pure work that any thread may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_crypto::{
    Known, Verified, verify, verify_block, verify_body, verify_evidence, verify_quorum,
    verify_statement,
};
use quorate_ledger::{Ledger, Proposal};
use quorate_types::operation::Suspicion;
use quorate_types::{
    Block, CommitProof, Evidence, OperationBody, OperationId, PublicKey, QuorumCertificate, Round,
    Sign1, Signature, SignedOperation, SignedStatement, ValidatorSet,
};

use crate::event::{Event, Origin};

/// The number of signatures that executing a block counts as: a hundredth of a second at least.
const EXECUTION: usize = 256;
/// The signatures that are checked in passing: about a millisecond.
pub const QUICK_SIGNATURES: usize = 16;
/// The cost of a block that is built or executed in passing, in units of about a microsecond.
const QUICK_COST: u64 = 1_000;

/// Work, with everything that is needed to do it. Most of it checks something unverified, and names
/// its origin.
#[derive(Debug)]
pub enum Work {
    /// A block to execute on the state after the last decided one.
    Execute(Arc<Ledger>, Arc<Verified<Block>>),
    /// A block to build for a round, on that state.
    Propose(Arc<Ledger>, Round, Box<Proposal>),
    /// A proposal or vote.
    Statement(PublicKey, SignedStatement),
    /// Operations for the pool.
    Operations(Origin, Vec<SignedOperation>),
    /// A block body.
    Block(PublicKey, Box<Block>, BlockContext),
    /// A certificate, with the validator set that it must be by.
    Certificate(PublicKey, QuorumCertificate, QuorumContext),
    /// A decided block with its commit.
    Decided(
        PublicKey,
        Box<Block>,
        BlockContext,
        QuorumCertificate,
        QuorumContext,
    ),
    /// Evidence against a validator, with the state that judges it.
    Evidence(Origin, Box<Evidence>, Arc<Ledger>),
    /// A suspicion of an assignee by a validator.
    Suspicion(PublicKey, Sign1<Suspicion>),
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

impl Work {
    /// Does the work. A pure function: the same work gives the same event anywhere. The event is
    /// [`Event::Refused`] if what is checked does not hold.
    pub fn run(self) -> Event {
        let origin = self.origin();

        let held = match self {
            Self::Execute(ledger, block) => Some(execute(&ledger, &block)),
            Self::Propose(ledger, round, proposal) => Some(propose(&ledger, round, *proposal)),

            Self::Statement(_, signed) => verify_statement(signed).ok().map(Event::Statement),
            Self::Suspicion(_, suspicion) => verify(suspicion).ok().map(Event::Suspicion),
            Self::Evidence(origin, evidence, ledger) => check_evidence(origin, *evidence, &ledger),

            Self::Operations(origin, operations) => Some(check_operations(origin, operations)),
            Self::Block(from, block, context) => Some(check_body(from, block, &context)),

            Self::Certificate(_, certificate, context) => {
                context.verify(certificate).map(Event::Certificate)
            }

            // The commit goes first: it is cheaper to check.
            Self::Decided(from, block, context, commit, quorum) => quorum
                .verify(commit)
                .and_then(|commit| check_decided(from, *block, &context, commit)),
        };

        held.unwrap_or(Event::Refused(origin))
    }

    /// The origin, which is charged if the work does not hold.
    fn origin(&self) -> Origin {
        match self {
            Self::Execute(..) | Self::Propose(..) => Origin::Local,
            Self::Operations(origin, _) | Self::Evidence(origin, ..) => *origin,

            Self::Statement(from, _)
            | Self::Block(from, ..)
            | Self::Certificate(from, ..)
            | Self::Decided(from, ..)
            | Self::Suspicion(from, _) => Origin::Peer(*from),
        }
    }

    /// Whether the work takes about a millisecond at most, so that votes may wait for it. Handing
    /// it to another thread would take them longer.
    pub fn is_quick(&self) -> bool {
        match self {
            Self::Execute(ledger, block) => ledger.cost_of_block(block) <= QUICK_COST,
            // Its builder executes the block that it builds.
            Self::Propose(ledger, _, proposal) => ledger.cost_of_proposal(proposal) <= QUICK_COST,
            _ => self.signatures() <= QUICK_SIGNATURES,
        }
    }

    /// The signatures that [`Self::run`] checks at most. Judging an accused block counts as so many
    /// signatures that nobody does it in passing.
    pub fn signatures(&self) -> usize {
        match self {
            Self::Execute(..) | Self::Propose(..) => 0,
            Self::Statement(..) | Self::Suspicion(..) => 1,

            Self::Evidence(_, evidence, _) => match &**evidence {
                Evidence::Conflict(_) => 2,
                Evidence::BadBlock(_) => EXECUTION,
            },

            Self::Operations(_, operations) => operations.len(),
            Self::Certificate(_, certificate, context) => context.unknown(certificate),
            Self::Block(_, block, context) => context.unknown(block),

            Self::Decided(_, block, context, commit, quorum) => {
                context.unknown(block) + quorum.unknown(commit)
            }
        }
    }
}

fn execute(ledger: &Ledger, block: &Verified<Block>) -> Event {
    Event::Executed {
        block: block.header.id(),
        result: ledger.execute(block).map(Box::new),
    }
}

fn propose(ledger: &Ledger, round: Round, proposal: Proposal) -> Event {
    let (block, _) = ledger.propose(proposal);
    Event::Proposed {
        round,
        block: Box::new(block),
    }
}

fn check_operations(origin: Origin, operations: Vec<SignedOperation>) -> Event {
    let all = operations.len();

    let held = operations
        .into_iter()
        .filter(is_vouched_for)
        .filter_map(|op| verify(op).ok());
    let held: Vec<_> = held.collect();

    let refused = (all - held.len()) as u64;
    Event::Operations {
        origin,
        held,
        refused,
    }
}

/// Checks a body. A forged one is of use too: it may convict its builder.
fn check_body(from: PublicKey, block: Box<Block>, context: &BlockContext) -> Event {
    match verify_body(block, &context.previous, context) {
        Ok(block) => Event::Block(block),
        Err(block) => Event::ForgedBlock { from, block },
    }
}

fn check_decided(
    from: PublicKey,
    block: Block,
    context: &BlockContext,
    commit: Verified<QuorumCertificate>,
) -> Option<Event> {
    let block = verify_block(block, &context.previous, context).ok()?;
    Some(Event::Decided {
        from,
        block: Box::new(block),
        commit,
    })
}

fn check_evidence(origin: Origin, evidence: Evidence, ledger: &Ledger) -> Option<Event> {
    let evidence = verify_evidence(evidence).ok()?;
    ledger.judge(&evidence).ok()?;
    Some(Event::Evidence {
        origin,
        evidence: Box::new(evidence),
    })
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
            .contains(&(operation.id(), operation.signature))
    }

    fn statement(&self, statement: &SignedStatement) -> bool {
        self.votes
            .contains(&(statement.signer, statement.signature))
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::Kind;

    use super::*;
    use crate::testing::{AGENT, Bench, REQUESTER, accusation, public};

    fn quorum(bench: &Bench) -> QuorumContext {
        QuorumContext {
            validators: Arc::clone(bench.ledger().validators()),
            votes: BTreeSet::new(),
        }
    }

    fn context(bench: &Bench) -> BlockContext {
        BlockContext {
            previous: Arc::clone(bench.ledger().previous_validators()),
            operations: BTreeSet::new(),
            votes: BTreeSet::new(),
        }
    }

    #[test]
    fn the_sender_of_something_false_is_charged() {
        let bench = Bench::new();
        let from = public(2);
        let mut vote = bench.statement(3, Kind::Prevote, None).into_inner();
        vote.signature.0[0] ^= 1;
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let mut commit = commit.into_inner();
        commit.votes.pop();
        for work in [
            Work::Statement(from, vote),
            Work::Certificate(from, commit.clone(), quorum(&bench)),
            Work::Decided(
                from,
                Box::new(block.into_inner()),
                context(&bench),
                commit,
                quorum(&bench),
            ),
        ] {
            let event = work.run();
            let Event::Refused(Origin::Peer(charged)) = event else {
                panic!("{event:?}")
            };
            assert_eq!(charged, from);
        }
    }

    #[test]
    fn of_operations_those_that_hold_are_told_with_the_number_of_the_others() {
        let bench = Bench::new();
        let good = bench.admission(AGENT).into_inner();
        let mut forged = good.clone();
        forged.alter(|parts| parts.signature.0[0] ^= 1);
        let mut body = bench.admission(REQUESTER).payload.body.clone();
        if let OperationBody::Admit(admit) = &mut body {
            admit.attestation.alter(|parts| parts.signature.0[0] ^= 1);
        }
        let unattested = bench.operation(REQUESTER, 0, body).into_inner();
        let operations = vec![good.clone(), forged, unattested];
        let event = Work::Operations(Origin::Local, operations).run();
        let Event::Operations { held, refused, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!(refused, 2);
        assert!(held.len() == 1 && *held[0] == good);
    }

    #[test]
    fn a_forged_body_comes_back_since_it_may_convict_its_builder() {
        let bench = Bench::new();
        let mut block = bench.next_block().into_inner();
        let mut forged = bench.admission(AGENT).into_inner();
        forged.alter(|parts| parts.signature.0[0] ^= 1);
        block.operations.push(forged);
        let work = Work::Block(public(2), Box::new(block.clone()), context(&bench));
        let event = work.run();
        assert!(matches!(event, Event::ForgedBlock { block: back, .. } if *back == block));
    }

    #[test]
    fn l22_evidence_of_a_bad_block_holds_only_if_the_block_is_bad() {
        let bench = Bench::new();
        for (block, holds) in [(bench.bad_block(), true), (bench.next_block(), false)] {
            let evidence = Box::new(accusation(&block).into_inner());
            let ledger = Arc::clone(bench.ledger());
            let event = Work::Evidence(Origin::Local, evidence, ledger).run();
            assert_eq!(matches!(event, Event::Evidence { .. }), holds);
        }
    }

    #[test]
    fn signatures_that_were_verified_before_are_not_counted() {
        let bench = Bench::new();
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let mut known = quorum(&bench);
        let votes = commit.votes.iter().take(2);
        known.votes = votes.map(|vote| (vote.signer, vote.signature)).collect();
        let work = Work::Certificate(public(2), commit.into_inner(), known);
        assert_eq!(work.signatures(), 1);
        assert!(matches!(work.run(), Event::Certificate(_)));
    }
}
