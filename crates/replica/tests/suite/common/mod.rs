//! A committee in one process: replicas whose actions are carried out in memory, in order.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared test code; each test \
uses a part of it"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_crypto::{SecretKey, Verified, verify_block};
use quorate_ledger::Ledger;
use quorate_replica::{
    Action, BlockContext, Config, Event, LogRecord, Now, Recipients, Replica, TimeoutConfig,
    ToSign, Voting, Work, Write,
};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::message::{ClientMessage, ClientRequest, Decided, PeerMessage, Request};
use quorate_types::{
    Block, Claims, Genesis, Height, Market, MonotonicMillis, Operation, OperationBody,
    PROTOCOL_VERSION, PublicKey, QuorumCertificate, SignedOperation, Statement, UnixMillis,
    Validator, ValidatorSet, cbor, limits,
};

pub const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// The data of a node that survives a crash.
#[derive(Default)]
pub struct Disk {
    pub blocks: Vec<(Block, QuorumCertificate)>,
    pub log: Vec<(Height, LogRecord)>,
    /// Records that the next sync makes durable.
    pub unsynced: Vec<(Height, LogRecord)>,
    /// Records that the last crash lost. A test may put some of them back.
    pub lost: Vec<(Height, LogRecord)>,
    pub signed: BTreeMap<Slot, Statement>,
    /// The least height at which the signing guard permits something; `None` if there is no guard.
    pub guard: Option<Height>,
}

/// A slot, for which a key signs once: height, round, kind.
pub type Slot = (Height, u32, u8);

pub struct Node {
    pub key: SecretKey,
    pub replica: Replica,
    pub disk: Disk,
    pub up: bool,
    pub replies: Vec<(PublicKey, ClientMessage)>,
    /// The statements that its key signed in all its lives, even if the disk was lost.
    pub spoken: BTreeMap<Slot, Statement>,
}

pub struct Cluster {
    pub genesis: Genesis,
    pub attester: SecretKey,
    pub nodes: Vec<Node>,
    pub queue: VecDeque<(usize, PublicKey, Vec<u8>)>,
    pub now: UnixMillis,
    /// Whether a frame from one node to another is lost.
    pub lost: Box<dyn FnMut(usize, usize) -> bool>,
    /// Changes messages from one node to another.
    pub bend: Bend,
    /// Milliseconds by which the clock of each node is ahead of [`Self::now`].
    pub ahead: Vec<u64>,
    /// The number of actions after which a node crashes, even between two of one batch.
    pub fuses: BTreeMap<usize, u32>,
    /// The timeouts that a node has from its next start on.
    pub pace: TimeoutConfig,
    /// Milliseconds that it takes to check the signatures of a block, or to judge evidence.
    pub verify_ms: u64,
    /// Milliseconds that it takes to build or execute a block.
    pub execute_ms: u64,
    /// The node whose memory errs while it builds a block.
    pub errs: Option<usize>,
    later: BTreeMap<UnixMillis, Vec<(usize, Event)>>,
}

/// Changes a message on its way from one node to another; `None` if it is lost.
pub type Bend = Box<dyn FnMut(usize, usize, PeerMessage) -> Option<PeerMessage>>;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn genesis(count: u8, mechanism: &str) -> Genesis {
    let validators = (1..=count).map(|seed| Validator {
        key: key(seed).public_key(),
        power: 1,
        operator: format!("op-{seed}").parse().unwrap(),
    });
    Genesis {
        name: "test".parse().unwrap(),
        created: START.saturating_sub(1),
        markets: vec![Market {
            name: "jobs".parse().unwrap(),
            reserve: None,
            trusted: false,
            attempts: 5,
            lease_ms: 1_000,
            solve_ms: None,
            mechanism: mechanism.parse().unwrap(),
            reveal_ms: None,
            window_ms: 100,
        }],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: key(100).public_key(),
            name: "office".parse().unwrap(),
        }],
        parameters: Parameters::default(),
        validators: ValidatorSet::new(validators.collect()).unwrap(),
    }
}

impl Cluster {
    pub fn new(count: u8) -> Self {
        Self::with_pace(count, TimeoutConfig::default())
    }

    pub fn with_pace(count: u8, pace: TimeoutConfig) -> Self {
        Self::with_genesis(genesis(count, "assignment"), pace)
    }

