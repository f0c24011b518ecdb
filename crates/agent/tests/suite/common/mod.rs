//! Four scripted validators that share one ledger in memory, and clients on a network that can lose
//! and repeat messages. Certificates are real; the ledger is as simple as possible.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers"
)]

pub mod fetching;

use std::collections::{BTreeMap, BTreeSet};

use quorate_agent::{CertificateVerifier, ClientAction, ClientConfig, ClientEvent, LightClient};
use quorate_certificate::{Certificate, Policy, TrustRoot};
use quorate_crypto::{SecretKey, merkle};
use quorate_types::attestation::Claims;
use quorate_types::cose::Owned;
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::message::{
    AccountSummary, Answer, BlockNotice, Call, ClientRequest, Notice, Rejection, Reply, Request,
};
use quorate_types::operation::{Offer, TaskReport};
use quorate_types::outcome::{Assignment, Receipt, Refusal};
use quorate_types::{
    ActiveMillis, Amounts, Capabilities, FencingToken, Genesis, Hash, Header, Kind, Label, Market,
    Millis, MonotonicMillis, Operation, OperationBody, Outcome, PROTOCOL_VERSION, PublicKey,
    QuorumCertificate, Reason, SignedOperation, Stage, Statement, TaskId, TaskSpec, UnixMillis,
    Validator, ValidatorSet, cbor,
};

/// The lease of the market, in milliseconds of active time.
pub const LEASE: Millis = 4_000;
/// The milliseconds between two blocks.
pub const STEP: Millis = 100;

pub fn label(text: &str) -> Label {
    text.parse().unwrap()
}

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn spec(payload: &str) -> TaskSpec {
    TaskSpec {
        payload: Owned(payload.into()),
        ..TaskSpec::new(label("jobs"))
    }
}

fn genesis() -> Genesis {
    let validator = |seed| Validator {
        key: key(seed).public_key(),
        power: 1,
        operator: label(&format!("operator-{seed}")),
    };
    Genesis {
        name: label("test"),
        created: UnixMillis(1),
        markets: vec![Market {
            name: label("jobs"),
            reserve: None,
            trusted: false,
            attempts: 3,
            lease_ms: LEASE,
            solve_ms: None,
            mechanism: "assignment".parse().unwrap(),
            reveal_ms: None,
            window_ms: 100,
        }],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: key(99).public_key(),
            name: label("agency"),
        }],
        parameters: Parameters::default(),
        validators: ValidatorSet::new((1..=4).map(validator).collect()).unwrap(),
    }
}

#[derive(Default)]
struct Account {
    next_sequence: u64,
    next_task: u64,
}

pub struct Task {
    pub spec: TaskSpec,
    pub token: FencingToken,
    pub agent: Option<PublicKey>,
    pub ended: bool,
    /// The names of the operations on the task that had an effect: accept, complete or fail.
    pub reports: Vec<&'static str>,
}

/// The state that the four validators share.
pub struct Swarm {
    genesis: Genesis,
    pub height: u64,
    pub active: ActiveMillis,
    accounts: BTreeMap<PublicKey, Account>,
    pub pool: BTreeMap<(PublicKey, u64), SignedOperation>,
    committed: BTreeSet<(PublicKey, u64, quorate_types::OperationId)>,
    pub tasks: BTreeMap<TaskId, Task>,
    bids: BTreeMap<PublicKey, Vec<Offer>>,
    pub window: u64,
    outcomes: Vec<Outcome>,
    /// The certificates of each task, in the order in which they were made.
    pub certificates: BTreeMap<TaskId, Vec<Owned>>,
    /// The number of operations handed in to validators.
    pub submissions: u64,
    /// The active times at which heartbeats came.
    pub heartbeats: Vec<ActiveMillis>,
}

impl Swarm {
    pub fn id(&self) -> quorate_types::SwarmId {
        self.genesis.swarm_id()
    }

    fn new() -> Self {
        Self {
            genesis: genesis(),
            height: 0,
            active: ActiveMillis::ZERO,
            accounts: BTreeMap::new(),
            pool: BTreeMap::new(),
            committed: BTreeSet::new(),
            tasks: BTreeMap::new(),
            bids: BTreeMap::new(),
            window: 0,
            outcomes: Vec::new(),
            certificates: BTreeMap::new(),
            submissions: 0,
            heartbeats: Vec::new(),
        }
    }

