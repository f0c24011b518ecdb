//! The protocol of an agent or requester as a state machine, without I/O.

mod account;
mod calls;
mod certificates;
mod commands;
mod dossiers;
mod event;
mod fetches;
mod links;
mod orders;
mod outbox;
mod seals;
mod solutions;
mod upkeep;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_crypto::SecretKey;
use quorate_types::message::{Answer, Call, Follow, Notice, Rejection, Reply, Request};
use quorate_types::{
    Attestation, BlockId, FencingToken, Genesis, Hash, Height, Label, Millis, MonotonicMillis,
    PublicKey, Stage, SwarmId, TaskId, ValidatorSet,
};

use crate::Verifier;
use account::AccountState;
use calls::Calls;
use fetches::{Fetch, Wanted};
use links::{Asked, Links};
use orders::Orders;
use outbox::Outbox;
use seals::Seals;
use work::Work;

pub use commands::ClientError;
pub use event::{ClientAction, ClientEvent, DossierBundle, LossCause};
pub use solutions::StandingBids;

/// The configuration of a light client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The swarm, which goes into every signature.
    pub swarm: SwarmId,
    /// The markets that take sealed bids.
    pub sealed: BTreeSet<Label>,
    /// The validators whose words are weighed. Connect to validators with more than a third of the
    /// power, so that at least one of them is correct, and to some more, so that one may fall
    /// silent.
    pub validators: ValidatorSet,
    /// The attestation with which the key is admitted if the swarm does not know it yet.
    pub attestation: Option<Attestation>,
    /// The first height whose outcomes are wanted.
    pub follow_from: Height,
    /// Milliseconds until a message that had no effect is sent again; at least 1.
    pub resubmit: Millis,
    /// Milliseconds between heartbeats while no award is held; otherwise at most a quarter of the
    /// shortest lease.
    pub idle_heartbeat: Millis,
    /// Whether the client never opens a commitment, and so defaults as a dishonest agent does. This
    /// is for tests and demonstrations of the consequences; normally it is `false`.
    pub withholds: bool,
}

impl ClientConfig {
    /// Makes a configuration that follows from height 1 on, repeats after a second, and sends a
    /// heartbeat every 5 seconds while idle.
    pub fn new(genesis: &Genesis) -> Self {
        let sealed = genesis.markets.iter().filter(|market| market.is_sealed());
        Self {
            swarm: genesis.swarm_id(),
            sealed: sealed.map(|market| market.name.clone()).collect(),
            validators: genesis.validators.clone(),
            attestation: None,
            follow_from: 1,
            resubmit: 1_000,
            idle_heartbeat: 5_000,
            withholds: false,
        }
    }
}

/// The number of intervals for which a new client waits to hear a quorum on its account.
const PATIENCE: u64 = 3;

/// Counters of the certificates, messages and operations of a client, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Certificates that did not verify.
    pub bad_certificates: u64,
    /// Certificates that verified.
    pub certificates: u64,
    /// Messages from strangers, answers that were not asked for, and dossiers or bids that are not
    /// valid.
    pub unexpected: u64,
    /// Operations that a validator called not authentic.
    pub unauthentic: u64,
    /// Operations that were sent again.
    pub resubmissions: u64,
}

/// An agent or requester as a state machine. Its driver owns the sockets and the clock.
///
/// Call `handle_connected` and `handle_disconnected` as connections come and go, `handle_reply` and
/// `handle_notice` for each message that arrives, and `handle_timeout` when [`Self::poll_timeout`]
/// is due. Call `submit`, `bid`, `report`, `cancel`, `fetch_dossier`, `fetch_bids` and `solve` as
/// the owner wishes. After each of them, call [`Self::poll_action`] until it returns `None`, then
/// [`Self::poll_timeout`]. `now` is the time of any clock that never goes back.
///
/// The client believes outcomes by verified certificates alone. It believes the state of its
/// account and the newest window of a market as far as validators with more than a third of the
/// power say so. Operations are signed once and sent again, as the same bytes, until their number
/// is committed. After a restart with the same key, the numbering is learned anew. An award is
/// passed on only if this process was asked to bid on it and the specification has the certified
/// hash. Other awards that the swarm lists as held are reported as failed, because nobody is
/// working on them.
pub struct LightClient {
    config: ClientConfig,
    key: SecretKey,
    me: PublicKey,
    verifier: Box<dyn Verifier>,
    links: Links,
    member: bool,
    admitting: bool,
    next_task: u64,
    outbox: Outbox,
    calls: Calls,
    seals: Seals,
    work: Work,
    orders: Orders,
    fetches: BTreeMap<Wanted, Fetch>,
    /// The awards that the swarm lists and this process does not have, and the times since when.
    orphans: BTreeMap<(TaskId, FencingToken), MonotonicMillis>,
    refusals: VecDeque<Hash>,
    actions: VecDeque<ClientAction>,
    counters: ClientCounters,
    ticks: u64,
    next_tick: MonotonicMillis,
    next_heartbeat: MonotonicMillis,
}

