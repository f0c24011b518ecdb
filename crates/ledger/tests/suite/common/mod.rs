//! A swarm of four validators, an attester, a requester and agents. A test decides its blocks one
//! by one.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers may fail the test"
)]

use quorate_crypto::{SecretKey, Verified};
use quorate_ledger::{Committed, Execution, Ledger, Proposal};
use quorate_types::genesis::{Admission, Attester, Market, Parameters};
use quorate_types::operation::{Attest, Bid, Cancel, Offer, OperationBody, Submit, TaskReport};
use quorate_types::outcome::ClearingInput;
use quorate_types::*;

pub const START: UnixMillis = UnixMillis(1_700_000_000_000);
/// Milliseconds of block time between two blocks of [`World::step`].
pub const STEP: Millis = 200;

pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub fn validator(number: u8) -> SecretKey {
    key(100 + number)
}

pub fn attester() -> SecretKey {
    key(200)
}

pub fn label(name: &str) -> Label {
    name.parse().unwrap()
}

pub fn market(name: &str, mechanism: &str, trusted: bool) -> Market {
    Market {
        name: label(name),
        reserve: Some(1_000),
        trusted,
        attempts: 2,
        lease_ms: 1_000,
        solve_ms: None,
        mechanism: label(mechanism),
        reveal_ms: None,
        window_ms: 300,
    }
}

pub fn genesis() -> Genesis {
    let validators = (0..4).map(|number| Validator {
        key: validator(number).public_key(),
        power: 1,
        operator: label("op"),
    });
    Genesis {
        name: label("test"),
        created: START,
        markets: vec![
            market("spot", "first-price", true),
            market("drones", "assignment", false),
        ],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: attester().public_key(),
            name: label("authority"),
        }],
        parameters: Parameters::default(),
        validators: ValidatorSet::new(validators.collect()).unwrap(),
    }
}

/// The attested capabilities of a drone: label `drone`, 500 g payload, `slots` tasks at a time.
pub fn drone(slots: i64) -> Capabilities {
    let capabilities = Capabilities::new().label("drone").unwrap();
    capabilities
        .amount("payload_g", 500)
        .unwrap()
        .amount("slots", slots)
        .unwrap()
}

pub fn slots(amount: i64) -> Amounts {
    Amounts::from([(label("slots"), amount)])
}

pub fn spec(market: &str) -> TaskSpec {
    TaskSpec::new(label(market))
}

#[derive(Clone)]
pub struct World {
    pub ledger: Ledger,
    pub last_commit: Option<Verified<CommitProof>>,
    pub waiting: Vec<Verified<SignedOperation>>,
    sequences: std::collections::BTreeMap<PublicKey, u64>,
}

impl World {
    pub fn new() -> Self {
        Self::with(genesis())
    }

    pub fn with(genesis: Genesis) -> Self {
        Self {
            ledger: Ledger::genesis(genesis).unwrap(),
            last_commit: None,
            waiting: Vec::new(),
            sequences: std::collections::BTreeMap::new(),
        }
    }

    /// A world in which these agents are drones with one slot, and agent 50 is a requester.
    pub fn with_drones(numbers: impl IntoIterator<Item = u8>) -> Self {
        let mut world = Self::new();
        world.admit(50, Capabilities::new());
        for number in numbers {
            world.admit(number, drone(1));
        }
        world.step();
        world
    }

    pub fn sign(&mut self, by: &SecretKey, body: OperationBody) -> Verified<SignedOperation> {
        let agent = by.public_key();
        let sequence = self.sequences.entry(agent).or_default();
        let operation = Operation {
            swarm: self.ledger.swarm(),
            agent,
            sequence: *sequence,
            body,
        };
        *sequence += 1;
        by.sign(operation)
    }

    /// Signs an operation for the next block.
    pub fn say(&mut self, by: &SecretKey, body: OperationBody) -> OperationId {
        let operation = self.sign(by, body);
        let id = operation.id();
        self.waiting.push(operation);
        id
    }

    pub fn attestation(&self, subject: PublicKey, capabilities: Capabilities) -> Attestation {
        let claims = Claims {
            issuer: attester().public_key(),
            subject,
            audience: self.ledger.swarm(),
            expires: START.seconds() + 3600,
            not_before: START.seconds() - 10,
            issued_at: START.seconds() - 10,
            id: vec![1],
            capabilities,
        };
        attester().sign(claims).into_inner()
    }

    pub fn admit(&mut self, number: u8, capabilities: Capabilities) -> Attestation {
        let attestation = self.attestation(key(number).public_key(), capabilities);
        self.say(
            &key(number),
            OperationBody::Admit(Attest {
                attestation: attestation.clone(),
            }),
        );
        attestation
    }

    /// Agent 50 submits tasks. Returns their ids.
    pub fn submit(&mut self, tasks: Vec<TaskSpec>) -> Vec<TaskId> {
        let requester = key(50).public_key();
        let account = self.ledger.account(&requester);
        let first = account.map_or(0, |account| account.next_task);
        let count = tasks.len() as u64;
        self.say(&key(50), OperationBody::Submit(Submit { first, tasks }));
        (first..first + count)
            .map(|number| TaskId { requester, number })
            .collect()
    }

    pub fn cancel(&mut self, task: TaskId) -> OperationId {
        self.say(&key(50), OperationBody::Cancel(Cancel { task }))
    }

    /// Agent `number` bids with a budget of one slot.
    pub fn bid(&mut self, number: u8, market: &str, offers: &[(TaskId, Price)]) -> OperationId {
        self.bid_under(number, market, slots(1), offers)
    }

