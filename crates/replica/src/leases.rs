//! Leases: which assignees are heard, which are suspected, and when a lapse is brought.
//!
//! Here one validator decides for itself whether it suspects an assignee. Whether the lease is over
//! for the swarm is decided by the ledger, when it performs the lapse (L-19).

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::Verified;
use quorate_ledger::{Lease, Ledger, SUSPICION_HEIGHTS};
use quorate_types::message::PeerMessage;
use quorate_types::operation::{Lapse, Suspicion};
use quorate_types::{
    FencingToken, Millis, MonotonicMillis, Operation, OperationBody, PublicKey, Sign1, TaskId,
    Validator,
};

use crate::action::{ToSign, Write};
use crate::context::Context;
use crate::timers::Timer;
use crate::work::Work;

/// Milliseconds between two checks of the leases.
const TICK_MS: Millis = 250;
/// The number of checks after which a standing suspicion is sent again.
const RESEND_TICKS: u64 = 8;

type LeaseKey = (TaskId, FencingToken);

/// This validator's own knowledge of assignees. None of it is agreed on: only suspicions of more
/// than two thirds of the power make a lapse.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Monotonic time of each agent's last heartbeat.
    heard: BTreeMap<PublicKey, MonotonicMillis>,
    /// Live assignments and the monotonic time at which they were first seen.
    watched: BTreeMap<LeaseKey, MonotonicMillis>,
    suspicions: BTreeMap<LeaseKey, BTreeMap<PublicKey, Verified<Sign1<Suspicion>>>>,
    /// Assignments whose suspicions have reached the quorum, and the number of checks since then.
    ripe: BTreeMap<LeaseKey, u64>,
    asked: BTreeSet<LeaseKey>,
    ticks: u64,
    next_own_sequence: u64,
}

impl Leases {
    pub(crate) fn hear(&mut self, agent: PublicKey, now: MonotonicMillis) {
        self.heard.insert(agent, now);
    }

    /// Frees the sequence number of an operation of this node that did not get into the pool.
    pub(crate) fn forget_own_sequence(&mut self) {
        self.next_own_sequence = 0;
    }

    /// Forgets assignments that are over, and agents that hold none.
    pub(crate) fn prune(&mut self, ledger: &Ledger) {
        let leases = ledger.leases();

        let keys = leases.iter().map(|lease| (lease.task, lease.token));
        self.retain_leases(&keys.collect());

        let agents: BTreeSet<PublicKey> = leases.iter().map(|lease| lease.agent).collect();
        self.heard.retain(|agent, _| agents.contains(agent));
    }

    fn retain_leases(&mut self, live: &BTreeSet<LeaseKey>) {
        self.watched.retain(|key, _| live.contains(key));
        self.suspicions.retain(|key, _| live.contains(key));
        self.ripe.retain(|key, _| live.contains(key));
        self.asked.retain(|key| live.contains(key));
    }

    /// Notes new assignments, and keeps the timer running while there are any. Only a validator
    /// that may sign suspects anybody.
    pub(crate) fn watch(&mut self, cx: &mut Context<'_>, may_sign: bool) {
        let now = cx.monotonic();
        for lease in cx.ledger().leases() {
            self.watched.entry((lease.task, lease.token)).or_insert(now);
        }

        let votes = may_sign && cx.member(&cx.me()).is_some();
        if !self.watched.is_empty() && votes {
            cx.set_timer_once(Timer::Leases, now + TICK_MS);
        }
    }

    /// Checks all leases. `brings` says whether an operation of this node still waits for a block.
    pub(crate) fn on_tick(&mut self, cx: &mut Context<'_>, may_sign: bool, brings: bool) {
        self.ticks += 1;
        self.forget_stale_suspicions(cx);

        let leases = cx.ledger().leases().into_iter();
        let silent: Vec<Lease> = leases.filter(|lease| self.is_silent(cx, lease)).collect();

        for lease in silent {
            self.suspect(cx, &lease);
        }

        self.lapse_ripe(cx, may_sign, brings);
        self.watch(cx, may_sign);
    }

