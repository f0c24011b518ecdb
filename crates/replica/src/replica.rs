//! The router of a replica: takes events in, hands each to the part that handles it, and moves the
//! state on when a block is decided.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::{Committed, Ledger, Proposal};
use quorate_types::message::{ClientRequest, PeerMessage, Rejection, Request};
use quorate_types::{Block, Height, MonotonicMillis, PublicKey, QuorumCertificate, Round, limits};

use crate::accusations::Accusations;
use crate::action::{Action, Write};
use crate::clients::Clients;
use crate::context::{Consequence, Environment};
use crate::event::{Counters, Event, HaltReason, Now, Origin};
use crate::leases::Leases;
use crate::ordering::{LogRecord, Ordering, RecoverError, TimeoutConfig, Voting, VotingStatus};
use crate::pool::Pool;
use crate::restore::{RestoreError, verify_stored};
use crate::signal::{BuildRequest, Decided, Signal};
use crate::timers::Timer;
use crate::work::Work;

/// The identity of a replica, its timeouts, and its permission to vote.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's key: it votes while the key is in the validator set, and observes otherwise.
    pub me: PublicKey,
    /// The bounds of its timeouts.
    pub pace: TimeoutConfig,
    /// The height from which the key may sign statements, as its signing guard says.
    pub voting: Voting,
}

/// The whole protocol of one peer. See the crate's documentation for how to drive it.
///
/// Each part owns its state. A part handles an input with a context, where it puts actions for the
/// world and signals for the other parts. The router hands the signals on, each before what
/// followed after it, until only actions are left.
#[derive(Debug)]
pub struct Replica {
    environment: Environment,
    ordering: Ordering,
    pool: Pool,
    accusations: Accusations,
    leases: Leases,
    clients: Clients,
    actions: VecDeque<Action>,
    halted: bool,
}

impl Replica {
    /// A replica at the genesis. [`Self::restore`] gives it the decided blocks from before a
    /// restart, in order. [`Self::recover`], which must always be called, gives it the log, and
    /// then it runs.
    pub fn new(config: Config, ledger: Ledger, now: Now) -> Self {
        let Config { me, pace, voting } = config;

        Self {
            ordering: Ordering::new(me, &ledger, pace, voting, now.monotonic),
            environment: Environment::new(me, ledger, now),
            pool: Pool::default(),
            accusations: Accusations::default(),
            leases: Leases::default(),
            clients: Clients::default(),
            actions: VecDeque::new(),
            halted: false,
        }
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Now, event: Event) {
        // A halted replica takes no event: going on would be wrong.
        if !self.halted {
            self.environment.set_now(now);
            self.on_event(event);
            self.settle();
        }
    }

    /// Fires the timers that are due. The caller comes back at [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        self.environment.set_now(now);

