//! Counts proposals and votes by round, kind and power, each validator once.
//!
//! The first statement of a validator in a slot counts; a second one that conflicts with it becomes
//! evidence (N-5). Equal statements of more than two thirds of the power become a certificate. A
//! certificate that arrives complete crosses the threshold without further votes, even if this node
//! counted another vote of an equivocator first (N-6).
//!
//! **Bounds** (N-22), relative to the round that the owner is in:
//! - Up to [`limits::ROUNDS_AHEAD`] rounds ahead everything is kept: one statement and one conflict
//!   per validator, round and kind.
//! - Beyond that only votes are kept, and of each validator only those of the latest round it was
//!   heard in. That is enough to skip to any round in which more than a third of the power votes
//!   (line 55).
//! - Rounds more than [`ROUNDS_BEHIND`] back keep the certificates for blocks and nothing else. A
//!   late certificate of such a round is still taken (line 49 holds for any round); a late single
//!   vote is not.

mod ballot;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_types::{
    BlockId, Evidence, Kind, PublicKey, QuorumCertificate, Round, SignedStatement, ValidatorSet,
    limits,
};

use crate::evidence::Conflicts;
use ballot::Ballot;

/// The number of rounds behind its own of which a node keeps single votes (N-22).
pub const ROUNDS_BEHIND: Round = 64;

/// The statements of one height that count, and those that conflict with them.
#[derive(Debug, Clone)]
pub struct Tally {
    validators: Arc<ValidatorSet>,
    rounds: BTreeMap<Round, Ballots>,
    conflicts: Conflicts,
}

/// The news that a statement or certificate brought.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// Conflicts that were not known before.
    pub evidence: Vec<Verified<Evidence>>,
    /// Certificates that were not known before: polkas and commits, for a block or for nil.
    pub certificates: Vec<Verified<QuorumCertificate>>,
}

/// The statements of one round, by kind.
#[derive(Debug, Clone, Default)]
struct Ballots {
    proposal: Ballot,
    prevotes: Ballot,
    precommits: Ballot,
}

impl Tally {
    /// A tally in which nothing is counted yet.
    pub fn new(validators: Arc<ValidatorSet>) -> Self {
        Self {
            validators,
            rounds: BTreeMap::new(),
            conflicts: Conflicts::default(),
        }
    }

    /// Whether a statement would be news for a node that is in round `own`: it is within the
    /// bounds, and neither it nor a conflict with it is held already.
    pub fn has_room(&self, own: Round, signed: &SignedStatement) -> bool {
        let said = &signed.statement;

        if own.saturating_sub(said.round) > ROUNDS_BEHIND {
            return false;
        }

        // Far ahead no proposal is kept, and of the votes only those of the signer's latest round.
        let is_voted_past = || {
            let latest = self.far_round_of(own, &signed.signer);
            latest.is_some_and(|at| at > said.round)
        };

        if is_far(own, said.round) && (said.kind == Kind::Proposal || is_voted_past()) {
            return false;
        }

        match self.statement_of(&signed.signer, said.round, said.kind) {
            None => true,
            Some(held) => held.statement != *said && self.conflicts.second_of(signed).is_none(),
        }
    }

    /// Counts a statement of a validator, for a node that is in round `own`.
    pub fn add(&mut self, own: Round, signed: Verified<SignedStatement>) -> Added {
        let mut added = Added::default();

        if self.has_room(own, &signed) {
            self.count(own, signed, &mut added);
        }

        added
    }

    /// Counts the votes of a certificate and keeps it.
    pub fn add_certificate(
        &mut self,
        own: Round,
        certificate: Verified<QuorumCertificate>,
    ) -> Added {
        let mut added = Added::default();

        // The certificate goes first, so that its own votes are not assembled into another one.
        let said = &certificate.statement;
        let ballots = self.rounds.entry(said.round).or_default();
        let kept = ballots.ballot_mut(said.kind).certify(certificate.clone());
        added.certificates.extend(kept);

        for signed in certificate.verified_statements() {
            if self.has_room(own, &signed) {
                self.count(own, signed, &mut added);
            }
        }

        added
    }

    /// The first proposal of a round.
    pub fn proposal(&self, round: Round) -> Option<&Verified<SignedStatement>> {
        self.ballot(round, Kind::Proposal)?.statements().next()
    }

    /// The first statement of a validator in a slot.
    pub fn statement_of(
        &self,
        signer: &PublicKey,
        round: Round,
        kind: Kind,
    ) -> Option<&Verified<SignedStatement>> {
        self.ballot(round, kind)?.of(signer)
    }

    /// Whether exactly this statement with exactly this signature is held.
    pub fn holds(&self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        let first = self.statement_of(&signed.signer, said.round, said.kind);
        let is_second = || {
            let second = self.conflicts.second_of(signed);
            second.is_some_and(|held| held == signed)
        };

        first.is_some_and(|held| **held == *signed) || is_second()
    }

    /// The certificate of more than two thirds of the power for this block, or for nil.
    pub fn certificate(
        &self,
        round: Round,
        kind: Kind,
        block: Option<BlockId>,
    ) -> Option<&Verified<QuorumCertificate>> {
        self.ballot(round, kind)?.certificate(block)
    }

    /// Certificates of one round and kind. There is more than one only if more than a third of the
    /// power is faulty.
    pub fn certificates(
        &self,
        round: Round,
        kind: Kind,
    ) -> impl Iterator<Item = &Verified<QuorumCertificate>> {
        self.ballot(round, kind)
            .into_iter()
            .flat_map(Ballot::certificates)
    }