    pub fn bid_under(
        &mut self,
        number: u8,
        market: &str,
        budget: Amounts,
        offers: &[(TaskId, Price)],
    ) -> OperationId {
        let offers = offers.iter().map(|(task, price)| Offer {
            task: *task,
            price: *price,
        });
        let bid = Bid {
            market: label(market),
            budget,
            offers: offers.collect(),
        };
        self.say(&key(number), OperationBody::Bid(bid))
    }

    pub fn propose_at(&self, time: UnixMillis, missed_turns: Turn) -> (Verified<Block>, Execution) {
        let height = self.ledger.height() + 1;
        self.ledger.propose(Proposal {
            block_time: time,
            builder: self.ledger.proposers().proposer(height, missed_turns),
            missed_turns,
            previous_commit: self.last_commit.clone(),
            operations: self.waiting.clone(),
            evidence: Vec::new(),
        })
    }

    /// Decides a block with all operations that wait, 200 ms after the last block.
    pub fn step(&mut self) -> Committed {
        let (block, _) = self.propose_at(self.ledger.block_time() + STEP, 0);
        self.decide(block)
    }

    /// Decides a block a second after the last one. Validator 0 builds it, in its next round.
    pub fn step_of_one_builder(&mut self) -> Committed {
        let height = self.ledger.height() + 1;
        let builds = |round: &Round| {
            self.ledger.proposers().proposer(height, *round) == validator(0).public_key()
        };
        let round = (0..8).find(builds).unwrap();
        let (block, _) = self.propose_at(self.ledger.block_time() + 1_000, round);
        self.decide(block)
    }

    /// Executes and commits a block, and drops all operations that waited.
    pub fn decide(&mut self, block: Verified<Block>) -> Committed {
        self.waiting.clear();
        let execution = self.ledger.execute(&block).unwrap();
        self.last_commit = Some(self.commit_of(&block));
        self.ledger.commit(execution).unwrap()
    }

    pub fn commit_of(&self, block: &Block) -> Verified<CommitProof> {
        let validators = self.ledger.validators();
        let statement = Statement {
            swarm: self.ledger.swarm(),
            height: block.header.height,
            round: 0,
            kind: Kind::Precommit,
            block: Some(block.header.id()),
            validators: validators.hash(),
            pol_round: None,
        };
        let votes: Vec<_> = (0..4)
            .map(|number| validator(number).sign_statement(statement.clone()))
            .collect();
        let certificate = Verified::<QuorumCertificate>::assemble(&votes, validators).unwrap();
        certificate.into_proof()
    }

    /// Steps until `market` clears once more. Returns the block that did it.
    pub fn until_clearing(&mut self, market: &str) -> Committed {
        for _ in 0..20 {
            let done = self.step();
            if done
                .dossiers
                .iter()
                .any(|dossier| dossier.record.market == label(market))
            {
                return done;
            }
        }
        panic!("no clearing of {market} within 20 blocks");
    }

    pub fn state_of(&self, task: TaskId) -> &'static str {
        self.ledger.task(task).unwrap().state.name()
    }

    /// Submits a task that agent `number` then wins in `spot`, at price 5.
    pub fn assigned(&mut self, number: u8) -> (TaskId, FencingToken) {
        let task = self.submit(vec![spec("spot")])[0];
        self.step();
        self.bid(number, "spot", &[(task, 5)]);
        self.until_clearing("spot");
        let token = self.ledger.task(task).unwrap().token;
        assert_eq!(self.state_of(task), "assigned");
        (task, token)
    }
}

/// The round that a mechanism is given for the inputs of a dossier.
pub fn round_of(
    swarm: SwarmId,
    market: &Label,
    inputs: &[ClearingInput],
) -> quorate_market::Auction {
    let ties = quorate_market::TieSeed {
        swarm,
        market: market.clone(),
    };
    let mut round = quorate_market::Auction {
        tasks: Vec::new(),
        bidders: Vec::new(),
        bids: Vec::new(),
        solutions: Vec::new(),
        ties,
    };
    for input in inputs {
        match input {
            ClearingInput::Task(task) => round.tasks.push(quorate_market::Task {
                id: task.task,
                demand: task.demand.clone(),
                limit: task.limit,
            }),
            ClearingInput::Bidder(bidder) => {
                let (agent, budget) = (bidder.agent, bidder.budget.clone());
                round.bidders.push(quorate_market::Bidder { agent, budget });
            }
            ClearingInput::Bid(bid) => {
                let (task, agent) = (bid.task, bid.agent);
                let price = bid.price.filter(|_| bid.excluded.is_none());
                let takes_part = price.map(|price| quorate_market::Bid { task, agent, price });
                round.bids.extend(takes_part);
            }
            ClearingInput::Solution(solution) => round.solutions.push(solution.pairs.clone()),
        }
    }
    round
}

pub fn report(task: TaskId, token: FencingToken) -> TaskReport {
    TaskReport {
        task,
        token,
        detail: Default::default(),
    }
}

/// All refusals among the outcomes.
pub fn refusals(committed: &Committed) -> Vec<&outcome::Refusal> {
    let refusals = committed
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Refusal(refusal) => Some(refusal),
            _ => None,
        });
    refusals.collect()
}

/// The first reason for which `operation`, or an offer of it, was refused.
pub fn reason_of(committed: &Committed, operation: OperationId) -> Option<Reason> {
    let found = refusals(committed)
        .into_iter()
        .find(|refusal| refusal.operation == operation)?;
    found.items.first().map(|(_, reason)| *reason)
}

pub fn assignments(committed: &Committed) -> Vec<&outcome::Assignment> {
    let assignments = committed
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Assignment(assignment) => Some(assignment),
            _ => None,
        });
    assignments.collect()
}
