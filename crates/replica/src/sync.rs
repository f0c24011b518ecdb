//! Catching up: early messages, stuck heights (rule 14), and decided blocks of peers (rule 17).

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_consensus::Input;
use quorate_crypto::Verified;
use quorate_ledger::Execution;
use quorate_types::message::{Decided, FetchDecided, PeerMessage, PeerStatus};
use quorate_types::{
    Block, Height, Kind, Millis, PublicKey, QuorumCertificate, Round, SignedStatement,
};

use crate::event::Action;
use crate::replica::Replica;
use crate::timers::Timer;
use crate::work::{Claim, Origin};

/// Statements of the next height kept for one peer.
const EARLY_STATEMENTS: usize = 32;
/// Decided blocks ahead of the next that are kept.
const AHEAD: u64 = 32;

/// What a replica keeps for catching up, and what a height leaves half done.
#[derive(Debug, Default)]
pub(crate) struct SyncState {
    /// The decision that is being made durable.
    pub(crate) committing: Option<Verified<QuorumCertificate>>,
    pub(crate) persisting: bool,
    pub(crate) execution: Option<Box<Execution>>,
    early: BTreeMap<PublicKey, Vec<SignedStatement>>,
    early_blocks: BTreeMap<PublicKey, Block>,
    ahead: BTreeMap<Height, (PublicKey, Decided)>,
    /// When each peer was last served, so that a request costs it more than us.
    served: BTreeMap<PublicKey, Millis>,
}

impl SyncState {
    pub(crate) fn begin_height(&mut self) {
        self.committing = None;
        self.persisting = false;
        self.execution = None;
    }

    /// Keeps a statement of the next height; others are too far ahead.
    fn keep_early(&mut self, from: PublicKey, height: Height, signed: SignedStatement) -> bool {
        let of_peer = self.early.entry(from).or_default();
        let keep = signed.statement.height == height + 1 && of_peer.len() < EARLY_STATEMENTS;
        if keep {
            of_peer.push(signed);
        }
        keep
    }

    /// Keeps one body of the next height for each builder that sent it itself.
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
        // Others are ahead: if that lasts, say so.
        let at = self.now.monotonic + self.pace.config.resend_ms;
        self.timers.set_once(Timer::Resend, at);
    }

    /// A new height: what came early is on time now.
    pub(crate) fn take_early(&mut self) {
        for (from, block) in std::mem::take(&mut self.sync.early_blocks) {
            self.on_block(from, block);
        }
        for (from, statements) in std::mem::take(&mut self.sync.early) {
            for signed in statements {
                self.on_statement(from, signed);
            }
        }
        let height = self.height();
        self.sync.ahead = self.sync.ahead.split_off(&height);
        if let Some((from, decided)) = self.sync.ahead.remove(&height) {
            self.on_decided_message(from, decided);
            if self.sync.ahead.is_empty() {
                self.send(from, PeerMessage::FetchDecided(FetchDecided { from: height + 1 }));
            }
        }
    }

    pub(crate) fn tell_status(&mut self, peer: PublicKey) {
        let status = PeerStatus { height: self.height(), round: self.driver.round() };
        self.send(peer, PeerMessage::Status(status));
    }

    /// Nothing moved for a while.
    pub(crate) fn on_resend(&mut self) {
        let status = PeerStatus { height: self.height(), round: self.driver.round() };
        self.broadcast(PeerMessage::Status(status));
        self.timers.set(Timer::Resend, self.now.monotonic + self.pace.config.resend_ms);
    }

    /// A peer says where it is: help it on, or ask it for help.
    pub(crate) fn on_status(&mut self, from: PublicKey, status: PeerStatus) {
        if !self.may_serve(from) {
            return;
        }
        let ours = self.height();
        if status.height < ours {
            self.act(Action::ServeDecided { to: from, from: status.height });
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
        if from < self.height() && from > 0 && self.may_serve(to) {
            self.act(Action::ServeDecided { to, from });
        }
    }

    /// Whether this peer was not served just now.
    fn may_serve(&mut self, peer: PublicKey) -> bool {
        let (now, pause) = (self.now.monotonic, self.pace.config.resend_ms / 10);
        let free = self.sync.served.get(&peer).is_none_or(|last| now >= last + pause);
        if free {
            self.sync.served.insert(peer, now);
        }
        free
    }

    /// A decided block from a peer: untrusted like anything else (rule 18).
    pub(crate) fn on_decided_message(&mut self, from: PublicKey, decided: Decided) {
        let (header, statement) = (&decided.block.header, &decided.commit.statement);
        let height = self.height();
        let fits = statement.kind == Kind::Precommit
            && statement.height == header.height
            && statement.swarm == self.ledger.swarm()
            && statement.block == Some(header.id());
        if !fits || header.height < height || header.height > height + AHEAD {
            self.counters.blocks_dropped += 1;
        } else if header.height > height {
            self.sync.ahead.insert(header.height, (from, decided));
        } else if self.sync.committing.is_none() {
            let context = self.block_context(&decided.block);
            let validators = Arc::clone(self.ledger.validators());
            let Decided { block, commit } = decided;
            let claim = Claim::Decided(Box::new(block), context, commit, validators);
            self.verify(Origin::Peer(from), claim);
        }
    }

    /// The commit goes through the driver like any other, so that one place decides (rule 17).
    pub(crate) fn on_verified_decided(
        &mut self,
        block: Verified<Block>,
        commit: Verified<QuorumCertificate>,
    ) {
        if block.header.height == self.height() {
            self.on_verified_block(block);
            self.feed(Input::Certificate(commit));
        }
    }
}
