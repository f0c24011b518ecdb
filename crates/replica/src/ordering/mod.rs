//! The ordering: which block each height decides, by rounds and votes.
//!
//! This folder alone knows rounds, votes and their certificates. Its boundary to the rest of the
//! replica: [`Ordering::await_reason`] lets a height begin. Messages, timers and results of actions
//! go in. [`Signal::Build`] asks for a block, and [`Signal::Decided`] brings the decided block with
//! its proof. Then the router moves the state on, and [`Ordering::begin_next`] begins the next
//! height. [`Signal::Convicted`] and [`Signal::Accused`] bring what was found against a validator.
//!
//! [`Signal::Build`]: crate::signal::Signal::Build
//! [`Signal::Decided`]: crate::signal::Signal::Decided
//! [`Signal::Convicted`]: crate::signal::Signal::Convicted
//! [`Signal::Accused`]: crate::signal::Signal::Accused

mod candidates;
mod catch_up;
mod decision;
mod height;
mod pace;
mod previous;
mod record;
mod rejoin;
mod slots;

use quorate_consensus::Input;
use quorate_crypto::{Verified, verify_block};
use quorate_ledger::Ledger;
use quorate_types::message::{
    Decided, FetchBlock, FetchDecided, Locate, Located, PeerMessage, PeerStatus,
};
use quorate_types::{
    Block, Height, MonotonicMillis, PublicKey, QuorumCertificate, Round, SignedStatement,
};

use crate::action::Write;
use crate::context::Context;
use crate::event::Event;
use crate::pool::Pool;
use crate::timers::Timer;
use crate::work::Work;

use catch_up::{CatchUp, Service};
use height::CurrentHeight;
use pace::Timeouts;
use rejoin::Rejoin;

pub use pace::TimeoutConfig;
pub use record::{LogRecord, RecoverError};
pub use rejoin::{Voting, VotingStatus};
pub use slots::{describe_slot, parts_of_slot, signed_slot, slot_of};

/// The ordering of one node: the height in progress, and what outlives it.
#[derive(Debug)]
pub(crate) struct Ordering {
    height: CurrentHeight,
    catch_up: CatchUp,
    rejoin: Rejoin,
    /// The monotonic time at which the last block became part of the state.
    committed_at: MonotonicMillis,
}

impl Ordering {
    pub(crate) fn new(
        me: PublicKey,
        ledger: &Ledger,
        config: TimeoutConfig,
        voting: Voting,
        now: MonotonicMillis,
    ) -> Self {
        let rejoin = Rejoin::new(voting, config.resend_ms);
        let key = rejoin.may_sign(ledger.height() + 1).then_some(me);

        Self {
            height: CurrentHeight::new(ledger, key, Timeouts::new(config)),
            catch_up: CatchUp::new(config.resend_ms),
            rejoin,
            committed_at: now,
        }
    }

    // The state.

    /// The round of the height that is being decided.
    pub(crate) fn round(&self) -> Round {
        self.height.round()
    }

    /// Whether this node votes, or what it waits for.
    pub(crate) fn voting_status(&self, ledger: &Ledger) -> VotingStatus {
        self.rejoin.status(ledger)
    }

    /// Whether this node's key may sign at the height that is being decided.
    pub(crate) fn may_sign(&self) -> bool {
        self.rejoin.may_sign(self.height.number())
    }

    /// Whether this member has not sent lately anything that does not verify.
    pub(crate) fn trusts(&self, member: &PublicKey, now: MonotonicMillis) -> bool {
        self.catch_up.trusts(member, now)
    }

    /// Stops listening to a member for a while.
    pub(crate) fn distrust(&mut self, cx: &mut Context<'_>, member: PublicKey) {
        self.catch_up.distrust(cx, member);
    }

    // The course of a height.

    /// Whether the height only waits for a reason to start.
    pub(crate) fn awaits_reason(&self) -> bool {
        !self.height.is_started() && !self.height.is_decided()
    }

    /// Starts the height if there is a reason to: something is `waiting`, or it is time. Otherwise
    /// sets the timer for that time. Only if [`Self::awaits_reason`].
    pub(crate) fn await_reason(&mut self, cx: &mut Context<'_>, waiting: bool) {
        let at = self.start_due(cx);

        if waiting || at <= cx.monotonic() {
            self.height.start(cx);
        } else {
            cx.set_timer(Timer::Start, at);
        }
    }