    fn handle(&mut self, from: PublicKey, request: &ClientRequest) -> Option<Reply> {
        let answer = match &request.request {
            Request::Submit(operation) => self.submit(from, operation),
            Request::Account(agent) => Answer::Account(self.account(agent)),
            Request::Certificates(task) => {
                Answer::Certificates(self.certificates.get(task).cloned().unwrap_or_default())
            }
            Request::Open(_) => Answer::Open(self.call()),
            Request::Heartbeat(_) => {
                self.heartbeats.push(self.active);
                return None;
            }
            _ => return None,
        };
        Some(Reply {
            id: request.id,
            answer,
        })
    }

    fn account(&self, agent: &PublicKey) -> Option<AccountSummary> {
        let account = self.accounts.get(agent)?;
        let held = self
            .tasks
            .iter()
            .filter(|(_, t)| t.agent == Some(*agent) && !t.ended);
        Some(AccountSummary {
            next_sequence: account.next_sequence,
            next_task: account.next_task,
            assigned: held.map(|(id, task)| (*id, task.token)).collect(),
        })
    }

    fn submit(&mut self, from: PublicKey, signed: &SignedOperation) -> Answer {
        self.submissions += 1;
        quorate_crypto::verify(signed.clone()).expect("a correct signature");
        let operation = &signed.payload;
        assert_eq!(operation.agent, from);
        let slot = (operation.agent, operation.sequence);
        let next = self
            .accounts
            .get(&from)
            .map(|account| account.next_sequence);
        match next {
            None if !matches!(operation.body, OperationBody::Admit(_)) => {
                return Answer::Rejected(Rejection::Unknown);
            }
            Some(next) if operation.sequence < next => {
                let same = self.committed.contains(&(slot.0, slot.1, operation.id()));
                return match same {
                    true => Answer::Accepted(operation.id()),
                    false => Answer::Rejected(Rejection::Sequence),
                };
            }
            _ => {}
        }
        let pooled = self.pool.entry(slot).or_insert_with(|| signed.clone());
        match pooled.payload == *operation {
            true => Answer::Accepted(operation.id()),
            false => Answer::Rejected(Rejection::Sequence),
        }
    }

    /// Puts an operation into the pool that no client of this world sent.
    pub fn inject(&mut self, key: &SecretKey, sequence: u64, body: OperationBody) {
        let (swarm, agent) = (self.genesis.swarm_id(), key.public_key());
        let operation = key
            .sign(Operation {
                swarm,
                agent,
                sequence,
                body,
            })
            .into_inner();
        self.pool.insert((agent, sequence), operation);
    }

    /// Ends the assignment of a task and gives it to another agent.
    pub fn reassign(&mut self, id: TaskId, agent: PublicKey) {
        let task = self.tasks.get_mut(&id).unwrap();
        task.token = task.token.next();
        task.agent = Some(agent);
        let assignment = self.assignment(id, agent, 1);
        self.outcomes.push(Outcome::Assignment(assignment));
    }

    fn apply(&mut self, signed: SignedOperation) {
        let Operation { agent, body, .. } = &signed.payload;
        match body {
            OperationBody::Submit(submit) => {
                let account = self.accounts.get_mut(agent).unwrap();
                if submit.first != account.next_task {
                    return self.refuse(&signed, Reason::TaskNumber);
                }
                for spec in submit.tasks.clone() {
                    let id = TaskId {
                        requester: *agent,
                        number: account.next_task,
                    };
                    account.next_task += 1;
                    let (token, reports) = (0, Vec::new());
                    let task = Task {
                        spec,
                        token: FencingToken(token),
                        agent: None,
                        ended: false,
                        reports,
                    };
                    self.tasks.insert(id, task);
                }
                self.window += 1;
            }
            OperationBody::Bid(bid) => {
                self.bids.insert(*agent, bid.offers.clone());
            }
            OperationBody::Cancel(cancel) => {
                let task = self.tasks.get_mut(&cancel.task).unwrap();
                task.ended = true;
                let (task, token, agent) = (cancel.task, task.token, task.agent);
                let operation = signed.clone();
                let receipt = Receipt {
                    task,
                    token,
                    agent,
                    operation,
                };
                self.outcomes.push(Outcome::Receipt(Box::new(receipt)));
            }
            OperationBody::Accept(report) => self.apply_report(&signed, report),
            OperationBody::Complete(report) | OperationBody::Fail(report) => {
                self.apply_report(&signed, report)
            }
            _ => {}
        }
    }

