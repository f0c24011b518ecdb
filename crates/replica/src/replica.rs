//! The state of a replica, and the dispatch of events to the parts that handle them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_consensus::Driver;
use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::{PeerMessage, Rejection};
use quorate_types::{
    Height, MonotonicMillis, PublicKey, QuorumCertificate, SignedOperation, cbor, limits,
};

use crate::accusations::Accusations;
use crate::blocks::Candidates;
use crate::clients::Clients;
use crate::event::{Action, Counters, Event, Now, Recipients};
use crate::leases::Leases;
use crate::pace::{TimeoutConfig, Timeouts};
use crate::pool::Pool;
use crate::rejoin::{Answers, Voting};
use crate::sync::SyncState;
use crate::timers::{Timer, Timers};
use crate::work::{Claim, Fact, Origin, Proof, Work};

/// The identity of a replica, its timeouts, and its permission to vote.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's key: it votes while the key is in the validator set, and observes otherwise.
    pub me: PublicKey,
    /// The bounds of its timeouts.
    pub pace: TimeoutConfig,
    /// The height from which the key may sign statements, as its signing guard says.
    pub voting: Voting,
}

/// The whole protocol of one peer. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Replica {
    pub(crate) config: Config,
    pub(crate) ledger: Arc<Ledger>,
    /// The commit of the last decided height; `None` at height 0.
    pub(crate) last_commit: Option<Verified<QuorumCertificate>>,
    pub(crate) driver: Driver,
    /// The driver of the last height, if this process decided it. The commit in the next block is
    /// compared with the votes that it counted.
    pub(crate) last_driver: Option<Driver>,
    /// Whether the driver of this height was started: an idle swarm waits before it starts one.
    pub(crate) started: bool,
    /// Whether inputs come from the log: no action leaves then.
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
    pub(crate) pace: Timeouts,
    pub(crate) now: Now,
    /// The monotonic times at which the last block was committed and at which the height started.
    pub(crate) committed_at: MonotonicMillis,
    pub(crate) started_at: MonotonicMillis,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) counters: Counters,
    pub(crate) halted: bool,
}

impl Replica {
    /// A replica at the genesis. [`Self::restore`] gives it the decided blocks from before a
    /// restart, in order. [`Self::recover`], which must always be called, gives it the log, and
    /// then it runs.
    pub fn new(config: Config, ledger: Ledger, now: Now) -> Self {
        let driver = crate::height::driver_for(&ledger, &config);
        let pace = Timeouts::new(config.pace);

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
        // A halted replica takes no event: going on would be wrong.
        if self.halted {
            return;
        }

        self.now = now;

        match event {
            // From the network.
            Event::Peer { from, message } => self.on_peer(from, message),
            Event::Client { from, request } => self.on_client(from, request),
            Event::Connected(peer) => self.on_connected(peer),
            Event::Disconnected(peer) => self.on_disconnected(peer),

            // Computations that are done.
            Event::Verified(proof) => self.on_proof(proof),
            Event::Refused(origin) => self.on_refused(origin),
            Event::Executed { block, result } => self.on_executed(block, result),
            Event::Proposed { round, block } => self.on_proposed(round, *block),

            // Signatures and writes that are done.
            Event::SignedStatement(signed) => self.on_own_statement(signed),
            Event::SignedOperation(operation) => self.on_own_operation(*operation),
            Event::SignedSuspicion(suspicion) => self.on_own_suspicion(suspicion),
            Event::Persisted(height) => self.on_persisted(height),
            Event::GuardRaised(from) => self.on_guard_raised(from),
        }
    }

    /// Fires the timers that are due. The caller comes back at [`Self::poll_timeout`].
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