    /// Returns the monotonic time at which the height starts even if nothing waits: when the ledger
    /// is due, at the latest when the swarm was idle for the longest interval between blocks.
    fn start_due(&self, cx: &Context<'_>) -> MonotonicMillis {
        let ledger = cx.ledger();
        let interval = ledger.genesis_info().parameters.max_block_interval_ms;
        let heartbeat = self.committed_at.saturating_add(interval);

        // The ledger names its due time in Unix time; timers run on the monotonic clock.
        let due = ledger.next_due().map(|unix| {
            let wait = unix.saturating_since(cx.unix());
            cx.monotonic().saturating_add(wait)
        });

        due.map_or(heartbeat, |due| due.min(heartbeat))
    }

    /// Begins the height after the block that `commit` proves and that is part of the state now.
    pub(crate) fn begin_next(&mut self, cx: &mut Context<'_>, commit: Verified<QuorumCertificate>) {
        let me = self.own_key(cx);
        // A decision that a peer brought is rarely the last one: this node asks for the next.
        let brought = self.height.is_brought();

        self.height.succeed(cx.ledger(), me, commit);
        self.committed_at = cx.monotonic();

        cx.timers().clear_steps_below(None);
        cx.clear_timer(Timer::Fetch);
        cx.clear_timer(Timer::Resend);

        if brought {
            self.catch_up.ask_for_more(cx);
        }

        self.rejoin.raise_if_proved(cx);
    }

    /// This node's key, if it may sign at the height that begins now.
    fn own_key(&self, cx: &Context<'_>) -> Option<PublicKey> {
        self.rejoin.may_sign(cx.height()).then_some(cx.me())
    }

    /// Handles the messages that came early for the height that begins now.
    pub(crate) fn take_early(&mut self, cx: &mut Context<'_>, pool: &Pool) {
        for (from, block) in self.catch_up.take_early_blocks() {
            self.on_block(cx, pool, from, block);
        }

        for (from, statements) in self.catch_up.take_early_statements() {
            for signed in statements {
                self.on_statement(cx, from, signed);
            }
        }

        self.take_ahead(cx, pool);
    }

    /// Handles the decided block that is kept for the height that begins now.
    fn take_ahead(&mut self, cx: &mut Context<'_>, pool: &Pool) {
        let height = self.height.number();
        let Some((from, decided)) = self.catch_up.take_ahead(height) else {
            return;
        };

        self.on_decided(cx, pool, from, decided);

        // No later block is kept here, but the sender of this one may have more.
        if !self.catch_up.has_ahead() {
            let wanted = FetchDecided { from: height + 1 };
            cx.send(from, PeerMessage::FetchDecided(wanted));
        }
    }

    // Timers.

