//! Three correct replicas with their disks, in one process, and the checks on them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_crypto::verify_statement;
use quorate_ledger::Ledger;
use quorate_replica::{
    Action, Config, Event, LogRecord, Now, Recipients, Replica, TimeoutConfig, ToSign, Voting,
    Work, Write,
};
use quorate_types::message::{Decided, PeerMessage};
use quorate_types::{
    Block, BlockId, Hash, Height, Kind, MonotonicMillis, PublicKey, QuorumCertificate, Round,
    Statement, cbor, limits,
};

use crate::swarm::{START, genesis, key, public};

/// The number of correct validators; their keys have the seeds 1 to 3.
pub(super) const NODES: usize = 3;
/// The seed of the key of the validator that lies.
pub(super) const LIAR: u8 = 4;
/// The number of messages that are kept, to be sent again with changes.
const HEARD: usize = 64;
/// The most actions that one event may lead to.
const ACTIONS: usize = 10_000;

/// A correct validator with its disk: the blocks and the log.
pub(super) struct Node {
    pub(super) seed: u8,
    pub(super) replica: Replica,
    pub(super) is_up: bool,
    pub(super) blocks: Vec<(Block, QuorumCertificate)>,
    log: Vec<(Height, LogRecord)>,
    /// The records that a crash loses.
    unsynced: Vec<(Height, LogRecord)>,
    /// The statement that was signed for each height, round and kind.
    signed: BTreeMap<(Height, Round, u8), Statement>,
    /// The work that other threads would do in a node: checks, executions, proposals.
    pending: VecDeque<Pending>,
}

/// Work that is completed when the fuzzer says so.
enum Pending {
    Check(Box<Work>),
    Done(Box<Event>),
}

/// The parts of a replica that no message may change which nobody signed: height, round and state
/// root, and the numbers of operations in the pool, of decided blocks and of inputs in the log.
pub(super) type Snapshot = (Height, Round, Hash, [usize; 3]);

/// The correct part of a committee of four, and the network between them.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    /// The messages under way: receiver, sender, message.
    pub(super) queue: VecDeque<(usize, PublicKey, PeerMessage)>,
    /// The last messages that were sent, at most [`HEARD`].
    pub(super) heard: VecDeque<PeerMessage>,
    pub(super) now: MonotonicMillis,
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
            now: MonotonicMillis::ZERO,
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
            unix: START + self.now.0,
        }
    }

    /// Gives a node an event and performs the actions that follow.
    pub(super) fn handle(&mut self, at: usize, event: Event) {
        let now = self.time();
        if self.nodes[at].is_up {
            self.nodes[at].replica.handle(now, event);
            self.drain(at);
        }
    }

    /// Moves the time to the next timer of a node and lets it fire.
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
            "the next timeout must be later than the one handled"
        );
        self.drain(at);
    }

    /// Fires the timers of a replica that are due already. Otherwise the next event of any kind may
    /// do what these would have done.
    pub(super) fn fire_due(&mut self, at: usize) {
        let now = self.time();
        self.nodes[at].replica.handle_timeout(now);
        self.drain(at);
    }

    /// Lets the next thing happen: work is completed; if there is none, a message is delivered; if
    /// there is none either, the earliest timer fires.
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

    /// Delivers a message that is under way; returns whether there was one.
    pub(super) fn deliver(&mut self, index: usize) -> bool {
        let Some((to, from, message)) = self.queue.remove(index) else {
            return false;
        };
        self.handle(to, Event::Peer { from, message });
        true
    }

    /// Completes a piece of work of a node.
    pub(super) fn complete(&mut self, at: usize, index: usize) {
        let event = match self.nodes[at].pending.remove(index) {
            Some(Pending::Check(work)) => work.run(),
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
            assert!(count < ACTIONS, "one event leads to too many actions");
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
            Action::Run(work) => {
                let is_block = matches!(*work, Work::Execute(..) | Work::Propose(..));
                if !is_block && !self.at_once {
                    return self.later(at, Pending::Check(work));
                }

                let ledger = match &*work {
                    Work::Propose(ledger, ..) => Some(Arc::clone(ledger)),
                    _ => None,
                };
                let event = work.run();
                if let (Some(ledger), Event::Proposed { block, .. }) = (ledger, &event) {
                    let result = ledger.execute(block);
                    assert!(result.is_ok(), "a replica built an invalid block");
                }
                self.done(at, event)
            }
            Action::Disk(Write::Log(height, record)) => {
                let bytes = cbor::encode(&record);
                let read = cbor::decode(&bytes, limits::BULK_FRAME_BYTES);
                assert_eq!(read.as_ref(), Ok(&record), "a log that cannot be read");
                self.nodes[at].unsynced.push((height, record));
                None
            }
            Action::Disk(Write::Sign(to_sign)) => Some(self.sign(at, to_sign)),
            Action::Disk(Write::Persist { block, commit }) => {
                self.check_commit(at, &block, &commit);
                let height = block.header.height;
                self.nodes[at].blocks.push(((**block).clone(), commit));
                Some(Event::Persisted(height))
            }
            Action::Disk(Write::RaiseGuard(_)) => panic!("a guard is raised, but none was lost"),
            Action::Disk(Write::ServeDecided { to, from }) => {
                self.serve(at, to, from);
                None
            }
            Action::Send(recipients, message) => {
                self.send(at, recipients, message);
                None
            }
            Action::Disk(Write::Halt(reason)) => panic!("node {at} halts: {reason}"),
            Action::Reply(..) | Action::Notify(..) | Action::Call(_) | Action::Committed { .. } => {
                None
            }
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

    /// Signs after the log is durable (N-21), and checks that the key signs one statement for each
    /// height, round and kind.
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

    /// Ends the process of a node. Records that were not synced and messages to it are lost.
    pub(super) fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.is_up = false;
        node.unsynced.clear();
        node.pending.clear();
        self.queue.retain(|(to, _, _)| *to != at);
    }

    /// Starts a node again from its disk.
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

    /// Checks a block that is about to be decided: a quorum signed it, and no other block was
    /// decided at its height.
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
            "a commit must hold one vote of each signer"
        );
        assert!(3 * power > 2 * set.total(), "a commit without a quorum");
        assert_eq!(
            *self.decided.entry(height).or_insert(id),
            id,
            "two blocks at {height}"
        );
    }

    /// Checks the rules that hold after every event.
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

/// The time at which every node starts.
pub(super) const BOOT: Now = Now {
    monotonic: MonotonicMillis::ZERO,
    unix: START,
};

impl Node {
    /// The records of the log that are on the disk.
    pub(super) fn log(&self) -> &[(Height, LogRecord)] {
        &self.log
    }

    fn new(seed: u8) -> Self {
        let mut node = Self {
            seed,
            replica: replica(seed, BOOT),
            is_up: false,
            blocks: Vec::new(),
            log: Vec::new(),
            unsynced: Vec::new(),
            signed: BTreeMap::new(),
            pending: VecDeque::new(),
        };
        node.start(BOOT);
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
    let (pace, voting) = (TimeoutConfig::default(), Voting::From(0));
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