    pub fn with_genesis(genesis: Genesis, pace: TimeoutConfig) -> Self {
        let (now, count) = (START, genesis.validators.len());
        let nodes = (1..=count as u8)
            .map(|seed| {
                let (key, disk) = (
                    key(seed),
                    Disk {
                        guard: Some(0),
                        ..Disk::default()
                    },
                );
                let replica = start(&genesis, &key, &disk, (time(now), pace));
                Node {
                    key,
                    replica,
                    disk,
                    up: true,
                    replies: Vec::new(),
                    spoken: BTreeMap::new(),
                }
            })
            .collect();
        let mut cluster = Self {
            genesis,
            attester: key(100),
            nodes,
            queue: VecDeque::new(),
            now,
            lost: Box::new(|_, _| false),
            bend: Box::new(|_, _, message| Some(message)),
            ahead: vec![0; count],
            fuses: BTreeMap::new(),
            pace,
            verify_ms: 0,
            execute_ms: 0,
            errs: None,
            later: BTreeMap::new(),
        };
        cluster.connect_all();
        cluster
    }

    fn connect_all(&mut self) {
        let keys: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.key.public_key())
            .collect();
        for at in 0..self.nodes.len() {
            for key in keys
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, k)| *k)
            {
                self.handle(at, Event::Connected(key));
            }
        }
    }

    pub fn handle(&mut self, at: usize, event: Event) {
        if self.nodes[at].up {
            let now = self.time_at(at);
            self.nodes[at].replica.handle(now, event);
            self.drain(at);
        }
    }

    /// The time by the clock of a node.
    pub fn time_at(&self, at: usize) -> Now {
        Now {
            unix: self.now + self.ahead[at],
            ..time(self.now)
        }
    }

    /// Delivers a message of one node to another, true or not.
    pub fn say(&mut self, from: usize, to: usize, message: PeerMessage) {
        let from = self.nodes[from].key.public_key();
        self.handle(to, Event::Peer { from, message });
    }

    fn drain(&mut self, at: usize) {
        while self.nodes[at].up {
            let Some(action) = self.nodes[at].replica.poll_action() else {
                return;
            };
            match self.fuses.get_mut(&at) {
                Some(0) => self.crash(at),
                Some(left) => {
                    *left -= 1;
                    self.perform(at, action);
                }
                None => self.perform(at, action),
            }
        }
    }

    fn perform(&mut self, at: usize, action: Action) {
        let me = self.nodes[at].key.public_key();
        let event = match action {
            Action::Run(work) => {
                let wait_ms = match *work {
                    Work::Execute(..) | Work::Propose(..) => self.execute_ms,
                    Work::Block(..) | Work::Evidence(..) => self.verify_ms,
                    _ => 0,
                };
                let event = match *work {
                    Work::Propose(ledger, round, proposal) if self.errs == Some(at) => {
                        let (built, _) = ledger.propose(*proposal);
                        let block = Box::new(with_wrong_root(built, &ledger));
                        Event::Proposed { round, block }
                    }
                    work => work.run(),
                };
                if wait_ms > 0 {
                    self.later
                        .entry(self.now + wait_ms)
                        .or_default()
                        .push((at, event));
                    return;
                }
                event
            }
            Action::Disk(Write::Log(height, record)) => {
                let bytes = cbor::encode(&record);
                let record = cbor::decode(&bytes, limits::BULK_FRAME_BYTES).unwrap();
                self.nodes[at].disk.unsynced.push((height, record));
                return;
            }
            Action::Disk(Write::Sign(to_sign)) => match self.sign(at, to_sign) {
                Some(event) => event,
                None => return,
            },
            Action::Disk(Write::Persist { block, commit }) => {
                self.nodes[at].disk.blocks.push(((**block).clone(), commit));
                Event::Persisted(block.header.height)
            }
            Action::Disk(Write::RaiseGuard(height)) => {
                let made = self.nodes[at].disk.guard.replace(height);
                assert_eq!(made, None, "a guard is made once");
                Event::GuardRaised(height)
            }
            Action::Disk(Write::ServeDecided { to, from }) => {
                let blocks = &self.nodes[at].disk.blocks;
                let decided: Vec<_> = blocks
                    .iter()
                    .skip(from as usize - 1)
                    .take(8)
                    .cloned()
                    .collect();
                for (block, commit) in decided {
                    let message = PeerMessage::Decided(Box::new(Decided { block, commit }));
                    self.send(at, to, &message);
                }
                return;
            }
            Action::Send(Recipients::One(to), message) => return self.send(at, to, &message),
            Action::Send(Recipients::All, message) => {
                let all: Vec<_> = self
                    .nodes
                    .iter()
                    .map(|node| node.key.public_key())
                    .collect();
                for to in all.into_iter().filter(|to| *to != me) {
                    self.send(at, to, &message);
                }
                return;
            }
            Action::Notify(to, message) => {
                let replies = to.into_iter().map(|to| (to, message.clone()));
                self.nodes[at].replies.extend(replies);
                return;
            }
            Action::Reply(to, message) => {
                self.nodes[at].replies.push((to, message));
                return;
            }
            Action::Call(_) | Action::Committed { .. } => return,
            Action::Disk(Write::Halt(reason)) => panic!("node {at} halts: {reason}"),
        };
        let now = self.time_at(at);
        self.nodes[at].replica.handle(now, event);
    }

    fn sign(&mut self, at: usize, to_sign: ToSign) -> Option<Event> {
        let node = &mut self.nodes[at];
        node.disk.log.append(&mut node.disk.unsynced);
        let permitted = node
            .disk
            .guard
            .is_some_and(|from| node.replica.height() >= from);
        assert!(
            permitted,
            "node {at} signs without a guard's permission: {to_sign:?}"
        );
        Some(match to_sign {
            ToSign::Statement(statement) => {
                let slot = (statement.height, statement.round, statement.kind as u8);
                let held = node
                    .disk
                    .signed
                    .entry(slot)
                    .or_insert_with(|| statement.clone());
                assert_eq!(*held, statement, "node {at} signs twice for {slot:?}");
                let before = node.spoken.entry(slot).or_insert_with(|| statement.clone());
                assert_eq!(
                    *before, statement,
                    "node {at} signed something else for {slot:?} before"
                );
                Event::SignedStatement(node.key.sign_statement(statement))
            }
            ToSign::Operation(operation) => {
                Event::SignedOperation(Box::new(node.key.sign(*operation)))
            }
            ToSign::Suspicion(suspicion) => Event::SignedSuspicion(node.key.sign(suspicion)),
        })
    }

    fn send(&mut self, from: usize, to: PublicKey, message: &PeerMessage) {
        let Some(at) = self
            .nodes
            .iter()
            .position(|node| node.key.public_key() == to)
        else {
            return;
        };
        if !(self.lost)(from, at)
            && let Some(message) = (self.bend)(from, at, message.clone())
        {
            let key = self.nodes[from].key.public_key();
            self.queue.push_back((at, key, cbor::encode(&message)));
        }
    }

    /// Delivers the next message; if there is none, lets the next timer fire. Returns `false` if
    /// there is nothing to do.
    pub fn step(&mut self) -> bool {
        if let Some((to, from, bytes)) = self.queue.pop_front() {
            let message = cbor::decode(&bytes, limits::BULK_FRAME_BYTES).unwrap();
            self.handle(to, Event::Peer { from, message });
            return true;
        }
        let up = (0..self.nodes.len()).filter(|at| self.nodes[*at].up);
        let next = up
            .filter_map(|at| Some((self.nodes[at].replica.poll_timeout()?, at)))
            .min();
        let due = next.map_or(UnixMillis::MAX, |(due, _)| START + due.0);
        if let Some(done) = self.later.first_entry().filter(|done| *done.key() <= due) {
            let (time, events) = done.remove_entry();
            self.now = self.now.max(time);
            events
                .into_iter()
                .for_each(|(at, event)| self.handle(at, event));
            return true;
        }
        let Some((due, at)) = next else { return false };
        self.now = self.now.max(START + due.0);
        let now = self.time_at(at);
        self.nodes[at].replica.handle_timeout(now);
        self.drain(at);
        true
    }

    /// Steps for so many milliseconds of simulated time.
    pub fn run_for(&mut self, millis: u64) {
        let end = self.now + millis;
        while self.now < end && self.step() {}
    }

    /// Steps until `done`; panics after `most` steps.
    pub fn until(&mut self, most: usize, done: impl Fn(&Self) -> bool) {
        for _ in 0..most {
            if done(self) {
                return;
            }
            assert!(self.step(), "the cluster has nothing to do");
        }
        let heights: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.replica.height())
            .collect();
        panic!(
            "not done after {most} steps; heights {heights:?}, now {}",
            self.now.saturating_since(START)
        );
    }

    /// Stops a node. The records that it had not synced are lost.
    pub fn crash(&mut self, at: usize) {
        self.fuses.remove(&at);
        self.nodes[at].up = false;
        self.later
            .values_mut()
            .for_each(|events| events.retain(|(of, _)| *of != at));
        self.nodes[at].disk.lost = std::mem::take(&mut self.nodes[at].disk.unsynced);
        self.queue.retain(|(to, _, _)| *to != at);
    }

    /// Stops a node and takes its disk, so that it forgets what it signed.
    pub fn wipe(&mut self, at: usize) {
        self.crash(at);
        self.nodes[at].disk = Disk::default();
    }

    pub fn restart(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let now = Now {
            unix: self.now + self.ahead[at],
            ..time(self.now)
        };
        node.replica = start(&self.genesis, &node.key, &node.disk, (now, self.pace));
        node.up = true;
        let keys: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.key.public_key())
            .collect();
        let own = keys[at];
        for (other, key) in keys
            .into_iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
        {
            self.handle(at, Event::Connected(key));
            self.handle(other, Event::Connected(own));
        }
    }

    pub fn submit(&mut self, at: usize, operation: SignedOperation) {
        let from = operation.signer;
        let request = ClientRequest {
            id: 0,
            request: Request::Submit(Box::new(operation)),
        };
        self.handle(at, Event::Client { from, request });
    }

    pub fn operation(
        &self,
        agent: &SecretKey,
        sequence: u64,
        body: OperationBody,
    ) -> SignedOperation {
        let swarm = self.genesis.swarm_id();
        let operation = Operation {
            swarm,
            agent: agent.public_key(),
            sequence,
            body,
        };
        agent.sign(operation).into_inner()
    }

    pub fn admission(&self, agent: &SecretKey, labels: &[&str]) -> SignedOperation {
        let mut capabilities = quorate_types::Capabilities::new();
        for label in labels {
            capabilities = capabilities.label(label).unwrap();
        }
        let claims = Claims {
            issuer: self.attester.public_key(),
            subject: agent.public_key(),
            audience: self.genesis.swarm_id(),
            expires: START.seconds() + 100_000,
            not_before: 0,
            issued_at: 0,
            id: vec![1],
            capabilities: capabilities.amount("slots", 4).unwrap(),
        };
        let attestation = self.attester.sign(claims).into_inner();
        self.operation(
            agent,
            0,
            OperationBody::Admit(quorate_types::operation::Attest { attestation }),
        )
    }

    pub fn ledger(&self, at: usize) -> &Arc<Ledger> {
        self.nodes[at].replica.ledger()
    }

    pub fn heights(&self) -> BTreeSet<Height> {
        self.nodes
            .iter()
            .filter(|n| n.up)
            .map(|n| n.replica.height() - 1)
            .collect()
    }

    /// Checks that all nodes have equal blocks at equal heights.
    pub fn assert_agreement(&self) {
        let mut ids: BTreeMap<Height, quorate_types::BlockId> = BTreeMap::new();
        for node in &self.nodes {
            for (block, _) in &node.disk.blocks {
                let id = block.header.id();
                assert_eq!(*ids.entry(block.header.height).or_insert(id), id);
            }
        }
    }
}

