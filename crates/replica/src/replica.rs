//! The state of a replica, and the way of events through it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_consensus::Driver;
use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::{PeerMessage, Rejection};
use quorate_types::{Height, Millis, PublicKey, QuorumCertificate, SignedOperation, cbor, limits};

use crate::accusations::Accusations;
use crate::blocks::Candidates;
use crate::clients::Clients;
use crate::event::{Action, Counters, Event, Now, Recipients};
use crate::leases::Leases;
use crate::pace::{Pace, PaceConfig};
use crate::pool::Pool;
use crate::rejoin::{Answers, Voting};
use crate::sync::SyncState;
use crate::timers::{Timer, Timers};
use crate::work::{Claim, Fact, Origin, Proof, Work};

/// What a replica is told of itself.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's key: it votes while the key is in the validator set, and observes otherwise.
    pub me: PublicKey,
    /// Timeouts.
    pub pace: PaceConfig,
    /// From when on the key signs statements, as its signing guard says.
    pub voting: Voting,
}

/// One peer's whole protocol. See the crate's documentation for its grammar.
#[derive(Debug)]
pub struct Replica {
    pub(crate) config: Config,
    pub(crate) ledger: Arc<Ledger>,
    /// Commit of the last decided height; `None` at height 0.
    pub(crate) last_commit: Option<Verified<QuorumCertificate>>,
    pub(crate) driver: Driver,
    /// The driver of the last height, if this life decided it: what others counted there is
    /// compared with what it counted.
    pub(crate) last_driver: Option<Driver>,
    /// Whether the driver of this height was started: an idle swarm waits before it does.
    pub(crate) started: bool,
    /// Whether inputs come from the log: nothing leaves then.
    pub(crate) replaying: bool,
    pub(crate) candidates: Candidates,
    pub(crate) pool: Pool,
    pub(crate) evidence: Accusations,
    pub(crate) leases: Leases,
    pub(crate) clients: Clients,
    pub(crate) sync: SyncState,
    pub(crate) answers: Answers,
    pub(crate) connected: BTreeSet<PublicKey>,
    pub(crate) timers: Timers,
    pub(crate) pace: Pace,
    pub(crate) now: Now,
    /// Monotonic time the last block was committed at, and the height started at.
    pub(crate) committed_at: Millis,
    pub(crate) started_at: Millis,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) counters: Counters,
    pub(crate) halted: bool,
}

impl Replica {
    /// A replica at the genesis. [`Self::restore`] gives it the decided blocks of an earlier life,
    /// in order, and [`Self::recover`], which is always called, the log; then it lives.
    pub fn new(config: Config, ledger: Ledger, now: Now) -> Self {
        let driver = crate::height::driver_for(&ledger, &config);
        let pace = Pace::new(config.pace);
        Self {
            config,
            ledger: Arc::new(ledger),
            last_commit: None,
            driver,
            last_driver: None,
            started: false,
            replaying: false,
            candidates: Candidates::default(),
            pool: Pool::default(),
            evidence: Accusations::default(),
            leases: Leases::default(),
            clients: Clients::default(),
            sync: SyncState::default(),
            answers: Answers::default(),
            connected: BTreeSet::new(),
            timers: Timers::default(),
            pace,
            now,
            committed_at: now.monotonic,
            started_at: now.monotonic,
            actions: VecDeque::new(),
            counters: Counters::default(),
            halted: false,
        }
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Now, event: Event) {
        if self.halted {
            return;
        }
        self.now = now;
        match event {
            Event::Peer { from, message } => self.on_peer(from, message),
            Event::Client { from, request } => self.on_client(from, request),
            Event::Connected(peer) => self.on_connected(peer),
            Event::Disconnected(peer) => self.on_disconnected(peer),
            Event::Verified(proof) => self.on_proof(proof),
            Event::Refused(origin) => self.on_refused(origin),
            Event::Executed { block, result } => self.on_executed(block, result),
            Event::Proposed { round, block } => self.on_proposed(round, *block),
            Event::SignedStatement(signed) => self.on_own_statement(signed),
            Event::SignedOperation(operation) => self.on_own_operation(*operation),
            Event::SignedSuspicion(suspicion) => self.on_own_suspicion(suspicion),
            Event::Persisted(height) => self.on_persisted(height),
            Event::GuardRaised(from) => self.on_guard_raised(from),
        }
    }