    fn apply_report(&mut self, signed: &SignedOperation, report: &TaskReport) {
        let Operation { agent, body, .. } = &signed.payload;
        let Some(task) = self.tasks.get_mut(&report.task) else {
            return self.refuse(signed, Reason::UnknownTask);
        };
        if task.token != report.token || task.agent != Some(*agent) || task.ended {
            return self.refuse(signed, Reason::StaleToken);
        }
        match body {
            OperationBody::Complete(_) => task.ended = true,
            OperationBody::Fail(_) => {
                task.agent = None;
                self.window += 1;
            }
            _ => {}
        }
        task.reports.push(body.name());
        let (task, token, agent) = (report.task, report.token, Some(*agent));
        let operation = signed.clone();
        self.outcomes.push(Outcome::Receipt(Box::new(Receipt {
            task,
            token,
            agent,
            operation,
        })));
    }

    fn refuse(&mut self, signed: &SignedOperation, reason: Reason) {
        self.outcomes.push(Outcome::Refusal(Refusal {
            operation: signed.id(),
            agent: signed.payload.agent,
            items: vec![(None, reason)],
        }));
    }

    /// Assigns to each bidder without work the first open task of its bid.
    fn clear(&mut self) {
        for (agent, offers) in std::mem::take(&mut self.bids) {
            let busy = self
                .tasks
                .values()
                .any(|task| task.agent == Some(agent) && !task.ended);
            let open = |offer: &&Offer| {
                self.tasks
                    .get(&offer.task)
                    .is_some_and(|t| t.agent.is_none())
            };
            if let Some(offer) = offers.iter().find(open).filter(|_| !busy) {
                let task = self.tasks.get_mut(&offer.task).unwrap();
                task.token = task.token.next();
                task.agent = Some(agent);
                let assignment = self.assignment(offer.task, agent, offer.price);
                self.outcomes.push(Outcome::Assignment(assignment));
            }
            self.window += 1;
        }
    }

    fn assignment(&self, id: TaskId, agent: PublicKey, price: i64) -> Assignment {
        let task = &self.tasks[&id];
        Assignment {
            task: id,
            token: task.token,
            agent,
            market: label("jobs"),
            price,
            charge: price,
            bid: quorate_types::OperationId([0; 32]),
            spec: task.spec.hash(),
            attestations: Vec::new(),
            assigned_at: self.active,
            lease: LEASE,
            clearing: Hash::ZERO,
        }
    }

    /// Decides a block of the operations in the pool and returns the certificates of its outcomes.
    fn commit(&mut self) -> Vec<Certificate> {
        self.height += 1;
        self.active += STEP;
        self.clear();
        for (slot, signed) in std::mem::take(&mut self.pool) {
            let admit = matches!(signed.payload.body, OperationBody::Admit(_));
            let account = match admit {
                true => self.accounts.entry(slot.0).or_default(),
                false => self.accounts.get_mut(&slot.0).unwrap(),
            };
            if slot.1 != account.next_sequence {
                self.pool.insert(slot, signed);
                continue;
            }
            account.next_sequence += 1;
            self.committed.insert((slot.0, slot.1, signed.id()));
            self.apply(signed);
        }
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for outcome in &mut outcomes {
            if let Outcome::Assignment(assignment) = outcome {
                assignment.assigned_at = self.active;
            }
        }
        let certificates = self.certify(&outcomes);
        for (outcome, certificate) in outcomes.iter().zip(&certificates) {
            if let Some(task) = outcome.task() {
                let chain = self.certificates.entry(task).or_default();
                chain.push(Owned(certificate.encode()));
            }
        }
        certificates
    }

