//! A host: one instance of a key, made of the product's replica and a signing guard in memory.

use std::collections::BTreeMap;

use quorate_crypto::{SecretKey, Verified};
use quorate_ledger::Ledger;
use quorate_replica::{
    Action, Config, Event, Now, Recipients, Replica, TimeoutConfig, ToSign, Voting, Write,
};
use quorate_sim::START;
use quorate_types::message::{Decided, PeerMessage};
use quorate_types::{
    Block, Height, Kind, Millis, MonotonicMillis, PublicKey, QuorumCertificate, Round,
    SignedStatement, Statement,
};

/// Milliseconds without progress after which a replica sends again. Timeouts of steps are far
/// shorter.
pub(crate) const RESEND_MS: Millis = 100_000;
/// Milliseconds between two heights of a swarm that has nothing to do. A host that fell behind has
/// asked its peers by then.
pub(crate) const INTERVAL_MS: Millis = 2 * RESEND_MS;
/// The number of decided blocks in the answer to one request.
const SERVED: usize = 24;
/// The number of signatures that are kept. When it is reached, all are dropped and made again.
const CAPACITY: usize = 1 << 14;

/// Signs statements and keeps the signatures. Scenarios have most of their statements in common,
/// and a key always makes the same signature of the same statement.
#[derive(Debug)]
pub(crate) struct SignatureCache {
    keys: Vec<SecretKey>,
    made: BTreeMap<(usize, Statement), Verified<SignedStatement>>,
}

impl SignatureCache {
    pub(crate) fn new(keys: Vec<SecretKey>) -> Self {
        Self {
            keys,
            made: BTreeMap::new(),
        }
    }

    fn sign(&mut self, node: usize, statement: Statement) -> Verified<SignedStatement> {
        if self.made.len() >= CAPACITY {
            self.made.clear();
        }

        let key = &self.keys[node];
        let made = self.made.entry((node, statement));
        let statement = made.key().1.clone();

        made.or_insert_with(|| key.sign_statement(statement))
            .clone()
    }
}

/// Something that a host did and that others may notice.
#[derive(Debug)]
pub(crate) enum HostOutput {
    /// It signed a statement.
    Signed(SignedStatement),
    /// Its guard refused a statement, since it had signed another value in the same slot.
    Refused(Statement),
    /// It sends a message.
    Said(Recipients, PeerMessage),
    /// It decided a block.
    Decided(Box<Block>),
    /// It halted, for this reason.
    Halted(String),
}

/// One instance of a key: a replica that runs without a disk.
pub(crate) struct Host {
    /// The index of the key.
    pub(crate) node: usize,
    pub(crate) key: PublicKey,
    pub(crate) replica: Replica,
    /// The statements that it signed, by height, round and kind.
    guard: BTreeMap<(Height, Round, Kind), Statement>,
    /// The blocks that it decided, with their commits.
    blocks: Vec<(Block, QuorumCertificate)>,
    /// Milliseconds that its clock is ahead. Otherwise both instances of a key would build the same
    /// block.
    ahead: Millis,
}

impl Host {
    /// Makes the host `index`, an instance of node `node`, at the genesis.
    pub(crate) fn new(index: usize, node: usize, mint: &SignatureCache, ledger: &Ledger) -> Self {
        let key = mint.keys[node].public_key();
        let ahead = index as Millis;
        let start = clock(MonotonicMillis::ZERO, ahead);

        let mut host = Self {
            node,
            key,
            replica: Replica::new(config_of(key), ledger.clone(), start),
            guard: BTreeMap::new(),
            blocks: Vec::new(),
            ahead,
        };

        // A scenario begins without a log, and an empty one always verifies.
        let recovered = host.replica.recover(Vec::new());
        debug_assert!(recovered.is_ok(), "an empty log verifies");
        host
    }

    /// Whether it precommitted a block in any round.
    pub(crate) fn has_precommitted(&self) -> bool {
        self.guard
            .values()
            .any(|said| said.kind == Kind::Precommit && said.block.is_some())
    }

    /// Takes in an event, and returns what the host did upon it.
    pub(crate) fn handle(
        &mut self,
        now: MonotonicMillis,
        event: Event,
        mint: &mut SignatureCache,
    ) -> Vec<HostOutput> {
        self.replica.handle(clock(now, self.ahead), event);
        self.drain(now, mint)
    }

    /// Fires the timers that are due, and returns what the host did upon them.
    pub(crate) fn handle_timeout(
        &mut self,
        now: MonotonicMillis,
        mint: &mut SignatureCache,
    ) -> Vec<HostOutput> {
        self.replica.handle_timeout(clock(now, self.ahead));
        self.drain(now, mint)
    }