    /// Whether the lease is over in active time, and the assignee was not heard for as long.
    fn is_silent(&self, cx: &Context<'_>, lease: &Lease) -> bool {
        let ledger = cx.ledger();
        let parameters = &ledger.genesis_info().parameters;
        // Active time stands still between blocks, so it is estimated up to now, within the step
        // that a block may add (L-3).
        let awake = cx.unix().saturating_since(ledger.block_time());
        let active = ledger.active_time() + awake.min(parameters.max_step_ms);

        let Some(seen) = self.watched.get(&(lease.task, lease.token)) else {
            return false;
        };

        // An agent counts as heard at least when its assignment was first seen.
        let heard = self
            .heard
            .get(&lease.agent)
            .copied()
            .unwrap_or(MonotonicMillis::ZERO)
            .max(*seen);

        active >= lease.assigned_at.saturating_add(lease.lease)
            && cx.monotonic() >= heard.saturating_add(lease.lease)
    }

    /// Drops suspicions that the ledger will soon no longer count, so that an assignee that is
    /// still silent is suspected again.
    fn forget_stale_suspicions(&mut self, cx: &Context<'_>) {
        let me = cx.me();
        let oldest = cx.ledger().height().saturating_sub(SUSPICION_HEIGHTS / 2);
        let Leases {
            suspicions,
            asked,
            ripe,
            ..
        } = self;

        for (key, of_lease) in suspicions {
            let before = of_lease.len();
            let own = of_lease.contains_key(&me);
            of_lease.retain(|_, suspicion| suspicion.payload.height >= oldest);

            // This node's suspicion was dropped, so it may sign another one.
            if own && !of_lease.contains_key(&me) {
                asked.remove(key);
            }
            if of_lease.len() < before {
                ripe.remove(key);
            }
        }
    }

    fn suspect(&mut self, cx: &mut Context<'_>, lease: &Lease) {
        let key = (lease.task, lease.token);
        let of_lease = self.suspicions.get(&key);
        let own = of_lease.and_then(|of| of.get(&cx.me())).cloned();

        // Messages get lost, so a standing suspicion is sent again now and then.
        match own {
            Some(own) if self.ticks.is_multiple_of(RESEND_TICKS) => {
                cx.broadcast(PeerMessage::Suspicion(own.into_inner()));
            }
            None if self.asked.insert(key) => sign_suspicion(cx, lease),
            _ => {}
        }
    }

    /// Sends and counts a suspicion that this node signed.
    pub(crate) fn on_own(
        &mut self,
        cx: &mut Context<'_>,
        may_sign: bool,
        suspicion: Verified<Sign1<Suspicion>>,
    ) {
        cx.broadcast(PeerMessage::Suspicion((*suspicion).clone()));
        self.on_verified(cx, may_sign, suspicion);
    }

    /// Has the suspicion of a validator checked, if it is about a live assignment and not known.
    pub(crate) fn on_suspicion(
        &self,
        cx: &mut Context<'_>,
        from: PublicKey,
        suspicion: Sign1<Suspicion>,
    ) {
        let key = (suspicion.payload.task, suspicion.payload.token);
        if !self.watched.contains_key(&key) {
            return;
        }

        // A later suspicion replaces the one held, which the ledger will soon not count.
        let of_lease = self.suspicions.get(&key);
        let held = of_lease.and_then(|of| of.get(&suspicion.signer));
        let is_known = held.is_some_and(|held| held.payload == suspicion.payload);

        let is_member = cx.member(&suspicion.signer).is_some();
        if is_member && !is_known {
            cx.run(Work::Suspicion(from, suspicion));
        }
    }

    /// Counts a suspicion whose signature holds.
    pub(crate) fn on_verified(
        &mut self,
        cx: &mut Context<'_>,
        may_sign: bool,
        suspicion: Verified<Sign1<Suspicion>>,
    ) {
        let key = (suspicion.payload.task, suspicion.payload.token);

        let is_watched = self.watched.contains_key(&key);
        if suspicion.payload.swarm != cx.ledger().swarm() || !is_watched {
            return;
        }

        let of_lease = self.suspicions.entry(key).or_default();
        of_lease.insert(suspicion.signer, suspicion);

        let validators = cx.ledger().validators();
        let power = validators.power_of(of_lease.keys());
        if validators.is_quorum(power) {
            self.ripen(cx, may_sign, key);
        }
    }

