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
