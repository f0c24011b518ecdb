//! Serves agents and requesters: takes their operations, answers their questions, and sends them
//! certificates.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::{Certificate, Handover};
use quorate_crypto::Verified;
use quorate_ledger::{Committed, WindowView};
use quorate_types::cose::Owned;
use quorate_types::message::{
    AccountSummary, Answer, BlockNotice, Call, ClientMessage, ClientRequest, Notice, Rejection,
    Reply, Request, Summary, TaskSummary,
};
use quorate_types::{
    Block, Hash, Header, Height, Label, Outcome, PublicKey, QuorumCertificate, SignedOperation,
    Stage, TaskId, TaskSpec, cbor, limits,
};

use crate::dossiers::{Dossiers, KeptBids};
use crate::event::Action;
use crate::replica::Replica;
use crate::work::Origin;

/// The number of outcomes kept in memory for certificates; beyond it the oldest heights are
/// dropped.
const KEPT_OUTCOMES: usize = 100_000;
/// The number of clients that may follow at one time.
const FOLLOWERS: usize = 20_000;
/// The number of open tasks that a call chooses from.
const CALLED_AMONG: usize = 8 * limits::OFFERS_PER_BID;
/// The bytes of the tasks in one call: a call that is too long for a frame would reach nobody.
const CALL_BYTES: usize = limits::FRAME_BYTES;
/// The bytes that the id of a task takes beside its specification, at most.
const TASK_ID_BYTES: usize = 48;
/// The number of certificates in one answer.
const PER_ANSWER: usize = 32;

/// The state that is kept for clients. None of it is agreed on; after a restart it is made again
/// from the blocks.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    followers: BTreeSet<PublicKey>,
    heights: BTreeMap<Height, Decision>,
    /// The number of outcomes in `heights`.
    kept: usize,
    by_task: BTreeMap<TaskId, Vec<(Height, usize)>>,
    by_key: BTreeMap<PublicKey, Vec<(Height, usize)>>,
    dossiers: Dossiers,
    standing: KeptBids,
    handovers: Vec<Handover>,
}

/// The parts of a decided block that its certificates need.
#[derive(Debug)]
struct Decision {
    header: Header,
    commit: QuorumCertificate,
    outcomes: Vec<Outcome>,
}

impl Clients {
    pub(crate) fn forget(&mut self, client: &PublicKey) {
        self.followers.remove(client);
    }

    /// Takes in a decided block.
    pub(crate) fn record(
        &mut self,
        header: &Header,
        commit: &QuorumCertificate,
        committed: &Committed,
    ) {
        let height = header.height;
        let outcomes = &committed.outcomes;
        self.dossiers.record(committed);
        self.index_outcomes(height, outcomes);

        // A height without outcomes has no certificates, so its header is not kept.
        if !outcomes.is_empty() {
            let decision = Decision {
                header: header.clone(),
                commit: commit.clone(),
                outcomes: outcomes.clone(),
            };

            self.kept += outcomes.len();
            self.heights.insert(height, decision);
        }

        // The latest height stays, however many outcomes it has.
        while self.kept > KEPT_OUTCOMES && self.heights.len() > 1 {
            self.drop_oldest();
        }
    }

    /// Notes the place of each outcome under its task and under the keys that it concerns.
    fn index_outcomes(&mut self, height: Height, outcomes: &[Outcome]) {
        for (at, outcome) in outcomes.iter().enumerate() {
            let place = (height, at);

            if let Some(task) = outcome.task() {
                self.by_task.entry(task).or_default().push(place);
            }

            for key in concerned(outcome) {
                self.by_key.entry(key).or_default().push(place);
            }
        }
    }

    fn drop_oldest(&mut self) {
        let Some((height, decision)) = self.heights.pop_first() else {
            return;
        };

        let outcomes = &decision.outcomes;
        self.kept -= outcomes.len();

        // No older height is left, so every place up to this one goes.
        let tasks: BTreeSet<TaskId> = outcomes.iter().filter_map(Outcome::task).collect();
        for task in &tasks {
            forget(&mut self.by_task, task, height);
        }

        let keys: BTreeSet<PublicKey> = outcomes.iter().flat_map(concerned).collect();
        for key in &keys {
            forget(&mut self.by_key, key, height);
        }
    }