    /// Polkas for blocks, ascending by round.
    pub fn polkas(&self) -> impl DoubleEndedIterator<Item = &Verified<QuorumCertificate>> {
        self.rounds
            .values()
            .flat_map(|ballots| ballots.prevotes.certificates())
            .filter(|certificate| certificate.statement.block.is_some())
    }

    /// Commits for blocks, ascending by round.
    pub fn commits(&self) -> impl Iterator<Item = &Verified<QuorumCertificate>> {
        self.rounds
            .values()
            .flat_map(|ballots| ballots.precommits.certificates())
            .filter(|certificate| certificate.statement.block.is_some())
    }

    /// Whether more than two thirds of the power made a statement of this kind, for anything (lines
    /// 34, 47).
    pub fn has_quorum_any(&self, round: Round, kind: Kind) -> bool {
        self.ballot(round, kind).is_some_and(|ballot| {
            self.validators.is_quorum(ballot.total()) || ballot.certificates().next().is_some()
        })
    }

    /// The latest round after `own` in which validators with more than a third of the power voted:
    /// distinct signers, prevotes and precommits together (line 55, N-17).
    pub fn skip_round(&self, own: Round) -> Option<Round> {
        let later = self.rounds.range(own.checked_add(1)?..).rev();

        later
            .map(|(round, ballots)| (*round, ballots))
            .find_map(|(round, ballots)| {
                let power = self.validators.power_of(ballots.voters());
                self.validators.exceeds_one_third(power).then_some(round)
            })
    }

    /// All statements of a round that count: the proposal, then prevotes, then precommits.
    pub fn statements(&self, round: Round) -> impl Iterator<Item = &Verified<SignedStatement>> {
        self.rounds.get(&round).into_iter().flat_map(|ballots| {
            let Ballots {
                proposal,
                prevotes,
                precommits,
            } = ballots;

            [proposal, prevotes, precommits]
                .into_iter()
                .flat_map(Ballot::statements)
        })
    }

    /// Drops everything that is out of bounds for a node that entered round `own`.
    pub fn condense(&mut self, own: Round) {
        let oldest = own.saturating_sub(ROUNDS_BEHIND);
        for (_, ballots) in self.rounds.range_mut(..oldest) {
            ballots.condense();
        }

        self.rounds
            .retain(|round, ballots| *round >= oldest || !ballots.is_bare());
        self.conflicts.forget_before(oldest);
    }

    /// Counts a statement that [`Self::has_room`] has admitted.
    fn count(&mut self, own: Round, signed: Verified<SignedStatement>, added: &mut Added) {
        let said = &signed.statement;
        let round = said.round;
        let kind = said.kind;
        let block = said.block;

        // If the slot is taken, this statement can only be a conflict: `has_room` refuses a
        // repetition.
        let first = self.statement_of(&signed.signer, round, kind).cloned();
        if let Some(first) = first {
            added.evidence.extend(self.conflicts.add(&first, signed));
            return;
        }

        if is_far(own, round) {
            self.leave_far_round(own, &signed.signer, round);
        }

        let power = self.validators.power(&signed.signer);
        let ballot = self.rounds.entry(round).or_default().ballot_mut(kind);
        ballot.count(signed, power);

        // Only votes make a certificate: proposals are counted and never assembled.
        if kind != Kind::Proposal {
            let formed = ballot.assemble(block, &self.validators);
            added.certificates.extend(formed);
        }
    }

    /// Forgets the votes of `signer` in a far round before `round`.
    fn leave_far_round(&mut self, own: Round, signer: &PublicKey, round: Round) {
        let Some(at) = self.far_round_of(own, signer).filter(|at| *at < round) else {
            return;
        };

        let power = self.validators.power(signer);
        if let Some(ballots) = self.rounds.get_mut(&at) {
            ballots.prevotes.remove(signer, power);
            ballots.precommits.remove(signer, power);

            if ballots.is_bare() {
                self.rounds.remove(&at);
            }
        }
    }

    /// The far round in which this validator was heard, if any.
    fn far_round_of(&self, own: Round, signer: &PublicKey) -> Option<Round> {
        let far = self
            .rounds
            .range(own.saturating_add(limits::ROUNDS_AHEAD)..)
            .rev();

        far.filter(|(round, _)| is_far(own, **round))
            .find(|(_, ballots)| ballots.voters().any(|voter| voter == signer))
            .map(|(round, _)| *round)
    }

    fn ballot(&self, round: Round, kind: Kind) -> Option<&Ballot> {
        let ballots = self.rounds.get(&round)?;
        Some(match kind {
            Kind::Proposal => &ballots.proposal,
            Kind::Prevote => &ballots.prevotes,
            Kind::Precommit => &ballots.precommits,
        })
    }
}

impl Ballots {
    fn ballot_mut(&mut self, kind: Kind) -> &mut Ballot {
        match kind {
            Kind::Proposal => &mut self.proposal,
            Kind::Prevote => &mut self.prevotes,
            Kind::Precommit => &mut self.precommits,
        }
    }

    fn voters(&self) -> impl Iterator<Item = &PublicKey> {
        self.prevotes
            .statements()
            .chain(self.precommits.statements())
            .map(|s| &s.signer)
    }

    /// Whether there is neither a vote nor a certificate.
    fn is_bare(&self) -> bool {
        self.prevotes.is_bare() && self.precommits.is_bare()
    }

    fn condense(&mut self) {
        self.proposal = Ballot::default();
        self.prevotes.condense();
        self.precommits.condense();
    }
}

/// Whether a round is so far ahead that only the latest votes of each validator are kept.
fn is_far(own: Round, round: Round) -> bool {
    round.saturating_sub(own) > limits::ROUNDS_AHEAD
}