    /// Carries out all actions that the replica wants.
    fn drain(&mut self, now: MonotonicMillis, mint: &mut SignatureCache) -> Vec<HostOutput> {
        let mut deeds = Vec::new();

        while let Some(action) = self.replica.poll_action() {
            if let Some(event) = self.perform(action, mint, &mut deeds) {
                self.replica.handle(clock(now, self.ahead), event);
            }
        }

        deeds
    }

    /// Carries out one action, and returns the event that answers it.
    fn perform(
        &mut self,
        action: Action,
        mint: &mut SignatureCache,
        deeds: &mut Vec<HostOutput>,
    ) -> Option<Event> {
        let deed = match action {
            Action::Run(work) => return Some(work.run()),

            Action::Disk(Write::Sign(to_sign)) => return self.sign(to_sign, mint, deeds),

            Action::Disk(Write::Persist { block, commit }) => {
                return Some(self.persist(&block, commit));
            }

            Action::Disk(Write::ServeDecided { to, from }) => {
                deeds.extend(self.serve(to, from));
                return None;
            }

            Action::Send(to, message) => HostOutput::Said(to, message),
            Action::Committed { block, .. } => HostOutput::Decided(Box::new((**block).clone())),
            Action::Disk(Write::Halt(reason)) => HostOutput::Halted(reason.to_string()),

            // Scenarios have no crashes, no clients, and no keys that lost their guard.
            Action::Disk(Write::Log(..) | Write::RaiseGuard(_))
            | Action::Reply(..)
            | Action::Notify(..)
            | Action::Call(_) => {
                return None;
            }
        };

        deeds.push(deed);
        None
    }

    /// Keeps a decided block. Peers that fell behind are served from these.
    fn persist(&mut self, block: &Block, commit: QuorumCertificate) -> Event {
        self.blocks.push((block.clone(), commit));
        Event::Persisted(block.header.height)
    }

    /// Signs as a guard allows: one value for each height, round and kind.
    fn sign(
        &mut self,
        to_sign: ToSign,
        mint: &mut SignatureCache,
        deeds: &mut Vec<HostOutput>,
    ) -> Option<Event> {
        let key = &mint.keys[self.node];

        // The guard is only about statements of consensus.
        match to_sign {
            ToSign::Statement(statement) => self.sign_statement(statement, mint, deeds),
            ToSign::Operation(operation) => {
                let signed = Box::new(key.sign(*operation));
                Some(Event::SignedOperation(signed))
            }
            ToSign::Suspicion(suspicion) => Some(Event::SignedSuspicion(key.sign(suspicion))),
        }
    }

    /// Signs a statement unless the guard refuses it.
    fn sign_statement(
        &mut self,
        statement: Statement,
        mint: &mut SignatureCache,
        deeds: &mut Vec<HostOutput>,
    ) -> Option<Event> {
        let slot = (statement.height, statement.round, statement.kind);
        let said = self.guard.entry(slot).or_insert_with(|| statement.clone());

        // The same statement may be signed again.
        if *said != statement {
            deeds.push(HostOutput::Refused(statement));
            return None;
        }

        let signed = mint.sign(self.node, statement);
        deeds.push(HostOutput::Signed((*signed).clone()));

        Some(Event::SignedStatement(signed))
    }

    /// The answer to a peer that asks for decided blocks from a height on.
    fn serve(&self, to: PublicKey, from: Height) -> Vec<HostOutput> {
        let blocks = self.blocks.iter();
        let wanted = blocks.filter(|(block, _)| block.header.height >= from);

        let decided = wanted.take(SERVED).map(|(block, commit)| {
            let decided = Decided {
                block: block.clone(),
                commit: commit.clone(),
            };

            let message = PeerMessage::Decided(Box::new(decided));
            HostOutput::Said(Recipients::One(to), message)
        });

        decided.collect()
    }
}

/// The configuration of a replica with this key. Its timeouts are short, and it sends again late.
fn config_of(key: PublicKey) -> Config {
    let pace = TimeoutConfig {
        least_ms: 10,
        most_ms: 10,
        growth_ms: 5,
        resend_ms: RESEND_MS,
        timely_ms: RESEND_MS,
        fetch_ms: 1,
    };

    Config {
        me: key,
        pace,
        voting: Voting::From(0),
    }
}

/// The time that the clock of a host shows which is so many milliseconds ahead.
fn clock(now: MonotonicMillis, ahead: Millis) -> Now {
    Now {
        monotonic: now,
        // The scenario begins at the origin of this clock.
        unix: START + now.0 + ahead,
    }
}
