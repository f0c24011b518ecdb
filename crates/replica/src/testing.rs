//! A bench for the tests of the parts: a committee of known keys, its ledger, and the surroundings
//! in which one of its nodes handles an input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use quorate_crypto::{SecretKey, Verified, verify_block, verify_evidence};
use quorate_ledger::{Committed, Ledger, Proposal};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::message::{ClientMessage, PeerMessage};
use quorate_types::operation::{Attest, Bid, Offer, Submit};
use quorate_types::{
    Amounts, Block, BlockId, Capabilities, Claims, Evidence, Genesis, Header, Height, Kind, Market,
    MonotonicMillis, Operation, OperationBody, PROTOCOL_VERSION, PublicKey, QuorumCertificate,
    Round, SignedOperation, SignedStatement, Statement, TaskId, TaskSpec, UnixMillis, Validator,
    ValidatorSet,
};

use crate::action::{Action, Recipients, ToSign, Write};
use crate::context::{Consequence, Context, Environment};
use crate::event::{Counters, Now};
use crate::signal::Signal;
use crate::timers::Timer;
use crate::work::{BlockContext, Work};

/// The number of validators of most committees: three of them are a quorum.
pub(crate) const COMMITTEE: u8 = 4;
/// The seeds of the keys of a requester and of the agent that does its task.
pub(crate) const REQUESTER: u8 = 50;
pub(crate) const AGENT: u8 = 51;

const START: UnixMillis = UnixMillis(1_800_000_000_000);
const ATTESTER: u8 = 100;

/// The key that a seed gives. Validators have the seeds from 1 on.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> PublicKey {
    key(seed).public_key()
}

/// The time at so many milliseconds after the beginning.
pub(crate) fn at(millis: u64) -> Now {
    Now {
        monotonic: MonotonicMillis(millis),
        unix: START + millis,
    }
}

/// The state at the genesis of a committee of `count` validators of power 1, with one market.
pub(crate) fn ledger(count: u8) -> Ledger {
    let validators = (1..=count).map(|seed| Validator {
        key: public(seed),
        power: 1,
        operator: format!("op-{seed}").parse().unwrap(),
    });
    let market = Market {
        name: "jobs".parse().unwrap(),
        reserve: None,
        trusted: false,
        attempts: 5,
        lease_ms: 1_000,
        solve_ms: None,
        mechanism: "assignment".parse().unwrap(),
        reveal_ms: None,
        window_ms: 100,
    };
    let attester = Attester {
        key: public(ATTESTER),
        name: "office".parse().unwrap(),
    };
    let genesis = Genesis {
        name: "test".parse().unwrap(),
        created: START.saturating_sub(1),
        markets: vec![market],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![attester],
        parameters: Parameters::default(),
        validators: ValidatorSet::new(validators.collect()).unwrap(),
    };
    Ledger::genesis(genesis).unwrap()
}

/// The key of the validator with this public key.
pub(crate) fn secret(public: PublicKey) -> SecretKey {
    let mut keys = (1..=u8::MAX).map(key);
    keys.find(|key| key.public_key() == public).unwrap()
}

/// The surroundings of one node of a committee, and what is known of the decided blocks.
pub(crate) struct Bench {
    environment: Environment,
    now: Now,
    /// The commit of the last decided block.
    commit: Option<Verified<QuorumCertificate>>,
}

/// A block that became part of the state of a bench.
pub(crate) struct Past {
    pub(crate) block: Verified<Block>,
    pub(crate) commit: Verified<QuorumCertificate>,
    pub(crate) committed: Committed,
}

impl Bench {
    /// Validator 1 of a committee, at height 1 and monotonic time 0.
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    /// The validator with this seed.
    pub(crate) fn of(seed: u8) -> Self {
        Self {
            environment: Environment::new(public(seed), ledger(COMMITTEE), at(0)),
            now: at(0),
            commit: None,
        }
    }

    /// The validator that proposes in round 0 of height 1.
    pub(crate) fn proposer() -> Self {
        let first = ledger(COMMITTEE).proposers().proposer(1, 0);
        let seed = (1..=COMMITTEE).find(|seed| public(*seed) == first);
        Self::of(seed.unwrap())
    }

