//! One height: from its start, through the driver's outputs, to this node's votes and the decision.

use std::sync::Arc;

use quorate_consensus::{CatchUp as Missing, Config as DriverConfig, Driver, Input, Output, Step};
use quorate_crypto::Verified;
use quorate_ledger::{Execution, InvalidBlock, Ledger};
use quorate_types::message::PeerMessage;
use quorate_types::{
    Block, BlockId, Height, MonotonicMillis, PublicKey, QuorumCertificate, Round, SignedStatement,
};

use super::candidates::Candidates;
use super::decision::{Decision, halt};
use super::pace::Timeouts;
use super::previous::Previous;
use super::record::LogRecord;
use crate::action::{ToSign, Write};
use crate::context::Context;
use crate::pool::Pool;
use crate::signal::{BuildRequest, Signal};
use crate::timers::Timer;
use crate::work::{BlockContext, QuorumContext, Work};

/// The height that is being decided. After its decision the next one takes its place, and nothing
/// of it is left but [`Previous`] and the measured timeouts.
#[derive(Debug)]
pub(super) struct CurrentHeight {
    number: Height,
    driver: Driver,
    candidates: Candidates,
    timeouts: Timeouts,
    /// The monotonic time at which the driver was started: an idle swarm waits before it starts
    /// one.
    started: Option<MonotonicMillis>,
    /// Whether a peer brought the decision of this height. Then this node builds nothing for it
    /// (N-33), and there may be more.
    brought: bool,
    decision: Decision,
    previous: Previous,
}

impl CurrentHeight {
    /// The height after the ledger's last one. `me` is this node's key, if it may sign there.
    pub(super) fn new(ledger: &Ledger, me: Option<PublicKey>, timeouts: Timeouts) -> Self {
        let number = ledger.height() + 1;
        let driver = Driver::new(DriverConfig {
            swarm: ledger.swarm(),
            height: number,
            validators: Arc::clone(ledger.validators()),
            proposers: (**ledger.proposers()).clone(),
            me,
        });

        Self {
            number,
            driver,
            candidates: Candidates::new(*timeouts.config()),
            timeouts,
            started: None,
            brought: false,
            decision: Decision::default(),
            previous: Previous::default(),
        }
    }

    /// Gives way to the next height, which the commit of this one begins.
    pub(super) fn succeed(
        &mut self,
        ledger: &Ledger,
        me: Option<PublicKey>,
        commit: Verified<QuorumCertificate>,
    ) {
        let next = Self::new(ledger, me, self.timeouts.clone());
        let last = std::mem::replace(self, next);

        self.previous = Previous::decided_here(commit, last.driver);
    }

    /// Gives way to the next height after a block from before a restart. No votes were counted here
    /// for that block.
    pub(super) fn restore(
        &mut self,
        ledger: &Ledger,
        me: Option<PublicKey>,
        commit: Verified<QuorumCertificate>,
    ) {
        *self = Self::new(ledger, me, self.timeouts.clone());
        self.previous = Previous::restored(commit);
    }

    pub(super) fn number(&self) -> Height {
        self.number
    }

    pub(super) fn round(&self) -> Round {
        self.driver.round()
    }

    pub(super) fn is_started(&self) -> bool {
        self.started.is_some()
    }

    pub(super) fn is_brought(&self) -> bool {
        self.brought
    }

    /// Whether a decision is on its way into the state.
    pub(super) fn is_decided(&self) -> bool {
        self.decision.is_made()
    }

    /// The messages that a peer in `round` may lack (N-23).
    pub(super) fn missing(&self, round: Round) -> Missing {
        self.driver.catch_up(round)
    }

    /// The body of a block of this height whose signatures hold.
    pub(super) fn body(&self, id: &BlockId) -> Option<Arc<Verified<Block>>> {
        self.candidates.body(id)
    }