    /// Fires what is due. The caller comes back at [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        while !self.halted {
            let Some(timer) = self.timers.pop_due(now.monotonic) else {
                return;
            };
            match timer {
                Timer::Step(round, step) => self.on_step_timeout(round, step),
                Timer::Start => self.await_height(),
                Timer::Resend => self.on_resend(),
                Timer::Fetch => self.on_fetch(),
                Timer::Leases => self.on_leases(),
                Timer::Locate => self.locate_others(),
            }
        }
    }

    /// The next thing to do; `None` when the replica waits.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Monotonic milliseconds at which [`Self::handle_timeout`] is wanted; `None` for never.
    pub fn poll_timeout(&self) -> Option<Millis> {
        if self.halted {
            None
        } else {
            self.timers.next()
        }
    }

    /// The state after the last decided block.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// This node's key.
    pub fn public_key(&self) -> PublicKey {
        self.config.me
    }

    /// The height being decided.
    pub fn height(&self) -> Height {
        self.ledger.height() + 1
    }

    /// The round of the height being decided.
    pub fn round(&self) -> quorate_types::Round {
        self.driver.round()
    }

    /// What was dropped and refused so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Operations waiting in the pool.
    pub fn pool_len(&self) -> usize {
        self.pool.len()
    }

    /// Whether this node votes on the height being decided: its key is in the validator set, and
    /// may sign there.
    pub fn is_validator(&self) -> bool {
        self.may_sign() && self.ledger.validators().get(&self.config.me).is_some()
    }

    fn on_peer(&mut self, from: PublicKey, message: PeerMessage) {
        let member = self.ledger.validators().get(&from).is_some();
        match message {
            PeerMessage::Status(status) => self.on_status(from, status),
            PeerMessage::FetchBlock(wanted) => self.on_fetch_block(from, wanted),
            PeerMessage::FetchDecided(wanted) => self.on_fetch_decided(from, wanted.from),
            PeerMessage::Locate(asked) => self.on_locate(from, asked),
            PeerMessage::Located(answer) => self.on_located(from, answer),
            // Anyone may ask; only members are listened to.
            _ if member => self.on_member(from, message),
            _ => self.counters.strangers += 1,
        }
    }

    fn on_member(&mut self, from: PublicKey, message: PeerMessage) {
        match message {
            PeerMessage::Statement(signed) => self.on_statement(from, signed),
            PeerMessage::Certificate(certificate) => self.on_certificate(from, certificate),
            PeerMessage::Block(block) => self.on_block(from, *block),
            PeerMessage::Operations(operations) => {
                self.on_operations(Origin::Peer(from), operations);
            }
            PeerMessage::Decided(decided) => self.on_decided_message(from, *decided),
            PeerMessage::Evidence(evidence) => self.on_evidence(from, *evidence),
            PeerMessage::Suspicion(suspicion) => self.on_suspicion(from, suspicion),
            PeerMessage::Status(_)
            | PeerMessage::FetchBlock(_)
            | PeerMessage::FetchDecided(_)
            | PeerMessage::Locate(_)
            | PeerMessage::Located(_) => {}
            // Where peers are is the node's concern.
            PeerMessage::Announcements(_) => {}
        }
    }

    fn on_proof(&mut self, proof: Proof) {
        match proof.fact {
            Fact::Statement(signed) => self.on_verified_statement(signed),
            Fact::Operations(operations, refused) => {
                self.counters.unauthentic += refused;
                self.pool
                    .end_check(proof.origin, operations.len() + refused as usize);
                self.on_verified_operations(proof.origin, operations, refused);
            }
            Fact::Block(block) => self.on_verified_block(*block),
            Fact::Certificate(certificate) => self.on_verified_certificate(certificate),
            Fact::Decided(block, commit) => self.on_verified_decided(proof.origin, *block, commit),
            Fact::Forged(block) => self.on_forged_block(proof.origin, block),
            Fact::Evidence(evidence) => self.on_judged_evidence(proof.origin, *evidence),
            Fact::Suspicion(suspicion) => self.on_verified_suspicion(suspicion),
        }
    }

    pub(crate) fn on_refused(&mut self, origin: Origin) {
        self.counters.unauthentic += 1;
        self.evidence.end_trial(origin);
        match origin {
            Origin::Client { from, id } => self.reject(from, id, Rejection::Unauthentic),
            Origin::Peer(member) => self.distrust(member),
            Origin::Local => {}
        }
    }

    pub(crate) fn verify(&mut self, origin: Origin, claim: Claim) {
        let work = Work { origin, claim };
        self.counters.signatures += work.signatures() as u64;
        self.act(Action::Verify(Box::new(work)));
    }

    /// Queues an action; while inputs come from the log, nothing happens again.
    pub(crate) fn act(&mut self, action: Action) {
        if !self.replaying {
            self.actions.push_back(action);
        }
    }

    pub(crate) fn send(&mut self, to: PublicKey, message: PeerMessage) {
        self.act(Action::Send(Recipients::One(to), message));
    }

    pub(crate) fn broadcast(&mut self, message: PeerMessage) {
        self.act(Action::Send(Recipients::All, message));
    }

    fn on_connected(&mut self, peer: PublicKey) {
        self.connected.insert(peer);
        self.tell_status(peer);
    }

    fn on_disconnected(&mut self, peer: PublicKey) {
        self.connected.remove(&peer);
        self.clients.forget(&peer);
    }

    /// Operations of clients, peers or this process, before their signatures are checked.
    pub(crate) fn on_operations(&mut self, origin: Origin, operations: Vec<SignedOperation>) {
        let mut wanted = Vec::new();
        for operation in operations {
            if self.pool.holds(&operation) {
                self.accept(origin, &operation);
                continue;
            }
            match self.pool.admits(&self.ledger, &operation) {
                Ok(()) if is_too_long(&operation) => self.counters.operations_dropped += 1,
                Ok(()) => wanted.push(operation),
                Err(rejection) => {
                    self.counters.operations_dropped += 1;
                    if let Origin::Client { from, id } = origin {
                        self.reject(from, id, rejection);
                    }
                }
            }
        }
        if wanted.is_empty() {
            return;
        }
        if !self.pool.begin_check(origin, wanted.len()) {
            self.counters.operations_dropped += wanted.len() as u64;
            return;
        }
        self.verify(origin, Claim::Operations(wanted));
    }

    fn on_verified_operations(
        &mut self,
        origin: Origin,
        operations: Vec<Verified<SignedOperation>>,
        refused: u64,
    ) {
        if let (Origin::Client { from, id }, true) = (origin, refused > 0) {
            self.reject(from, id, Rejection::Unauthentic);
        }
        let mut fresh = Vec::new();
        for operation in operations {
            if let Err(rejection) = self.admits_verified(&operation) {
                self.counters.operations_dropped += 1;
                if let Origin::Client { from, id } = origin {
                    self.reject(from, id, rejection);
                }
                continue;
            }
            self.accept(origin, &operation);
            let plain = (*operation).clone();
            if self.pool.insert(operation) {
                fresh.push(plain);
            }
        }
        // What a peer passed on, it passed on to everyone.
        if !matches!(origin, Origin::Peer(_)) && !fresh.is_empty() {
            self.broadcast(PeerMessage::Operations(fresh));
        }
        self.await_height();
    }

    /// As [`crate::pool::Pool::admits`]; and a stranger needs an attester's word, or no block would
    /// ever take what it says.
    fn admits_verified(&self, operation: &SignedOperation) -> Result<(), Rejection> {
        self.pool.admits(&self.ledger, operation)?;
        let payload = &operation.payload;
        let first = payload.sequence == 0 && !self.ledger.knows_agent(&payload.agent);
        match first && !self.ledger.admits(payload, self.now.unix) {
            true => Err(Rejection::Unknown),
            false => Ok(()),
        }
    }

    pub(crate) fn on_own_operation(&mut self, operation: Verified<SignedOperation>) {
        let plain = (*operation).clone();
        self.on_verified_operations(Origin::Local, vec![operation], 0);
        if !self.pool.holds(&plain) {
            self.leases.forget_own_sequence();
        }
    }
}

/// Longer than a block takes, though its payload alone is not.
fn is_too_long(operation: &SignedOperation) -> bool {
    cbor::encode(operation).len() > limits::OPERATION_BYTES
}