    pub fn certify(&self, outcomes: &[Outcome]) -> Vec<Certificate> {
        let set = &self.genesis.validators;
        let leaves: Vec<_> = outcomes.iter().map(cbor::encode).collect();
        let header = Header {
            version: PROTOCOL_VERSION,
            swarm: self.genesis.swarm_id(),
            height: self.height,
            active_time: self.active,
            // This swarm was never idle, so both clocks advance by the same steps.
            block_time: UnixMillis(self.active.0 + 1),
            previous: quorate_types::BlockId::GENESIS,
            previous_commit: Hash::ZERO,
            validators: set.hash(),
            next_validators: set.hash(),
            parameters: self.genesis.parameters_hash(),
            builder: key(1).public_key(),
            missed_turns: 0,
            operations: Hash::ZERO,
            state: Hash::ZERO,
            outcomes: merkle::root(&leaves),
            evidence: Hash::ZERO,
        };
        let statement = Statement {
            swarm: header.swarm,
            height: header.height,
            round: 0,
            kind: Kind::Precommit,
            block: Some(header.id()),
            validators: set.hash(),
            pol_round: None,
        };
        let votes: Vec<_> = (1..=3)
            .map(|seed| key(seed).sign_statement(statement.clone()))
            .collect();
        let commit = quorate_crypto::Verified::<QuorumCertificate>::assemble(&votes, set).unwrap();
        Certificate::assemble_all(&header, &commit, outcomes, &[]).unwrap()
    }

    pub fn call(&self) -> Call {
        let open = self
            .tasks
            .iter()
            .filter(|(_, task)| task.agent.is_none() && !task.ended);
        let tasks = open
            .map(|(id, task)| (*id, task.spec.clone()))
            .take(64)
            .collect();
        let (window, height) = (self.window, self.height);
        Call {
            market: label("jobs"),
            window,
            height,
            stage: Stage::Bids,
            tasks,
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for events in &self.events {
            let names = events.iter().map(|event| format!("{event:.0?}"));
            let names: Vec<_> = names
                .map(|n| n.chars().take(60).collect::<String>())
                .collect();
            writeln!(f, "{names:#?}")?;
        }
        for (id, task) in &self.swarm.tasks {
            writeln!(
                f,
                "{id:?} {:?} {} {:?}",
                task.agent, task.token, task.reports
            )?;
        }
        Ok(())
    }
}

/// The swarm, its clients, and the network between them.
pub struct World {
    pub swarm: Swarm,
    pub clients: Vec<LightClient>,
    pub events: Vec<Vec<ClientEvent>>,
    /// The number of events that each client has worked on.
    pub worked: Vec<usize>,
    pub now: MonotonicMillis,
    pub validators: Vec<PublicKey>,
    /// The validators that answer nobody.
    pub silent: BTreeSet<PublicKey>,
    /// The percentage of messages that are lost.
    pub loss: u64,
    /// The percentage of messages that arrive twice.
    pub repeats: u64,
    /// The client that gets no notice of certificates, only answers to its requests for them.
    pub uninformed: Option<usize>,
    random: u64,
}

impl World {
    pub fn new() -> Self {
        let swarm = Swarm::new();
        let validators = swarm.genesis.validators.iter().map(|v| v.key).collect();
        Self {
            swarm,
            clients: Vec::new(),
            events: Vec::new(),
            worked: Vec::new(),
            now: MonotonicMillis(1_000),
            validators,
            silent: BTreeSet::new(),
            loss: 0,
            repeats: 0,
            uninformed: None,
            random: 42,
        }
    }

    /// Seals the market in the genesis that clients made from now on get.
    pub fn seal(&mut self) {
        self.swarm
            .genesis
            .markets
            .iter_mut()
            .for_each(|market| market.reveal_ms = Some(100));
    }

    /// Adds a client with the key of this seed, connected to all validators; returns its index.
    pub fn join(&mut self, seed: u8) -> usize {
        let client = self.client(seed);
        self.clients.push(client);
        self.events.push(Vec::new());
        self.worked.push(0);
        let index = self.clients.len() - 1;
        self.connect(index);
        index
    }

    pub fn client(&self, seed: u8) -> LightClient {
        let genesis = &self.swarm.genesis;
        let mut config = ClientConfig::new(genesis);
        let claims = Claims {
            issuer: key(99).public_key(),
            subject: key(seed).public_key(),
            audience: genesis.swarm_id(),
            expires: 100,
            not_before: 0,
            issued_at: 0,
            id: vec![seed],
            capabilities: Capabilities::new(),
        };
        config.attestation = Some(key(99).sign(claims).into_inner());
        let root = TrustRoot::from_genesis(genesis).unwrap();
        let verifier = CertificateVerifier::new(root, Policy::default());
        LightClient::new(config, key(seed), Box::new(verifier))
    }

    pub fn connect(&mut self, index: usize) {
        for validator in self.validators.clone() {
            self.clients[index].handle_connected(validator, self.now);
        }
    }

