//! The timers of a replica: set, cleared, and popped when they are due.

use std::collections::BTreeMap;

use quorate_consensus::Step;
use quorate_types::{MonotonicMillis, Round};

/// The purpose of a timer. At most one timer of each purpose runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A step of a round takes too long (paper, lines 57-65).
    Step(Round, Step),
    /// The next height should start: the ledger is due, or the swarm was idle for long.
    Start,
    /// Nothing moved for a while: peers are told where this node is (N-23).
    Resend,
    /// A block body that the driver wants has not arrived.
    Fetch,
    /// The leases are checked.
    Leases,
    /// The others are asked again which height is in progress: this node lost its signing guard
    /// (N-28).
    Locate,
    /// A block changed the calls for bids: they are sent now that the next height has begun.
    Calls,
}

/// The deadline of each timer, on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeMap<Timer, MonotonicMillis>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: MonotonicMillis) {
        self.deadlines.insert(timer, at);
    }

    /// Sets the timer unless it runs already.
    pub(crate) fn set_once(&mut self, timer: Timer, at: MonotonicMillis) {
        self.deadlines.entry(timer).or_insert(at);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.deadlines.remove(&timer);
    }

    /// Clears the step timers of rounds below `round`, or of all rounds if it is `None` (N-18).
    pub(crate) fn clear_steps_below(&mut self, round: Option<Round>) {
        self.deadlines.retain(|timer, _| match timer {
            Timer::Step(of, _) => round.is_some_and(|round| *of >= round),
            _ => true,
        });
    }

    pub(crate) fn next(&self) -> Option<MonotonicMillis> {
        self.deadlines.values().min().copied()
    }

    /// Takes one timer that is due, so that each firing makes progress.
    pub(crate) fn pop_due(&mut self, now: MonotonicMillis) -> Option<Timer> {
        let due = self
            .deadlines
            .iter()
            .find(|(_, at)| **at <= now)
            .map(|(timer, _)| *timer)?;

        self.deadlines.remove(&due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MonotonicMillis {
        MonotonicMillis(millis)
    }

    #[test]
    fn a_timer_fires_once_when_it_is_due() {
        let mut timers = Timers::default();
        timers.set(Timer::Fetch, at(5));
        timers.set(Timer::Leases, at(3));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.pop_due(at(2)), None);
        assert_eq!(timers.pop_due(at(3)), Some(Timer::Leases));
        assert_eq!(timers.pop_due(at(3)), None);
        assert_eq!(timers.next(), Some(at(5)));
        timers.clear(Timer::Fetch);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn set_replaces_the_deadline_and_set_once_keeps_it() {
        let mut timers = Timers::default();
        timers.set_once(Timer::Resend, at(5));
        timers.set_once(Timer::Resend, at(3));
        assert_eq!(timers.next(), Some(at(5)));
        timers.set(Timer::Resend, at(7));
        assert_eq!(timers.next(), Some(at(7)));
    }

    #[test]
    fn n18_the_steps_of_earlier_rounds_are_cleared_and_nothing_else() {
        let mut timers = Timers::default();
        for round in [0, 1, 2] {
            timers.set(Timer::Step(round, Step::Precommit), at(round.into()));
        }
        timers.set(Timer::Start, at(9));
        timers.clear_steps_below(Some(1));
        assert_eq!(timers.next(), Some(at(1)));
        timers.clear_steps_below(None);
        assert_eq!(timers.next(), Some(at(9)));
    }
}
