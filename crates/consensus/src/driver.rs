//! One height, driven: inputs are stored, every rule whose condition holds is applied, and what
//! the rules want done comes out.
//!
//! [`Driver::handle`] is total and deterministic: the same inputs in the same order give the same
//! outputs, whatever the machine. A node that crashed therefore rebuilds its driver by handling
//! the inputs of its log again, throws the outputs away, and asks [`Driver::unanswered`] what is
//! still to be done (N-21 and N-32).

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
/// messages that were early; do what the outputs say, in their order.
#[derive(Debug, Clone)]
pub struct Driver {
    config: Config,
    validators_hash: Hash,
    state: RoundState,
    tally: Tally,
    verdicts: BTreeMap<BlockId, Verdict>,
    /// Blocks whose verdict was asked for.
    asked: BTreeSet<BlockId>,
    /// Timeouts scheduled in the current round (N-12, N-15).
    scheduled: BTreeSet<Step>,
    /// Statements of the current round that this node was asked to sign.
    signed: BTreeMap<Kind, Statement>,
    decision: Option<Verified<QuorumCertificate>>,
    /// Blocks whose commit was reported as a contradiction.
    contradicted: BTreeSet<BlockId>,
    rules_fired: RuleSet,
}

impl Driver {
    /// A height that has not started. Before [`Input::Start`] inputs are stored, not acted upon.
    pub fn new(config: Config) -> Self {
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

    /// Takes one input and gives what is to be done about it. Never panics; an input that does not
    /// belong here changes nothing.
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
        self.settle(&mut outputs);
        outputs
    }

    /// The round it stands in; 0 before the start.
    pub fn round(&self) -> Round {
        self.state.round
    }

    /// The step it stands in.
    pub fn step(&self) -> Step {
        self.state.step
    }

    /// The state of the round with its lock and valid value, for status, forensics and tests.
    pub fn state(&self) -> &RoundState {
        &self.state
    }

    /// Which rules of Algorithm 1 were applied so far: what a test or a simulation reached.
    pub fn rules_fired(&self) -> RuleSet {
        self.rules_fired
    }

    /// Whether [`Output::Decided`] came out.
    pub fn is_decided(&self) -> bool {
        self.decision.is_some()
    }

    /// Who proposes in a round of this height.
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

    /// Whether [`Output::Build`] of the current round is open.
    fn awaits_build(&self) -> bool {
        self.state.step == Step::Propose
            && self.state.valid.is_none()
            && self.config.me == Some(self.proposer(self.state.round))
            && !self.has_spoken(Kind::Proposal)
    }

    /// Whether this node was asked to sign in this slot of the current round, or is known to have
    /// signed there.
    fn has_spoken(&self, kind: Kind) -> bool {
        let known = |me| {
            self.tally
                .statement_of(me, self.state.round, kind)
                .is_some()
        };
        self.signed.contains_key(&kind) || self.config.me.as_ref().is_some_and(known)
    }
}

/// What the tally learned that others want to know.
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