    /// The certificates of all outcomes of a block. The outcome tree is hashed once for all of
    /// them.
    fn all_certificates(&self, decision: &Decision) -> Vec<Certificate> {
        let Decision {
            header,
            commit,
            outcomes,
        } = decision;

        // A verifier starts from the genesis, so it needs every hand-over before this height.
        let earlier = self
            .handovers
            .iter()
            .filter(|of| of.header.height < header.height);
        let earlier: Vec<_> = earlier.cloned().collect();

        Certificate::assemble_all(header, commit, outcomes, &earlier).unwrap_or_default()
    }

    /// Returns the certificates of a block that concern followers, each with its recipient.
    fn certificates_to_send(&self, decision: &Decision) -> Vec<(PublicKey, Owned)> {
        let is_told = |key: &PublicKey| self.followers.contains(key);
        let mut concerned_keys = decision.outcomes.iter().flat_map(concerned);

        // Certificates are costly to make, so none is made for a height that concerns no follower.
        if !concerned_keys.any(|key| is_told(&key)) {
            return Vec::new();
        }

        let mut sent = Vec::new();
        for certificate in self.all_certificates(decision) {
            let mut told = concerned(&certificate.outcome);
            told.retain(is_told);

            if !told.is_empty() {
                let encoded = Owned(certificate.encode());
                sent.extend(told.into_iter().map(|key| (key, encoded.clone())));
            }
        }

        sent
    }

    fn certificate(&self, height: Height, index: usize) -> Option<Owned> {
        let decision = self.heights.get(&height)?;

        let earlier = self
            .handovers
            .iter()
            .filter(|handover| handover.header.height < height);

        let certificate = Certificate::assemble(
            decision.header.clone(),
            decision.commit.clone(),
            &decision.outcomes,
            index,
            earlier.cloned().collect(),
        )?;

        Some(Owned(certificate.encode()))
    }
}

/// Forgets the places that stand under `key` up to a height.
fn forget<K: Ord>(places: &mut BTreeMap<K, Vec<(Height, usize)>>, key: &K, height: Height) {
    let Some(of_key) = places.get_mut(key) else {
        return;
    };

    of_key.retain(|(at, _)| *at > height);
    if of_key.is_empty() {
        places.remove(key);
    }
}

/// The keys that an outcome concerns: the assignee or bidder, and the requester.
fn concerned(outcome: &Outcome) -> BTreeSet<PublicKey> {
    let requester = outcome.task().map(|task| task.requester);
    outcome.agent().into_iter().chain(requester).collect()
}

impl Replica {
    pub(crate) fn on_client(&mut self, from: PublicKey, request: ClientRequest) {
        let ClientRequest { id, request } = request;

        let answer = match request {
            // These three are answered elsewhere, later or not at all.
            Request::Submit(operation) => {
                let origin = Origin::Client { from, id };
                self.on_operations(origin, vec![*operation]);
                return;
            }

            Request::Heartbeat(_) => {
                self.leases.hear(from, self.now.monotonic);
                return;
            }

            Request::Follow(follow) => {
                self.on_follow(from, follow.from);
                return;
            }

            // Questions about the state.
            Request::Account(key) => Answer::Account(self.account(&key)),
            Request::Task(task) => Answer::Task(self.task(task)),
            Request::Open(market) => Answer::Open(self.call(&market)),
            Request::Status(_) => Answer::Status(self.summary()),

            // Questions about clearings and their outcomes.
            Request::Certificates(task) => Answer::Certificates(self.certificates(&task)),
            Request::Dossier(wanted) => Answer::Dossier(self.clients.dossiers.part(wanted)),
            Request::Clearing(record) => Answer::Certificates(self.clearing(&record)),
            Request::Bids(wanted) => {
                Answer::Bids(self.clients.standing.part(&self.ledger, &wanted))
            }
        };

        self.answer(from, id, answer);
    }

