//! A validator whose log is gone has forgotten its lock. It must not vote at that height again
//! (N-21), even if its guard knows all that it signed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use quorate_crypto::SecretKey;
use quorate_durable::{DurableReplica, Effect, Opened, Settings, Start};
use quorate_ledger::{Ledger, Proposal};
use quorate_replica::{Event, Now, TimeoutConfig, VotingStatus, Work};
use quorate_store::{CrashPoints, Disk, MemoryDisk, SigningGuard, StoreConfig, Tear, repair};
use quorate_types::genesis::{Admission, Parameters};
use quorate_types::message::PeerMessage;
use quorate_types::{
    Block, Genesis, Kind, MonotonicMillis, PROTOCOL_VERSION, Round, Statement, UnixMillis,
    Validator, ValidatorSet,
};

const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// Validator 1 of four, which prevotes and precommits a block in the first round that another
/// proposes, and then loses power.
struct World {
    genesis: Genesis,
    ledger: Ledger,
    disk: MemoryDisk,
    node: Option<DurableReplica>,
    said: Vec<Statement>,
    millis: u64,
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

impl World {
    fn locked() -> Self {
        let member = |seed| Validator {
            key: key(seed).public_key(),
            power: 1,
            operator: "op".parse().unwrap(),
        };
        let genesis = Genesis {
            name: "test".parse().unwrap(),
            created: START,
            markets: Vec::new(),
            version: PROTOCOL_VERSION,
            admission: Admission::Attestation,
            attesters: Vec::new(),
            parameters: Parameters::default(),
            validators: ValidatorSet::new((1..=4).map(member).collect()).unwrap(),
        };
        let (disk, ledger) = (MemoryDisk::new(), Ledger::genesis(genesis.clone()).unwrap());
        let swarm = genesis.swarm_id();
        SigningGuard::create(&disk, key(1).public_key().as_bytes(), &swarm.0).unwrap();
        let mut world = Self {
            genesis,
            ledger,
            disk,
            node: None,
            said: Vec::new(),
            millis: 1_000,
        };
        world.open();
        let round = world.round_of_another(0);
        let block = world.propose(round);
        for seed in 2..=4 {
            world.say(seed, round, Kind::Prevote, &block);
        }
        assert_eq!(
            world.said.last().map(|said| said.kind),
            Some(Kind::Precommit)
        );
        world.node = None;
        world.disk.crash(Tear::Nothing);
        world.said.clear();
        world
    }

    fn layout(&self) -> StoreConfig {
        StoreConfig::new(self.genesis.swarm_id().0, 7)
    }

    fn now(&self) -> Now {
        Now {
            monotonic: MonotonicMillis(self.millis),
            unix: START + self.millis,
        }
    }

    fn open(&mut self) -> Opened {
        let settings = Settings {
            genesis: self.genesis.clone(),
            pace: TimeoutConfig::default(),
            store: self.layout(),
            points: CrashPoints::default(),
            start: Start::Guarded,
        };
        let disk = Arc::new(self.disk.clone());
        let (node, opened) = DurableReplica::open(disk, key(1), settings, self.now()).unwrap();
        self.node = Some(node);
        self.drain();
        opened
    }

    fn drain(&mut self) {
        let now = self.now();
        let node = self.node.as_mut().unwrap();
        while let Some(effect) = node.poll_effect(&mut || now).unwrap() {
            match effect {
                // This node builds nothing here: the test decides what is proposed.
                Effect::Run(work) if !matches!(*work, Work::Propose(..)) => {
                    node.handle(now, work.run());
                }
                Effect::Send(_, PeerMessage::Statement(signed))
                    if signed.signer == key(1).public_key() =>
                {
                    self.said.push(signed.statement);
                }
                _ => {}
            }
        }
    }

    /// The first round from `least` on in which another validator proposes.
    fn round_of_another(&self, least: Round) -> Round {
        let own = |round: &Round| self.proposer(*round) == 1;
        (least..).find(|round| !own(round)).unwrap()
    }