    pub(crate) fn cx(&mut self) -> Context<'_> {
        self.environment.context()
    }

    pub(crate) fn me(&self) -> PublicKey {
        self.environment.me()
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.environment.ledger()
    }

    pub(crate) fn height(&self) -> Height {
        self.ledger().height() + 1
    }

    pub(crate) fn counters(&self) -> Counters {
        self.environment.counters()
    }

    /// Another validator than this one.
    pub(crate) fn other(&self) -> PublicKey {
        self.others()[0]
    }

    /// All other validators.
    pub(crate) fn others(&self) -> Vec<PublicKey> {
        let all = (1..=COMMITTEE).map(public);
        all.filter(|key| *key != self.me()).collect()
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// Lets time go by, on both clocks.
    pub(crate) fn wait(&mut self, millis: u64) {
        self.now = Now {
            monotonic: self.now.monotonic + millis,
            unix: self.now.unix + millis,
        };
        self.environment.set_now(self.now);
    }

    /// Lets time go by on the clock of the process alone: that of its computer stands.
    pub(crate) fn wait_monotonic(&mut self, millis: u64) {
        self.now.monotonic += millis;
        self.environment.set_now(self.now);
    }

    pub(crate) fn replay(&mut self, replaying: bool) {
        self.environment.set_replaying(replaying);
    }

    /// The timers that are due within so many milliseconds, in their order. They run no more.
    pub(crate) fn timers(&mut self, millis: u64) -> Vec<Timer> {
        let until = self.now.monotonic + millis;
        let timers = self.environment.timers();
        std::iter::from_fn(|| timers.pop_due(until)).collect()
    }

    /// Takes out all that followed from inputs since the last time.
    pub(crate) fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        for consequence in self.environment.take_pending() {
            match consequence {
                Consequence::Action(action) => taken.actions.push(action),
                Consequence::Signal(signal) => taken.signals.push(signal),
            }
        }
        taken
    }

    // Blocks.

    /// The block that `builder` builds in `round` at the height in progress.
    pub(crate) fn block(&self, builder: PublicKey, round: Round) -> Verified<Block> {
        self.build(builder, round, Vec::new(), Vec::new()).0
    }

    /// The block of round 0, by its proposer.
    pub(crate) fn next_block(&self) -> Verified<Block> {
        self.block(self.builder(0), 0)
    }

    /// A block of round 0 with another state root than executing it gives.
    pub(crate) fn bad_block(&self) -> Verified<Block> {
        let mut block = self.next_block().into_inner();
        block.header.state.0[0] ^= 1;
        let previous = Arc::clone(self.ledger().previous_validators());
        let context = BlockContext {
            previous,
            operations: [].into(),
            votes: [].into(),
        };
        verify_block(block, &context.previous, &context).unwrap()
    }

    /// The proposer of a round at the height in progress.
    pub(crate) fn builder(&self, round: Round) -> PublicKey {
        self.ledger().proposers().proposer(self.height(), round)
    }

    fn build(
        &self,
        builder: PublicKey,
        round: Round,
        operations: Vec<Verified<SignedOperation>>,
        evidence: Vec<Verified<Evidence>>,
    ) -> (Verified<Block>, quorate_ledger::Execution) {
        self.ledger().propose(Proposal {
            block_time: self.now.unix,
            builder,
            missed_turns: round,
            previous_commit: self.commit.clone().map(Verified::into_proof),
            operations,
            evidence,
        })
    }

    /// Makes a block with these operations part of the state.
    pub(crate) fn commit(&mut self, operations: Vec<Verified<SignedOperation>>) -> Past {
        self.commit_with(operations, Vec::new())
    }

    pub(crate) fn commit_with(
        &mut self,
        operations: Vec<Verified<SignedOperation>>,
        evidence: Vec<Verified<Evidence>>,
    ) -> Past {
        self.wait(1);
        let (block, execution) = self.build(self.builder(0), 0, operations, evidence);
        let commit = self.certificate(Kind::Precommit, &block.header);
        let committed = self.environment.ledger_mut().commit(execution).unwrap();
        self.commit = Some(commit.clone());
        Past {
            block,
            commit,
            committed,
        }
    }

    // Statements.

    /// A statement of round 0 on the height in progress.
    pub(crate) fn statement(
        &self,
        seed: u8,
        kind: Kind,
        block: Option<BlockId>,
    ) -> Verified<SignedStatement> {
        let statement = Statement {
            swarm: self.ledger().swarm(),
            height: self.height(),
            round: 0,
            kind,
            block,
            validators: self.ledger().validators().hash(),
            pol_round: None,
        };
        key(seed).sign_statement(statement)
    }

    /// The votes of the first three validators for a block, in round 0.
    pub(crate) fn certificate(&self, kind: Kind, header: &Header) -> Verified<QuorumCertificate> {
        self.certificate_of(1..=3, kind, header)
    }

    pub(crate) fn certificate_of(
        &self,
        seeds: impl IntoIterator<Item = u8>,
        kind: Kind,
        header: &Header,
    ) -> Verified<QuorumCertificate> {
        let votes = seeds
            .into_iter()
            .map(|seed| self.statement(seed, kind, Some(header.id())));
        let votes: Vec<_> = votes.collect();
        Verified::<QuorumCertificate>::assemble(&votes, self.ledger().validators()).unwrap()
    }

    /// Two prevotes of a validator that conflict.
    pub(crate) fn conflict(&self, seed: u8) -> Verified<Evidence> {
        let pair = [Some(BlockId([seed; 32])), None];
        let [a, b] = pair.map(|block| self.statement(seed, Kind::Prevote, block));
        Verified::<Evidence>::from_pair(&a, &b).unwrap()
    }

    // Operations.

    /// Admits a requester and an agent, and lets the agent win a task of the requester. Returns the
    /// task and the block that assigned it.
    pub(crate) fn assign(&mut self) -> (TaskId, Past) {
        let task = self.submit_task();
        let mut past = self.commit(vec![self.bid(task)]);
        while self.ledger().leases().is_empty() {
            self.wait(100);
            past = self.commit(Vec::new());
        }
        (task, past)
    }

    /// The first bid of the agent, on this task.
    pub(crate) fn bid(&self, task: TaskId) -> Verified<SignedOperation> {
        let bid = OperationBody::Bid(Bid {
            market: "jobs".parse().unwrap(),
            budget: Amounts::from([("slots".parse().unwrap(), 1)]),
            offers: vec![Offer { task, price: 7 }],
        });
        self.operation(AGENT, 1, bid)
    }

    /// Admits a requester and an agent, and opens a task of the requester.
    pub(crate) fn submit_task(&mut self) -> TaskId {
        self.commit(vec![self.admission(REQUESTER), self.admission(AGENT)]);
        self.commit(vec![self.submission(1, 0)]);
        TaskId {
            requester: public(REQUESTER),
            number: 0,
        }
    }

    /// The submission of one task, by the requester.
    pub(crate) fn submission(&self, sequence: u64, first: u64) -> Verified<SignedOperation> {
        let submit = OperationBody::Submit(Submit {
            first,
            tasks: vec![TaskSpec::new("jobs".parse().unwrap())],
        });
        self.operation(REQUESTER, sequence, submit)
    }

    pub(crate) fn admission(&self, seed: u8) -> Verified<SignedOperation> {
        let capabilities = Capabilities::new().amount("slots", 4).unwrap();
        let claims = Claims {
            issuer: public(ATTESTER),
            subject: public(seed),
            audience: self.ledger().swarm(),
            expires: START.seconds() + 100_000,
            not_before: 0,
            issued_at: 0,
            id: vec![1],
            capabilities,
        };
        let attestation = key(ATTESTER).sign(claims).into_inner();
        self.operation(seed, 0, OperationBody::Admit(Attest { attestation }))
    }

    pub(crate) fn operation(
        &self,
        seed: u8,
        sequence: u64,
        body: OperationBody,
    ) -> Verified<SignedOperation> {
        key(seed).sign(Operation {
            swarm: self.ledger().swarm(),
            agent: public(seed),
            sequence,
            body,
        })
    }
}

