//! Catching up: early messages, stuck heights (N-23), and decided blocks of peers (N-34).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::is_body_of_header;
use quorate_types::message::Decided;
use quorate_types::{
    Block, BlockId, Height, Kind, Millis, MonotonicMillis, PublicKey, SignedStatement, SwarmId,
};

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

    /// Keeps one body of the next height for each builder, if the builder itself sent it. `height`
    /// is the one in progress.
    pub(super) fn on_early_block(&mut self, from: PublicKey, height: Height, block: Block) {
        if block.header.height == height + 1 && block.header.builder == from {
            self.early_blocks.insert(from, block);
        }
    }

    /// Whether a member spoke of a later height, even of one so far ahead that nothing was kept.
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

    // Decided blocks of peers (N-34).

    /// Takes a decided block from a peer, untrusted like any other input. Returns it if it is of
    /// the height in progress. One of a later height is kept unread until that height is in
    /// progress, one for each height.
    pub(super) fn on_decided(
        &mut self,
        cx: &mut Context<'_>,
        from: PublicKey,
        decided: Decided,
    ) -> Option<Decided> {
        let height = cx.height();
        let at = decided.block.header.height;

        let fits = has_commit_of_its_block(cx.ledger().swarm(), &decided);
        let is_near = (height..=height + AHEAD).contains(&at);

        if !fits || !is_near || !self.trusts(&from, cx.monotonic()) {
            cx.counters().blocks_dropped += 1;
            return None;
        }

        if at > height {
            self.ahead.entry(at).or_insert((from, decided));
            return None;
        }

        Some(decided)
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

    /// Begins the check of a decided block, unless another one of this member is under check: one
    /// at a time of each, so that a liar occupies no other. Returns whether its signatures must be
    /// checked now.
    pub(super) fn begin_check(
        &mut self,
        cx: &mut Context<'_>,
        member: PublicKey,
        block: &Block,
    ) -> bool {
        if !self.checking.insert(member) {
            return false;
        }

        if !is_body_of_header(block) {
            cx.counters().unauthentic += 1;
            self.distrust(cx, member);
            return false;
        }

        true
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

/// Returns whether the commit of a decided block claims to be one for that block.
fn has_commit_of_its_block(swarm: SwarmId, decided: &Decided) -> bool {
    let header = &decided.block.header;
    let statement = &decided.commit.statement;

    statement.kind == Kind::Precommit
        && statement.height == header.height
        && statement.swarm == swarm
        && statement.block == Some(header.id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, public};

    const RESEND_MS: Millis = 500;

    fn catch_up() -> CatchUp {
        CatchUp::new(RESEND_MS)
    }

    /// A statement of the height that comes after `ahead` others.
    fn statement(bench: &Bench, ahead: Height) -> SignedStatement {
        let mut signed = bench.statement(2, Kind::Prevote, None).into_inner();
        signed.statement.height += ahead;
        signed
    }

    /// A decided block as if it were of the height that comes after `ahead` others.
    fn decided(bench: &Bench, ahead: Height) -> Decided {
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let (mut block, mut commit) = (block.into_inner(), commit.into_inner());
        block.header.height += ahead;
        commit.statement.height += ahead;
        commit.statement.block = Some(block.header.id());
        Decided { block, commit }
    }

    /// Whether a decided block is returned as one of the height in progress.
    fn is_current(
        catch_up: &mut CatchUp,
        bench: &mut Bench,
        from: PublicKey,
        decided: Decided,
    ) -> bool {
        catch_up
            .on_decided(&mut bench.cx(), from, decided)
            .is_some()
    }

    #[test]
    fn of_each_member_so_many_statements_of_the_next_height_are_kept() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (first, second) = (bench.others()[0], bench.others()[1]);
        for from in [first, second] {
            for _ in 0..=EARLY_STATEMENTS {
                let signed = statement(&bench, 1);
                catch_up.on_early_statement(&mut bench.cx(), from, signed);
            }
        }
        assert_eq!(bench.counters().statements_dropped, 2);
        let kept = catch_up.take_early_statements();
        assert_eq!(kept[&first].len(), EARLY_STATEMENTS);
        assert_eq!(kept[&second].len(), EARLY_STATEMENTS);
        assert!(!catch_up.has_early_statements());
    }

    #[test]
    fn a_statement_that_is_further_ahead_or_of_a_stranger_is_dropped() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (far, near) = (statement(&bench, 2), statement(&bench, 1));
        let member = bench.other();
        catch_up.on_early_statement(&mut bench.cx(), member, far);
        catch_up.on_early_statement(&mut bench.cx(), public(90), near);
        assert_eq!(bench.counters().statements_dropped, 2);
        let kept = catch_up.take_early_statements();
        assert!(kept.values().all(Vec::is_empty));
    }

    #[test]
    fn n23_a_statement_of_a_later_height_is_a_reason_to_tell_where_this_node_is() {
        let mut bench = Bench::new();
        let far = statement(&bench, 9);
        let member = bench.other();
        catch_up().on_early_statement(&mut bench.cx(), member, far);
        assert!(bench.timers(RESEND_MS - 1).is_empty());
        assert_eq!(bench.timers(RESEND_MS), [Timer::Resend]);
    }

    #[test]
    fn one_body_of_the_next_height_is_kept_of_each_builder_from_itself() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        bench.commit(Vec::new());
        let block = bench.next_block().into_inner();
        let builder = block.header.builder;
        let mut second = block.clone();
        second.header.state.0[0] ^= 1;
        let height = block.header.height;
        catch_up.on_early_block(public(90), height - 1, block.clone());
        catch_up.on_early_block(builder, height, block.clone());
        catch_up.on_early_block(builder, height - 2, block.clone());
        assert!(catch_up.take_early_blocks().is_empty());
        catch_up.on_early_block(builder, height - 1, block);
        catch_up.on_early_block(builder, height - 1, second.clone());
        assert_eq!(catch_up.take_early_blocks(), [(builder, second)].into());
        assert!(catch_up.take_early_blocks().is_empty());
    }

    #[test]
    fn n34_of_each_of_the_next_32_heights_one_decided_block_is_kept() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (first, second) = (bench.others()[0], bench.others()[1]);
        for (from, ahead, current) in [
            (first, 0, true),
            (first, 1, false),
            (second, 1, false),
            (second, AHEAD, false),
            (second, AHEAD + 1, false),
        ] {
            let decided = decided(&bench, ahead);
            let is_current = is_current(&mut catch_up, &mut bench, from, decided);
            assert_eq!(is_current, current, "{ahead} ahead");
        }
        assert_eq!(bench.counters().blocks_dropped, 1, "the one too far ahead");
        assert!(catch_up.take_ahead(1).is_none());
        assert_eq!(catch_up.take_ahead(2).unwrap().0, first, "the first stays");
        assert!(catch_up.take_ahead(2).is_none());
        assert_eq!(catch_up.take_ahead(1 + AHEAD).unwrap().0, second);
        assert!(!catch_up.has_ahead());
    }

    #[test]
    fn the_decided_blocks_of_earlier_heights_are_forgotten() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (from, decided) = (bench.other(), decided(&bench, 1));
        is_current(&mut catch_up, &mut bench, from, decided);
        assert!(catch_up.take_ahead(3).is_none());
        assert!(!catch_up.has_ahead());
    }

    #[test]
    fn n34_a_commit_that_is_not_one_of_its_block_is_dropped_and_counted() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let spoilers: [fn(&mut Decided); 4] = [
            |decided| decided.commit.statement.kind = Kind::Prevote,
            |decided| decided.commit.statement.height += 1,
            |decided| decided.commit.statement.block = None,
            |decided| decided.commit.statement.swarm.0[0] ^= 1,
        ];
        for (number, spoil) in (1..).zip(spoilers) {
            let (from, mut decided) = (bench.other(), decided(&bench, 0));
            spoil(&mut decided);
            assert!(!is_current(&mut catch_up, &mut bench, from, decided));
            assert_eq!(bench.counters().blocks_dropped, number);
        }
    }

    #[test]
    fn one_decided_block_of_a_member_is_checked_at_a_time() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (first, second) = (bench.others()[0], bench.others()[1]);
        let block = bench.next_block();
        let mut begins = |member| catch_up.begin_check(&mut bench.cx(), member, &block);
        assert_eq!([first, first, second].map(&mut begins), [true, false, true]);
        catch_up.end_check(&first);
        assert!(catch_up.begin_check(&mut bench.cx(), first, &block));
    }

    #[test]
    fn n34_another_body_under_a_decided_header_is_a_lie_of_its_sender() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (liar, mut block) = (bench.other(), bench.next_block().into_inner());
        block.operations.push(bench.admission(50).into_inner());
        assert!(!catch_up.begin_check(&mut bench.cx(), liar, &block));
        assert_eq!(bench.counters().unauthentic, 1);
        assert!(!catch_up.trusts(&liar, bench.now().monotonic));
    }

    #[test]
    fn n34_a_member_that_lied_is_not_listened_to_for_ten_seconds() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (liar, other) = (bench.others()[0], bench.others()[1]);
        catch_up.distrust(&mut bench.cx(), liar);
        for (millis, trusted) in [(0, false), (9_999, false), (1, true)] {
            bench.wait(millis);
            let now = bench.now().monotonic;
            assert_eq!(catch_up.trusts(&liar, now), trusted, "{now:?}");
            assert!(catch_up.trusts(&other, now));
        }
    }

    #[test]
    fn n34_the_decisions_of_a_liar_are_dropped_and_others_are_asked() {
        let mut bench = Bench::new();
        let (liar, other) = (bench.others()[0], bench.others()[1]);
        let mut catch_up = catch_up();
        for (from, ahead) in [(liar, 1), (other, 2)] {
            let decided = decided(&bench, ahead);
            is_current(&mut catch_up, &mut bench, from, decided);
        }
        catch_up.distrust(&mut bench.cx(), liar);
        assert_eq!(catch_up.ahead.keys().collect::<Vec<_>>(), [&3]);
        assert_eq!(bench.timers(RESEND_MS / 10 + 1), [Timer::Resend]);
        catch_up.distrust(&mut bench.cx(), liar);
        assert!(bench.timers(RESEND_MS).is_empty(), "it had offered nothing");
        let block = bench.next_block();
        catch_up.begin_check(&mut bench.cx(), liar, &block);
        catch_up.distrust(&mut bench.cx(), liar);
        assert_eq!(bench.timers(RESEND_MS / 10 + 1), [Timer::Resend]);
        let again = catch_up.begin_check(&mut bench.cx(), liar, &block);
        assert!(again, "its check is over");
        let decided = decided(&bench, 0);
        let is_current = is_current(&mut catch_up, &mut bench, liar, decided);
        assert!(!is_current, "it is not listened to");
    }

    #[test]
    fn each_service_is_given_to_a_member_once_in_a_pause() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let (first, second) = (bench.others()[0], bench.others()[1]);
        let body = |number| Service::Body(BlockId([number; 32]));
        let mut serves =
            |bench: &mut Bench, service, to| catch_up.may_serve(&bench.cx(), service, to);
        for service in [Service::CatchUp, Service::Height, body(1), body(2)] {
            assert!(serves(&mut bench, service, first), "{service:?}");
            assert!(!serves(&mut bench, service, first), "{service:?}");
            assert!(serves(&mut bench, service, second), "{service:?}");
        }
        bench.wait(RESEND_MS / 10 - 1);
        assert!(!serves(&mut bench, Service::CatchUp, first));
        bench.wait(1);
        assert!(serves(&mut bench, Service::CatchUp, first));
    }

    #[test]
    fn all_strangers_share_one_turn() {
        let mut bench = Bench::new();
        let mut catch_up = catch_up();
        let turns = [90, 91, 92]
            .map(|stranger| catch_up.may_serve(&bench.cx(), Service::CatchUp, public(stranger)));
        assert_eq!(turns, [true, false, false]);
        let member = bench.other();
        assert!(catch_up.may_serve(&bench.cx(), Service::CatchUp, member));
    }

    #[test]
    fn after_a_height_that_came_from_a_peer_the_next_is_asked_for_soon() {
        let mut bench = Bench::new();
        let catch_up = catch_up();
        catch_up.await_progress(&mut bench.cx());
        catch_up.ask_for_more(&mut bench.cx());
        assert!(bench.timers(RESEND_MS / 10).is_empty(), "after the pause");
        assert_eq!(bench.timers(RESEND_MS / 10 + 1), [Timer::Resend]);
    }
}
