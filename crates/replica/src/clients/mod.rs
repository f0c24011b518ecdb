//! Serves agents and requesters: answers their questions, and sends them certificates and calls.

mod archive;
mod calls;
mod dossiers;

use std::collections::BTreeSet;

use quorate_crypto::Verified;
use quorate_ledger::{Committed, Ledger};
use quorate_types::cose::Owned;
use quorate_types::message::{
    AccountSummary, Answer, BlockNotice, ClientMessage, ClientRequest, Notice, Request, Summary,
    TaskSummary,
};
use quorate_types::{
    Block, Hash, Header, Height, PublicKey, QuorumCertificate, TaskId, ValidatorSet,
};

use crate::action::Action;
use crate::context::Context;

use archive::Archive;
use dossiers::{Dossiers, KeptBids};

/// The number of clients that may follow at one time.
const FOLLOWERS: usize = 20_000;
/// The number of certificates in one answer.
const PER_ANSWER: usize = 32;

/// The state that is kept for clients. None of it is agreed on; after a restart it is made again
/// from the blocks.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    followers: BTreeSet<PublicKey>,
    archive: Archive,
    dossiers: Dossiers,
    standing: KeptBids,
}

impl Clients {
    pub(crate) fn forget(&mut self, client: &PublicKey) {
        self.followers.remove(client);
    }

    /// Takes in a decided block. `validators` is the set of the height after it.
    pub(crate) fn record(
        &mut self,
        validators: &ValidatorSet,
        header: &Header,
        commit: &QuorumCertificate,
        committed: &Committed,
    ) {
        self.archive.note_handover(header, commit, validators);
        self.dossiers.record(committed);
        self.archive.record(header, commit, &committed.outcomes);
    }

    /// Handles a request about the state, or begins to tell a client. `pool` is the number of
    /// operations that wait for a block.
    pub(crate) fn on_request(
        &mut self,
        cx: &mut Context<'_>,
        from: PublicKey,
        request: ClientRequest,
        pool: usize,
    ) {
        let ClientRequest { id, request } = request;
        let ledger = cx.ledger();

        let answer = match request {
            // Operations and heartbeats are for other parts.
            Request::Submit(_) | Request::Heartbeat(_) => return,

            Request::Follow(follow) => {
                self.on_follow(cx, from, follow.from);
                return;
            }

            // Questions about the state.
            Request::Account(key) => Answer::Account(account(ledger, &key)),
            Request::Task(task) => Answer::Task(task_summary(ledger, task)),
            Request::Open(market) => Answer::Open(calls::call(ledger, &market)),
            Request::Status(_) => Answer::Status(summary(ledger, pool)),

            // Questions about clearings and their outcomes.
            Request::Certificates(task) => Answer::Certificates(self.certificates(&task)),
            Request::Dossier(wanted) => Answer::Dossier(self.dossiers.part(wanted)),
            Request::Clearing(record) => Answer::Certificates(self.clearing(&record)),
            Request::Bids(wanted) => Answer::Bids(self.standing.part(ledger, &wanted)),
        };

        cx.answer(from, id, answer);
    }

    /// Begins to tell a client of decisions, and sends it the certificates that it missed since
    /// `from`.
    fn on_follow(&mut self, cx: &mut Context<'_>, client: PublicKey, from: Height) {
        // A client beyond the limit is not told, but may still ask.
        if self.followers.len() >= FOLLOWERS {
            return;
        }

        self.followers.insert(client);

        for place in self.archive.of_key(&client, from) {
            if let Some(certificate) = self.archive.certificate(place) {
                notify(cx, client, Notice::Certificate(certificate));
            }
        }

        let ledger = cx.ledger();
        notify(cx, client, block_notice(ledger));
        for call in calls::open_calls(ledger) {
            notify(cx, client, Notice::Call(call));
        }
    }

    /// Tells clients of a decided block: sends the certificates to the clients that they concern,
    /// the height to all, and a call if a window opened or grew.
    pub(crate) fn on_committed(
        &mut self,
        cx: &mut Context<'_>,
        block: &Verified<Block>,
        commit: &QuorumCertificate,
        committed: &Committed,
    ) {
        let ledger = cx.ledger();
        let header = &block.header;
        self.record(ledger.validators(), header, commit, committed);
        self.standing.keep_up(ledger);

        let certificates = self
            .archive
            .certificates_for(header.height, &self.followers);
        for (client, certificate) in certificates {
            notify(cx, client, Notice::Certificate(certificate));
        }

        for client in &self.followers {
            notify(cx, *client, block_notice(ledger));
        }

        self.call_for_bids(cx, block, committed);
    }

    fn call_for_bids(&self, cx: &mut Context<'_>, block: &Verified<Block>, committed: &Committed) {
        let building = block.header.builder == cx.me();
        if self.followers.is_empty() && !building {
            return;
        }

        if !calls::changes_calls(cx.ledger(), block, committed) {
            return;
        }

        for call in calls::open_calls(cx.ledger()) {
            for client in &self.followers {
                notify(cx, *client, Notice::Call(call.clone()));
            }

            // Gossip reaches the agents that follow no validator; one sender is enough for all of
            // them.
            if building {
                cx.act(Action::Call(call));
            }
        }
    }

    fn certificates(&self, task: &TaskId) -> Vec<Owned> {
        let places = self.archive.of_task(task);
        let found = places.filter_map(|place| self.archive.certificate(place));
        found.take(PER_ANSWER).collect()
    }

    /// The certificate of a clearing whose dossier is kept, if its block is kept too.
    fn clearing(&self, record: &Hash) -> Vec<Owned> {
        let place = self.dossiers.place(record);
        let found = place.and_then(|place| self.archive.certificate(place));
        found.into_iter().collect()
    }
}

fn notify(cx: &mut Context<'_>, to: PublicKey, notice: Notice) {
    cx.act(Action::Reply(to, ClientMessage::Notice(notice)));
}

fn account(ledger: &Ledger, key: &PublicKey) -> Option<AccountSummary> {
    let account = ledger.account(key)?;

    Some(AccountSummary {
        next_sequence: account.next_sequence,
        next_task: account.next_task,
        assigned: account.assigned,
    })
}

fn task_summary(ledger: &Ledger, task: TaskId) -> Option<TaskSummary> {
    let view = ledger.task(task)?;
    let assignee = view.state.assignee();

    Some(TaskSummary {
        state: view.state.name().parse().ok()?,
        token: view.token,
        agent: assignee.map(|assignee| assignee.agent),
        price: assignee.map(|assignee| assignee.price),
    })
}

fn summary(ledger: &Ledger, pool: usize) -> Summary {
    Summary {
        swarm: ledger.swarm(),
        height: ledger.height(),
        block: ledger.last_block(),
        active_time: ledger.active_time(),
        open_tasks: ledger
            .windows()
            .iter()
            .map(|window| window.open_tasks)
            .sum(),
        pool: pool as u64,
    }
}
fn block_notice(ledger: &Ledger) -> Notice {
    Notice::Block(BlockNotice {
        height: ledger.height(),
        block: ledger.last_block(),
        active_time: ledger.active_time(),
    })
}