        while !self.halted {
            let Some(timer) = self.environment.timers().pop_due(now.monotonic) else {
                return;
            };

            self.on_timer(timer);
            self.settle();
        }
    }

    /// The next action to carry out; `None` if the replica waits.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The time at which [`Self::handle_timeout`] must be called; `None` for never.
    pub fn poll_timeout(&self) -> Option<MonotonicMillis> {
        if self.halted {
            return None;
        }

        self.environment.next_timer()
    }

    /// The state after the last decided block.
    pub fn ledger(&self) -> &Arc<Ledger> {
        self.environment.ledger()
    }

    /// This node's key.
    pub fn public_key(&self) -> PublicKey {
        self.environment.me()
    }

    /// The height that is being decided.
    pub fn height(&self) -> Height {
        self.ledger().height() + 1
    }

    /// The round of the height that is being decided.
    pub fn round(&self) -> Round {
        self.ordering.round()
    }

    /// The counts of things that were dropped and refused so far.
    pub fn counters(&self) -> Counters {
        self.environment.counters()
    }

    /// The number of operations that wait in the pool.
    pub fn pool_len(&self) -> usize {
        self.pool.len()
    }

    /// Whether this node votes, or what it waits for.
    pub fn standing(&self) -> VotingStatus {
        self.ordering.voting_status(self.ledger())
    }

    /// Whether this node votes on the height that is being decided: its key is in the validator
    /// set, and may sign there.
    pub fn is_validator(&self) -> bool {
        let me = self.public_key();
        self.ordering.may_sign() && self.ledger().validators().get(&me).is_some()
    }

    // Events, each to the part that handles it.

    fn on_event(&mut self, event: Event) {
        let cx = &mut self.environment.context();

        match event {
            // From the network.
            Event::Peer { from, message } => self.on_peer(from, message),
            Event::Client { from, request } => self.on_client(from, request),
            Event::Connected(peer) => self.ordering.on_connected(cx, peer),
            Event::Disconnected(peer) => self.clients.forget(&peer),

            // Checks that are done.
            Event::Refused(origin) => self.on_refused(origin),
            Event::ForgedBlock { from, block } => self.on_forged_block(from, block),
            Event::Operations {
                origin,
                held,
                refused,
            } => self.pool.on_checked(cx, origin, held, refused),
            Event::Evidence { origin, evidence } => {
                self.accusations.on_judged(cx, origin, *evidence);
            }
            Event::Suspicion(suspicion) => {
                let may_sign = self.ordering.may_sign();
                self.leases.on_verified(cx, may_sign, suspicion);
            }

            // Blocks that are executed and built.
            Event::Proposed { round, block } => self.on_proposed(round, block),

            // Signatures and writes that are done.
            Event::SignedOperation(operation) => {
                if !self.pool.on_own(cx, *operation) {
                    self.leases.forget_own_sequence();
                }
            }
            Event::SignedSuspicion(suspicion) => {
                let may_sign = self.ordering.may_sign();
                self.leases.on_own(cx, may_sign, suspicion);
            }

            // Results that are for the ordering alone.
            Event::Statement(_)
            | Event::Certificate(_)
            | Event::Block(_)
            | Event::Decided { .. }
            | Event::Executed { .. }
            | Event::SignedStatement(_)
            | Event::Persisted(_)
            | Event::GuardRaised(_) => self.ordering.on_result(cx, event),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        let cx = &mut self.environment.context();

        match timer {
            Timer::Start => self.await_reason(),
            Timer::Step(..) | Timer::Resend | Timer::Fetch | Timer::Locate => {
                self.ordering.on_timer(cx, timer);
            }
            Timer::Calls => self.clients.on_calls(cx),

            Timer::Leases => {
                let may_sign = self.ordering.may_sign();
                // The lapse that this validator brought before may still be on its way.
                let brings = self.pool.waits_for(&cx.me());
                self.leases.on_tick(cx, may_sign, brings);
            }
        }
    }

    fn on_peer(&mut self, from: PublicKey, message: PeerMessage) {
        let cx = &mut self.environment.context();
        let is_member = cx.member(&from).is_some();

        match message {
            // Anyone may ask.
            PeerMessage::Status(_)
            | PeerMessage::FetchBlock(_)
            | PeerMessage::FetchDecided(_)
            | PeerMessage::Locate(_)
            | PeerMessage::Located(_) => self.ordering.on_open_message(cx, from, message),

            // Only members are listened to.
            _ if !is_member => cx.counters().strangers += 1,

            PeerMessage::Statement(_)
            | PeerMessage::Certificate(_)
            | PeerMessage::Block(_)
            | PeerMessage::Decided(_) => {
                self.ordering
                    .on_member_message(cx, &self.pool, from, message);
            }

            PeerMessage::Operations(operations) => {
                self.pool.on_operations(cx, Origin::Peer(from), operations);
            }

            PeerMessage::Evidence(evidence) => {
                let trusted = self.ordering.trusts(&from, cx.monotonic());
                self.accusations.on_evidence(cx, from, trusted, *evidence);
            }

            PeerMessage::Suspicion(suspicion) => self.leases.on_suspicion(cx, from, suspicion),

            // The addresses of peers are handled by the node, outside of the replica.
            PeerMessage::Announcements(_) => {}
        }
    }

    fn on_client(&mut self, from: PublicKey, request: ClientRequest) {
        let cx = &mut self.environment.context();

        match request {
            ClientRequest {
                id,
                request: Request::Submit(operation),
            } => {
                let origin = Origin::Client { from, id };
                self.pool.on_operations(cx, origin, vec![*operation]);
            }

            ClientRequest {
                request: Request::Heartbeat(_),
                ..
            } => self.leases.hear(from, cx.monotonic()),

            question => {
                let pool = self.pool.len();
                self.clients.on_request(cx, from, question, pool);
            }
        }
    }

    /// Charges the origin of something that does not hold.
    fn on_refused(&mut self, origin: Origin) {
        let cx = &mut self.environment.context();
        cx.counters().unauthentic += 1;
        self.accusations.end_trial(origin);

        match origin {
            Origin::Client { .. } => cx.reject(origin, Rejection::Unauthentic),
            Origin::Peer(member) => self.ordering.distrust(cx, member),
            Origin::Local => {}
        }
    }

    /// Handles a body that its builder forged. The peer that passed it on did not check it.
    fn on_forged_block(&mut self, from: PublicKey, block: Box<Block>) {
        self.on_refused(Origin::Peer(from));

        let cx = &mut self.environment.context();
        self.ordering
            .on_result(cx, Event::ForgedBlock { from, block });
    }

    // Signals, each to the part that must hear of it.

    /// Handles what follows from an input, until only actions are left. What follows from a signal
    /// comes before what followed after the signal.
    fn settle(&mut self) {
        let mut pending = self.environment.take_pending();

        while let Some(next) = pending.pop_front() {
            match next {
                Consequence::Action(action) => self.actions.push_back(action),
                Consequence::Signal(Signal::Halt(reason)) => {
                    self.halted = true;
                    self.actions.push_back(Action::Disk(Write::Halt(reason)));
                    return;
                }
                Consequence::Signal(signal) => {
                    self.on_signal(signal);

                    let mut first = self.environment.take_pending();
                    first.append(&mut pending);
                    pending = first;
                }
            }
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        let cx = &mut self.environment.context();

        match signal {
            Signal::Build(request) => self.build(request),
            Signal::Decided(decided) => self.on_decided(*decided),
            Signal::Convicted(evidence) => {
                self.accusations.on_judged(cx, Origin::Local, *evidence);
            }
            Signal::Accused(evidence) => self.accusations.on_accused(cx, *evidence),
            Signal::Waiting => self.await_reason(),
            // [`Self::settle`] stops at it.
            Signal::Halt(_) => {}
        }
    }

    /// Lets the height start if there is a reason to: operations or evidence that a block could
    /// take, or time.
    fn await_reason(&mut self) {
        let cx = &mut self.environment.context();

        if self.ordering.awaits_reason() && !cx.is_replaying() {
            let waiting = self.pool.has_ready(cx.ledger()) || !self.accusations.is_empty();
            self.ordering.await_reason(cx, waiting);
        }
    }

    /// Has a block built of all that waits here.
    fn build(&mut self, request: BuildRequest) {
        let cx = &mut self.environment.context();
        let ledger = cx.ledger();

        // Block time increases strictly, even if this node's clock is behind (L-3).
        let proposal = Proposal {
            block_time: cx.unix().max(ledger.block_time() + 1),
            builder: cx.me(),
            missed_turns: request.round,
            previous_commit: request.previous_commit,
            operations: self
                .pool
                .offer(ledger, limits::OPERATIONS_PER_BLOCK, request.round),
            evidence: self.accusations.offer(),
        };

        let ledger = Arc::clone(ledger);
        cx.run(Work::Propose(ledger, request.round, Box::new(proposal)));
    }

    /// Takes a block that this node built.
    fn on_proposed(&mut self, round: Round, block: Box<Verified<Block>>) {
        let cx = &mut self.environment.context();
        if block.header.height != cx.height() {
            return;
        }

        if block.operations.is_empty() {
            self.pool.drop_offered(round);
        }

        self.ordering
            .on_result(cx, Event::Proposed { round, block });
    }

    /// Makes the execution of a decided block the state, tells clients, and begins the next height.
    fn on_decided(&mut self, decided: Decided) {
        let Decided {
            block,
            execution,
            proof,
        } = decided;

        // The execution must have been made on exactly the current state.
        let Ok(committed) = self.environment.ledger_mut().commit(*execution) else {
            let stale = HaltReason::Stale(block.header.height);
            self.environment.context().tell(Signal::Halt(stale));
            return;
        };

        self.prune(&block);
        self.announce(&block, &proof, committed);

        let cx = &mut self.environment.context();
        self.ordering.begin_next(cx, proof);

        // The new height is set up now: inputs that waited for it may be handled.
        let may_sign = self.ordering.may_sign();
        self.leases.watch(cx, may_sign);
        self.accusations.repeat(cx);
        self.ordering.take_early(cx, &self.pool);
        self.await_reason();
    }

    /// Forgets what the state has moved past.
    fn prune(&mut self, block: &Verified<Block>) {
        let ledger = self.environment.ledger();
        self.accusations.prune(ledger);

        let agents = block
            .operations
            .iter()
            .map(|operation| operation.payload.agent);
        self.pool.prune(ledger, agents);
        self.leases.prune(ledger);
    }

    /// Tells the driver and the clients of a block that is part of the state now.
    fn announce(
        &mut self,
        block: &Arc<Verified<Block>>,
        commit: &QuorumCertificate,
        committed: Committed,
    ) {
        let cx = &mut self.environment.context();
        let committed = Arc::new(committed);

        cx.act(Action::Committed {
            round: commit.statement.round,
            block: Arc::clone(block),
            commit: commit.clone(),
            committed: Arc::clone(&committed),
        });

        self.clients.on_committed(cx, block, commit, &committed);
    }

    // A restart.

    /// Takes over the next decided block from before a restart. Signatures are not checked again.
    /// It is checked again that the commit names the block and that execution gives its roots.
    ///
    /// # Errors
    /// [`RestoreError`]: the disk holds another history than this program would have written.
    pub fn restore(&mut self, block: Block, commit: QuorumCertificate) -> Result<(), RestoreError> {
        let bad = RestoreError::Block(self.height());
        let ledger = self.environment.ledger();
        let (block, commit) = verify_stored(ledger, block, commit)?;

        let execution = ledger.execute(&block).map_err(|_| bad)?;
        let ledger = self.environment.ledger_mut();
        let committed = ledger.commit(execution).map_err(|_| bad)?;

        // Certificates of this block can be served again.
        let cx = &self.environment.context();
        let validators = cx.ledger().validators();
        self.clients
            .record(validators, &block.header, &commit, &committed);
        self.ordering.restore(cx, commit);
        Ok(())
    }

    /// Takes the inputs of this height from the log of an earlier run, in order, then goes on where
    /// that run ended. What it was about to sign is signed now, with the same bytes.
    ///
    /// # Errors
    /// [`RecoverError`] naming the record. The replica must not be used then.
    pub fn recover(&mut self, records: Vec<LogRecord>) -> Result<(), RecoverError> {
        // No action leaves during the replay: the earlier run carried them out already.
        self.environment.set_replaying(true);

        for (at, record) in records.into_iter().enumerate() {
            let cx = &mut self.environment.context();
            self.ordering.replay(cx, &self.pool, at, record)?;
            self.settle();
        }

        self.environment.set_replaying(false);
        // The log itself may lead to a contradiction.
        if self.halted {
            return Ok(());
        }

        let cx = &mut self.environment.context();
        self.ordering.resume(cx);
        let may_sign = self.ordering.may_sign();
        self.leases.watch(cx, may_sign);
        self.settle();

        self.await_reason();
        self.settle();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::message::{Decided as DecidedMessage, FetchDecided, PeerStatus};
    use quorate_types::{Kind, SignedStatement};

    use super::*;
    use crate::action::{Recipients, ToSign};
    use crate::testing::{Bench, COMMITTEE, at, ledger, public};
    use crate::work::Work;

    /// The validator of the bench, as a replica that has begun to run.
    fn replica(bench: &Bench) -> Replica {
        let mut replica = stopped(bench);
        replica.recover(Vec::new()).unwrap();
        actions(&mut replica);
        replica
    }

    fn stopped(bench: &Bench) -> Replica {
        let config = Config {
            me: bench.me(),
            pace: TimeoutConfig::default(),
            voting: Voting::From(0),
        };
        Replica::new(config, ledger(COMMITTEE), at(0))
    }

    fn actions(replica: &mut Replica) -> Vec<Action> {
        std::iter::from_fn(|| replica.poll_action()).collect()
    }

    fn says(replica: &mut Replica, from: PublicKey, message: PeerMessage) -> Vec<Action> {
        replica.handle(at(0), Event::Peer { from, message });
        actions(replica)
    }

    fn status(height: Height) -> PeerMessage {
        PeerMessage::Status(PeerStatus { height, round: 0 })
    }

    fn halt(replica: &mut Replica) {
        let mut cx = replica.environment.context();
        cx.tell(Signal::Halt(HaltReason::Stale(1)));
    }

    /// Hands in a peer's decided block up to the state, as a driver does.
    fn decide(replica: &mut Replica, bench: &Bench) {
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let id = block.header.id();
        let from = bench.other();
        replica.handle(
            at(0),
            Event::Decided {
                from,
                block: Box::new(block.clone()),
                commit,
            },
        );
        let result = bench.ledger().execute(&block).map(Box::new);
        replica.handle(at(0), Event::Executed { block: id, result });
        replica.handle(at(0), Event::Persisted(1));
    }

    /// Whether an action has a block built for round 0.
    fn builds(action: &Action) -> bool {
        matches!(action, Action::Run(work) if matches!(**work, Work::Propose(_, 0, _)))
    }

    #[test]
    fn a_signal_is_handled_before_what_followed_it() {
        let bench = Bench::proposer();
        let mut replica = replica(&bench);
        let (first, second) = (bench.others()[0], bench.others()[1]);
        let mut cx = replica.environment.context();
        cx.send(first, status(1));
        cx.tell(Signal::Build(BuildRequest {
            round: 0,
            previous_commit: None,
        }));
        cx.send(second, status(1));
        replica.settle();
        let order = actions(&mut replica);
        assert!(matches!(
            order[..],
            [
                Action::Send(..),
                Action::Run(ref work),
                Action::Send(Recipients::One(last), _)
            ] if last == second && matches!(**work, Work::Propose(_, 0, _))
        ));
    }

    #[test]
    fn what_follows_from_a_signal_comes_before_what_followed_the_signal() {
        let bench = Bench::new();
        let mut replica = replica(&bench);
        let conflict = bench.conflict(3);
        let mut cx = replica.environment.context();
        cx.tell(Signal::Convicted(Box::new(conflict)));
        cx.send(bench.other(), status(1));
        replica.settle();
        let order = actions(&mut replica);
        // The conviction is told, and starts the height, before the message that came after it.
        assert!(matches!(
            order.first(),
            Some(Action::Send(Recipients::All, PeerMessage::Evidence(_)))
        ));
        assert!(matches!(
            order.last(),
            Some(Action::Send(Recipients::One(_), PeerMessage::Status(_)))
        ));
        let is_start =
            |action: &Action| matches!(action, Action::Disk(Write::Log(1, LogRecord::Start(_))));
        assert!(order.iter().any(is_start));
    }

    #[test]
    fn a_halted_replica_gives_no_further_action() {
        let bench = Bench::new();
        let mut replica = replica(&bench);
        assert!(replica.poll_timeout().is_some());
        halt(&mut replica);
        let mut cx = replica.environment.context();
        cx.send(bench.other(), status(1));
        replica.settle();
        let last = actions(&mut replica);
        assert!(matches!(last[..], [Action::Disk(Write::Halt(_))]));
        assert!(says(&mut replica, bench.other(), status(9)).is_empty());
        replica.handle_timeout(at(1_000_000));
        assert!(actions(&mut replica).is_empty());
        assert_eq!(replica.poll_timeout(), None);
    }

    #[test]
    fn an_execution_that_is_not_of_the_next_block_halts() {
        let bench = Bench::new();
        let mut replica = replica(&bench);
        let block = bench.next_block();
        let proof = bench.certificate(Kind::Precommit, &block.header);
        let execution = Box::new(bench.ledger().execute(&block).unwrap());
        decide(&mut replica, &bench);
        assert_eq!(replica.height(), 2);
        actions(&mut replica);
        let decided = Decided {
            block: Arc::new(block),
            execution,
            proof,
        };
        let mut cx = replica.environment.context();
        cx.tell(Signal::Decided(Box::new(decided)));
        replica.settle();
        let last = actions(&mut replica);
        let stale = Write::Halt(HaltReason::Stale(1));
        assert!(
            matches!(&last[..], [Action::Disk(halt)] if format!("{halt:?}") == format!("{stale:?}"))
        );
    }

    #[test]
    fn n32_a_replay_lets_no_action_out_and_what_was_open_is_done_after_it() {
        let bench = Bench::proposer();
        let mut replica = stopped(&bench);
        replica.recover(vec![LogRecord::Start(0)]).unwrap();
        let after = actions(&mut replica);
        let is_log = |action: &Action| matches!(action, Action::Disk(Write::Log(..)));
        assert!(!after.iter().any(is_log), "it is in the log already");
        let is_build = |action: &&Action| builds(action);
        assert_eq!(after.iter().filter(is_build).count(), 1);
    }

    #[test]
    fn n32_no_second_block_is_asked_for_in_a_round_whose_block_is_in_the_log() {
        let bench = Bench::proposer();
        let mut replica = stopped(&bench);
        let block = bench.next_block();
        let id = block.header.id();
        let log = vec![
            LogRecord::Start(0),
            LogRecord::Block(Box::new(block.into_inner())),
            LogRecord::Built(0, id),
        ];
        replica.recover(log).unwrap();
        let after = actions(&mut replica);
        let is_build = |action: &Action| builds(action);
        assert!(!after.iter().any(is_build));
        let proposes = |action: &&Action| match action {
            Action::Disk(Write::Sign(ToSign::Statement(said))) => said.block == Some(id),
            _ => false,
        };
        assert_eq!(after.iter().filter(proposes).count(), 1);
    }

    #[test]
    fn only_members_are_listened_to_but_anyone_may_ask() {
        let bench = Bench::new();
        let mut replica = replica(&bench);
        let vote: SignedStatement = bench.statement(2, Kind::Prevote, None).into_inner();
        let vote = PeerMessage::Statement(vote);
        assert!(says(&mut replica, public(90), vote.clone()).is_empty());
        assert_eq!(replica.counters().strangers, 1);
        let checked = says(&mut replica, public(2), vote);
        assert!(matches!(checked[..], [Action::Run(_)]));
        let asked = says(&mut replica, public(90), status(5));
        let [Action::Send(Recipients::One(to), answer)] = &asked[..] else {
            panic!("{asked:?}")
        };
        let wanted = FetchDecided { from: 1 };
        let expected = (public(90), PeerMessage::FetchDecided(wanted));
        assert_eq!((*to, answer.clone()), expected);
    }

    #[test]
    fn n34_a_failed_check_is_counted_and_the_sender_not_listened_to() {
        let bench = Bench::new();
        let mut replica = replica(&bench);
        let block = bench.next_block();
        let commit = bench.certificate(Kind::Precommit, &block.header);
        let decided = PeerMessage::Decided(Box::new(DecidedMessage {
            block: block.into_inner(),
            commit: commit.into_inner(),
        }));
        let (liar, other) = (bench.others()[0], bench.others()[1]);
        let checked = says(&mut replica, liar, decided.clone());
        assert!(matches!(&checked[..], [Action::Run(work)] if matches!(**work, Work::Decided(..))));
        replica.handle(at(0), Event::Refused(Origin::Peer(liar)));
        assert_eq!(replica.counters().unauthentic, 1);
        assert!(says(&mut replica, liar, decided.clone()).is_empty());
        assert_eq!(replica.counters().blocks_dropped, 1);
        assert_eq!(says(&mut replica, other, decided).len(), 1);
    }

    #[test]
    fn a_decided_block_becomes_the_state_before_it_is_told() {
        let bench = Bench::new();
        let mut replica = replica(&bench);
        decide(&mut replica, &bench);
        assert_eq!(replica.ledger().height(), 1);
        let told = actions(&mut replica);
        let committed = |action: &&Action| matches!(action, Action::Committed { round: 0, .. });
        assert_eq!(told.iter().filter(committed).count(), 1);
        let persist = |action: &Action| matches!(action, Action::Disk(Write::Persist { .. }));
        let is_told = |action: &Action| matches!(action, Action::Committed { .. });
        assert!(told.iter().position(persist) < told.iter().position(is_told));
    }

    #[test]
    fn l3_a_block_is_built_later_than_the_last_one_though_the_clock_is_behind() {
        let bench = Bench::proposer();
        let mut replica = replica(&bench);
        decide(&mut replica, &bench);
        actions(&mut replica);
        let last = replica.ledger().block_time();
        replica.build(BuildRequest {
            round: 0,
            previous_commit: None,
        });
        replica.settle();
        let built = actions(&mut replica);
        let [Action::Run(work)] = &built[..] else {
            panic!("{built:?}")
        };
        assert!(matches!(
            &**work,
            Work::Propose(_, _, proposal) if proposal.block_time == last + 1
        ));
    }
}
