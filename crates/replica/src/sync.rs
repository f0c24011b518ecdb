//! Catching up: early messages, stuck heights (N-23), and decided blocks of peers (N-33).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use quorate_consensus::Input;
use quorate_crypto::{Verified, is_body_of_header};
use quorate_ledger::Execution;
use quorate_types::message::{Decided, FetchDecided, PeerMessage, PeerStatus};
use quorate_types::{
    Block, BlockId, Height, Kind, Millis, MonotonicMillis, PublicKey, QuorumCertificate, Round,
    SignedStatement,
};

use crate::event::Action;
use crate::replica::Replica;
use crate::timers::Timer;
use crate::work::{Claim, Origin};

/// The statements of the next height that are kept for one peer.
const EARLY_STATEMENTS: usize = 32;
/// Milliseconds for which a member is not listened to after it sent something that does not verify.
/// A lie costs this node one check at most, and a liar gets that once in this time.
const DISTRUST_MS: Millis = 10_000;
/// The number of heights ahead of the current one for which a decided block is kept (N-34).
const AHEAD: u64 = 32;

/// The state that a replica keeps for catching up, and the open ends of a height.
#[derive(Debug, Default)]
pub(crate) struct SyncState {
    /// The decision that is being made durable.
    pub(crate) committing: Option<Verified<QuorumCertificate>>,
    pub(crate) persisting: bool,
    pub(crate) execution: Option<Box<Execution>>,
    /// Whether a peer brought the decision of this height. Then this node builds nothing for it
    /// (N-33), and there may be more.
    pub(crate) brought: bool,
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
pub(crate) enum Service {
    /// Decided blocks, or the messages that the peer's round lacks.
    CatchUp,
    /// The body of a proposed block.
    Body(BlockId),
    /// The height that is in progress here.
    Height,
}

impl SyncState {
    pub(crate) fn begin_height(&mut self) {
        self.committing = None;
        self.persisting = false;
        self.execution = None;
        self.brought = false;
    }

    /// Whether this member recently sent something that does not verify.
    pub(crate) fn is_liar(&self, member: &PublicKey, now: MonotonicMillis) -> bool {
        self.liars.get(member).is_some_and(|until| now < *until)
    }

    /// Keeps a statement of the next height; any other is too far ahead.
    fn keep_early(&mut self, from: PublicKey, height: Height, signed: SignedStatement) -> bool {
        let of_peer = self.early.entry(from).or_default();
        let keep = signed.statement.height == height + 1 && of_peer.len() < EARLY_STATEMENTS;

        if keep {
            of_peer.push(signed);
        }
        keep
    }

    /// Keeps one body of the next height for each builder, if the builder itself sent it.
    pub(crate) fn keep_early_block(&mut self, from: PublicKey, height: Height, block: Block) {
        if block.header.height == height + 1 && block.header.builder == from {
            self.early_blocks.insert(from, block);
        }
    }
}

impl Replica {
    pub(crate) fn on_early_statement(&mut self, from: PublicKey, signed: SignedStatement) {
        if self.ledger.validators().get(&from).is_none()
            || !self.sync.keep_early(from, self.height(), signed)
        {
            self.counters.statements_dropped += 1;
        }
        self.expect_more();
    }

    /// Sets the timer for telling peers where this node is: others are ahead, or may be.
    pub(crate) fn expect_more(&mut self) {
        let at = self.now.monotonic + self.pace.config.resend_ms;
        self.timers.set_once(Timer::Resend, at);
    }

    /// Handles the messages that came early for the height that begins now.
    pub(crate) fn take_early(&mut self) {
        for (from, block) in std::mem::take(&mut self.sync.early_blocks) {
            self.on_block(from, block);
        }

        for (from, statements) in std::mem::take(&mut self.sync.early) {
            for signed in statements {
                self.on_statement(from, signed);
            }
        }

        self.take_ahead();
    }

    /// Handles the decided block that is kept for the height that begins now, and forgets those of
    /// earlier heights.
    fn take_ahead(&mut self) {
        let height = self.height();
        self.sync.ahead = self.sync.ahead.split_off(&height);

        let Some((from, decided)) = self.sync.ahead.remove(&height) else {
            return;
        };

        self.on_decided_message(from, decided);

        // No later block is kept here, but the sender of this one may have more.
        if self.sync.ahead.is_empty() {
            let wanted = FetchDecided { from: height + 1 };
            self.send(from, PeerMessage::FetchDecided(wanted));
        }
    }

    pub(crate) fn tell_status(&mut self, peer: PublicKey) {
        let status = PeerStatus {
            height: self.height(),
            round: self.driver.round(),
        };
        self.send(peer, PeerMessage::Status(status));
    }

    /// Called when nothing moved for a while. Tells everyone where this node is, and sends its last
    /// votes again, for a peer that does not know yet that the height has started (N-23).
    pub(crate) fn on_resend(&mut self) {
        let round = self.driver.round();

        self.broadcast(PeerMessage::Status(PeerStatus {
            height: self.height(),
            round,
        }));

        if self.started {
            let last = self.driver.catch_up(round).statements;
            let me = self.config.me;
            for own in last.into_iter().filter(|signed| signed.signer == me) {
                self.broadcast(PeerMessage::Statement(own));
            }
        }

        if self.started || !self.sync.early.is_empty() {
            self.timers.set(
                Timer::Resend,
                self.now.monotonic + self.pace.config.resend_ms,
            );
        }
    }