impl LightClient {
    /// Makes a client that knows nobody yet.
    pub fn new(config: ClientConfig, key: SecretKey, verifier: Box<dyn Verifier>) -> Self {
        Self {
            me: key.public_key(),
            verifier,
            links: Links::default(),
            member: false,
            admitting: false,
            next_task: 0,
            outbox: Outbox::default(),
            calls: Calls::default(),
            seals: Seals::new(config.swarm, config.sealed.clone()),
            work: Work::default(),
            orders: Orders::default(),
            fetches: BTreeMap::new(),
            orphans: BTreeMap::new(),
            refusals: VecDeque::new(),
            actions: VecDeque::new(),
            counters: ClientCounters::default(),
            ticks: 0,
            next_tick: MonotonicMillis::ZERO,
            next_heartbeat: MonotonicMillis::ZERO,
            config,
            key,
        }
    }

    /// Returns the key of the client.
    pub fn public_key(&self) -> PublicKey {
        self.me
    }

    /// Returns whether the swarm knows the key. Until then nothing can be submitted.
    pub fn is_ready(&self) -> bool {
        self.member
    }

    /// Returns whether nothing is on its way and every task submitted here has ended.
    pub fn is_settled(&self) -> bool {
        self.outbox.is_empty() && self.orders.unfinished() == 0
    }

    /// Returns the counters since the client was made.
    pub fn counters(&self) -> ClientCounters {
        self.counters
    }

    /// Returns the next action, or `None` if there is none until something else is handled.
    pub fn poll_action(&mut self) -> Option<ClientAction> {
        self.actions.pop_front()
    }

    /// Returns the time at which [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<MonotonicMillis> {
        let lease = self
            .work
            .deadline(self.links.in_reach_since(&self.config.validators));

        let connected = !self.connected().is_empty();
        let upkeep = connected.then(|| self.next_tick.min(self.next_heartbeat));