    fn answer(&mut self, to: PublicKey, id: u64, answer: Answer) {
        self.act(Action::Reply(
            to,
            ClientMessage::Reply(Reply { id, answer }),
        ));
    }

    fn notify(&mut self, to: PublicKey, notice: Notice) {
        self.act(Action::Reply(to, ClientMessage::Notice(notice)));
    }

    pub(crate) fn accept(&mut self, origin: Origin, operation: &SignedOperation) {
        if let Origin::Client { from, id } = origin {
            self.answer(from, id, Answer::Accepted(operation.payload.id()));
        }
    }

    pub(crate) fn reject(&mut self, from: PublicKey, id: u64, rejection: Rejection) {
        self.answer(from, id, Answer::Rejected(rejection));
    }

    /// Begins to tell a client of decisions, and sends it the certificates that it missed since
    /// `from`.
    fn on_follow(&mut self, client: PublicKey, from: Height) {
        // A client beyond the limit is not told, but may still ask.
        if self.clients.followers.len() >= FOLLOWERS {
            return;
        }

        self.clients.followers.insert(client);

        let places = self
            .clients
            .by_key
            .get(&client)
            .cloned()
            .unwrap_or_default();

        for (height, index) in places.into_iter().filter(|(height, _)| *height >= from) {
            if let Some(certificate) = self.clients.certificate(height, index) {
                self.notify(client, Notice::Certificate(certificate));
            }
        }

        self.notify(client, self.block_notice());
        for call in self.open_calls() {
            self.notify(client, Notice::Call(call));
        }
    }

    /// Tells clients of a decided block: sends the certificates to the clients that they concern,
    /// the height to all, and a call if a window opened or grew.
    pub(crate) fn tell_clients(
        &mut self,
        block: &Verified<Block>,
        commit: &QuorumCertificate,
        committed: &Committed,
    ) {
        self.note_handover(&block.header, commit);
        self.clients.record(&block.header, commit, committed);
        self.clients.standing.keep_up(&self.ledger);

        self.tell_concerned(block.header.height);

        for client in self.clients.followers.clone() {
            self.notify(client, self.block_notice());
        }

        self.call_for_bids(block, committed);
    }

    /// Sends the certificates of a height to the followers that they concern.
    fn tell_concerned(&mut self, height: Height) {
        let Some(decision) = self.clients.heights.get(&height) else {
            return;
        };

        for (client, certificate) in self.clients.certificates_to_send(decision) {
            self.notify(client, Notice::Certificate(certificate));
        }
    }

    /// Keeps the hand-over if the header names another validator set for the next height.
    pub(crate) fn note_handover(&mut self, header: &Header, commit: &QuorumCertificate) {
        if header.next_validators != header.validators {
            let validators = (**self.ledger.validators()).clone();
            self.clients.handovers.push(Handover {
                header: header.clone(),
                commit: commit.clone(),
                validators,
            });
        }
    }

    fn call_for_bids(&mut self, block: &Verified<Block>, committed: &Committed) {
        let building = block.header.builder == self.config.me;
        if self.clients.followers.is_empty() && !building {
            return;
        }

        if !self.changes_calls(block, committed) {
            return;
        }

        for call in self.open_calls() {
            for client in self.clients.followers.clone() {
                self.notify(client, Notice::Call(call.clone()));
            }

            // Gossip reaches the agents that follow no validator; one sender is enough for all of
            // them.
            if building {
                self.act(Action::Call(call));
            }
        }
    }

    /// Returns whether a decided block may have changed the calls: it brought a task, a new stage
    /// of a window, or an outcome other than a refusal.
    fn changes_calls(&self, block: &Verified<Block>, committed: &Committed) -> bool {
        let submits = |op: &SignedOperation| op.payload.body.name() == "submit";
        if block.operations.iter().any(submits) {
            return true;
        }

        // A new stage of a window is not an outcome, so the windows themselves are checked.
        let begins = |window: &WindowView| window.opened == Some(block.header.height);
        if self.ledger.windows().iter().any(begins) {
            return true;
        }

        let is_refusal = |outcome: &Outcome| matches!(outcome, Outcome::Refusal(_));
        !committed.outcomes.iter().all(is_refusal)
    }

