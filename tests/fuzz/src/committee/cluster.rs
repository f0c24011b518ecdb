//! Three correct replicas with their disks, in one process, and what must hold of them.

use std::collections::{BTreeMap, VecDeque};

use quorate_crypto::verify_statement;
use quorate_ledger::Ledger;
use quorate_replica::{
    Action, Config, Event, LogRecord, Now, PaceConfig, Recipients, Replica, ToSign, Voting, Work,
};
use quorate_types::message::{Decided, PeerMessage};
use quorate_types::{
    Block, BlockId, Hash, Height, Kind, Millis, PublicKey, QuorumCertificate, Round, Statement,
    cbor, limits,
};

use crate::swarm::{START, genesis, key, public};

/// Correct validators; their keys have the seeds 1 to 3.
pub(super) const NODES: usize = 3;
/// Seed of the key of the validator that lies.
pub(super) const LIAR: u8 = 4;
/// Messages remembered for being said again, changed.
const HEARD: usize = 64;
/// Actions that one event may lead to, at most.
const ACTIONS: usize = 10_000;

/// A correct validator.
pub(super) struct Node {
    pub(super) seed: u8,
    pub(super) replica: Replica,
    pub(super) is_up: bool,
    pub(super) blocks: Vec<(Block, QuorumCertificate)>,
    log: Vec<(Height, LogRecord)>,
    unsynced: Vec<(Height, LogRecord)>,
    signed: BTreeMap<(Height, Round, u8), Statement>,
    /// Work that other threads do: checks, executions, proposals.
    pending: VecDeque<Pending>,
}

/// Work whose completion comes when the fuzzer says so.
enum Pending {
    Check(Box<Work>),
    Done(Box<Event>),
}

/// What must not change by bytes that nobody stands for: height, round and state; operations that
/// wait, blocks that were decided, inputs that were counted.
pub(super) type Snapshot = (Height, Round, Hash, [usize; 3]);

/// The correct part of a committee of four, and the network between them.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    /// Messages under way: to, from, message.
    pub(super) queue: VecDeque<(usize, PublicKey, PeerMessage)>,
    /// The last messages that were sent.
    pub(super) heard: VecDeque<PeerMessage>,
    pub(super) now: Millis,
    /// Whether checks, executions and proposals are done at once.
    at_once: bool,
    decided: BTreeMap<Height, BlockId>,
    roots: BTreeMap<Height, Hash>,
}

impl Cluster {
    pub(super) fn new(at_once: bool) -> Self {
        let nodes = (1..=NODES as u8).map(Node::new).collect();
        let (queue, heard) = (VecDeque::new(), VecDeque::new());
        let (decided, roots) = (BTreeMap::new(), BTreeMap::new());
        let mut cluster = Self {
            nodes,
            queue,
            heard,
            now: 0,
            at_once,
            decided,
            roots,
        };
        for at in 0..NODES {
            cluster.connect(at);
        }
        cluster
    }

    fn connect(&mut self, at: usize) {
        for peer in (1..=LIAR).filter(|seed| usize::from(*seed) != at + 1) {
            self.handle(at, Event::Connected(public(peer)));
        }
    }

    pub(super) fn time(&self) -> Now {
        Now {
            monotonic: self.now,
            unix: START + self.now,
        }
    }

    /// Lets an event happen to a node, and does what it wants done.
    pub(super) fn handle(&mut self, at: usize, event: Event) {
        let now = self.time();
        if self.nodes[at].is_up {
            self.nodes[at].replica.handle(now, event);
            self.drain(at);
        }
    }

    /// A timer of a node is due.
    pub(super) fn fire(&mut self, at: usize) {
        let due = self.nodes[at]
            .replica
            .poll_timeout()
            .filter(|_| self.nodes[at].is_up);
        let Some(due) = due else { return };
        self.now = self.now.max(due);
        let now = self.time();
        self.nodes[at].replica.handle_timeout(now);
        let next = self.nodes[at].replica.poll_timeout();
        assert!(
            next.is_none_or(|next| next > now.monotonic),
            "a timeout that does not advance"
        );
        self.drain(at);
    }

    /// The next thing there is: work that is done, a message, a timer.
    pub(super) fn flow(&mut self) {
        if let Some(at) = (0..NODES).find(|at| !self.nodes[*at].pending.is_empty()) {
            self.complete(at, 0);
        } else if !self.deliver(0) {
            let up = (0..NODES).filter(|at| self.nodes[*at].is_up);
            let next = up
                .filter_map(|at| Some((self.nodes[at].replica.poll_timeout()?, at)))
                .min();
            if let Some((_, at)) = next {
                self.fire(at);
            }
        }
    }

