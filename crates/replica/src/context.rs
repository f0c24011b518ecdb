//! The surroundings in which the parts of a replica handle an input, and the place for what follows
//! from it.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_ledger::Ledger;
use quorate_types::message::{Answer, ClientMessage, PeerMessage, Rejection, Reply};
use quorate_types::{Height, MonotonicMillis, PublicKey, UnixMillis, Validator};

use crate::action::{Action, Recipients, Write};
use crate::event::{Counters, Now, Origin};
use crate::signal::Signal;
use crate::timers::{Timer, Timers};
use crate::work::Work;

/// The surroundings of all parts: what they read, and what they add to.
#[derive(Debug)]
pub(crate) struct Environment {
    me: PublicKey,
    ledger: Arc<Ledger>,
    now: Now,
    /// Whether inputs come from the log. No action leaves then: the earlier run carried them out.
    replaying: bool,
    timers: Timers,
    counters: Counters,
    /// The consequences of the input that is being handled, in order.
    pending: VecDeque<Consequence>,
}

/// Something that follows from an input.
#[derive(Debug)]
pub(crate) enum Consequence {
    /// An action of the replica.
    Action(Action),
    /// An input of other parts.
    Signal(Signal),
}

impl Environment {
    pub(crate) fn new(me: PublicKey, ledger: Ledger, now: Now) -> Self {
        Self {
            me,
            ledger: Arc::new(ledger),
            now,
            replaying: false,
            timers: Timers::default(),
            counters: Counters::default(),
            pending: VecDeque::new(),
        }
    }

    /// The view that a part gets of all this while it handles an input.
    pub(crate) fn context(&mut self) -> Context<'_> {
        Context {
            me: self.me,
            ledger: &self.ledger,
            now: self.now,
            replaying: self.replaying,
            timers: &mut self.timers,
            counters: &mut self.counters,
            pending: &mut self.pending,
        }
    }

    pub(crate) fn me(&self) -> PublicKey {
        self.me
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The state, to be moved on. Executions that still use the state before keep it.
    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        Arc::make_mut(&mut self.ledger)
    }

    pub(crate) fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    pub(crate) fn set_replaying(&mut self, replaying: bool) {
        self.replaying = replaying;
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn timers(&mut self) -> &mut Timers {
        &mut self.timers
    }

    /// The time at which the next timer is due; `None` if none runs.
    pub(crate) fn next_timer(&self) -> Option<MonotonicMillis> {
        self.timers.next()
    }

    /// Takes out all that follows from the input that was handled.
    pub(crate) fn take_pending(&mut self) -> VecDeque<Consequence> {
        std::mem::take(&mut self.pending)
    }
}

/// The view that a part has while it handles an input. It reads the state after the last decided
/// block and the time, and adds what follows.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    me: PublicKey,
    ledger: &'a Arc<Ledger>,
    now: Now,
    replaying: bool,
    timers: &'a mut Timers,
    counters: &'a mut Counters,
    pending: &'a mut VecDeque<Consequence>,
}

impl<'a> Context<'a> {
    /// This node's key.
    pub(crate) fn me(&self) -> PublicKey {
        self.me
    }

    /// The state after the last decided block.
    pub(crate) fn ledger(&self) -> &'a Arc<Ledger> {
        self.ledger
    }

    /// The height that is being decided.
    pub(crate) fn height(&self) -> Height {
        self.ledger.height() + 1
    }

    /// The member with this key, if the validator set of the height has it.
    pub(crate) fn member(&self, key: &PublicKey) -> Option<&'a Validator> {
        self.ledger.validators().get(key)
    }

    /// The clock of this process, which never goes back.
    pub(crate) fn monotonic(&self) -> MonotonicMillis {
        self.now.monotonic
    }

    /// The clock of this node's computer.
    pub(crate) fn unix(&self) -> UnixMillis {
        self.now.unix
    }

    /// Whether the input comes from the log of an earlier run.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replaying
    }

    pub(crate) fn counters(&mut self) -> &mut Counters {
        self.counters
    }

    /// Sets a timer, instead of the one of the same purpose that may run.
    pub(crate) fn set_timer(&mut self, timer: Timer, at: MonotonicMillis) {
        self.timers.set(timer, at);
    }

    /// Sets a timer unless one of the same purpose runs already.
    pub(crate) fn set_timer_once(&mut self, timer: Timer, at: MonotonicMillis) {
        self.timers.set_once(timer, at);
    }

    pub(crate) fn clear_timer(&mut self, timer: Timer) {
        self.timers.clear(timer);
    }

    pub(crate) fn timers(&mut self) -> &mut Timers {
        self.timers
    }

    /// Asks for an action. While inputs come from the log none is asked for, since the earlier run
    /// carried it out.
    pub(crate) fn act(&mut self, action: Action) {
        if !self.replaying {
            self.pending.push_back(Consequence::Action(action));
        }
    }

    /// Asks for something of the disk.
    pub(crate) fn write(&mut self, write: Write) {
        self.act(Action::Disk(write));
    }

    /// Sends a message to one peer.
    pub(crate) fn send(&mut self, to: PublicKey, message: PeerMessage) {
        self.act(Action::Send(Recipients::One(to), message));
    }

    /// Sends a message to every other validator.
    pub(crate) fn broadcast(&mut self, message: PeerMessage) {
        self.act(Action::Send(Recipients::All, message));
    }

    /// Answers a request of a client.
    pub(crate) fn answer(&mut self, to: PublicKey, id: u64, answer: Answer) {
        let reply = ClientMessage::Reply(Reply { id, answer });
        self.act(Action::Reply(to, reply));
    }

    /// Tells a client why its request is refused; nobody else waits for that.
    pub(crate) fn reject(&mut self, origin: Origin, rejection: Rejection) {
        if let Origin::Client { from, id } = origin {
            self.answer(from, id, Answer::Rejected(rejection));
        }
    }

    /// Has work done. The answer comes back as an event.
    pub(crate) fn run(&mut self, work: Work) {
        self.counters.signatures += work.signatures() as u64;
        self.act(Action::Run(Box::new(work)));
    }

    /// Tells the other parts.
    pub(crate) fn tell(&mut self, signal: Signal) {
        self.pending.push_back(Consequence::Signal(signal));
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::Kind;

    use super::*;
    use crate::testing::{Bench, public};

    #[test]
    fn n32_while_inputs_come_from_the_log_signals_pass_and_actions_do_not() {
        let mut bench = Bench::new();
        bench.replay(true);
        let mut cx = bench.cx();
        cx.send(public(2), PeerMessage::Operations(Vec::new()));
        cx.tell(Signal::Waiting);
        let taken = bench.take();
        assert!(taken.actions.is_empty());
        assert!(matches!(taken.signals[..], [Signal::Waiting]));
    }

    #[test]
    fn only_a_client_waits_for_a_reason() {
        let mut bench = Bench::new();
        let from = public(60);
        let mut cx = bench.cx();
        for origin in [
            Origin::Local,
            Origin::Peer(from),
            Origin::Client { from, id: 7 },
        ] {
            cx.reject(origin, Rejection::Gap);
        }
        let answer = Answer::Rejected(Rejection::Gap);
        let reply = ClientMessage::Reply(Reply { id: 7, answer });
        assert_eq!(bench.take().replies(), [(from, reply)]);
    }

    #[test]
    fn signatures_that_are_handed_out_are_counted() {
        let mut bench = Bench::new();
        let vote = bench.statement(2, Kind::Prevote, None).into_inner();
        bench.cx().run(Work::Statement(public(2), vote));
        assert_eq!(bench.counters().signatures, 1);
    }
}