    /// Starts the height at once: another validator has started it, or there is work.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        if self.started.is_some() {
            return;
        }

        self.started = Some(cx.monotonic());
        cx.clear_timer(Timer::Start);

        let resend = cx.monotonic() + self.timeouts.config().resend_ms;
        cx.set_timer(Timer::Resend, resend);
        self.feed(cx, Input::Start);
    }

    /// Starts the height with a decision that a peer brought, so that no block is built for it
    /// (N-33).
    pub(super) fn start_brought(&mut self, cx: &mut Context<'_>) {
        self.brought = true;
        self.start(cx);
    }

    // Inputs and outputs of the driver.

    /// Hands an input to the driver. The input goes into the log first; then the driver's outputs
    /// are carried out in their order. None of them hands the driver another input.
    pub(super) fn feed(&mut self, cx: &mut Context<'_>, input: Input) {
        if !cx.is_replaying() {
            cx.write(Write::Log(self.number, LogRecord::of_input(&input)));
        }

        for output in self.driver.handle(input) {
            self.on_output(cx, output);
        }
    }

    fn on_output(&mut self, cx: &mut Context<'_>, output: Output) {
        match output {
            Output::EnteredRound { round, .. } => cx.timers().clear_steps_below(Some(round)),
            Output::Schedule { round, step } => self.on_schedule(cx, round, step),

            // Work that the driver waits for.
            Output::Build { round } => self.on_build(cx, round),
            Output::Check { block } => self.on_check(cx, block),
            Output::Sign(statement) => cx.write(Write::Sign(ToSign::Statement(statement))),

            // News. The driver keeps polkas and shows them in its catch-up.
            Output::Polka(_) => {}
            Output::Decided(commit) => self.on_decided(cx, commit),
            Output::Evidence(evidence) => cx.tell(Signal::Convicted(evidence)),
            Output::Contradiction(commit) => self.on_contradiction(cx, &commit),
        }
    }

    fn on_schedule(&self, cx: &mut Context<'_>, round: Round, step: Step) {
        let timeout = self.timeouts.timeout(round, step);
        let at = cx.monotonic() + timeout;
        cx.set_timer_once(Timer::Step(round, step), at);
    }

    /// Asks for a block for `round`, as the driver wants it.
    fn on_build(&self, cx: &mut Context<'_>, round: Round) {
        // After a decision that a peer brought, this node builds nothing for the height (N-33).
        if cx.is_replaying() || self.brought {
            return;
        }

        cx.tell(Signal::Build(BuildRequest {
            round,
            previous_commit: self.previous.commit().map(Verified::into_proof),
        }));
    }

    /// Has a block judged. In a replay the verdict may follow in the log; if it does not,
    /// [`Self::resume`] comes here again (N-32).
    fn on_check(&mut self, cx: &mut Context<'_>, block: BlockId) {
        self.candidates.want(block);

        if !cx.is_replaying() {
            self.check(cx, block);
        }
    }

    fn check(&mut self, cx: &mut Context<'_>, block: BlockId) {
        self.candidates.accuse(cx, &block, &self.driver);
        self.candidates.judge(cx, block);
    }

    fn on_contradiction(&self, cx: &mut Context<'_>, commit: &QuorumCertificate) {
        if let Some(block) = commit.statement.block {
            halt(cx, &self.candidates, block);
        }
    }

    // Statements and certificates.

    /// Takes a statement of this height from a peer: cheap checks first, then its signature.
    pub(super) fn on_statement(
        &self,
        cx: &mut Context<'_>,
        from: PublicKey,
        signed: SignedStatement,
    ) {
        if signed.statement.height < self.number || !self.driver.wants(&signed) {
            cx.counters().statements_dropped += 1;
            return;
        }

        cx.run(Work::Statement(from, signed));
    }

    /// Counts a statement of another node, whose signature holds.
    pub(super) fn on_verified_statement(
        &mut self,
        cx: &mut Context<'_>,
        signed: Verified<SignedStatement>,
    ) {
        if signed.statement.height != self.number {
            cx.counters().statements_dropped += 1;
            return;
        }

        self.start(cx);
        self.feed(cx, Input::Statement(signed));
    }

    /// Sends and counts a statement of this node that came back signed and durable.
    pub(super) fn on_own_statement(
        &mut self,
        cx: &mut Context<'_>,
        signed: Verified<SignedStatement>,
    ) {
        if signed.statement.height != self.number {
            return;
        }

        cx.broadcast(PeerMessage::Statement((*signed).clone()));
        self.feed(cx, Input::Statement(signed));
    }

    /// Takes a polka or commit certificate from a peer that noticed that this node lacks it.
    pub(super) fn on_certificate(
        &self,
        cx: &mut Context<'_>,
        from: PublicKey,
        certificate: QuorumCertificate,
    ) {
        let height = certificate.statement.height;

        if height != self.number || !self.driver.wants_certificate(&certificate) {
            cx.counters().statements_dropped += 1;
            return;
        }

        let context = self.quorum_context(cx, &certificate);
        cx.run(Work::Certificate(from, certificate, context));
    }

    pub(super) fn on_verified_certificate(
        &mut self,
        cx: &mut Context<'_>,
        certificate: Verified<QuorumCertificate>,
    ) {
        if certificate.statement.height == self.number {
            self.start(cx);
            self.feed(cx, Input::Certificate(certificate));
        }
    }

    /// The signatures of a certificate of this height that were verified before, so they are not
    /// checked again.
    pub(super) fn quorum_context(
        &self,
        cx: &Context<'_>,
        certificate: &QuorumCertificate,
    ) -> QuorumContext {
        let votes = certificate
            .signed_statements()
            .filter(|vote| self.driver.verified(vote));

        QuorumContext {
            validators: Arc::clone(cx.ledger().validators()),
            votes: votes.map(|vote| (vote.signer, vote.signature)).collect(),
        }
    }

    // Bodies.

    /// Takes a body of this height from a peer.
    pub(super) fn on_block(
        &mut self,
        cx: &mut Context<'_>,
        pool: &Pool,
        from: PublicKey,
        block: Block,
    ) {
        if self.candidates.begin(cx, from, &block) {
            let context = self.block_context(cx, pool, &block);
            cx.run(Work::Block(from, Box::new(block), context));
        }
    }

    /// The signatures of a block that were verified before, so they are not checked again:
    /// operations in the pool, and votes in this node's last commit.
    pub(super) fn block_context(
        &self,
        cx: &Context<'_>,
        pool: &Pool,
        block: &Block,
    ) -> BlockContext {
        let held = block
            .operations
            .iter()
            .filter(|operation| pool.holds(operation));
        let operations = held.map(|held| (held.id(), held.signature));

        BlockContext {
            previous: Arc::clone(cx.ledger().previous_validators()),
            operations: operations.collect(),
            votes: self.previous.known_votes(block),
        }
    }

    pub(super) fn on_verified_block(&mut self, cx: &mut Context<'_>, block: Verified<Block>) {
        let id = block.header.id();
        if block.header.height != self.number {
            return;
        }

        // Before anything else: the commit in it may convict, whatever becomes of the block.
        self.previous.compare(cx, &block);

        if self.candidates.on_verified(cx, block) && !cx.is_replaying() {
            self.check(cx, id);
        }
    }

    /// Handles a body with a signature in it that does not hold. The header binds the body, so its
    /// builder made it.
    pub(super) fn on_forged_block(&mut self, cx: &mut Context<'_>, block: Box<Block>) {
        if block.header.height == self.number {
            let id = block.header.id();
            self.candidates.on_forged(block);
            self.candidates.accuse(cx, &id, &self.driver);
        }
    }

    /// Takes a block that this node built for `round`.
    ///
    /// The proposal convicts its signer if the block is bad, and memory errs. So this node executes
    /// its block as it would execute another's, and [`Self::on_executed`] goes on if the block is
    /// good (N-8).
    pub(super) fn on_built(&mut self, cx: &mut Context<'_>, round: Round, block: Verified<Block>) {
        self.candidates.keep_own(cx, round, &Arc::new(block));
    }

    pub(super) fn on_executed(
        &mut self,
        cx: &mut Context<'_>,
        id: &BlockId,
        result: Result<Box<Execution>, InvalidBlock>,
    ) {
        let Some(executed) = self.candidates.on_executed(cx, id, result) else {
            return;
        };

        self.candidates.accuse(cx, id, &self.driver);

        // Only now, with its proposal, does this node vouch for the block that it built (N-8).
        if let Some(round) = executed.built {
            self.feed(cx, Input::Built { round, block: *id });
        }

        if let Some(verdict) = executed.verdict {
            self.feed(cx, Input::Verdict(verdict));
        }

        self.decision.persist(cx, &mut self.candidates, id);
    }

    pub(super) fn on_fetch(&mut self, cx: &mut Context<'_>) {
        self.candidates.on_fetch(cx);
    }

    // The decision.

    /// Takes the driver's decision. The block is executed already, unless the decision came out of
    /// the log.
    fn on_decided(&mut self, cx: &mut Context<'_>, commit: Verified<QuorumCertificate>) {
        let Some(block) = commit.statement.block else {
            return;
        };

        self.decision.make(commit);
        if !cx.is_replaying() {
            self.decision.persist(cx, &mut self.candidates, &block);
        }
    }

    /// Ends the height, now that its decision is durable.
    pub(super) fn on_persisted(&mut self, cx: &mut Context<'_>, height: Height) {
        if height != self.number {
            return;
        }

        let Some(decided) = self.decision.take_durable(&self.candidates) else {
            return;
        };

        self.measure(cx, decided.proof.statement.round);
        cx.tell(Signal::Decided(Box::new(decided)));
    }

    /// Takes in how long the height took, if it was decided in round 0: only a height without a
    /// failed round measures that.
    fn measure(&mut self, cx: &Context<'_>, round: Round) {
        if let Some(started) = self.started.filter(|_| round == 0) {
            let elapsed = cx.monotonic().saturating_since(started);
            self.timeouts.observe(elapsed);
        }
    }

    // The log of an earlier run.

    /// Takes an input from the log.
    pub(super) fn replay(&mut self, cx: &mut Context<'_>, input: Input) {
        match &input {
            Input::Start => self.started = Some(cx.monotonic()),
            // The verdict comes from the log, so the body must not be judged a second time.
            Input::Verdict(verdict) => self.candidates.recover_verdict(&verdict.block),
            _ => {}
        }

        self.feed(cx, input);
    }

    /// Carries on the work that the earlier run left open. A statement that it had signed is asked
    /// for again, and the guard gives the same signature.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) {
        for output in self.driver.unanswered() {
            self.on_output(cx, output);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_consensus::Verdict;
    use quorate_types::Kind;

    use super::super::pace::TimeoutConfig;
    use super::*;
    use crate::action::{Action, Recipients};
    use crate::event::HaltReason;
    use crate::testing::{AGENT, Bench, REQUESTER, Taken, secret};

    fn config() -> TimeoutConfig {
        TimeoutConfig::default()
    }

    /// The height in progress at a bench, whose key may sign.
    fn current(bench: &Bench) -> CurrentHeight {
        let me = Some(bench.me());
        CurrentHeight::new(bench.ledger(), me, Timeouts::new(config()))
    }

    /// A validator that does not propose in round 0 of height 1.
    fn voter() -> Bench {
        let benches = [1, 2].map(Bench::of).into_iter();
        let mut voters = benches.filter(|bench| bench.builder(0) != bench.me());
        voters.next().unwrap()
    }

    fn kinds(taken: &Taken) -> Vec<&'static str> {
        let kinds = taken.actions.iter().map(|action| match action {
            Action::Disk(Write::Log(..)) => "log",
            Action::Disk(Write::Sign(_)) => "sign",
            Action::Disk(Write::Persist { .. }) => "persist",
            Action::Run(work) if matches!(**work, Work::Execute(..)) => "execute",
            Action::Send(..) => "send",
            Action::Run(_) => "verify",
            _ => "other",
        });
        kinds.collect()
    }

    /// The kinds and blocks of the statements that were to be signed.
    fn statements(taken: &Taken) -> Vec<(Kind, Option<BlockId>)> {
        let to_sign = taken.to_sign().into_iter();
        let statements = to_sign.filter_map(|to_sign| match to_sign {
            ToSign::Statement(statement) => Some((statement.kind, statement.block)),
            _ => None,
        });
        statements.collect()
    }

    fn halts(taken: &Taken) -> bool {
        matches!(
            taken.signals[..],
            [Signal::Halt(HaltReason::Contradiction { height: 1, .. })]
        )
    }

    /// Brings the block and its commit, up to the execution.
    fn bring(height: &mut CurrentHeight, bench: &mut Bench, block: &Verified<Block>) {
        let commit = bench.certificate(Kind::Precommit, &block.header);
        height.start_brought(&mut bench.cx());
        height.on_verified_block(&mut bench.cx(), block.clone());
        height.feed(&mut bench.cx(), Input::Certificate(commit));
    }

    fn execute_now(height: &mut CurrentHeight, bench: &mut Bench, block: &Verified<Block>) {
        let result = bench.ledger().execute(block).map(Box::new);
        height.on_executed(&mut bench.cx(), &block.header.id(), result);
    }

    // The start.

    #[test]
    fn a_height_is_started_once() {
        let mut bench = voter();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        assert_eq!(kinds(&bench.take()), ["log"]);
        let at = height.started;
        bench.wait(1);
        height.start(&mut bench.cx());
        assert!(bench.take().is_empty());
        assert_eq!(height.started, at);
    }

    #[test]
    fn the_proposer_of_a_height_asks_for_a_block_with_the_last_commit() {
        let mut bench = Bench::proposer();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        let signals = bench.take().signals;
        assert!(
            matches!(&signals[..], [Signal::Build(request)] if request.previous_commit.is_none())
        );
        let past = bench.commit(Vec::new());
        let me = Some(bench.builder(0));
        height.succeed(bench.ledger(), me, past.commit.clone());
        assert!(!height.is_started());
        height.start(&mut bench.cx());
        let signals = bench.take().signals;
        let [Signal::Build(request)] = &signals[..] else {
            panic!("{signals:?}")
        };
        let proof = past.commit.into_proof();
        assert_eq!(request.previous_commit, Some(proof));
    }

    #[test]
    fn n33_after_a_decision_that_a_peer_brought_no_block_is_built() {
        let mut bench = Bench::proposer();
        let mut height = current(&bench);
        height.start_brought(&mut bench.cx());
        assert!(bench.take().signals.is_empty());
        assert!(height.is_started() && height.is_brought());
    }

    // Inputs and outputs of the driver.

    #[test]
    fn n21_an_input_is_logged_before_the_statement_that_it_leads_to() {
        let mut bench = voter();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        bench.take();
        let (round, step) = (0, Step::Propose);
        height.feed(&mut bench.cx(), Input::Timeout { round, step });
        let taken = bench.take();
        assert_eq!(kinds(&taken), ["log", "sign"]);
        assert_eq!(statements(&taken), [(Kind::Prevote, None)]);
    }

    #[test]
    fn n27_without_a_key_that_may_sign_a_height_is_only_followed() {
        let mut bench = Bench::proposer();
        let timeouts = Timeouts::new(config());
        let mut height = CurrentHeight::new(bench.ledger(), None, timeouts);
        height.start(&mut bench.cx());
        let (round, step) = (0, Step::Propose);
        height.feed(&mut bench.cx(), Input::Timeout { round, step });
        let taken = bench.take();
        assert!(statements(&taken).is_empty() && taken.signals.is_empty());
    }

    #[test]
    fn only_statements_that_the_driver_wants_are_checked() {
        let mut bench = voter();
        let mut height = current(&bench);
        let (from, vote) = (bench.other(), bench.statement(3, Kind::Prevote, None));
        let stranger = bench.statement(90, Kind::Prevote, None);
        let mut late = (*vote).clone();
        late.statement.height = 0;
        for dropped in [stranger.into_inner(), late] {
            height.on_statement(&mut bench.cx(), from, dropped);
            assert!(bench.take().is_empty());
        }
        height.on_statement(&mut bench.cx(), from, (*vote).clone());
        assert_eq!(kinds(&bench.take()), ["verify"]);
        height.on_verified_statement(&mut bench.cx(), vote.clone());
        assert!(height.is_started(), "another validator has started it");
        bench.take();
        height.on_statement(&mut bench.cx(), from, vote.into_inner());
        assert!(bench.take().is_empty(), "it is known");
        assert_eq!(bench.counters().statements_dropped, 3);
    }

    #[test]
    fn what_comes_back_for_an_earlier_height_is_not_counted() {
        let mut bench = voter();
        let vote = bench.statement(3, Kind::Prevote, None);
        let block = bench.next_block();
        let polka = bench.certificate(Kind::Prevote, &block.header);
        bench.commit(Vec::new());
        let mut height = current(&bench);
        let cx = &mut bench.cx();
        height.on_verified_statement(cx, vote.clone());
        height.on_own_statement(cx, vote);
        height.on_verified_certificate(cx, polka.clone());
        height.on_certificate(cx, height.driver.proposer(0), polka.into_inner());
        height.on_verified_block(cx, block);
        height.on_persisted(cx, 1);
        assert!(bench.take().is_empty() && !height.is_started());
        assert_eq!(bench.counters().statements_dropped, 2);
    }

    #[test]
    fn an_own_statement_is_sent_before_it_is_counted() {
        let mut bench = voter();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        bench.take();
        let key = secret(bench.me());
        let statement = bench
            .statement(3, Kind::Prevote, None)
            .into_inner()
            .statement;
        let own = key.sign_statement(statement);
        height.on_own_statement(&mut bench.cx(), own.clone());
        let taken = bench.take();
        assert_eq!(kinds(&taken), ["send", "log"]);
        let message = PeerMessage::Statement(own.into_inner());
        assert_eq!(taken.sent(), [(Recipients::All, message)]);
    }

    #[test]
    fn signatures_that_wait_in_the_pool_are_not_checked_again() {
        let mut bench = Bench::new();
        let held = bench.admission(REQUESTER);
        let mut pool = Pool::default();
        pool.on_own(&mut bench.cx(), held.clone());
        let mut block = bench.next_block().into_inner();
        let other = bench.admission(AGENT).into_inner();
        block.operations = vec![(*held).clone(), other];
        let height = current(&bench);
        let context = height.block_context(&bench.cx(), &pool, &block);
        let known = [(held.payload.id(), held.signature)];
        assert_eq!(context.operations, known.into());
    }

    // Bodies.

    #[test]
    fn n8_an_own_block_is_sent_and_executed_and_then_proposed() {
        let mut bench = Bench::proposer();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        bench.take();
        let block = bench.next_block();
        height.on_built(&mut bench.cx(), 0, block.clone());
        assert_eq!(kinds(&bench.take()), ["log", "send", "execute"]);
        execute_now(&mut height, &mut bench, &block);
        let proposal = (Kind::Proposal, Some(block.header.id()));
        assert_eq!(statements(&bench.take()), [proposal]);
    }

    #[test]
    fn n8_an_own_block_that_fails_is_not_proposed() {
        let mut bench = Bench::proposer();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        let block = bench.bad_block();
        height.on_built(&mut bench.cx(), 0, block.clone());
        bench.take();
        execute_now(&mut height, &mut bench, &block);
        let taken = bench.take();
        assert!(statements(&taken).is_empty() && taken.signals.is_empty());
    }

    #[test]
    fn n24_the_proposal_of_a_bad_block_that_was_executed_before_accuses_its_builder() {
        let mut bench = voter();
        let mut height = current(&bench);
        height.start(&mut bench.cx());
        let block = bench.bad_block();
        let proposal = crate::testing::proposal(&block.header);
        height.on_verified_statement(&mut bench.cx(), proposal);
        height.on_verified_block(&mut bench.cx(), block.clone());
        assert_eq!(bench.take().executed(), [block.header.id()]);
        execute_now(&mut height, &mut bench, &block);
        let taken = bench.take();
        assert!(matches!(taken.signals[..], [Signal::Accused(_)]));
        assert_eq!(statements(&taken), [(Kind::Prevote, None)]);
    }

    // The decision.

    #[test]
    fn n33_a_brought_decision_is_executed_made_durable_and_then_told() {
        let mut bench = Bench::new();
        let mut height = current(&bench);
        let block = bench.next_block();
        bring(&mut height, &mut bench, &block);
        assert_eq!(bench.take().executed(), [block.header.id()]);
        execute_now(&mut height, &mut bench, &block);
        assert!(height.is_decided());
        let taken = bench.take();
        let persisted = |write: &&&Write| matches!(write, Write::Persist { .. });
        assert_eq!(taken.writes().iter().filter(persisted).count(), 1);
        assert!(taken.signals.is_empty(), "it is not durable yet");
        height.on_persisted(&mut bench.cx(), 2);
        assert!(bench.take().is_empty(), "of another height");
        height.on_persisted(&mut bench.cx(), 1);
        let signals = bench.take().signals;
        let [Signal::Decided(decided)] = &signals[..] else {
            panic!("{signals:?}")
        };
        assert_eq!(decided.block.header, block.header);
        assert_eq!(decided.execution.block(), block.header.id());
        height.on_persisted(&mut bench.cx(), 1);
        assert!(bench.take().is_empty(), "once");
    }

    #[test]
    fn a_commit_for_a_block_that_execution_refuses_halts() {
        let mut bench = Bench::new();
        let mut height = current(&bench);
        let block = bench.bad_block();
        bring(&mut height, &mut bench, &block);
        bench.take();
        execute_now(&mut height, &mut bench, &block);
        let taken = bench.take();
        assert!(halts(&taken), "{:?}", taken.signals);
        assert!(!kinds(&taken).contains(&"persist"));
    }

    #[test]
    fn the_length_of_a_height_is_measured_only_if_round_0_decided_it() {
        for (round, measured) in [(0, true), (1, false)] {
            let mut bench = voter();
            let mut height = current(&bench);
            let before = height.timeouts.timeout(0, Step::Propose);
            height.start(&mut bench.cx());
            bench.wait(config().most_ms);
            height.measure(&bench.cx(), round);
            let after = height.timeouts.timeout(0, Step::Propose);
            assert_eq!(after > before, measured, "round {round}");
        }
    }

    // The log of an earlier run.

    #[test]
    fn n32_a_replay_acts_not_and_what_was_open_is_asked_for_again() {
        let mut bench = voter();
        let mut height = current(&bench);
        bench.replay(true);
        let (round, step) = (0, Step::Propose);
        for input in [Input::Start, Input::Timeout { round, step }] {
            height.replay(&mut bench.cx(), input);
        }
        assert!(bench.take().is_empty());
        bench.replay(false);
        height.resume(&mut bench.cx());
        assert_eq!(statements(&bench.take()), [(Kind::Prevote, None)]);
        assert!(height.is_started());
    }

    /// A height that was replayed from a log up to its decision.
    fn replayed(bench: &mut Bench, block: &Verified<Block>) -> CurrentHeight {
        let mut height = current(bench);
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let verdict = Verdict {
            block: block.header.id(),
            valid: true,
            builder: block.header.builder,
            build_round: 0,
            timely: true,
        };
        bench.replay(true);
        height.replay(&mut bench.cx(), Input::Start);
        height.on_verified_block(&mut bench.cx(), block.clone());
        height.replay(&mut bench.cx(), Input::Verdict(verdict));
        height.replay(&mut bench.cx(), Input::Certificate(commit));
        bench.replay(false);
        assert!(bench.take().is_empty() && height.is_decided());
        height
    }

    #[test]
    fn n32_a_block_that_was_decided_before_a_restart_is_executed_and_made_durable() {
        let mut bench = Bench::new();
        let block = bench.next_block();
        let mut height = replayed(&mut bench, &block);
        height.resume(&mut bench.cx());
        assert!(bench.take().executed().contains(&block.header.id()));
        execute_now(&mut height, &mut bench, &block);
        assert_eq!(kinds(&bench.take()), ["persist"]);
    }

    #[test]
    fn a_block_that_was_decided_before_a_restart_and_is_refused_now_halts() {
        let mut bench = Bench::new();
        let block = bench.bad_block();
        let mut height = replayed(&mut bench, &block);
        height.resume(&mut bench.cx());
        bench.take();
        execute_now(&mut height, &mut bench, &block);
        let taken = bench.take();
        assert!(halts(&taken), "{:?}", taken.signals);
        assert!(kinds(&taken).is_empty());
    }
}