    fn proposer(&self, round: Round) -> u8 {
        let proposer = self.ledger.proposers().proposer(1, round);
        (1..=4)
            .find(|seed| key(*seed).public_key() == proposer)
            .unwrap()
    }

    /// The proposer of a round proposes a block of its own.
    fn propose(&mut self, round: Round) -> Block {
        let builder = self.proposer(round);
        let proposal = Proposal {
            block_time: START + 1_000 + u64::from(round),
            builder: key(builder).public_key(),
            missed_turns: round,
            previous_commit: None,
            operations: Vec::new(),
            evidence: Vec::new(),
        };
        let block = self.ledger.propose(proposal).0.into_inner();
        self.hear(builder, PeerMessage::Block(Box::new(block.clone())));
        self.say(builder, round, Kind::Proposal, &block);
        block
    }

    fn say(&mut self, seed: u8, round: Round, kind: Kind, block: &Block) {
        let statement = Statement {
            swarm: self.genesis.swarm_id(),
            height: 1,
            round,
            kind,
            block: Some(block.header.id()),
            validators: self.genesis.validators.hash(),
            pol_round: None,
        };
        let signed = key(seed).sign_statement(statement).into_inner();
        self.hear(seed, PeerMessage::Statement(signed));
    }

    fn hear(&mut self, seed: u8, message: PeerMessage) {
        self.millis += 1;
        let (now, from) = (self.now(), key(seed).public_key());
        self.node
            .as_mut()
            .unwrap()
            .handle(now, Event::Peer { from, message });
        self.drain();
    }

    /// The others go on to a round with another block. Returns what validator 1 says to that.
    fn meet_another_block(&mut self) -> Vec<Statement> {
        self.said.clear();
        let round = self.round_of_another(self.round_of_another(0) + 1);
        let block = self.propose(round);
        for seed in 2..=4 {
            self.say(seed, round, Kind::Prevote, &block);
        }
        std::mem::take(&mut self.said)
    }

    fn log_file(&self) -> String {
        self.disk
            .names()
            .into_iter()
            .find(|name| name.starts_with("wal/"))
            .unwrap()
    }
}

#[test]
fn with_its_log_it_keeps_its_lock() {
    let mut world = World::locked();
    let opened = world.open();
    assert_eq!(opened.log_lost, None);
    assert_eq!(
        world.node.as_ref().unwrap().replica().standing(),
        VotingStatus::Votes
    );
    let prevotes = world.meet_another_block();
    let prevote = prevotes
        .iter()
        .find(|said| said.kind == Kind::Prevote)
        .unwrap();
    assert_eq!(prevote.block, None, "it is locked on another block");
}

#[test]
fn without_its_log_it_follows_until_the_next_height() {
    let mut world = World::locked();
    let name = world.log_file();
    world.disk.remove(&name).unwrap();
    world.disk.sync_dir("wal").unwrap();
    let opened = world.open();
    assert_eq!(opened.log_lost, Some(2));
    assert_eq!(
        world.node.as_ref().unwrap().replica().standing(),
        VotingStatus::Waits(2)
    );
    assert_eq!(world.meet_another_block(), []);
    // The same holds after another start, although nothing is missing this time.
    world.node = None;
    world.disk.crash(Tear::Nothing);
    assert_eq!(world.open().log_lost, None);
    assert_eq!(world.meet_another_block(), []);
}

#[test]
fn a_repaired_log_is_a_lost_one() {
    let mut world = World::locked();
    let name = world.log_file();
    let mut bytes = world.disk.contents(&name).unwrap();
    bytes[70] ^= 1;
    world.disk.overwrite(&name, &bytes);
    repair(Arc::new(world.disk.clone()), world.layout()).unwrap();
    assert_eq!(world.open().log_lost, Some(2));
    assert_eq!(world.meet_another_block(), []);
}
