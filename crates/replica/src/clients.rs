//! Serving agents and requesters: their operations, questions, and the certificates about them.

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
    Stage, TaskId, cbor, limits,
};

use crate::dossiers::{Dossiers, Standing};
use crate::event::Action;
use crate::replica::Replica;
use crate::work::Origin;

/// Outcomes kept in memory for certificates, at most; older heights are dropped whole.
const KEPT_OUTCOMES: usize = 100_000;
/// Clients followed at one time.
const FOLLOWERS: usize = 20_000;
/// Open tasks that a call chooses from.
const CALLED_AMONG: usize = 8 * limits::OFFERS_PER_BID;
/// Bytes of the tasks in one call: what is too long for a frame would reach nobody.
const CALL_BYTES: usize = limits::FRAME_BYTES;
/// Bytes that the name of a task takes beside it, at most.
const TASK_ID_BYTES: usize = 48;
/// Certificates in one answer.
const PER_ANSWER: usize = 32;

/// What is kept for clients. None of it is agreed on; a restart makes it again from the blocks.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    followers: BTreeSet<PublicKey>,
    heights: BTreeMap<Height, Decision>,
    /// Outcomes in `heights`.
    kept: usize,
    by_task: BTreeMap<TaskId, Vec<(Height, usize)>>,
    by_key: BTreeMap<PublicKey, Vec<(Height, usize)>>,
    dossiers: Dossiers,
    standing: Standing,
    handovers: Vec<Handover>,
}

/// A decided block as certificates need it.
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
        let (height, outcomes) = (header.height, &committed.outcomes);
        self.dossiers.record(committed);
        for (at, outcome) in outcomes.iter().enumerate() {
            if let Some(task) = outcome.task() {
                self.by_task.entry(task).or_default().push((height, at));
            }
            for key in concerned(outcome) {
                self.by_key.entry(key).or_default().push((height, at));
            }
        }
        if !outcomes.is_empty() {
            let (header, commit) = (header.clone(), commit.clone());
            self.kept += outcomes.len();
            self.heights.insert(
                height,
                Decision {
                    header,
                    commit,
                    outcomes: outcomes.clone(),
                },
            );
        }
        while self.kept > KEPT_OUTCOMES && self.heights.len() > 1 {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((height, decision)) = self.heights.pop_first() else {
            return;
        };
        let outcomes = &decision.outcomes;
        self.kept -= outcomes.len();
        let tasks: BTreeSet<TaskId> = outcomes.iter().filter_map(Outcome::task).collect();
        let keys: BTreeSet<PublicKey> = outcomes.iter().flat_map(concerned).collect();
        tasks
            .iter()
            .for_each(|task| forget(&mut self.by_task, task, height));
        keys.iter()
            .for_each(|key| forget(&mut self.by_key, key, height));
    }

    /// Certificates of all outcomes of a block: its tree is hashed once, not for each.
    fn all_certificates(&self, decision: &Decision) -> Vec<Certificate> {
        let Decision {
            header,
            commit,
            outcomes,
        } = decision;
        let earlier = self
            .handovers
            .iter()
            .filter(|of| of.header.height < header.height);
        let earlier: Vec<_> = earlier.cloned().collect();
        Certificate::assemble_all(header, commit, outcomes, &earlier).unwrap_or_default()
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

/// Forgets what stands under `key` up to a height.
fn forget<K: Ord>(places: &mut BTreeMap<K, Vec<(Height, usize)>>, key: &K, height: Height) {
    let Some(of_key) = places.get_mut(key) else {
        return;
    };
    of_key.retain(|(at, _)| *at > height);
    if of_key.is_empty() {
        places.remove(key);
    }
}

/// Whom an outcome concerns: assignee or bidder, and requester.
fn concerned(outcome: &Outcome) -> BTreeSet<PublicKey> {
    let requester = outcome.task().map(|task| task.requester);
    outcome.agent().into_iter().chain(requester).collect()
}

impl Replica {
    pub(crate) fn on_client(&mut self, from: PublicKey, request: ClientRequest) {
        let ClientRequest { id, request } = request;
        let answer = match request {
            Request::Submit(operation) => {
                self.on_operations(Origin::Client { from, id }, vec![*operation]);
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
            Request::Account(key) => Answer::Account(self.account(&key)),
            Request::Task(task) => Answer::Task(self.task(task)),
            Request::Open(market) => Answer::Open(self.call(&market)),
            Request::Certificates(task) => Answer::Certificates(self.certificates(&task)),
            Request::Status(_) => Answer::Status(self.summary()),
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

    /// From now on the client is told; what it missed since `from` it is told now.
    fn on_follow(&mut self, client: PublicKey, from: Height) {
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

    /// A block was decided: the certificates go to whom they concern, the height to all, and a
    /// call where a window opened or grew.
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
        let told = |key: &PublicKey| self.clients.followers.contains(key);
        let Some(decision) = self.clients.heights.get(&height) else {
            return;
        };
        if !decision
            .outcomes
            .iter()
            .flat_map(concerned)
            .any(|key| told(&key))
        {
            return;
        }
        let mut notices = Vec::new();
        for certificate in self.clients.all_certificates(decision) {
            let keys: Vec<_> = concerned(&certificate.outcome)
                .into_iter()
                .filter(told)
                .collect();
            if !keys.is_empty() {
                let encoded = Owned(certificate.encode());
                notices.extend(keys.into_iter().map(|key| (key, encoded.clone())));
            }
        }
        for (client, certificate) in notices {
            self.notify(client, Notice::Certificate(certificate));
        }
    }

    /// The header says that the next height has another validator set.
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
        let submits = |op: &SignedOperation| op.payload.body.name() == "submit";
        // That another stage begins is no outcome.
        let begins = |window: &WindowView| window.opened == Some(block.header.height);
        let news = block.operations.iter().any(submits)
            || self.ledger.windows().iter().any(begins)
            || committed
                .outcomes
                .iter()
                .any(|outcome| !matches!(outcome, Outcome::Refusal(_)));
        let building = block.header.builder == self.config.me;
        if !news || (self.clients.followers.is_empty() && !building) {
            return;
        }
        for call in self.open_calls() {
            for client in self.clients.followers.clone() {
                self.notify(client, Notice::Call(call.clone()));
            }
            if building {
                self.act(Action::Call(call));
            }
        }
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
        let among = if stage == Stage::Bids {
            CALLED_AMONG
        } else {
            0
        };
        let mut open = self.ledger.open_tasks(market, among);
        if open.len() > limits::OFFERS_PER_BID {
            // Tasks that nobody can do must not keep all others from being called.
            let turn = self
                .ledger
                .height()
                .wrapping_mul(limits::OFFERS_PER_BID as u64);
            let first = (turn % open.len() as u64) as usize;
            open.rotate_left(first);
        }
        let mut bytes = 0;
        let tasks = open
            .into_iter()
            .take(limits::OFFERS_PER_BID)
            .take_while(|(_, spec)| {
                bytes += cbor::encode(&**spec).len() + TASK_ID_BYTES;
                bytes <= CALL_BYTES
            });
        let mut tasks: Vec<_> = tasks.map(|(task, spec)| (task, (*spec).clone())).collect();
        tasks.sort_by_key(|(task, _)| *task);
        let window = window.map_or(0, |window| window.number);
        Call {
            market: market.clone(),
            window,
            height: self.ledger.height(),
            stage,
            tasks,
        }
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

    /// The certificate of a clearing whose dossier is kept, if its block is.
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
