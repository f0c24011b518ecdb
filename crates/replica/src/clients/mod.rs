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
use crate::timers::Timer;

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
    /// Whether this node built a block since it called for bids: then it gossips the next calls.
    gossips: bool,
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
    /// and the height to all. If a window opened or grew, calls for bids follow once the next
    /// height has begun: making and sending them is work that votes must not wait for.
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

        self.notify_all(cx, block_notice(ledger));
        self.expect_calls(cx, block, committed);
    }

    /// Has calls for bids made soon, if a block may have changed them and somebody waits for them.
    fn expect_calls(
        &mut self,
        cx: &mut Context<'_>,
        block: &Verified<Block>,
        committed: &Committed,
    ) {
        let is_builder = block.header.builder == cx.me();
        let is_heard = is_builder || !self.followers.is_empty();

        if is_heard && calls::changes_calls(cx.ledger(), block, committed) {
            self.gossips |= is_builder;
            cx.set_timer_once(Timer::Calls, cx.monotonic());
        }
    }

    /// Calls for bids, for all blocks since the last time.
    pub(crate) fn on_calls(&mut self, cx: &mut Context<'_>) {
        let gossips = std::mem::take(&mut self.gossips);

        for call in calls::open_calls(cx.ledger()) {
            self.notify_all(cx, Notice::Call(call.clone()));

            // Gossip reaches the agents that follow no validator; one sender is enough for all of
            // them.
            if gossips {
                cx.act(Action::Call(call));
            }
        }
    }

    fn notify_all(&self, cx: &mut Context<'_>, notice: Notice) {
        if !self.followers.is_empty() {
            let all = self.followers.iter().copied().collect();
            cx.act(Action::Notify(all, ClientMessage::Notice(notice)));
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

#[cfg(test)]
mod tests {
    use quorate_certificate::Certificate;
    use quorate_types::Outcome;
    use quorate_types::message::{FetchDossier, Follow, Reply, StatusRequest};

    use super::*;
    use crate::testing::{AGENT, Bench, COMMITTEE, Past, REQUESTER, public};

    /// A client that no outcome concerns.
    const ONLOOKER: u8 = 60;

    fn ask(clients: &mut Clients, bench: &mut Bench, seed: u8, request: Request) {
        let request = ClientRequest { id: 7, request };
        clients.on_request(&mut bench.cx(), public(seed), request, 5);
    }

    fn follow(clients: &mut Clients, bench: &mut Bench, seed: u8, from: Height) {
        ask(clients, bench, seed, Request::Follow(Follow { from }));
    }

    fn answer(clients: &mut Clients, bench: &mut Bench, request: Request) -> Answer {
        ask(clients, bench, AGENT, request);
        match bench.take().replies().pop() {
            Some((_, ClientMessage::Reply(Reply { id: 7, answer }))) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn told(clients: &mut Clients, bench: &mut Bench, past: &Past) {
        let Past {
            block,
            commit,
            committed,
        } = past;
        clients.on_committed(&mut bench.cx(), block, commit, committed);

        if bench.timers(0).contains(&Timer::Calls) {
            clients.on_calls(&mut bench.cx());
        }
    }

    #[test]
    fn one_call_stands_for_all_blocks_since_the_last() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        follow(&mut clients, &mut bench, ONLOOKER, 1);
        bench.commit(vec![bench.admission(REQUESTER)]);
        for number in 0..2 {
            let submission = bench.submission(number + 1, number);
            let past = bench.commit(vec![submission]);
            clients.on_committed(&mut bench.cx(), &past.block, &past.commit, &past.committed);
        }
        bench.take();
        assert_eq!(bench.timers(0), [Timer::Calls]);
        clients.on_calls(&mut bench.cx());
        let [Notice::Call(call)] = &notices(&mut bench, ONLOOKER)[..] else {
            panic!("one call")
        };
        assert_eq!(call.tasks.len(), 2);
    }

    /// The notices to a client since the last time, and their kinds.
    fn notices(bench: &mut Bench, seed: u8) -> Vec<Notice> {
        let replies = bench.take().replies().into_iter();
        let notices = replies.filter_map(|(to, message)| match message {
            ClientMessage::Notice(notice) if to == public(seed) => Some(notice),
            _ => None,
        });
        notices.collect()
    }

    fn outcomes(notices: &[Notice]) -> Vec<Outcome> {
        let certificates = notices.iter().filter_map(|notice| match notice {
            Notice::Certificate(bytes) => Some(Certificate::decode(&bytes.0).unwrap()),
            _ => None,
        });
        certificates
            .map(|certificate| certificate.outcome)
            .collect()
    }

    fn blocks(notices: &[Notice]) -> usize {
        let blocks = notices
            .iter()
            .filter(|notice| matches!(notice, Notice::Block(_)));
        blocks.count()
    }

    #[test]
    fn w11_certificates_go_to_the_followers_that_the_outcome_concerns() {
        for (seed, concerned) in [(AGENT, true), (REQUESTER, true), (ONLOOKER, false)] {
            let (mut bench, mut clients) = (Bench::new(), Clients::default());
            follow(&mut clients, &mut bench, seed, 1);
            let (task, past) = bench.assign();
            bench.take();
            told(&mut clients, &mut bench, &past);
            let notices = notices(&mut bench, seed);
            let outcomes = outcomes(&notices);
            assert_eq!(!outcomes.is_empty(), concerned, "{seed}");
            assert!(outcomes.iter().all(|of| of.task() == Some(task)));
            assert_eq!(blocks(&notices), 1);
        }
    }

    #[test]
    fn w11_who_does_not_follow_any_more_is_not_told() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        follow(&mut clients, &mut bench, ONLOOKER, 1);
        bench.take();
        let past = bench.commit(Vec::new());
        told(&mut clients, &mut bench, &past);
        assert_eq!(blocks(&notices(&mut bench, ONLOOKER)), 1);
        clients.forget(&public(ONLOOKER));
        let past = bench.commit(Vec::new());
        told(&mut clients, &mut bench, &past);
        assert!(bench.take().is_empty());
    }

    #[test]
    fn w11_a_follower_gets_what_it_missed_since_the_height_it_names() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        let (_, past) = bench.assign();
        told(&mut clients, &mut bench, &past);
        bench.take();
        let height = past.committed.height;
        for (from, missed) in [(1, true), (height, true), (height + 1, false)] {
            follow(&mut clients, &mut bench, AGENT, from);
            let notices = notices(&mut bench, AGENT);
            assert_eq!(!outcomes(&notices).is_empty(), missed, "from {from}");
            assert_eq!(blocks(&notices), 1, "it is told where the swarm is");
        }
    }

    #[test]
    fn w11_a_follower_beyond_the_limit_is_not_told() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        let filler = |number: usize| {
            let hash = Hash::derive("quorate 1 clearing", &[&number.to_be_bytes()]);
            PublicKey(hash.0)
        };
        clients.followers = (0..FOLLOWERS - 1).map(filler).collect();
        follow(&mut clients, &mut bench, AGENT, 1);
        assert_eq!(blocks(&notices(&mut bench, AGENT)), 1, "the last one");
        follow(&mut clients, &mut bench, ONLOOKER, 1);
        assert!(bench.take().is_empty());
        assert_eq!(clients.followers.len(), FOLLOWERS);
    }

    #[test]
    fn calls_are_gossiped_by_the_builder_alone() {
        let mut gossip = 0;
        for seed in 1..=COMMITTEE {
            let (mut bench, mut clients) = (Bench::of(seed), Clients::default());
            follow(&mut clients, &mut bench, ONLOOKER, 1);
            bench.commit(vec![bench.admission(REQUESTER)]);
            let past = bench.commit(vec![bench.submission(1, 0)]);
            told(&mut clients, &mut bench, &past);
            let taken = bench.take();
            let is_call = |action: &&Action| matches!(action, Action::Call(_));
            gossip += taken.actions.iter().filter(is_call).count();
        }
        assert_eq!(gossip, 1);
    }

    #[test]
    fn followers_are_called_when_a_task_opens_and_not_by_an_empty_block() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        follow(&mut clients, &mut bench, ONLOOKER, 1);
        let calls = |clients: &mut Clients, bench: &mut Bench, past: &Past| {
            bench.take();
            told(clients, bench, past);
            let notices = notices(bench, ONLOOKER).into_iter();
            let tasks = notices.filter_map(|notice| match notice {
                Notice::Call(call) => Some(call.tasks.len()),
                _ => None,
            });
            tasks.collect::<Vec<_>>()
        };
        let past = bench.commit(vec![bench.admission(REQUESTER)]);
        assert!(calls(&mut clients, &mut bench, &past).is_empty());
        let past = bench.commit(vec![bench.submission(1, 0)]);
        assert_eq!(calls(&mut clients, &mut bench, &past), [1]);
        let past = bench.commit(Vec::new());
        assert!(calls(&mut clients, &mut bench, &past).is_empty());
    }

    #[test]
    fn questions_about_the_state_are_answered_with_their_number() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        let (task, _) = bench.assign();
        let token = bench.ledger().leases()[0].token;
        let account = Request::Account(public(AGENT));
        let Answer::Account(Some(account)) = answer(&mut clients, &mut bench, account) else {
            panic!("it has an account")
        };
        assert_eq!(account.assigned, [(task, token)]);
        let stranger = Request::Account(public(ONLOOKER));
        let stranger = answer(&mut clients, &mut bench, stranger);
        assert_eq!(stranger, Answer::Account(None));
        let Answer::Task(Some(view)) = answer(&mut clients, &mut bench, Request::Task(task)) else {
            panic!("there is such a task")
        };
        assert_eq!((view.agent, view.token), (Some(public(AGENT)), token));
        let status = Request::Status(StatusRequest::Summary);
        let Answer::Status(summary) = answer(&mut clients, &mut bench, status) else {
            panic!("a summary was asked for")
        };
        assert_eq!((summary.height, summary.pool), (bench.height() - 1, 5));
    }

    #[test]
    fn w15_a_clearing_is_found_by_its_record_and_its_task_by_its_certificates() {
        let (mut bench, mut clients) = (Bench::new(), Clients::default());
        let (task, past) = bench.assign();
        told(&mut clients, &mut bench, &past);
        bench.take();
        let record = past.committed.dossiers[0].record.hash();
        let mut certified = |request| match answer(&mut clients, &mut bench, request) {
            Answer::Certificates(bytes) => {
                let decoded = bytes
                    .iter()
                    .map(|bytes| Certificate::decode(&bytes.0).unwrap());
                decoded.map(|of| of.outcome).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        let cleared = certified(Request::Clearing(record));
        assert!(matches!(&cleared[..], [Outcome::Clearing(of)] if of.hash() == record));
        let of_task = certified(Request::Certificates(task));
        assert!(matches!(&of_task[..], [Outcome::Assignment(of)] if of.task == task));
        assert!(certified(Request::Clearing(Hash::ZERO)).is_empty());
        let wanted = |clearing| Request::Dossier(FetchDossier { clearing, from: 0 });
        let dossier = answer(&mut clients, &mut bench, wanted(record));
        assert!(matches!(dossier, Answer::Dossier(Some(_))));
        let none = answer(&mut clients, &mut bench, wanted(Hash::ZERO));
        assert_eq!(none, Answer::Dossier(None));
    }
}