    /// Takes a peer's word on where it is, and helps it on or asks it for help.
    pub(crate) fn on_status(&mut self, from: PublicKey, status: PeerStatus) {
        if !self.may_serve(Service::CatchUp, from) {
            return;
        }

        let ours = self.height();

        if status.height < ours {
            self.act(Action::ServeDecided {
                to: from,
                from: status.height,
            });
        } else if status.height > ours {
            self.send(from, PeerMessage::FetchDecided(FetchDecided { from: ours }));
        } else if self.started {
            self.send_catch_up(from, status.round);
        }
    }

    fn send_catch_up(&mut self, to: PublicKey, round: Round) {
        let catch_up = self.driver.catch_up(round);
        for certificate in catch_up.certificates {
            self.send(to, PeerMessage::Certificate(certificate));
        }
        for statement in catch_up.statements {
            self.send(to, PeerMessage::Statement(statement));
        }
    }

    pub(crate) fn on_fetch_decided(&mut self, to: PublicKey, from: Height) {
        if from < self.height() && from > 0 && self.may_serve(Service::CatchUp, to) {
            self.act(Action::ServeDecided { to, from });
        }
    }

    /// Whether this peer was not served with this recently. A stranger can make keys at no cost, so
    /// all strangers share one turn.
    pub(crate) fn may_serve(&mut self, service: Service, peer: PublicKey) -> bool {
        let now = self.now.monotonic;
        let pause = self.pause();
        let who = self.ledger.validators().get(&peer).map(|member| member.key);

        self.sync
            .served
            .retain(|_, last| now < last.saturating_add(pause));

        match self.sync.served.entry((service, who)) {
            Entry::Vacant(vacant) => {
                vacant.insert(now);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Milliseconds between two services to one peer.
    fn pause(&self) -> Millis {
        self.pace.config.resend_ms / 10
    }

    /// Tells peers soon where this node is, after a height came from them: more may follow, and the
    /// peer that was asked for it may not have answered.
    pub(crate) fn ask_for_more(&mut self) {
        self.timers
            .set(Timer::Resend, self.now.monotonic + self.pause() + 1);
    }

    /// Takes a decided block from a peer, untrusted like any other input (N-34).
    pub(crate) fn on_decided_message(&mut self, from: PublicKey, decided: Decided) {
        let height = self.height();
        let at = decided.block.header.height;

        let fits = self.has_commit_of_its_block(&decided);
        let is_near = (height..=height + AHEAD).contains(&at);
        let is_liar = self.sync.is_liar(&from, self.now.monotonic);

        if !fits || !is_near || is_liar {
            self.counters.blocks_dropped += 1;
        } else if at > height {
            // Kept unread until its height is in progress, one for each height (N-34).
            self.sync.ahead.entry(at).or_insert((from, decided));
        } else if self.sync.committing.is_none() && !self.sync.brought {
            self.check_decided(from, decided);
        }
    }

    /// Returns whether the commit of a decided block claims to be one for that block.
    fn has_commit_of_its_block(&self, decided: &Decided) -> bool {
        let header = &decided.block.header;
        let statement = &decided.commit.statement;

        statement.kind == Kind::Precommit
            && statement.height == header.height
            && statement.swarm == self.ledger.swarm()
            && statement.block == Some(header.id())
    }

    /// Has the signatures of a decided block checked, unless another block of this member is under
    /// check already: one at a time of each, so that a liar occupies no other.
    fn check_decided(&mut self, from: PublicKey, decided: Decided) {
        if !self.sync.checking.insert(from) {
            return;
        }

        if !is_body_of_header(&decided.block) {
            self.counters.unauthentic += 1;
            self.distrust(from);
            return;
        }

        let context = self.block_context(&decided.block);
        let quorum = self.quorum_context(&decided.commit);

        let Decided { block, commit } = decided;
        let claim = Claim::Decided(Box::new(block), context, commit, quorum);
        self.verify(Origin::Peer(from), claim);
    }

    /// Stops listening to a member for a while, after it sent something that does not verify, and
    /// asks others for the decisions that it offered.
    pub(crate) fn distrust(&mut self, member: PublicKey) {
        let was_checked = self.sync.checking.remove(&member);
        self.sync
            .liars
            .insert(member, self.now.monotonic.saturating_add(DISTRUST_MS));

        // The blocks that it offered for later heights are dropped as well.
        let held = self.sync.ahead.len();
        self.sync.ahead.retain(|_, (from, _)| *from != member);

        if was_checked || self.sync.ahead.len() < held {
            self.ask_for_more();
        }
    }

    /// Takes a decided block that verified. The commit goes through the driver like any other, so
    /// that a height is decided in one place (N-33).
    pub(crate) fn on_verified_decided(
        &mut self,
        origin: Origin,
        block: Verified<Block>,
        commit: Verified<QuorumCertificate>,
    ) {
        if let Origin::Peer(from) = origin {
            self.sync.checking.remove(&from);
        }

        if block.header.height == self.height() {
            // Before the height starts, so that no block is built for it (N-33).
            self.sync.brought = true;
            self.start_height();
            self.on_verified_block(block);
            self.feed(Input::Certificate(commit));
        }
    }
}