    /// Handles a timer of the ordering; the others are for other parts.
    pub(crate) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Step(round, step) => self.height.feed(cx, Input::Timeout { round, step }),
            Timer::Resend => self.on_resend_timer(cx),
            // Bodies that have not arrived are asked for again.
            Timer::Fetch => self.height.on_fetch(cx),
            // The others are asked which height is in progress: this node lost its signing guard.
            Timer::Locate => self.rejoin.ask(cx),
            Timer::Start | Timer::Leases | Timer::Calls => {}
        }
    }

    /// Called when nothing moved for a while. Tells everyone where this node is, and sends its last
    /// votes again, for a peer that does not know yet that the height has started (N-23).
    fn on_resend_timer(&self, cx: &mut Context<'_>) {
        cx.broadcast(PeerMessage::Status(self.peer_status()));

        if self.height.is_started() {
            let me = cx.me();
            let last = self.height.missing(self.round()).statements;
            for own in last.into_iter().filter(|signed| signed.signer == me) {
                cx.broadcast(PeerMessage::Statement(own));
            }
        }

        if self.height.is_started() || self.catch_up.has_early_statements() {
            self.catch_up.await_progress(cx);
        }
    }

    fn peer_status(&self) -> PeerStatus {
        PeerStatus {
            height: self.height.number(),
            round: self.round(),
        }
    }

    // Messages.

    pub(crate) fn on_connected(&self, cx: &mut Context<'_>, peer: PublicKey) {
        cx.send(peer, PeerMessage::Status(self.peer_status()));
    }

    /// Handles a message of the ordering that a member sent; the others are for other parts.
    pub(crate) fn on_member_message(
        &mut self,
        cx: &mut Context<'_>,
        pool: &Pool,
        from: PublicKey,
        message: PeerMessage,
    ) {
        match message {
            PeerMessage::Statement(signed) => self.on_statement(cx, from, signed),
            PeerMessage::Certificate(held) => self.height.on_certificate(cx, from, held),
            PeerMessage::Block(block) => self.on_block(cx, pool, from, *block),
            PeerMessage::Decided(decided) => self.on_decided(cx, pool, from, *decided),
            _ => {}
        }
    }

    /// Handles a question or an answer that anyone may send; the others are for other parts.
    pub(crate) fn on_open_message(
        &mut self,
        cx: &mut Context<'_>,
        from: PublicKey,
        message: PeerMessage,
    ) {
        match message {
            PeerMessage::Status(status) => self.on_status(cx, from, status),
            PeerMessage::FetchBlock(wanted) => self.on_fetch_block(cx, from, wanted),
            PeerMessage::FetchDecided(wanted) => self.on_fetch_decided(cx, from, wanted.from),
            PeerMessage::Locate(asked) => self.on_locate(cx, from, asked),
            PeerMessage::Located(answer) => self.rejoin.on_located(cx, from, answer),
            _ => {}
        }
    }

    fn on_statement(&mut self, cx: &mut Context<'_>, from: PublicKey, signed: SignedStatement) {
        if signed.statement.height > self.height.number() {
            self.catch_up.on_early_statement(cx, from, signed);
        } else {
            self.height.on_statement(cx, from, signed);
        }
    }

    fn on_block(&mut self, cx: &mut Context<'_>, pool: &Pool, from: PublicKey, block: Block) {
        let height = self.height.number();

        if block.header.height == height {
            self.height.on_block(cx, pool, from, block);
        } else {
            // The builder is a height ahead: its body arrived before this node's commit.
            self.catch_up.on_early_block(from, height, block);
        }
    }

    /// Takes a decided block from a peer. One decision is enough for the height in progress.
    fn on_decided(&mut self, cx: &mut Context<'_>, pool: &Pool, from: PublicKey, decided: Decided) {
        let current = self.catch_up.on_decided(cx, from, decided);

        if let Some(decided) = current
            && !self.height.is_decided()
            && !self.height.is_brought()
            && self.catch_up.begin_check(cx, from, &decided.block)
        {
            self.check_decided(cx, pool, from, decided);
        }
    }

    /// Has the signatures of a decided block checked.
    fn check_decided(&self, cx: &mut Context<'_>, pool: &Pool, from: PublicKey, decided: Decided) {
        let Decided { block, commit } = decided;
        let context = self.height.block_context(cx, pool, &block);
        let quorum = self.height.quorum_context(cx, &commit);

        cx.run(Work::Decided(
            from,
            Box::new(block),
            context,
            commit,
            quorum,
        ));
    }

    /// Takes a peer's word on where it is, and helps it on or asks it for help.
    fn on_status(&mut self, cx: &mut Context<'_>, from: PublicKey, status: PeerStatus) {
        if !self.catch_up.may_serve(cx, Service::CatchUp, from) {
            return;
        }

        let ours = self.height.number();

        if status.height < ours {
            cx.write(Write::ServeDecided {
                to: from,
                from: status.height,
            });
        } else if status.height > ours {
            cx.send(from, PeerMessage::FetchDecided(FetchDecided { from: ours }));
        } else if self.height.is_started() {
            self.send_missing(cx, from, status.round);
        }
    }

    fn send_missing(&self, cx: &mut Context<'_>, to: PublicKey, round: Round) {
        let missing = self.height.missing(round);
        for certificate in missing.certificates {
            cx.send(to, PeerMessage::Certificate(certificate));
        }
        for statement in missing.statements {
            cx.send(to, PeerMessage::Statement(statement));
        }
    }

    fn on_fetch_block(&mut self, cx: &mut Context<'_>, from: PublicKey, wanted: FetchBlock) {
        if wanted.height == self.height.number()
            && let Some(body) = self.height.body(&wanted.block)
            && self
                .catch_up
                .may_serve(cx, Service::Body(wanted.block), from)
        {
            cx.send(from, PeerMessage::Block(Box::new((**body).clone())));
        }
    }

    fn on_fetch_decided(&mut self, cx: &mut Context<'_>, to: PublicKey, from: Height) {
        let is_decided = from > 0 && from < self.height.number();
        if is_decided && self.catch_up.may_serve(cx, Service::CatchUp, to) {
            cx.write(Write::ServeDecided { to, from });
        }
    }

    /// Answers a node that lost its guard. Below the height where its own guard stands, the answer
    /// of this node would prove nothing, so it gives none (N-28).
    fn on_locate(&mut self, cx: &mut Context<'_>, from: PublicKey, asked: Locate) {
        if self.may_sign() && self.catch_up.may_serve(cx, Service::Height, from) {
            let answer = Located {
                challenge: asked.challenge,
                height: self.height.number(),
            };
            cx.send(from, PeerMessage::Located(answer));
        }
    }

    // Results of actions.

    /// Takes the result of work or of a write that this ordering asked for; the others are for
    /// other parts. A block that this node built must be one of the height.
    pub(crate) fn on_result(&mut self, cx: &mut Context<'_>, result: Event) {
        let height = &mut self.height;

        match result {
            Event::Statement(signed) => height.on_verified_statement(cx, signed),
            Event::Certificate(held) => height.on_verified_certificate(cx, held),
            Event::Block(block) => height.on_verified_block(cx, *block),
            Event::ForgedBlock { block, .. } => height.on_forged_block(cx, block),
            Event::Decided {
                from,
                block,
                commit,
            } => self.on_verified_decided(cx, from, *block, commit),

            Event::Proposed { round, block } => height.on_built(cx, round, *block),
            Event::Executed { block, result } => height.on_executed(cx, &block, result),

            Event::SignedStatement(signed) => height.on_own_statement(cx, signed),
            Event::Persisted(at) => height.on_persisted(cx, at),
            Event::GuardRaised(from) => self.rejoin.on_raised(from),

            _ => {}
        }
    }

    /// Takes a decided block that verified. The commit goes through the driver like any other, so
    /// that a height is decided in one place (N-33).
    fn on_verified_decided(
        &mut self,
        cx: &mut Context<'_>,
        from: PublicKey,
        block: Verified<Block>,
        commit: Verified<QuorumCertificate>,
    ) {
        self.catch_up.end_check(&from);

        if block.header.height == self.height.number() {
            // Before the block is known, so that none is built for the height (N-33).
            self.height.start_brought(cx);
            self.height.on_verified_block(cx, block);
            self.height.feed(cx, Input::Certificate(commit));
        }
    }

    // An earlier run.

    /// Begins the height after a block from before a restart, which is part of the state now.
    pub(crate) fn restore(&mut self, cx: &Context<'_>, commit: Verified<QuorumCertificate>) {
        let me = self.own_key(cx);
        self.height.restore(cx.ledger(), me, commit);
    }

    /// Takes the record at index `at` of the log of this height.
    ///
    /// # Errors
    /// [`RecoverError`] naming the record.
    pub(crate) fn replay(
        &mut self,
        cx: &mut Context<'_>,
        pool: &Pool,
        at: usize,
        record: LogRecord,
    ) -> Result<(), RecoverError> {
        if let LogRecord::Block(block) = record {
            return self.replay_body(cx, pool, at, *block);
        }

        if let Some(input) = record.input(at, cx.ledger().validators())? {
            self.height.replay(cx, input);
        }
        Ok(())
    }

    /// Takes a body from the record at index `at`.
    fn replay_body(
        &mut self,
        cx: &mut Context<'_>,
        pool: &Pool,
        at: usize,
        block: Block,
    ) -> Result<(), RecoverError> {
        let context = self.height.block_context(cx, pool, &block);
        let block = verify_block(block, &context.previous, &context)
            .map_err(|_| RecoverError::Unauthentic(at))?;

        self.height.on_verified_block(cx, block);
        Ok(())
    }

    /// Carries on the work that the earlier run left open.
    pub(crate) fn resume(&mut self, cx: &mut Context<'_>) {
        self.height.resume(cx);

        // The others may have decided meanwhile: they are told where this node is.
        if self.height.is_started() {
            self.on_resend_timer(cx);
        }

        self.rejoin.ask(cx);
    }
}

#[cfg(test)]
mod tests;