fn start(
    genesis: &Genesis,
    key: &SecretKey,
    disk: &Disk,
    (now, pace): (Now, TimeoutConfig),
) -> Replica {
    let voting = disk.guard.map_or(
        Voting::Rejoining {
            challenge: now.unix.0,
        },
        Voting::From,
    );
    let config = Config {
        me: key.public_key(),
        pace,
        voting,
    };
    let ledger = Ledger::genesis(genesis.clone()).unwrap();
    let mut replica = Replica::new(config, ledger, now);
    for (block, commit) in &disk.blocks {
        replica.restore(block.clone(), commit.clone()).unwrap();
    }
    let height = replica.height();
    let records = disk
        .log
        .iter()
        .filter(|(at, _)| *at == height)
        .map(|(_, r)| r.clone());
    replica.recover(records.collect()).unwrap();
    replica
}

/// The block with another state root than executing it gives. Its signatures stay as they are.
fn with_wrong_root(block: Verified<Block>, ledger: &Ledger) -> Verified<Block> {
    let mut block = block.into_inner();
    block.header.state.0[0] ^= 1;
    let previous = Arc::clone(ledger.previous_validators());
    let context = BlockContext {
        previous,
        operations: BTreeSet::new(),
        votes: BTreeSet::new(),
    };
    verify_block(block, &context.previous, &context).unwrap()
}

pub fn time(now: UnixMillis) -> Now {
    Now {
        monotonic: MonotonicMillis(now.saturating_since(START)),
        unix: now,
    }
}