    /// The next action to carry out; `None` if the replica waits.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The time at which [`Self::handle_timeout`] must be called; `None` for never.
    pub fn poll_timeout(&self) -> Option<MonotonicMillis> {
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

    /// The height that is being decided.
    pub fn height(&self) -> Height {
        self.ledger.height() + 1
    }

    /// The round of the height that is being decided.
    pub fn round(&self) -> quorate_types::Round {
        self.driver.round()
    }

    /// The counts of things that were dropped and refused so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The number of operations that wait in the pool.
    pub fn pool_len(&self) -> usize {
        self.pool.len()
    }

    /// Whether this node votes on the height that is being decided: its key is in the validator
    /// set, and may sign there.
    pub fn is_validator(&self) -> bool {
        self.may_sign() && self.ledger.validators().get(&self.config.me).is_some()
    }

    fn on_peer(&mut self, from: PublicKey, message: PeerMessage) {
        let member = self.ledger.validators().get(&from).is_some();

        match message {
            // Anyone may ask.
            PeerMessage::Status(status) => self.on_status(from, status),
            PeerMessage::FetchBlock(wanted) => self.on_fetch_block(from, wanted),
            PeerMessage::FetchDecided(wanted) => self.on_fetch_decided(from, wanted.from),
            PeerMessage::Locate(asked) => self.on_locate(from, asked),
            PeerMessage::Located(answer) => self.on_located(from, answer),

            // Only members are listened to.
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

            // The addresses of peers are handled by the node, outside of the replica.
            PeerMessage::Announcements(_) => {}
        }
    }

    fn on_proof(&mut self, proof: Proof) {
        match proof.fact {
            Fact::Statement(signed) => self.on_verified_statement(signed),

            Fact::Operations(operations, refused) => {
                self.on_checked_operations(proof.origin, operations, refused);
            }

            // Blocks and their commits.
            Fact::Block(block) => self.on_verified_block(*block),
            Fact::Certificate(certificate) => self.on_verified_certificate(certificate),
            Fact::Decided(block, commit) => self.on_verified_decided(proof.origin, *block, commit),

            // Accusations.
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

    /// Queues an action. While inputs come from the log nothing is queued, since it was carried out
    /// before.
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

    /// Takes operations of clients, peers or this process, before their signatures are checked.
    pub(crate) fn on_operations(&mut self, origin: Origin, operations: Vec<SignedOperation>) {
        let mut wanted = Vec::new();

        for operation in operations {
            // A client that hands in an operation twice gets the same answer twice (W-12).
            if self.pool.holds(&operation) {
                self.accept(origin, &operation);
                continue;
            }

            match self.pool.admits(&self.ledger, &operation) {
                Ok(()) if is_too_long(&operation) => self.counters.operations_dropped += 1,
                Ok(()) => wanted.push(operation),
                Err(rejection) => self.drop_operation(origin, rejection),
            }
        }

        if !wanted.is_empty() {
            self.check_operations(origin, wanted);
        }
    }

    /// Has the signatures of operations checked, unless too many of this origin are under check.
    fn check_operations(&mut self, origin: Origin, wanted: Vec<SignedOperation>) {
        if !self.pool.begin_check(origin, wanted.len()) {
            self.counters.operations_dropped += wanted.len() as u64;
            return;
        }

        self.verify(origin, Claim::Operations(wanted));
    }

    /// Counts an operation that is not taken, and tells the client that brought it the reason.
    fn drop_operation(&mut self, origin: Origin, rejection: Rejection) {
        self.counters.operations_dropped += 1;
        if let Origin::Client { from, id } = origin {
            self.reject(from, id, rejection);
        }
    }

    /// Takes the operations of a check whose signatures hold; those of `refused` more do not.
    fn on_checked_operations(
        &mut self,
        origin: Origin,
        operations: Vec<Verified<SignedOperation>>,
        refused: u64,
    ) {
        self.counters.unauthentic += refused;
        let checked = operations.len() + refused as usize;
        self.pool.end_check(origin, checked);

        if let Origin::Client { from, id } = origin
            && refused > 0
        {
            self.reject(from, id, Rejection::Unauthentic);
        }

        self.on_verified_operations(origin, operations);
    }

    fn on_verified_operations(
        &mut self,
        origin: Origin,
        operations: Vec<Verified<SignedOperation>>,
    ) {
        let mut fresh = Vec::new();

        for operation in operations {
            if let Err(rejection) = self.admits_verified(&operation) {
                self.drop_operation(origin, rejection);
                continue;
            }

            self.accept(origin, &operation);
            // The place may be taken: another operation of this agent and number may have come
            // first.
            let plain = (*operation).clone();
            if self.pool.insert(operation) {
                fresh.push(plain);
            }
        }

        // A peer that passes operations on sends them to everyone, so they need not be passed on
        // again.
        if !matches!(origin, Origin::Peer(_)) && !fresh.is_empty() {
            self.broadcast(PeerMessage::Operations(fresh));
        }

        self.await_height();
    }

    /// As [`crate::pool::Pool::admits`]. A stranger needs the word of an attester as well, or no
    /// block would ever take its operations.
    fn admits_verified(&self, operation: &SignedOperation) -> Result<(), Rejection> {
        self.pool.admits(&self.ledger, operation)?;

        let payload = &operation.payload;
        let first = payload.sequence == 0 && !self.ledger.knows_agent(&payload.agent);

        if first && !self.ledger.admits(payload, self.now.unix) {
            return Err(Rejection::Unknown);
        }

        Ok(())
    }

    pub(crate) fn on_own_operation(&mut self, operation: Verified<SignedOperation>) {
        let plain = (*operation).clone();
        self.on_verified_operations(Origin::Local, vec![operation]);
        if !self.pool.holds(&plain) {
            self.leases.forget_own_sequence();
        }
    }
}

/// Whether the signed operation is longer than a block takes: its payload alone may be short
/// enough.
fn is_too_long(operation: &SignedOperation) -> bool {
    cbor::encode(operation).len() > limits::OPERATION_BYTES
}