    /// Delivers a message that is under way; whether there was one.
    pub(super) fn deliver(&mut self, index: usize) -> bool {
        let Some((to, from, message)) = self.queue.remove(index) else {
            return false;
        };
        self.handle(to, Event::Peer { from, message });
        true
    }

    /// A piece of work of a node is done.
    pub(super) fn complete(&mut self, at: usize, index: usize) {
        let event = match self.nodes[at].pending.remove(index) {
            Some(Pending::Check(work)) => checked(*work),
            Some(Pending::Done(event)) => *event,
            None => return,
        };
        self.handle(at, event);
    }

    pub(super) fn pending(&self, at: usize) -> usize {
        self.nodes[at].pending.len()
    }

    fn drain(&mut self, at: usize) {
        for count in 0.. {
            assert!(count < ACTIONS, "more than any event asks for");
            let Some(action) = self.nodes[at].replica.poll_action() else {
                break;
            };
            if let Some(event) = self.perform(at, action) {
                let now = self.time();
                self.nodes[at].replica.handle(now, event);
            }
        }
        self.check(at);
    }

    fn perform(&mut self, at: usize, action: Action) -> Option<Event> {
        match action {
            Action::Verify(work) if self.at_once => Some(checked(*work)),
            Action::Verify(work) => self.later(at, Pending::Check(work)),
            Action::Execute { ledger, block } => {
                let result = ledger.execute(&block).map(Box::new);
                self.done(
                    at,
                    Event::Executed {
                        block: block.header.id(),
                        result,
                    },
                )
            }
            Action::Propose {
                ledger,
                round,
                proposal,
            } => {
                let (block, _) = ledger.propose(*proposal);
                assert!(
                    ledger.execute(&block).is_ok(),
                    "an own block that is invalid"
                );
                self.done(
                    at,
                    Event::Proposed {
                        round,
                        block: Box::new(block),
                    },
                )
            }
            Action::Log(height, record) => {
                let bytes = cbor::encode(&record);
                let read = cbor::decode(&bytes, limits::BULK_FRAME_BYTES);
                assert_eq!(read.as_ref(), Ok(&record), "a log that cannot be read");
                self.nodes[at].unsynced.push((height, record));
                None
            }
            Action::Sign(to_sign) => Some(self.sign(at, to_sign)),
            Action::Persist { block, commit } => {
                self.check_commit(at, &block, &commit);
                let height = block.header.height;
                self.nodes[at].blocks.push(((**block).clone(), commit));
                Some(Event::Persisted(height))
            }
            Action::RaiseGuard(_) => panic!("no guard is lost here"),
            Action::ServeDecided { to, from } => {
                self.serve(at, to, from);
                None
            }
            Action::Send(recipients, message) => {
                self.send(at, recipients, message);
                None
            }
            Action::Halt(reason) => panic!("node {at} halts: {reason}"),
            Action::Reply(..) | Action::Call(_) | Action::Committed { .. } => None,
        }
    }

    fn later(&mut self, at: usize, pending: Pending) -> Option<Event> {
        self.nodes[at].pending.push_back(pending);
        None
    }

    fn done(&mut self, at: usize, event: Event) -> Option<Event> {
        if self.at_once {
            return Some(event);
        }
        self.later(at, Pending::Done(Box::new(event)))
    }

    /// The log is durable first; a key signs one statement for each height, round and kind.
    fn sign(&mut self, at: usize, to_sign: ToSign) -> Event {
        let node = &mut self.nodes[at];
        node.log.append(&mut node.unsynced);
        let key = key(node.seed);
        match to_sign {
            ToSign::Statement(statement) => {
                let slot = (statement.height, statement.round, statement.kind as u8);
                let held = node.signed.entry(slot).or_insert_with(|| statement.clone());
                assert_eq!(*held, statement, "node {at} signs twice for {slot:?}");
                Event::SignedStatement(key.sign_statement(statement))
            }
            ToSign::Operation(operation) => Event::SignedOperation(Box::new(key.sign(*operation))),
            ToSign::Suspicion(suspicion) => Event::SignedSuspicion(key.sign(suspicion)),
        }
    }

    fn serve(&mut self, at: usize, to: PublicKey, from: Height) {
        let first = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let decided: Vec<_> = self.nodes[at]
            .blocks
            .iter()
            .skip(first)
            .take(4)
            .cloned()
            .collect();
        for (block, commit) in decided {
            let message = PeerMessage::Decided(Box::new(Decided { block, commit }));
            self.send(at, Recipients::One(to), message);
        }
    }

