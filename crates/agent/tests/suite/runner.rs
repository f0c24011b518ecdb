//! Tests of the runner of agents, driven by events alone, without a clock.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use quorate_agent::{
    Agent, AgentReport, AgentRunner, Award, CallForBids, ClientEvent, LeaseControl, LeaseGuard,
    LeaseLost, LossCause, Quote, TaskError, TaskOutput, Timer, async_trait,
};
use quorate_types::cose::Owned;
use quorate_types::message::Call;
use quorate_types::{
    ActiveMillis, Amounts, Capabilities, FencingToken, Hash, PublicKey, Stage, TaskId, TaskSpec,
    limits,
};

/// A timer whose sleepers wake when the test says so.
#[derive(Default)]
struct Hand {
    sleepers: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Hand {
    fn wake_all(&self) {
        for sleeper in self.sleepers.lock().unwrap().drain(..) {
            let _ = sleeper.send(());
        }
    }
}

impl Timer for Hand {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        self.sleepers.lock().unwrap().push(wake);
        woken.map(|_| ()).boxed()
    }
}

/// An agent that bids the length of the payload, sleeps, and returns the payload as its result.
struct Sleeper;

#[async_trait]
impl Agent for Sleeper {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .label("camera")
            .unwrap()
            .amount("payload_g", 500)
            .unwrap()
    }

    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        let length = call.spec.payload.0.len() as i64;
        (length > 0).then(|| call.quote(length))
    }

    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<TaskOutput, TaskError> {
        lease.sleep(Duration::from_secs(1)).await?;
        Ok(TaskOutput::new(award.spec.payload.0))
    }
}

fn id(number: u64) -> TaskId {
    TaskId {
        requester: PublicKey([1; 32]),
        number,
    }
}

fn spec(bytes: usize) -> TaskSpec {
    TaskSpec {
        payload: Owned(vec![b'x'; bytes]),
        ..TaskSpec::new("jobs".parse().unwrap())
    }
}

fn call(tasks: Vec<(TaskId, TaskSpec)>) -> ClientEvent {
    let market = "jobs".parse().unwrap();
    ClientEvent::Call(Call {
        market,
        window: 1,
        height: 1,
        stage: Stage::Bids,
        tasks,
    })
}

fn award(number: u64, bytes: usize) -> ClientEvent {
    ClientEvent::Award(Box::new(Award {
        task: id(number),
        spec: spec(bytes),
        token: FencingToken(1),
        price: 1,
        idempotency_key: Hash::ZERO,
        certificate: quorate_certificate::example().unwrap(),
        lease: Duration::from_secs(1),
        assigned_at: ActiveMillis(1),
    }))
}

fn runner(slots: usize) -> (AgentRunner, Arc<Hand>) {
    let hand = Arc::new(Hand::default());
    let agents = (0..slots)
        .map(|_| Box::new(Sleeper) as Box<dyn Agent>)
        .collect();
    let mut runner = AgentRunner::new(agents, hand.clone());
    runner.handle_event(&ClientEvent::Ready);
    (runner, hand)
}

fn next(runner: &mut AgentRunner) -> Option<AgentReport> {
    runner.next().now_or_never().flatten()
}

#[test]
fn calls_that_come_before_the_swarm_knows_the_key_wait_for_it() {
    let agents = vec![Box::new(Sleeper) as Box<dyn Agent>];
    let mut runner = AgentRunner::new(agents, Arc::new(Hand::default()));
    for number in 1..=2 {
        runner.handle_event(&call(vec![(id(number), spec(3))]));
    }
    assert_eq!(next(&mut runner), None);

    // Only the newest call of the market is left.
    runner.handle_event(&ClientEvent::Ready);
    let Some(AgentReport::Bid { offers, .. }) = next(&mut runner) else {
        panic!()
    };
    assert_eq!(
        offers.iter().map(|offer| offer.task).collect::<Vec<_>>(),
        [id(2)]
    );
    assert_eq!(next(&mut runner), None);
}