        [lease, upkeep].into_iter().flatten().min()
    }

    /// Notes that a validator can be reached. Strangers are counted and ignored.
    pub fn handle_connected(&mut self, validator: PublicKey, now: MonotonicMillis) {
        if self.config.validators.get(&validator).is_none() {
            self.counters.unexpected += 1;
            return;
        }

        // The upkeep rests while nobody can be reached.
        if self.connected().is_empty() {
            self.next_tick = now.saturating_add(self.config.resubmit);
            self.next_heartbeat = now;
        }

        let seen = self.links.connect(validator, now);
        let from = seen.map_or(self.config.follow_from, |block| block.height);
        self.ask(&validator, Request::Follow(Follow { from }), None);
        self.ask(&validator, Request::Account(self.me), Some(Asked::Account));
    }

    /// Notes that a validator can no longer be reached.
    pub fn handle_disconnected(&mut self, validator: PublicKey) {
        self.links.disconnect(&validator);
        self.calls.forget(&validator);
    }

    /// Handles an answer of a validator.
    pub fn handle_reply(&mut self, from: PublicKey, reply: Reply, now: MonotonicMillis) {
        let link = self.links.hear(&from, now);
        let Some(asked) = link.and_then(|link| link.take(reply.id)) else {
            // The answer was not asked for.
            self.counters.unexpected += 1;
            return;
        };

        match (asked, reply.answer) {
            (Asked::Submit(sequence), Answer::Accepted(id)) => {
                self.outbox.handle_accepted(from, sequence, id);
            }
            (Asked::Submit(sequence), Answer::Rejected(rejection)) => {
                self.handle_rejection(from, sequence, rejection);
            }

            (Asked::Account, Answer::Account(account)) => {
                if let Some(link) = self.links.hear(&from, now) {
                    link.set_account(account);
                }
                self.handle_account(now);
            }

            (Asked::Certificates(task), Answer::Certificates(certificates)) => {
                for certificate in certificates {
                    self.handle_certificate(&certificate.0, Some(task), now);
                }
            }

            (Asked::Open, Answer::Open(call)) => self.handle_call(from, call, now),
            (asked, answer) => self.handle_fetched(from, asked, answer, now),
        }
    }

    /// Handles a notice of a validator.
    pub fn handle_notice(&mut self, from: PublicKey, notice: Notice, now: MonotonicMillis) {
        let Some(link) = self.links.hear(&from, now) else {
            self.counters.unexpected += 1;
            return;
        };

        match notice {
            Notice::Block(block) => link.set_block(block),
            Notice::Certificate(certificate) => self.handle_certificate(&certificate.0, None, now),
            Notice::Call(call) => self.handle_call(from, call, now),
        }
    }

    /// Does what is due at [`Self::poll_timeout`]: heartbeats, repetitions, leases that ran out.
    pub fn handle_timeout(&mut self, now: MonotonicMillis) {
        self.upkeep(now);
    }

    /// Handles the rejection of an operation. Unless its number was used, the operation is just
    /// sent again later: full pools drain, gaps close, and a validator that does not know the key
    /// yet catches up.
    fn handle_rejection(&mut self, from: PublicKey, sequence: u64, rejection: Rejection) {
        match rejection {
            Rejection::Sequence => {
                self.outbox.handle_taken(from, sequence);
                self.ask(&from, Request::Account(self.me), Some(Asked::Account));
            }
            Rejection::Unauthentic => self.counters.unauthentic += 1,
            Rejection::Unknown | Rejection::Gap | Rejection::Full => {}
        }
    }

    fn handle_call(&mut self, from: PublicKey, call: Call, now: MonotonicMillis) {
        let Some(call) = self.calls.handle(from, call, &self.config.validators) else {
            return;
        };

        self.seals.forget(&call.market, call.window);
        let Call { market, window, .. } = &call;

        match call.stage {
            Stage::Bids => self.event(ClientEvent::Call(call)),
            Stage::Openings if self.config.withholds => {}
            Stage::Openings => {
                if let Some(reveal) = self.seals.reveal(&self.key, market, *window) {
                    self.outbox.push(reveal);
                }
                self.flush(now);
            }
            Stage::Solutions => {
                self.event(ClientEvent::Solve {
                    market: market.clone(),
                    window: *window,
                });
            }
        }
    }

    /// Acts on the account as enough validators describe it.
    fn handle_account(&mut self, now: MonotonicMillis) {
        let answers = self.links.accounts(&self.config.validators);
        let heard = answers.iter().map(|(power, _)| power).sum();

        // A validator that is catching up names numbers that were used long ago. The answers of a
        // quorum show what a quorum has committed. If too many validators are out of reach for
        // that, fewer answers must do.
        let patient = self.ticks < PATIENCE && !self.member;
        if patient && !self.config.validators.is_quorum(heard) {
            return;
        }

        match account::standing(&answers, &self.config.validators) {
            None => {}
            Some(AccountState::Stranger) => self.admit(now),
            Some(AccountState::Member {
                next_sequence,
                next_task,
                assigned,
            }) => {
                self.outbox.settle(next_sequence, &self.config.validators);
                self.next_task = self.next_task.max(next_task);

                self.become_member();
                self.look_for_orphans(assigned, now);
                self.flush(now);
            }
        }
    }

    /// Notes that the swarm knows the key, and tells the owner the first time.
    fn become_member(&mut self) {
        if !self.member {
            self.member = true;
            self.event(ClientEvent::Ready);
        }
    }

    fn event(&mut self, event: ClientEvent) {
        self.actions.push_back(ClientAction::Event(event));
    }

    fn ask(&mut self, to: &PublicKey, request: Request, asked: Option<Asked>) {
        let request = self.links.request(to, request, asked);
        self.actions
            .push_back(ClientAction::Send { to: *to, request });
    }

    /// Returns the connected validators in this client's own order, so that the load spreads.
    fn connected(&self) -> Vec<PublicKey> {
        self.links.connected_from(&self.me)
    }

    /// Returns the block that a heartbeat to this validator names: the validator's own newest
    /// block.
    fn block_of(&self, validator: &PublicKey) -> (Height, BlockId) {
        self.links
            .block(validator)
            .map_or((0, BlockId::GENESIS), |b| (b.height, b.block))
    }
}

impl std::fmt::Debug for LightClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LightClient")
            .field("me", &self.me)
            .field("member", &self.member)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