    /// Notes that the suspicions of an assignment have reached the quorum.
    fn ripen(&mut self, cx: &mut Context<'_>, may_sign: bool, key: LeaseKey) {
        let is_new = self.ripe.insert(key, 0).is_none();

        // One validator is enough to bring the lapse, so only the one whose turn it is does.
        if is_new && may_sign && is_turn(cx, &key, 0) {
            self.bring_lapse(cx, key);
        }
    }

    /// One validator brings a lapse at once, and the next one after each further check without
    /// effect, round and round. So a dead validator does not delay it, the validators do not all
    /// bring it, and it is not given up if the ledger refused the first one for coming too early.
    fn lapse_ripe(&mut self, cx: &mut Context<'_>, may_sign: bool, brings: bool) {
        for ticks in self.ripe.values_mut() {
            *ticks = ticks.saturating_add(1);
        }

        // The lapse that this validator brought before is still on its way.
        if brings || !may_sign {
            return;
        }

        let ripe = self.ripe.iter();
        let due = ripe
            .filter(|(key, ticks)| is_turn(cx, key, **ticks))
            .map(|(key, _)| *key);
        for key in due.collect::<Vec<_>>() {
            self.bring_lapse(cx, key);
        }
    }

    fn bring_lapse(&mut self, cx: &mut Context<'_>, (task, token): LeaseKey) {
        let Some(suspicions) = self.suspicions.get(&(task, token)) else {
            return;
        };

        let suspicions = suspicions.values().cloned();
        let suspicions = suspicions.map(Verified::into_inner).collect();

        let lapse = Lapse {
            task,
            token,
            suspicions,
        };

        let operation = Operation {
            swarm: cx.ledger().swarm(),
            agent: cx.me(),
            sequence: self.next_own_sequence(cx),
            body: OperationBody::Lapse(lapse),
        };

        cx.write(Write::Sign(ToSign::Operation(Box::new(operation))));
    }

    /// Takes the next sequence number of this node's own account. Several operations of this node
    /// may be under way before a block takes the first.
    fn next_own_sequence(&mut self, cx: &Context<'_>) -> u64 {
        let in_ledger = cx.ledger().next_sequence(&cx.me());
        let sequence = self.next_own_sequence.max(in_ledger);

        self.next_own_sequence = sequence + 1;
        sequence
    }
}

fn sign_suspicion(cx: &mut Context<'_>, lease: &Lease) {
    let suspicion = Suspicion {
        swarm: cx.ledger().swarm(),
        task: lease.task,
        token: lease.token,
        height: cx.ledger().height(),
    };

    cx.write(Write::Sign(ToSign::Suspicion(suspicion)));
}

