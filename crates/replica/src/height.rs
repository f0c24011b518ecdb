//! One height: from waiting for a reason to start, through the driver's outputs, to this node's
//! votes.

use std::sync::Arc;

use quorate_consensus::{Config as DriverConfig, Driver, Input, Output, Step};
use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::PeerMessage;
use quorate_types::{
    MonotonicMillis, PublicKey, QuorumCertificate, Round, SignedStatement, Statement,
};

use crate::event::{Action, HaltReason, ToSign};
use crate::recover::LogRecord;
use crate::replica::{Config, Replica};
use crate::timers::Timer;
use crate::work::{Claim, Origin, QuorumContext};

/// The consensus driver of the height after the ledger's last one.
pub(crate) fn driver_for(ledger: &Ledger, config: &Config) -> Driver {
    let height = ledger.height() + 1;

    Driver::new(DriverConfig {
        swarm: ledger.swarm(),
        height,
        validators: Arc::clone(ledger.validators()),
        proposers: (**ledger.proposers()).clone(),
        me: config.voting.at(height).then_some(config.me),
    })
}

impl Replica {
    /// Starts the height if there is a reason to (cadence); otherwise sets the timer for the next
    /// one.
    pub(crate) fn await_height(&mut self) {
        if self.started || self.replaying || self.sync.committing.is_some() {
            return;
        }

        let at = self.start_due();
        let waiting = self.pool.has_ready(&self.ledger) || !self.evidence.is_empty();

        if waiting || at <= self.now.monotonic {
            self.start_height();
        } else {
            self.timers.set(Timer::Start, at);
        }
    }

    /// Returns the monotonic time at which the height starts even if nothing waits: when the ledger
    /// is due, at the latest when the swarm was idle for the longest interval between blocks.
    fn start_due(&self) -> MonotonicMillis {
        let interval = self.ledger.genesis_info().parameters.max_block_interval_ms;
        let heartbeat = self.committed_at.saturating_add(interval);

        // The ledger names its due time in Unix time; timers run on the monotonic clock.
        let due = self.ledger.next_due().map(|unix| {
            let wait = unix.saturating_since(self.now.unix);
            self.now.monotonic.saturating_add(wait)
        });

        due.map_or(heartbeat, |due| due.min(heartbeat))
    }

    /// Starts the height at once: another validator has started it, or there is work.
    pub(crate) fn start_height(&mut self) {
        if !self.started {
            self.started = true;
            self.started_at = self.now.monotonic;
            self.timers.clear(Timer::Start);

            let resend = self.now.monotonic + self.pace.config.resend_ms;
            self.timers.set(Timer::Resend, resend);
            self.feed(Input::Start);
        }
    }

    /// Hands an input to the driver. The input goes into the log first; then the driver's outputs
    /// are carried out in their order.
    pub(crate) fn feed(&mut self, input: Input) {
        if !self.replaying {
            self.act(Action::Log(self.height(), LogRecord::of_input(&input)));
        }
        for output in self.driver.handle(input) {
            self.on_output(output);
        }
    }

    pub(crate) fn on_output(&mut self, output: Output) {
        match output {
            Output::EnteredRound { round, .. } => self.on_entered_round(round),
            Output::Schedule { round, step } => self.on_schedule(round, step),

            // Work that the driver waits for.
            Output::Build { round } => self.on_build(round),
            Output::Check { block } => self.on_check(block),
            Output::Sign(statement) => self.on_sign(statement),

            // News. The driver keeps polkas and shows them in its catch-up.
            Output::Polka(_) => {}
            Output::Decided(commit) => self.on_decided(commit),
            Output::Evidence(evidence) => self.on_judged_evidence(Origin::Local, *evidence),
            Output::Contradiction(commit) => self.on_contradiction(&commit),
        }
    }

    fn on_entered_round(&mut self, round: Round) {
        self.timers.clear_steps_below(Some(round));
    }

    fn on_schedule(&mut self, round: Round, step: Step) {
        let timeout = self.pace.timeout(round, step);
        self.timers
            .set_once(Timer::Step(round, step), self.now.monotonic + timeout);
    }

    pub(crate) fn on_step_timeout(&mut self, round: Round, step: Step) {
        self.feed(Input::Timeout { round, step });
    }

    fn on_sign(&mut self, statement: Statement) {
        self.act(Action::Sign(ToSign::Statement(statement)));
    }

    /// Sends and counts a statement of this node that came back signed and durable.
    pub(crate) fn on_own_statement(&mut self, signed: Verified<SignedStatement>) {
        if signed.statement.height != self.height() {
            return;
        }
        self.broadcast(PeerMessage::Statement((*signed).clone()));
        self.feed(Input::Statement(signed));
    }

    /// Takes a statement from a peer: cheap checks first, then its signature.
    pub(crate) fn on_statement(&mut self, from: PublicKey, signed: SignedStatement) {
        let height = signed.statement.height;
        if height > self.height() {
            self.on_early_statement(from, signed);
            return;
        }

        if height < self.height() || !self.driver.wants(&signed) {
            self.counters.statements_dropped += 1;
            return;
        }

        self.verify(Origin::Peer(from), Claim::Statement(signed));
    }

    pub(crate) fn on_verified_statement(&mut self, signed: Verified<SignedStatement>) {
        if signed.statement.height != self.height() {
            self.counters.statements_dropped += 1;
            return;
        }
        self.start_height();
        self.feed(Input::Statement(signed));
    }

    /// Takes a polka or commit certificate from a peer that noticed that this node lacks it.
    pub(crate) fn on_certificate(&mut self, from: PublicKey, certificate: QuorumCertificate) {
        let statement = &certificate.statement;

        if statement.height != self.height() || !self.driver.wants_certificate(&certificate) {
            self.counters.statements_dropped += 1;
            return;
        }

        let context = self.quorum_context(&certificate);
        self.verify(Origin::Peer(from), Claim::Certificate(certificate, context));
    }

    /// The signatures of a certificate of this height that were verified before, so they are not
    /// checked again.
    pub(crate) fn quorum_context(&self, certificate: &QuorumCertificate) -> QuorumContext {
        let votes = certificate
            .signed_statements()
            .filter(|vote| self.driver.verified(vote));
        QuorumContext {
            validators: Arc::clone(self.ledger.validators()),
            votes: votes.map(|vote| (vote.signer, vote.signature)).collect(),
        }
    }

    pub(crate) fn on_verified_certificate(&mut self, certificate: Verified<QuorumCertificate>) {
        if certificate.statement.height == self.height() {
            self.start_height();
            self.feed(Input::Certificate(certificate));
        }
    }

    fn on_contradiction(&mut self, commit: &QuorumCertificate) {
        let Some(block) = commit.statement.block else {
            return;
        };

        let reason = self.candidates.refusal(&block);
        self.halt(HaltReason::Contradiction {
            height: self.height(),
            block,
            reason,
        });
    }

    pub(crate) fn halt(&mut self, reason: HaltReason) {
        self.halted = true;
        self.actions.push_back(Action::Halt(reason));
    }
}
