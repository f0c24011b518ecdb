//! The pace of a client: when it sends heartbeats, and when it repeats what had no effect.

use quorate_types::message::{Heartbeat, Request};
use quorate_types::{Millis, MonotonicMillis};

use super::cx::Cx;
use super::out::Out;

/// The number of intervals for which a new client waits to hear a quorum on its account.
const PATIENCE: u64 = 3;
/// The number of intervals between two look-ups of certificates that may have been missed. Normally
/// notices bring them.
const LOOK_UP_TICKS: u64 = 4;

/// The times of the next tick and of the next heartbeat.
#[derive(Debug, Default)]
pub(super) struct Pace {
    ticks: u64,
    next_tick: MonotonicMillis,
    next_heartbeat: MonotonicMillis,
}

impl Pace {
    /// Begins again, because the first validator can be reached. The upkeep rests while none can.
    pub(super) fn restart(&mut self, cx: &Cx) {
        self.next_tick = cx.now().saturating_add(cx.config().resubmit);
        self.next_heartbeat = cx.now();
    }

    /// Returns the time at which something is due.
    pub(super) fn due(&self) -> MonotonicMillis {
        self.next_tick.min(self.next_heartbeat)
    }

    /// Returns whether the client still waits to hear a quorum.
    pub(super) fn is_patient(&self) -> bool {
        self.ticks < PATIENCE
    }

    /// Makes a heartbeat due now: the validators must hear an assignee before its lease runs out.
    pub(super) fn hurry(&mut self, now: MonotonicMillis) {
        self.next_heartbeat = self.next_heartbeat.min(now);
    }

    /// Sends heartbeats to all connected validators if they are due, because a validator that does
    /// not hear the assignee itself suspects it. It also asks for the account. So an idle swarm
    /// answers too, which shows that it is in reach. And an award whose notice was lost is found,
    /// which the heartbeats would otherwise keep alive although nobody knows of it. `lease` is the
    /// shortest one that is held.
    pub(super) fn on_heartbeat(&mut self, cx: &Cx, lease: Option<Millis>, out: &mut Out) {
        if self.next_heartbeat > cx.now() {
            return;
        }

        // Several heartbeats fit into a lease, so that a lost one does no harm.
        let quarter = lease.map(|lease| (lease / 4).max(1));
        let wait = quarter
            .unwrap_or(Millis::MAX)
            .min(cx.config().idle_heartbeat.max(1));
        self.next_heartbeat = cx.now().saturating_add(wait);

        for validator in cx.connected() {
            let (height, block) = cx.block_of(&validator);
            let heartbeat = Request::Heartbeat(Heartbeat { height, block });
            out.ask(&validator, heartbeat, None);
            out.ask_account(&validator, cx.me());
        }
    }

    /// Returns whether a tick is due. If so, the next one is an interval away.
    pub(super) fn on_tick(&mut self, cx: &Cx) -> bool {
        if self.next_tick > cx.now() {
            return false;
        }

        self.next_tick = cx.now().saturating_add(cx.config().resubmit.max(1));
        self.ticks += 1;
        true
    }

    /// Returns the number of this look-up, if one belongs to this tick.
    pub(super) fn look_up(&self) -> Option<u64> {
        self.ticks
            .is_multiple_of(LOOK_UP_TICKS)
            .then_some(self.ticks / LOOK_UP_TICKS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    #[test]
    fn four_heartbeats_fit_into_the_shortest_lease() {
        let mut bench = Bench::new();
        let mut pace = Pace::default();
        let mut out = Out::default();

        pace.on_heartbeat(&bench.cx(), Some(400), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 8);
        assert_eq!(pace.next_heartbeat, bench.at(100));

        // It is not due yet, unless an award came.
        pace.on_heartbeat(&bench.cx(), Some(400), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 0);
        pace.hurry(bench.at(0));
        pace.on_heartbeat(&bench.cx(), None, &mut out);
        assert_eq!(bench.requests(&mut out).len(), 8);
        assert_eq!(pace.next_heartbeat, bench.at(5_000));
    }

    #[test]
    fn patience_ends_and_each_fourth_tick_looks_up() {
        let mut bench = Bench::new();
        let mut pace = Pace::default();
        pace.restart(&bench.cx());
        assert!(!pace.on_tick(&bench.cx()));

        let mut turns = Vec::new();
        for tick in 1..=8 {
            bench.wait(1_000);
            assert!(pace.on_tick(&bench.cx()));
            assert_eq!(pace.is_patient(), tick < 3);
            turns.push(pace.look_up());
        }
        assert_eq!(turns.into_iter().flatten().collect::<Vec<_>>(), [1, 2]);
    }
}