    /// Returns the number of times that the next message arrives: 0, 1 or 2.
    fn arrivals(&mut self) -> usize {
        let mut percent = || {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.random >> 33) % 100
        };
        let (lost, repeated) = (percent(), percent());
        match (lost < self.loss, repeated < self.repeats) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        }
    }

    /// Carries requests and answers until no client has an action left.
    pub fn exchange(&mut self) {
        for index in 0..self.clients.len() {
            while let Some(action) = self.clients[index].poll_action() {
                match action {
                    ClientAction::Event(event) => self.events[index].push(event),
                    ClientAction::Send { to, request } => self.carry(index, to, &request),
                }
            }
        }
    }

    fn carry(&mut self, index: usize, to: PublicKey, request: &ClientRequest) {
        let from = self.clients[index].public_key();
        if self.silent.contains(&to) {
            return;
        }
        for _ in 0..self.arrivals() {
            let Some(reply) = self.swarm.handle(from, request) else {
                continue;
            };
            for _ in 0..self.arrivals() {
                self.clients[index].handle_reply(to, reply.clone(), self.now);
            }
        }
    }

    /// Makes one block: carries the messages, decides, and sends the notices.
    pub fn step(&mut self) {
        self.exchange();
        self.now += STEP;
        let certificates = self.swarm.commit();
        let block = BlockNotice {
            height: self.swarm.height,
            block: quorate_types::BlockId([self.swarm.height as u8; 32]),
            active_time: self.swarm.active,
        };
        let mut notices = vec![Notice::Block(block), Notice::Call(self.swarm.call())];
        let bytes = certificates
            .iter()
            .map(|certificate| Owned(certificate.encode()));
        notices.extend(bytes.map(Notice::Certificate));
        for index in 0..self.clients.len() {
            for validator in self.validators.clone() {
                self.tell(index, validator, &notices);
            }
            let client = &mut self.clients[index];
            if client.poll_timeout().is_some_and(|due| due <= self.now) {
                client.handle_timeout(self.now);
                let next = client.poll_timeout();
                assert!(
                    next.is_none_or(|next| next > self.now),
                    "the next timeout must be later than the one handled"
                );
            }
        }
        self.exchange();
    }

    fn tell(&mut self, index: usize, validator: PublicKey, notices: &[Notice]) {
        if self.silent.contains(&validator) {
            return;
        }
        let uninformed = self.uninformed == Some(index);
        let lost = |notice: &&Notice| uninformed && matches!(notice, Notice::Certificate(_));
        for notice in notices.iter().filter(|notice| !lost(notice)) {
            for _ in 0..self.arrivals() {
                self.clients[index].handle_notice(validator, notice.clone(), self.now);
            }
        }
    }

    /// Makes blocks until `done` holds, and fails if it does not hold after `steps` blocks.
    pub fn run(&mut self, steps: usize, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..steps {
            if done(self) {
                return;
            }
            self.step();
        }
        assert!(done(self), "not done after {steps} blocks: {self:?}");
    }

    /// Handles the new events of a client, which bids 7 on every task and completes at once the
    /// tasks that it wins.
    pub fn work(&mut self, index: usize) {
        while let Some(event) = self.events[index].get(self.worked[index]).cloned() {
            self.worked[index] += 1;
            let now = self.now;
            let client = &mut self.clients[index];
            match &event {
                ClientEvent::Call(call) => bid(client, call, now),
                ClientEvent::Award(award) => {
                    let detail = award.spec.payload.0.clone();
                    client
                        .complete(award.task, award.token, detail, now)
                        .unwrap();
                }
                _ => {}
            }
        }
    }

    /// Replaces a client by a new one with the same key, as a restart of its process does.
    pub fn restart(&mut self, index: usize, seed: u8) {
        self.clients[index] = self.client(seed);
        self.events[index].clear();
        self.worked[index] = 0;
        self.connect(index);
    }
}

pub fn bid(client: &mut LightClient, call: &Call, now: MonotonicMillis) {
    let offers: Vec<_> = call
        .tasks
        .iter()
        .map(|(task, _)| Offer {
            task: *task,
            price: 7,
        })
        .collect();
    if !offers.is_empty() {
        let budget = Amounts::from([(label("slots"), 1)]);
        client.bid(label("jobs"), budget, offers, now).unwrap();
    }
}
