//! The router of an agent or requester: each input goes to the part that owns what it changes.

use quorate_certificate::VerifiedCertificate;
use quorate_crypto::SecretKey;
use quorate_types::message::{
    Answer, Call, ClientMessage, Follow, Notice, Rejection, Reply, Request,
};
use quorate_types::operation::Bid;
use quorate_types::outcome::{Assignment, Expiry, Receipt, Refusal};
use quorate_types::{
    FencingToken, MonotonicMillis, OperationBody, Outcome, PublicKey, TaskId, TaskSpec, cbor,
    limits,
};

use super::account::Account;
use super::asked::{Answered, Asked, Wanted};
use super::config::ClientConfig;
use super::counters::ClientCounters;
use super::cx::{Cx, Setting};
use super::error::ClientError;
use super::event::{ClientAction, ClientEvent, LossCause};
use super::links::Links;
use super::markets::Markets;
use super::orders::Orders;
use super::out::Out;
use super::pace::Pace;
use super::work::Work;
use crate::{Award, Verifier};

/// The number of tasks whose certificates are asked for at one time.
const LOOK_UPS: usize = 16;

/// An agent or requester as a state machine. Its driver owns the sockets and the clock.
///
/// Call `handle_connected` and `handle_disconnected` as connections come and go, `handle_frame` for
/// each frame that arrives (or `handle_reply` and `handle_notice` if it is decoded already), and
/// `handle_timeout` when [`Self::poll_timeout`] is due. Call `submit`, `bid`, `report`, `cancel`,
/// `fetch_dossier`, `fetch_bids` and `solve` as the owner wishes. After each of them, call
/// [`Self::poll_action`] until it returns `None`, then [`Self::poll_timeout`]. `now` is the time of
/// any clock that never goes back.
///
/// The client believes outcomes by verified certificates alone. It believes the state of its
/// account and the newest window of a market as far as validators with more than a third of the
/// power say so. Operations are signed once and sent again, as the same bytes, until their number
/// is committed. After a restart with the same key, the numbering is learned anew. An award is
/// passed on only if this process was asked to bid on it and the specification has the certified
/// hash. Other awards that the swarm lists as held are reported as failed, because nobody is
/// working on them.
pub struct LightClient {
    setting: Setting,
    links: Links,
    pace: Pace,
    account: Account,
    work: Work,
    orders: Orders,
    markets: Markets,
    out: Out,
}

impl LightClient {
    /// Makes a client that knows nobody yet.
    pub fn new(config: ClientConfig, key: SecretKey, verifier: Box<dyn Verifier>) -> Self {
        Self {
            links: Links::default(),
            pace: Pace::default(),
            account: Account::default(),
            work: Work::default(),
            orders: Orders::default(),
            markets: Markets::new(&config),
            out: Out::default(),
            setting: Setting::new(config, key, verifier),
        }
    }

    /// Returns the key of the client.
    pub fn public_key(&self) -> PublicKey {
        self.setting.me()
    }

    /// Returns whether the swarm knows the key. Until then nothing can be submitted.
    pub fn is_ready(&self) -> bool {
        self.account.is_member()
    }

    /// Returns whether nothing is on its way and every task submitted here has ended.
    pub fn is_settled(&self) -> bool {
        self.account.is_idle() && self.orders.unfinished() == 0
    }

    /// Returns the counters since the client was made.
    pub fn counters(&self) -> ClientCounters {
        self.out.counters()
    }

    /// Returns the next action, or `None` if there is none until something else is handled.
    pub fn poll_action(&mut self) -> Option<ClientAction> {
        self.out.poll()
    }

    /// Returns the time at which [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<MonotonicMillis> {
        let reach = self.links.in_reach_since(self.setting.validators());
        let lease = self.work.deadline(reach);

        let connected = self.links.is_any_connected();
        let upkeep = connected.then(|| self.pace.due());