    fn open_calls(&self) -> Vec<Call> {
        let markets = self.ledger.genesis_info().markets.iter();
        let calls = markets.map(|market| self.call(&market.name));
        calls
            .filter(|call| call.stage > Stage::Bids || !call.tasks.is_empty())
            .collect()
    }

    fn call(&self, market: &Label) -> Call {
        let windows = self.ledger.windows();
        let window = windows.iter().find(|window| window.market == *market);

        let stage = window.map(|window| window.stage).unwrap_or_default();
        let tasks = if stage == Stage::Bids {
            self.called_tasks(market)
        } else {
            Vec::new()
        };

        Call {
            market: market.clone(),
            window: window.map_or(0, |window| window.number),
            height: self.ledger.height(),
            stage,
            tasks,
        }
    }

    /// Returns the open tasks that a call for bids names, ascending: no more than one bid may
    /// answer, and no more than a frame holds.
    fn called_tasks(&self, market: &Label) -> Vec<(TaskId, TaskSpec)> {
        let mut open = self.ledger.open_tasks(market, CALLED_AMONG);

        if open.len() > limits::OFFERS_PER_BID {
            // The choice rotates with the height: tasks that nobody can do must not keep all others
            // from being called.
            let first = self.first_called(open.len());
            open.rotate_left(first);
        }

        let mut bytes = 0;
        let mut tasks = Vec::new();

        for (task, spec) in open.into_iter().take(limits::OFFERS_PER_BID) {
            bytes += cbor::encode(&*spec).len() + TASK_ID_BYTES;
            if bytes > CALL_BYTES {
                break;
            }

            tasks.push((task, (*spec).clone()));
        }

        // Back in ascending order, as the message requires.
        tasks.sort_by_key(|(task, _)| *task);
        tasks
    }

    /// Returns the index of the first of `open` tasks that is called at this height.
    fn first_called(&self, open: usize) -> usize {
        let offers = limits::OFFERS_PER_BID as u64;
        let turn = self.ledger.height().wrapping_mul(offers);
        (turn % open as u64) as usize
    }

    fn block_notice(&self) -> Notice {
        Notice::Block(BlockNotice {
            height: self.ledger.height(),
            block: self.ledger.last_block(),
            active_time: self.ledger.active_time(),
        })
    }

    fn account(&self, key: &PublicKey) -> Option<AccountSummary> {
        let account = self.ledger.account(key)?;

        Some(AccountSummary {
            next_sequence: account.next_sequence,
            next_task: account.next_task,
            assigned: account.assigned,
        })
    }

    fn task(&self, task: TaskId) -> Option<TaskSummary> {
        let view = self.ledger.task(task)?;
        let assignee = view.state.assignee();

        Some(TaskSummary {
            state: view.state.name().parse().ok()?,
            token: view.token,
            agent: assignee.map(|assignee| assignee.agent),
            price: assignee.map(|assignee| assignee.price),
        })
    }

    fn certificates(&self, task: &TaskId) -> Vec<Owned> {
        let places = self.clients.by_task.get(task).into_iter().flatten();
        let found = places.filter_map(|(height, index)| self.clients.certificate(*height, *index));
        found.take(PER_ANSWER).collect()
    }

    /// The certificate of a clearing whose dossier is kept, if its block is kept too.
    fn clearing(&self, record: &Hash) -> Vec<Owned> {
        let place = self.clients.dossiers.place(record);
        let found = place.and_then(|(height, index)| self.clients.certificate(height, index));
        found.into_iter().collect()
    }

    fn summary(&self) -> Summary {
        Summary {
            swarm: self.ledger.swarm(),
            height: self.ledger.height(),
            block: self.ledger.last_block(),
            active_time: self.ledger.active_time(),
            open_tasks: self
                .ledger
                .windows()
                .iter()
                .map(|window| window.open_tasks)
                .sum(),
            pool: self.pool.len() as u64,
        }
    }
}
