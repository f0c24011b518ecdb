//! Catching up: early messages, stuck heights (N-23), and decided blocks of peers (N-33).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use quorate_types::message::Decided;
use quorate_types::{Block, BlockId, Height, Millis, MonotonicMillis, PublicKey, SignedStatement};

use crate::context::Context;
use crate::timers::Timer;

/// The statements of the next height that are kept for one peer.
const EARLY_STATEMENTS: usize = 32;
/// Milliseconds for which a member is not listened to after it sent something that does not verify.
/// A lie costs this node one check at most, and a liar gets that once in this time.
const DISTRUST_MS: Millis = 10_000;
/// The number of heights ahead of the current one for which a decided block is kept (N-34).
const AHEAD: u64 = 32;

/// The state that a replica keeps for catching up, beyond any one height.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// Milliseconds without progress after which this node tells its peers where it is.
    resend_ms: Millis,
    early: BTreeMap<PublicKey, Vec<SignedStatement>>,
    early_blocks: BTreeMap<PublicKey, Block>,
    ahead: BTreeMap<Height, (PublicKey, Decided)>,
    /// Members whose decided block is being checked: one at a time of each.
    checking: BTreeSet<PublicKey>,
    /// Members that sent something that does not verify, each with the monotonic time until which
    /// the decisions that it reports are ignored. No honest member passes on what it has not
    /// checked. But memory and links err, and a node that never listened to anybody again could not
    /// catch up.
    liars: BTreeMap<PublicKey, MonotonicMillis>,
    /// The requests that were served recently, and when. They are limited so that a request costs
    /// the peer more than this node. All strangers count as one peer.
    served: BTreeMap<(Service, Option<PublicKey>), MonotonicMillis>,
}

/// The services that a peer may ask for, each once in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    /// Decided blocks, or the messages that the peer's round lacks.
    CatchUp,
    /// The body of a proposed block.
    Body(BlockId),
    /// The height that is in progress here.
    Height,
}

impl CatchUp {
    pub(super) fn new(resend_ms: Millis) -> Self {
        Self {
            resend_ms,
            early: BTreeMap::new(),
            early_blocks: BTreeMap::new(),
            ahead: BTreeMap::new(),
            checking: BTreeSet::new(),
            liars: BTreeMap::new(),
            served: BTreeMap::new(),
        }
    }

    // Messages of later heights.

    /// Keeps a statement of the next height until that begins, and drops one of a height beyond.
    /// Both show that others are ahead, so this node soon tells them where it is.
    pub(super) fn on_early_statement(
        &mut self,
        cx: &mut Context<'_>,
        from: PublicKey,
        signed: SignedStatement,
    ) {
        if cx.member(&from).is_none() || !self.keep_early(from, cx.height(), signed) {
            cx.counters().statements_dropped += 1;
        }
        self.expect_more(cx);
    }

    fn keep_early(&mut self, from: PublicKey, height: Height, signed: SignedStatement) -> bool {
        let of_peer = self.early.entry(from).or_default();
        let keep = signed.statement.height == height + 1 && of_peer.len() < EARLY_STATEMENTS;

        if keep {
            of_peer.push(signed);
        }
        keep
    }

    /// Keeps one body of the next height for each builder, if the builder itself sent it.
    pub(super) fn on_early_block(&mut self, from: PublicKey, height: Height, block: Block) {
        if block.header.height == height + 1 && block.header.builder == from {
            self.early_blocks.insert(from, block);
        }
    }

    pub(super) fn has_early_statements(&self) -> bool {
        !self.early.is_empty()
    }

    /// Takes out the bodies that came early for the height that begins now.
    pub(super) fn take_early_blocks(&mut self) -> BTreeMap<PublicKey, Block> {
        std::mem::take(&mut self.early_blocks)
    }

    /// Takes out the statements that came early for the height that begins now.
    pub(super) fn take_early_statements(&mut self) -> BTreeMap<PublicKey, Vec<SignedStatement>> {
        std::mem::take(&mut self.early)
    }

    /// Keeps a decided block of a later height unread until that height is in progress, one for
    /// each height (N-34).
    pub(super) fn keep_ahead(&mut self, from: PublicKey, decided: Decided) {
        let at = decided.block.header.height;
        self.ahead.entry(at).or_insert((from, decided));
    }

    /// Whether a decided block of this height is near enough to be kept.
    pub(super) fn is_near(current: Height, at: Height) -> bool {
        (current..=current + AHEAD).contains(&at)
    }

    /// Takes out the decided block that is kept for the height that begins now, and forgets those
    /// of earlier heights.
    pub(super) fn take_ahead(&mut self, height: Height) -> Option<(PublicKey, Decided)> {
        self.ahead = self.ahead.split_off(&height);
        self.ahead.remove(&height)
    }

    pub(super) fn has_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    // Checks of decided blocks, one at a time of each member.

    /// Notes that a decided block of this member is being checked; `false` if one is already.
    pub(super) fn begin_check(&mut self, member: PublicKey) -> bool {
        self.checking.insert(member)
    }

    pub(super) fn end_check(&mut self, member: &PublicKey) {
        self.checking.remove(member);
    }

    /// Whether this member has not sent lately anything that does not verify.
    pub(super) fn trusts(&self, member: &PublicKey, now: MonotonicMillis) -> bool {
        self.liars.get(member).is_none_or(|until| now >= *until)
    }

    /// Stops listening to a member for a while, after it sent something that does not verify, and
    /// asks others for the decisions that it offered.
    pub(super) fn distrust(&mut self, cx: &mut Context<'_>, member: PublicKey) {
        let was_checked = self.checking.remove(&member);
        self.liars
            .insert(member, cx.monotonic().saturating_add(DISTRUST_MS));

        // The blocks that it offered for later heights are dropped as well.
        let held = self.ahead.len();
        self.ahead.retain(|_, (from, _)| *from != member);

        if was_checked || self.ahead.len() < held {
            self.ask_for_more(cx);
        }
    }

    // When peers are told where this node is, and how often they are served.

    /// Sets the timer for telling peers where this node is: others are ahead, or may be.
    fn expect_more(&self, cx: &mut Context<'_>) {
        let at = cx.monotonic() + self.resend_ms;
        cx.set_timer_once(Timer::Resend, at);
    }

    /// As [`Self::expect_more`], from now on again.
    pub(super) fn await_progress(&self, cx: &mut Context<'_>) {
        let at = cx.monotonic() + self.resend_ms;
        cx.set_timer(Timer::Resend, at);
    }

    /// Tells peers soon where this node is, after a height came from them: more may follow, and the
    /// peer that was asked for it may not have answered.
    pub(super) fn ask_for_more(&self, cx: &mut Context<'_>) {
        let at = cx.monotonic() + self.pause() + 1;
        cx.set_timer(Timer::Resend, at);
    }

    /// Whether this peer was not served with this recently. A stranger can make keys at no cost, so
    /// all strangers share one turn.
    pub(super) fn may_serve(
        &mut self,
        cx: &Context<'_>,
        service: Service,
        peer: PublicKey,
    ) -> bool {
        let now = cx.monotonic();
        let pause = self.pause();
        let who = cx.member(&peer).map(|member| member.key);

        self.served
            .retain(|_, last| now < last.saturating_add(pause));

        match self.served.entry((service, who)) {
            Entry::Vacant(vacant) => {
                vacant.insert(now);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Milliseconds between two services to one peer.
    fn pause(&self) -> Millis {
        self.resend_ms / 10
    }
}
