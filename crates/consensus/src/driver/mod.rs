//! The driver of one height: it stores inputs, applies every rule whose condition holds, and
//! returns the effects that the rules ask for.
//!
//! [`Driver::handle`] is total and deterministic: the same inputs in the same order give the same
//! outputs on every machine. A node that crashed therefore rebuilds its driver by handling the
//! inputs of its log again. It discards the outputs of that, and asks [`Driver::unanswered`] for
//! the work that is still open (N-21 and N-32).

mod admission;
mod catch_up;
mod interface;
mod recovery;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::Verified;
use quorate_types::{
    BlockId, Hash, Kind, PublicKey, QuorumCertificate, Round, SignedStatement, Statement,
};

pub use interface::{CatchUp, Config, Input, Output, Verdict};

use crate::round::{self, RoundInput, RoundState, RuleSet, Step};
use crate::tally::{Added, Tally};

/// Decides one height. Feed it with [`Self::handle`], beginning with [`Input::Start`] or with
/// messages that arrived early. Carry out the outputs in their order.
#[derive(Debug, Clone)]
pub struct Driver {
    config: Config,
    validators_hash: Hash,
    state: RoundState,
    tally: Tally,
    verdicts: BTreeMap<BlockId, Verdict>,
    /// Blocks whose verdict was asked for, answered or not.
    asked: BTreeSet<BlockId>,
    /// Steps whose timeout was scheduled in the current round (N-12, N-15).
    scheduled: BTreeSet<Step>,
    /// Statements of the current round that this node was asked to sign.
    signed: BTreeMap<Kind, Statement>,
    decision: Option<Verified<QuorumCertificate>>,
    /// Blocks whose commit was reported as a contradiction.
    contradicted: BTreeSet<BlockId>,
    rules_fired: RuleSet,
}

impl Driver {
    /// A height that has not started. Inputs before [`Input::Start`] are stored and not acted upon.
    pub fn new(config: Config) -> Self {
        // A key outside of the set follows: it neither builds nor signs.
        let me = config.me.filter(|key| config.validators.get(key).is_some());

        Self {
            validators_hash: config.validators.hash(),
            state: RoundState::new(config.height),
            tally: Tally::new(config.validators.clone()),
            verdicts: BTreeMap::new(),
            asked: BTreeSet::new(),
            scheduled: BTreeSet::new(),
            signed: BTreeMap::new(),
            decision: None,
            contradicted: BTreeSet::new(),
            rules_fired: RuleSet::default(),
            config: Config { me, ..config },
        }
    }

    /// Takes one input and returns the outputs that follow from it. Never panics; an input that
    /// does not belong here changes nothing.
    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();

        match input {
            Input::Start => self.start(&mut outputs),
            Input::Statement(signed) => self.add_statement(signed, &mut outputs),
            Input::Certificate(certificate) => self.add_certificate(certificate, &mut outputs),
            Input::Verdict(verdict) => {
                self.verdicts.entry(verdict.block).or_insert(verdict);
            }
            Input::Built { round, block } => self.propose(round, block, &mut outputs),
            Input::Timeout { round, step } => self.time_out(round, step, &mut outputs),
        }

        // An input may satisfy rules other than its own, together with what is stored already
        // (N-19).
        self.settle(&mut outputs);
        outputs
    }

    /// The current round; 0 before the start.
    pub fn round(&self) -> Round {
        self.state.round
    }

    /// The current step.
    pub fn step(&self) -> Step {
        self.state.step
    }

    /// The state of the round with its lock and valid value, for status, forensics and tests.
    pub fn state(&self) -> &RoundState {
        &self.state
    }

    /// The rules of Algorithm 1 that were applied so far: the coverage that a test or a simulation
    /// reached.
    pub fn rules_fired(&self) -> RuleSet {
        self.rules_fired
    }

    /// Whether [`Output::Decided`] came out.
    pub fn is_decided(&self) -> bool {
        self.decision.is_some()
    }

    /// The proposer of a round of this height.
    pub fn proposer(&self, round: Round) -> PublicKey {
        self.config.proposers.proposer(self.config.height, round)
    }

    fn start(&mut self, outputs: &mut Vec<Output>) {
        if self.state.step == Step::Unstarted {
            self.start_round(0, outputs);
        }
    }

    fn add_statement(&mut self, signed: Verified<SignedStatement>, outputs: &mut Vec<Output>) {
        if self.belongs(&signed) {
            let added = self.tally.add(self.state.round, signed);
            report(added, outputs);
        }
    }

    fn add_certificate(
        &mut self,
        certificate: Verified<QuorumCertificate>,
        outputs: &mut Vec<Output>,
    ) {
        if self.certifies(&certificate) {
            let added = self.tally.add_certificate(self.state.round, certificate);
            report(added, outputs);
        }
    }

    fn propose(&mut self, round: Round, block: BlockId, outputs: &mut Vec<Output>) {
        if round == self.state.round && self.awaits_build() {
            self.apply(
                round::step(self.state, RoundInput::Built { block }),
                outputs,
            );
        }
    }

    fn time_out(&mut self, round: Round, step: Step, outputs: &mut Vec<Output>) {
        if round != self.state.round || !self.scheduled.contains(&step) {
            // A timer of an earlier round or one that nobody asked for must not act (N-18).
            return;
        }

        let input = match step {
            Step::Propose => RoundInput::TimeoutPropose,
            Step::Prevote => RoundInput::TimeoutPrevote,
            Step::Precommit => RoundInput::TimeoutPrecommit,
            Step::Unstarted | Step::Decided => return,
        };

        self.apply(round::step(self.state, input), outputs);
    }

    /// Whether [`Output::Build`] of the current round is still unanswered.
    fn awaits_build(&self) -> bool {
        self.state.step == Step::Propose
            && self.state.valid.is_none()
            && self.config.me == Some(self.proposer(self.state.round))
            && !self.has_spoken(Kind::Proposal)
    }

    /// Whether this node was asked to sign a statement of this kind in the current round, or is
    /// known to have signed one.
    fn has_spoken(&self, kind: Kind) -> bool {
        let known = |me| {
            self.tally
                .statement_of(me, self.state.round, kind)
                .is_some()
        };

        self.signed.contains_key(&kind) || self.config.me.as_ref().is_some_and(known)
    }
}

/// Turns new evidence and new polkas for blocks into outputs, for the other nodes.
fn report(added: Added, outputs: &mut Vec<Output>) {
    for evidence in added.evidence {
        outputs.push(Output::Evidence(Box::new(evidence)));
    }

    for certificate in added.certificates {
        let said = &certificate.statement;
        if said.kind == Kind::Prevote && said.block.is_some() {
            outputs.push(Output::Polka(certificate));
        }
    }
}