/// Whether it is this validator's turn to bring a lapse in this check. The validator that begins
/// differs by assignment.
fn is_turn(cx: &Context<'_>, (task, token): &LeaseKey, ticks: u64) -> bool {
    let validators = cx.ledger().validators();
    let is_own = |validator: &Validator| validator.key == cx.me();
    let Some(rank) = validators.iter().position(is_own) else {
        return false;
    };

    // The turn moves on by one validator with each check.
    let first = task.number.wrapping_add(token.0);
    let turn = first.wrapping_add(ticks) % validators.len() as u64;
    turn == rank as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Recipients;
    use crate::testing::{AGENT, Bench, COMMITTEE, key, public};

    /// Milliseconds of the lease of the assignment.
    const LEASE_MS: Millis = 1_000;

    /// Leases that watch the assignment of a task, which was seen just now.
    fn watching(bench: &mut Bench) -> (Leases, Lease) {
        bench.assign();
        let mut leases = Leases::default();
        leases.watch(&mut bench.cx(), true);
        bench.take();
        let lease = bench.ledger().leases()[0];
        (leases, lease)
    }

    fn suspicion(bench: &Bench, seed: u8, lease: &Lease) -> Verified<Sign1<Suspicion>> {
        key(seed).sign(Suspicion {
            swarm: bench.ledger().swarm(),
            task: lease.task,
            token: lease.token,
            height: bench.ledger().height(),
        })
    }

    fn tick(leases: &mut Leases, bench: &mut Bench) {
        leases.on_tick(&mut bench.cx(), true, false);
    }

    /// Counts the suspicions of the first three validators.
    fn ripen(leases: &mut Leases, bench: &mut Bench, lease: &Lease) {
        for seed in 1..=3 {
            let suspicion = suspicion(bench, seed, lease);
            leases.on_verified(&mut bench.cx(), true, suspicion);
        }
    }

    /// The sequence numbers of the lapses that were to be signed.
    fn lapses(bench: &mut Bench) -> Vec<u64> {
        let taken = bench.take();
        let to_sign = taken.to_sign().into_iter();
        let lapses = to_sign.filter_map(|to_sign| match to_sign {
            ToSign::Operation(operation) => match &operation.body {
                OperationBody::Lapse(lapse) => {
                    assert_eq!(lapse.suspicions.len(), 3);
                    Some(operation.sequence)
                }
                _ => None,
            },
            _ => None,
        });
        lapses.collect()
    }

    fn suspects(bench: &mut Bench) -> bool {
        let taken = bench.take();
        let to_sign = taken.to_sign();
        matches!(to_sign[..], [ToSign::Suspicion(_)])
    }

    #[test]
    fn an_assignee_is_suspected_once_it_was_silent_for_a_lease() {
        let mut bench = Bench::new();
        let (mut leases, _) = watching(&mut bench);
        for (millis, silent) in [(LEASE_MS - 1, false), (1, true), (LEASE_MS, false)] {
            bench.wait(millis);
            tick(&mut leases, &mut bench);
            assert_eq!(suspects(&mut bench), silent, "after {millis} ms more");
        }
    }

    #[test]
    fn l3_a_lease_does_not_end_while_active_time_stands_still() {
        let mut bench = Bench::new();
        let (mut leases, _) = watching(&mut bench);
        bench.wait_monotonic(LEASE_MS);
        tick(&mut leases, &mut bench);
        assert!(!suspects(&mut bench));
        bench.wait(LEASE_MS);
        tick(&mut leases, &mut bench);
        assert!(suspects(&mut bench));
    }

    #[test]
    fn a_heartbeat_puts_off_the_suspicion() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        bench.wait(LEASE_MS - 1);
        leases.hear(lease.agent, bench.now().monotonic);
        for (millis, silent) in [(LEASE_MS - 1, false), (1, true)] {
            bench.wait(millis);
            tick(&mut leases, &mut bench);
            assert_eq!(suspects(&mut bench), silent, "after {millis} ms more");
        }
    }

    #[test]
    fn a_suspicion_is_sent_when_signed_and_again_every_eighth_check() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        bench.wait(LEASE_MS);
        let own = suspicion(&bench, 1, &lease);
        leases.on_own(&mut bench.cx(), true, own.clone());
        let message = PeerMessage::Suspicion(own.into_inner());
        let sent = [(Recipients::All, message)];
        assert_eq!(bench.take().sent(), sent);
        for check in 1..=2 * RESEND_TICKS {
            tick(&mut leases, &mut bench);
            let again = bench.take().sent() == sent;
            assert_eq!(again, check % RESEND_TICKS == 0, "check {check}");
        }
    }

    #[test]
    fn only_suspicions_that_may_count_are_checked() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        let from = bench.other();
        let mut checks = |bench: &mut Bench, suspicion: &Verified<Sign1<Suspicion>>| {
            leases.on_suspicion(&mut bench.cx(), from, (**suspicion).clone());
            let checked = bench.take().work().len();
            leases.on_verified(&mut bench.cx(), true, suspicion.clone());
            checked
        };
        let other = Lease {
            token: lease.token.next(),
            ..lease
        };
        let [first, stranger] = [2, 90].map(|seed| suspicion(&bench, seed, &lease));
        let elsewhere = suspicion(&bench, 2, &other);
        assert_eq!(checks(&mut bench, &elsewhere), 0, "of no live assignment");
        assert_eq!(checks(&mut bench, &stranger), 0, "of no member");
        assert_eq!(checks(&mut bench, &first), 1);
        assert_eq!(checks(&mut bench, &first), 0, "known");
        bench.commit(Vec::new());
        let later = suspicion(&bench, 2, &lease);
        assert_eq!(checks(&mut bench, &later), 1, "later than the one held");
    }

    #[test]
    fn one_validator_brings_a_lapse_and_after_each_check_the_next() {
        let turns = (1..=COMMITTEE).map(|seed| {
            let mut bench = Bench::of(seed);
            let (mut leases, lease) = watching(&mut bench);
            ripen(&mut leases, &mut bench, &lease);
            let mut turns = vec![lapses(&mut bench).len()];
            for _ in 1..COMMITTEE {
                tick(&mut leases, &mut bench);
                turns.push(lapses(&mut bench).len());
            }
            turns
        });
        let turns: Vec<_> = turns.collect();
        for check in 0..usize::from(COMMITTEE) {
            let brought: usize = turns.iter().map(|turns| turns[check]).sum();
            assert_eq!(brought, 1, "check {check}");
        }
        assert!(turns.iter().all(|turns| turns.iter().sum::<usize>() == 1));
    }

    #[test]
    fn suspicions_of_less_than_a_quorum_make_no_lapse() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        for seed in [1, 2, 2] {
            let suspicion = suspicion(&bench, seed, &lease);
            leases.on_verified(&mut bench.cx(), true, suspicion);
        }
        for _ in 0..=COMMITTEE {
            tick(&mut leases, &mut bench);
        }
        assert!(lapses(&mut bench).is_empty());
    }

    #[test]
    fn a_validator_whose_operation_waits_brings_no_other_lapse() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        ripen(&mut leases, &mut bench, &lease);
        bench.take();
        for _ in 0..COMMITTEE {
            leases.on_tick(&mut bench.cx(), true, true);
        }
        assert!(lapses(&mut bench).is_empty());
    }

    #[test]
    fn n27_who_may_not_sign_brings_no_lapse_and_suspects_nobody() {
        let mut bench = Bench::new();
        let (_, lease) = watching(&mut bench);
        bench.timers(TICK_MS);
        let mut leases = Leases::default();
        leases.watch(&mut bench.cx(), false);
        assert!(bench.timers(TICK_MS).is_empty());
        for seed in 1..=3 {
            let suspicion = suspicion(&bench, seed, &lease);
            leases.on_verified(&mut bench.cx(), false, suspicion);
        }
        for _ in 0..COMMITTEE {
            leases.on_tick(&mut bench.cx(), false, false);
        }
        assert!(lapses(&mut bench).is_empty());
        assert!(bench.timers(TICK_MS).is_empty());
    }

    #[test]
    fn an_observer_checks_no_leases() {
        let mut bench = Bench::of(90);
        watching(&mut bench);
        assert!(bench.timers(TICK_MS).is_empty());
    }

    #[test]
    fn operations_under_way_have_numbers_of_their_own() {
        let mut bench = Bench::new();
        let mut leases = Leases::default();
        let numbers = [(); 3].map(|()| leases.next_own_sequence(&bench.cx()));
        assert_eq!(numbers, [0, 1, 2]);
        leases.forget_own_sequence();
        assert_eq!(leases.next_own_sequence(&bench.cx()), 0);
    }

    #[test]
    fn what_is_known_of_an_assignment_goes_with_it() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        leases.hear(lease.agent, bench.now().monotonic);
        leases.hear(public(90), bench.now().monotonic);
        ripen(&mut leases, &mut bench, &lease);
        leases.prune(bench.ledger());
        assert_eq!(leases.heard.keys().collect::<Vec<_>>(), [&public(AGENT)]);
        assert!(!leases.ripe.is_empty() && !leases.suspicions.is_empty());
        leases.prune(Bench::new().ledger());
        assert!(leases.heard.is_empty() && leases.watched.is_empty());
        assert!(leases.ripe.is_empty() && leases.suspicions.is_empty());
    }

    #[test]
    fn a_suspicion_that_will_soon_not_count_is_made_anew() {
        let mut bench = Bench::new();
        let (mut leases, lease) = watching(&mut bench);
        bench.wait(LEASE_MS);
        tick(&mut leases, &mut bench);
        assert!(suspects(&mut bench));
        ripen(&mut leases, &mut bench, &lease);
        for _ in 0..SUSPICION_HEIGHTS / 2 {
            bench.commit(Vec::new());
        }
        tick(&mut leases, &mut bench);
        assert!(!suspects(&mut bench), "it still counts");
        bench.commit(Vec::new());
        tick(&mut leases, &mut bench);
        assert!(suspects(&mut bench));
        assert!(leases.ripe.is_empty(), "the quorum is gone");
    }
}