#[test]
fn one_window_is_one_bid_on_what_fits() {
    let (mut runner, _) = runner(1);
    let mut heavy = spec(3);
    heavy.requires = Capabilities::new().amount("payload_g", 501).unwrap();
    let mut hot = spec(3);
    hot.requires = Capabilities::new().label("thermal-camera").unwrap();
    let mut greedy = spec(3);
    greedy.demand = Amounts::from([("slots".parse().unwrap(), 2)]);
    let mut fits = spec(4);
    fits.demand = Amounts::from([("payload_g".parse().unwrap(), 400)]);
    let tasks = [spec(2), heavy, hot, greedy, spec(0), fits];
    let tasks = (0..).map(id).zip(tasks).collect();
    runner.handle_event(&call(tasks));
    let Some(AgentReport::Bid { budget, offers, .. }) = next(&mut runner) else {
        panic!()
    };
    let offers: Vec<_> = offers
        .iter()
        .map(|offer| (offer.task.number, offer.price))
        .collect();
    assert_eq!(offers, [(0, 2), (5, 4)]);
    assert_eq!(budget.values().copied().collect::<Vec<_>>(), [1, 400]);
    assert_eq!(next(&mut runner), None);
}

/// An agent that reserves all its amounts for a bid and does what it wins one after the other.
struct Hauler;

#[async_trait]
impl Agent for Hauler {
    fn capabilities(&self) -> Capabilities {
        Sleeper.capabilities().amount("slots", 3).unwrap()
    }

    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        Sleeper.bid(call).await
    }

    fn budget(&self, _: Amounts, free: &Amounts) -> Amounts {
        free.clone()
    }

    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<TaskOutput, TaskError> {
        Sleeper.execute(award, lease).await
    }
}

#[test]
fn an_agent_may_reserve_for_several_and_does_them_in_turn() {
    let hand = Arc::new(Hand::default());
    let mut runner = AgentRunner::new(vec![Box::new(Hauler)], hand.clone());
    runner.handle_event(&ClientEvent::Ready);
    runner.handle_event(&call(vec![
        (id(1), spec(3)),
        (id(2), spec(3)),
        (id(3), spec(3)),
    ]));
    let Some(AgentReport::Bid { budget, offers, .. }) = next(&mut runner) else {
        panic!()
    };
    assert_eq!(offers.len(), 3);
    assert_eq!(budget, Hauler.capabilities().amounts);
    for number in 1..=3 {
        runner.handle_event(&award(number, 3));
    }
    assert_eq!((next(&mut runner), runner.running()), (None, 3));
    for number in 1..=3 {
        hand.wake_all();
        let outcome = TaskOutput::new(b"xxx".to_vec());
        let done = AgentReport::Completed {
            task: id(number),
            token: FencingToken(1),
            outcome,
        };
        assert_eq!(next(&mut runner), Some(done));
        assert_eq!(
            next(&mut runner),
            None,
            "the tasks must be done one at a time"
        );
        runner.handle_event(&reported(number));
    }
    assert_eq!(runner.running(), 0);
}

#[test]
fn an_agent_that_works_is_asked_afterwards() {
    let (mut runner, hand) = runner(1);
    runner.handle_event(&award(1, 3));
    runner.handle_event(&award(1, 3));
    assert_eq!(next(&mut runner), None);
    runner.handle_event(&call(vec![(id(2), spec(5))]));
    assert_eq!(next(&mut runner), None);
    assert_eq!(runner.running(), 1);
    hand.wake_all();
    let outcome = TaskOutput::new(b"xxx".to_vec());
    assert_eq!(
        next(&mut runner),
        Some(AgentReport::Completed {
            task: id(1),
            token: FencingToken(1),
            outcome
        })
    );
    // The slot is free once the ledger has the report, not when the work is done, so there is no
    // bid before.
    assert_eq!(next(&mut runner), None);
    runner.handle_event(&reported(1));
    runner.handle_event(&call(vec![(id(2), spec(5))]));
    assert!(matches!(next(&mut runner), Some(AgentReport::Bid { .. })));
}