    fn send(&mut self, from: usize, recipients: Recipients, message: PeerMessage) {
        self.hear(&message);
        let sender = public(self.nodes[from].seed);
        let all = (0..NODES).filter(|at| *at != from);
        let to = all.filter(|at| match recipients {
            Recipients::All => true,
            Recipients::One(peer) => peer == public(self.nodes[*at].seed),
        });
        self.queue
            .extend(to.map(|at| (at, sender, message.clone())));
    }

    pub(super) fn hear(&mut self, message: &PeerMessage) {
        self.heard.push_back(message.clone());
        if self.heard.len() > HEARD {
            self.heard.pop_front();
        }
    }

    /// The process of a node ends; what it had not synced is gone.
    pub(super) fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.is_up = false;
        node.unsynced.clear();
        node.pending.clear();
        self.queue.retain(|(to, _, _)| *to != at);
    }

    /// It starts again from its disk.
    pub(super) fn restart(&mut self, at: usize) {
        let now = self.time();
        self.nodes[at].start(now);
        self.drain(at);
        self.connect(at);
        for other in (0..NODES).filter(|other| *other != at) {
            self.handle(other, Event::Connected(public(at as u8 + 1)));
        }
    }

    pub(super) fn snapshot(&self, at: usize) -> Snapshot {
        let node = &self.nodes[at];
        let (height, round) = (node.replica.height(), node.replica.round());
        let counted = node.log.len() + node.unsynced.len();
        let lengths = [node.replica.pool_len(), node.blocks.len(), counted];
        (height, round, node.replica.ledger().state_root(), lengths)
    }

    /// A block that is about to be the decided one: a quorum signed it, and nobody has another.
    fn check_commit(&mut self, at: usize, block: &Block, commit: &QuorumCertificate) {
        let (id, height) = (block.header.id(), block.header.height);
        let said = &commit.statement;
        assert_eq!(
            (said.kind, said.block, said.height),
            (Kind::Precommit, Some(id), height)
        );
        let set = self.nodes[at].replica.ledger().validators();
        let mut power = 0;
        for vote in commit.signed_statements() {
            power += set.power(&vote.signer);
            assert!(
                verify_statement(vote).is_ok(),
                "a commit with a forged vote"
            );
        }
        assert!(
            commit.votes.is_sorted_by(|a, b| a.signer < b.signer),
            "one vote for each"
        );
        assert!(3 * power > 2 * set.total(), "a commit without a quorum");
        assert_eq!(
            *self.decided.entry(height).or_insert(id),
            id,
            "two blocks at {height}"
        );
    }

    /// What holds after every event.
    fn check(&mut self, at: usize) {
        let replica = &self.nodes[at].replica;
        let (ledger, root) = (replica.ledger(), replica.ledger().state_root());
        let agreed = *self.roots.entry(ledger.height()).or_insert(root);
        assert_eq!(agreed, root, "two states at height {}", ledger.height());
        assert!(replica.pool_len() <= limits::POOL, "the pool is bounded");
        for seed in 1..=NODES as u8 {
            let is_member = ledger.validators().get(&public(seed)).is_some();
            assert!(is_member, "a correct validator is convicted");
        }
    }
}

impl Node {
    /// What is on its disk of the log.
    pub(super) fn log(&self) -> &[(Height, LogRecord)] {
        &self.log
    }

    fn new(seed: u8) -> Self {
        let mut node = Self {
            seed,
            replica: replica(
                seed,
                Now {
                    monotonic: 0,
                    unix: START,
                },
            ),
            is_up: false,
            blocks: Vec::new(),
            log: Vec::new(),
            unsynced: Vec::new(),
            signed: BTreeMap::new(),
            pending: VecDeque::new(),
        };
        node.start(Now {
            monotonic: 0,
            unix: START,
        });
        node
    }

    fn start(&mut self, now: Now) {
        self.replica = replica(self.seed, now);
        for (block, commit) in &self.blocks {
            self.replica.restore(block.clone(), commit.clone()).unwrap();
        }
        let height = self.replica.height();
        let records = self.log.iter().filter(|(at, _)| *at == height);
        self.replica
            .recover(records.map(|(_, record)| record.clone()).collect())
            .unwrap();
        self.is_up = true;
    }
}

pub(super) fn replica(seed: u8, now: Now) -> Replica {
    let (pace, voting) = (PaceConfig::default(), Voting::From(0));
    let ledger = Ledger::genesis(genesis().clone()).unwrap();
    Replica::new(
        Config {
            me: public(seed),
            pace,
            voting,
        },
        ledger,
        now,
    )
}

fn checked(work: Work) -> Event {
    match work.run() {
        Ok(proof) => Event::Verified(proof),
        Err(origin) => Event::Refused(origin),
    }
}