/// Evidence that the builder proposed this block in its build round.
pub(crate) fn accusation(block: &Block) -> Verified<Evidence> {
    let evidence = Evidence::bad_block(proposal(&block.header).into_inner(), block.clone());
    verify_evidence(evidence.unwrap()).unwrap()
}

/// The builder's own proposal of a block.
pub(crate) fn proposal(header: &Header) -> Verified<SignedStatement> {
    secret(header.builder).sign_statement(Statement {
        swarm: header.swarm,
        height: header.height,
        round: header.missed_turns,
        kind: Kind::Proposal,
        block: Some(header.id()),
        validators: header.validators,
        pol_round: None,
    })
}

/// All that followed from inputs, each kind in its order.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) actions: Vec<Action>,
    pub(crate) signals: Vec<Signal>,
}

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.signals.is_empty()
    }

    /// The messages to peers.
    pub(crate) fn sent(&self) -> Vec<(Recipients, PeerMessage)> {
        let sent = self.actions.iter().filter_map(|action| match action {
            Action::Send(to, message) => Some((*to, message.clone())),
            _ => None,
        });
        sent.collect()
    }

    /// The messages to clients.
    pub(crate) fn replies(&self) -> Vec<(PublicKey, ClientMessage)> {
        let mut replies = Vec::new();

        for action in &self.actions {
            match action {
                Action::Reply(to, message) => replies.push((*to, message.clone())),
                Action::Notify(all, message) => {
                    replies.extend(all.iter().map(|to| (*to, message.clone())));
                }
                _ => {}
            }
        }

        replies
    }

    /// The work that was handed out, beside blocks to build and to execute.
    pub(crate) fn work(&self) -> Vec<&Work> {
        let is_check = |work: &&Work| !matches!(work, Work::Execute(..) | Work::Propose(..));
        self.runs().filter(is_check).collect()
    }

    fn runs(&self) -> impl Iterator<Item = &Work> {
        self.actions.iter().filter_map(|action| match action {
            Action::Run(work) => Some(&**work),
            _ => None,
        })
    }

    /// The writes that were asked for.
    pub(crate) fn writes(&self) -> Vec<&Write> {
        let writes = self.actions.iter().filter_map(|action| match action {
            Action::Disk(write) => Some(write),
            _ => None,
        });
        writes.collect()
    }

    /// The payloads that were to be signed.
    pub(crate) fn to_sign(&self) -> Vec<&ToSign> {
        let writes = self.writes().into_iter();
        let to_sign = writes.filter_map(|write| match write {
            Write::Sign(to_sign) => Some(to_sign),
            _ => None,
        });
        to_sign.collect()
    }

    /// The ids of the blocks that were to be executed.
    pub(crate) fn executed(&self) -> Vec<BlockId> {
        let blocks = self.runs().filter_map(|work| match work {
            Work::Execute(_, block) => Some(block.header.id()),
            _ => None,
        });
        blocks.collect()
    }
}