fn reported(number: u64) -> ClientEvent {
    ClientEvent::Reported {
        task: id(number),
        token: FencingToken(1),
        certificate: quorate_certificate::example().unwrap(),
    }
}

#[test]
fn two_slots_work_at_the_same_time_and_a_third_award_waits() {
    let (mut runner, hand) = runner(2);
    for number in 1..=3 {
        runner.handle_event(&award(number, 1));
    }
    assert_eq!(next(&mut runner), None);
    assert_eq!(hand.sleepers.lock().unwrap().len(), 2);
    hand.wake_all();
    assert!(next(&mut runner).is_some() && next(&mut runner).is_some());
    assert_eq!(next(&mut runner), None);
    hand.wake_all();
    assert!(next(&mut runner).is_some());
    assert_eq!(runner.running(), 3);
    (1..=3).for_each(|number| runner.handle_event(&reported(number)));
    assert_eq!(runner.running(), 0);
}

#[test]
fn a_lost_lease_stops_the_work_and_what_waits_never_begins() {
    let (mut runner, _hand) = runner(1);
    runner.handle_event(&award(1, 1));
    runner.handle_event(&award(2, 1));
    assert_eq!(next(&mut runner), None);
    let causes = [
        LossCause::Superseded,
        LossCause::OutOfReach,
        LossCause::Ended,
        LossCause::Lapsed,
    ];
    for (number, cause) in [2, 1, 7, 1].into_iter().zip(causes) {
        runner.handle_event(&ClientEvent::LeaseLost {
            task: id(number),
            token: FencingToken(1),
            cause,
        });
    }
    let error = TaskError::LeaseLost(LeaseLost);
    assert_eq!(
        next(&mut runner),
        Some(AgentReport::Failed {
            task: id(1),
            token: FencingToken(1),
            error
        })
    );
    assert_eq!((next(&mut runner), runner.running()), (None, 0));
}

#[test]
fn a_result_beyond_the_limit_is_a_failure() {
    let (mut runner, hand) = runner(1);
    runner.handle_event(&award(1, limits::RESULT_BYTES + 1));
    assert_eq!(next(&mut runner), None);
    hand.wake_all();
    assert!(matches!(
        next(&mut runner),
        Some(AgentReport::Failed { .. })
    ));
}

#[test]
fn a_new_event_wakes_who_waits_for_a_report() {
    let (mut runner, _) = runner(1);
    let woken = Arc::new(Flag::default());
    let waker = futures::task::waker(woken.clone());
    let mut context = std::task::Context::from_waker(&waker);
    assert!(runner.poll_next_unpin(&mut context).is_pending());
    runner.handle_event(&call(vec![(id(2), spec(5))]));
    assert!(*woken.0.lock().unwrap());
}

#[derive(Default)]
struct Flag(Mutex<bool>);

impl futures::task::ArcWake for Flag {
    fn wake_by_ref(flag: &Arc<Self>) {
        *flag.0.lock().unwrap() = true;
    }
}

#[test]
fn a_lease_is_lost_once_and_for_all_its_clones() {
    let (guard, control): (LeaseGuard, LeaseControl) = LeaseGuard::new(Arc::new(Hand::default()));
    let other = guard.clone();
    let lost = guard.lost();
    assert!(!guard.is_lost());
    assert_eq!(guard.sleep(Duration::ZERO).now_or_never(), None);
    control.lose();
    assert!(guard.is_lost() && other.is_lost());
    assert_eq!(lost.now_or_never(), Some(()));
    assert_eq!(
        other.sleep(Duration::ZERO).now_or_never(),
        Some(Err(LeaseLost))
    );
}