        [lease, upkeep].into_iter().flatten().min()
    }

    /// Notes that a validator can be reached. Strangers are counted and ignored.
    pub fn handle_connected(&mut self, validator: PublicKey, now: MonotonicMillis) {
        if self.setting.validators().get(&validator).is_none() {
            self.out.count().unexpected += 1;
            return;
        }

        if !self.links.is_any_connected() {
            self.pace.restart(&Cx::new(&self.setting, &self.links, now));
        }

        let seen = self.links.connect(validator, now);
        let from = seen.map_or(self.setting.follow_from(), |block| block.height);
        let follow = Request::Follow(Follow { from });
        self.out.ask(&validator, follow, None);
        self.out.ask_account(&validator, self.setting.me());
        self.out.dispatch(&mut self.links);
    }

    /// Notes that a validator can no longer be reached.
    pub fn handle_disconnected(&mut self, validator: PublicKey) {
        self.links.disconnect(&validator);
        self.markets.on_disconnected(&validator);
    }

    /// Handles a frame of a validator: an answer or a notice in canonical CBOR.
    ///
    /// # Errors
    /// [`cbor::CborError`] if the frame is neither. Nothing has changed then.
    pub fn handle_frame(
        &mut self,
        from: PublicKey,
        bytes: &[u8],
        now: MonotonicMillis,
    ) -> Result<(), cbor::CborError> {
        match cbor::decode(bytes, limits::BLOCK_BYTES)? {
            ClientMessage::Reply(reply) => self.handle_reply(from, reply, now),
            ClientMessage::Notice(notice) => self.handle_notice(from, notice, now),
        }

        Ok(())
    }

    /// Handles an answer of a validator.
    pub fn handle_reply(&mut self, from: PublicKey, reply: Reply, now: MonotonicMillis) {
        let link = self.links.hear(&from, now);
        let Some(asked) = link.and_then(|link| link.take(reply.id)) else {
            // The answer was not asked for.
            self.out.count().unexpected += 1;
            return;
        };

        match (asked, reply.answer) {
            (Asked::Submit(sequence), Answer::Accepted(id)) => {
                self.account.on_accepted(from, sequence, id);
            }
            (Asked::Submit(sequence), Answer::Rejected(rejection)) => {
                self.on_rejection(from, sequence, rejection);
            }

            (Asked::Account, Answer::Account(account)) => {
                if let Some(link) = self.links.hear(&from, now) {
                    link.set_account(account);
                }
                self.on_account(now);
            }

            (Asked::Certificates(task), Answer::Certificates(certificates)) => {
                for certificate in certificates {
                    self.on_certificate(&certificate.0, Some(task), now);
                }
            }

            (Asked::Open, Answer::Open(call)) => self.on_call(from, call, now),

            (asked, answer) => {
                let cx = Cx::new(&self.setting, &self.links, now);
                let answered = Answered::new(from, asked, answer);
                self.markets.on_answer(&cx, answered, &mut self.out);
            }
        }

        self.out.dispatch(&mut self.links);
    }

    /// Handles a notice of a validator.
    pub fn handle_notice(&mut self, from: PublicKey, notice: Notice, now: MonotonicMillis) {
        let Some(link) = self.links.hear(&from, now) else {
            self.out.count().unexpected += 1;
            return;
        };

        match notice {
            Notice::Block(block) => link.set_block(block),
            Notice::Certificate(certificate) => self.on_certificate(&certificate.0, None, now),
            Notice::Call(call) => self.on_call(from, call, now),
        }

        self.out.dispatch(&mut self.links);
    }

    /// Does what is due at [`Self::poll_timeout`]: heartbeats, repetitions, leases that ran out.
    pub fn handle_timeout(&mut self, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        let lease = self.work.shortest_lease();
        self.pace.on_heartbeat(&cx, lease, &mut self.out);

        if self.pace.on_tick(&cx) {
            self.on_tick(now);
        }

        let cx = Cx::new(&self.setting, &self.links, now);
        self.work.on_time(&cx, &mut self.out);
        self.flush(now);
        self.out.dispatch(&mut self.links);
    }

    /// Repeats what had no effect, and asks for what may have been missed.
    fn on_tick(&mut self, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        self.account.resubmit(&cx, &mut self.out);

        // The account shows which numbers are committed and which awards the swarm lists.
        if self.account.is_waiting() || self.work.has_orphans() {
            for validator in cx.connected() {
                self.out.ask_account(&validator, cx.me());
            }
        }

        self.markets.pursue(&cx, &mut self.out);

        if let Some(turn) = self.pace.look_up() {
            self.look_up(turn, now);
        }
    }

    /// Asks one validator, another one each time, for certificates that may have been missed.
    fn look_up(&mut self, turn: u64, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        let connected = cx.connected();

        if let Some(validator) = connected.get(turn as usize % connected.len().max(1)) {
            // These reports have had no effect: an operation of a predecessor may have had their
            // numbers.
            let mut tasks = self.work.unsettled(LOOK_UPS);
            if self.account.is_idle() {
                self.work.repeat(&tasks, &mut self.out);
            }

            tasks.extend(self.orders.next_unfinished(LOOK_UPS));
            for task in tasks {
                self.out.ask_certificates(validator, task);
            }
        }

        self.markets.look_up(&cx, &mut self.out);
    }

    /// Handles the rejection of an operation. Unless its number was used, the operation is just
    /// sent again later: full pools drain, gaps close, and a validator that does not know the key
    /// yet catches up.
    fn on_rejection(&mut self, from: PublicKey, sequence: u64, rejection: Rejection) {
        match rejection {
            Rejection::Sequence => {
                self.account.on_taken(from, sequence);
                self.out.ask_account(&from, self.setting.me());
            }
            Rejection::Unauthentic => self.out.count().unauthentic += 1,
            Rejection::Unknown | Rejection::Gap | Rejection::Full => {}
        }
    }

    fn on_call(&mut self, from: PublicKey, call: Call, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        self.markets.on_call(&cx, from, call, &mut self.out);
        self.flush(now);
    }

    /// Acts on the account as enough validators describe it.
    fn on_account(&mut self, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        let patient = self.pace.is_patient();
        let listed = self.account.on_account(&cx, patient, &mut self.out);

        if let Some(assigned) = listed {
            self.work.on_listed(&cx, assigned, &mut self.out);
            self.flush(now);
        }
    }

    /// Acts on a certificate that verifies; otherwise counts and drops it. `asked` is the task that
    /// an answer must be about.
    fn on_certificate(&mut self, bytes: &[u8], asked: Option<TaskId>, now: MonotonicMillis) {
        let Some(certificate) = self.setting.verify(bytes) else {
            self.out.count().bad_certificates += 1;
            return;
        };

        if asked.is_some() && certificate.task() != asked {
            self.out.count().unexpected += 1;
            return;
        }

        self.out.count().certificates += 1;
        match certificate.outcome() {
            Outcome::Assignment(of) => self.on_assignment(of, &certificate, now),
            Outcome::Receipt(of) => self.on_receipt(of, &certificate, now),
            Outcome::Refusal(of) => self.on_refusal(of, &certificate, now),
            Outcome::Expiry(of) => self.on_expiry(of, &certificate, now),
            Outcome::Clearing(_) => {}
        }

        self.flush(now);
    }

    fn on_assignment(
        &mut self,
        assignment: &Assignment,
        certificate: &VerifiedCertificate,
        now: MonotonicMillis,
    ) {
        let cx = Cx::new(&self.setting, &self.links, now);
        self.orders
            .on_assignment(&cx, assignment, certificate, &mut self.out);

        // The older award is over, whichever agent holds the new token.
        if let Some(older) = assignment.token.previous() {
            self.end(assignment.task, older, LossCause::Superseded, now);
        }

        if assignment.agent == self.setting.me() {
            self.on_award(assignment, certificate, now);
        }
    }

    fn on_award(
        &mut self,
        assignment: &Assignment,
        certificate: &VerifiedCertificate,
        now: MonotonicMillis,
    ) {
        // Without its specification nobody here can do the task: it is listed, and given back.
        let Some(spec) = self.markets.spec(assignment).cloned() else {
            return;
        };

        let cx = Cx::new(&self.setting, &self.links, now);
        if !self.work.on_award(&cx, assignment, &mut self.out) {
            return;
        }

        // The validators must hear the assignee before the lease runs out.
        self.pace.hurry(now);

        let award = Award::new(&cx.swarm(), spec, assignment, certificate.clone());
        self.out.event(ClientEvent::Award(Box::new(award)));
    }

    fn on_receipt(
        &mut self,
        receipt: &Receipt,
        certificate: &VerifiedCertificate,
        now: MonotonicMillis,
    ) {
        let cx = Cx::new(&self.setting, &self.links, now);

        if receipt.agent == Some(cx.me())
            && self.work.on_receipt(receipt, certificate, &mut self.out)
        {
            self.markets.refresh(&cx, &mut self.out);
        }

        self.orders
            .on_receipt(&cx, receipt, certificate, &mut self.out);
    }

    fn on_refusal(
        &mut self,
        refusal: &Refusal,
        certificate: &VerifiedCertificate,
        now: MonotonicMillis,
    ) {
        let cx = Cx::new(&self.setting, &self.links, now);
        if !self.account.on_refusal(&cx, refusal) {
            return;
        }

        self.markets.on_refusal(refusal);

        // If the whole operation was a submission, it opened none of its tasks.
        if let [(None, reason)] = refusal.items[..] {
            for task in self.account.submitted(&cx, &refusal.operation) {
                self.orders
                    .on_refusal(task, reason, certificate, &mut self.out);
            }
        }

        self.out.event(ClientEvent::Refused {
            operation: refusal.operation,
            items: refusal.items.clone(),
            certificate: certificate.clone(),
        });
    }

    fn on_expiry(
        &mut self,
        expiry: &Expiry,
        certificate: &VerifiedCertificate,
        now: MonotonicMillis,
    ) {
        self.end(expiry.task, expiry.token, LossCause::Ended, now);

        let cx = Cx::new(&self.setting, &self.links, now);
        self.orders
            .on_expiry(&cx, expiry, certificate, &mut self.out);
    }

    /// Ends an award of this token or an earlier one, if it is held.
    fn end(&mut self, task: TaskId, token: FencingToken, cause: LossCause, now: MonotonicMillis) {
        if self.work.end(task, token, cause, &mut self.out) {
            let cx = Cx::new(&self.setting, &self.links, now);
            self.markets.refresh(&cx, &mut self.out);
        }
    }

    fn flush(&mut self, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        self.account.flush(&cx, &mut self.out);
    }

    /// Returns what the parts may read at this time.
    pub(super) fn cx(&self, now: MonotonicMillis) -> Cx<'_> {
        Cx::new(&self.setting, &self.links, now)
    }

    /// Checks that operations can be numbered.
    pub(super) fn check_ready(&self) -> Result<(), ClientError> {
        self.account.check_ready()
    }

    /// Submits tasks that are within the limits. Returns their names, in the same order.
    pub(super) fn open(&mut self, specs: Vec<TaskSpec>, now: MonotonicMillis) -> Vec<TaskId> {
        let cx = Cx::new(&self.setting, &self.links, now);
        let tasks = self.account.submit(&cx, specs, &mut self.out);
        for task in &tasks {
            self.orders.open(*task);
        }

        self.end_command(now);
        tasks
    }

    /// Sends a bid that is within the limits, or a commitment to it.
    pub(super) fn offer(&mut self, bid: Bid, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        self.markets.bid(&cx, bid, &mut self.out);
        self.end_command(now);
    }

    /// Sends an operation.
    pub(super) fn operate(&mut self, body: OperationBody, now: MonotonicMillis) {
        self.out.operate(body);
        self.end_command(now);
    }

    /// Sends the report on an award.
    ///
    /// # Errors
    /// [`ClientError::NotHeld`] if the award is not held, or was reported on before.
    pub(super) fn conclude(
        &mut self,
        body: OperationBody,
        task: TaskId,
        token: FencingToken,
        now: MonotonicMillis,
    ) -> Result<(), ClientError> {
        if !self.work.owes(task, token) {
            return Err(ClientError::NotHeld { task, token });
        }

        self.work.report(task, body, &mut self.out);
        self.end_command(now);
        Ok(())
    }

    /// Starts to fetch something.
    pub(super) fn fetch(&mut self, wanted: Wanted, now: MonotonicMillis) {
        let cx = Cx::new(&self.setting, &self.links, now);
        self.markets.fetch(&cx, wanted, &mut self.out);
        self.out.dispatch(&mut self.links);
    }

    fn end_command(&mut self, now: MonotonicMillis) {
        self.flush(now);
        self.out.dispatch(&mut self.links);
    }
}

impl std::fmt::Debug for LightClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LightClient")
            .field("me", &self.setting.me())
            .field("member", &self.account.is_member())
            .field("counters", &self.out.counters())
            .finish_non_exhaustive()
    }
}
