//! Timers of a replica: set, cleared, and popped when due.

use std::collections::BTreeMap;

use quorate_consensus::Step;
use quorate_types::{Millis, Round};

/// What a timer is for. At most one of each runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A round's step takes too long (paper lines 57-65).
    Step(Round, Step),
    /// The next height should start: a ledger timer is due, or the swarm was idle for long.
    Start,
    /// Nothing moved for a while: tell peers where this one is (N-23).
    Resend,
    /// A block body named by a proposal has not come by itself.
    Fetch,
    /// Look at leases.
    Leases,
    /// The others are to say again where they are: this node lost its signing guard.
    Locate,
}

/// Deadlines by timer, on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeMap<Timer, Millis>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Millis) {
        self.deadlines.insert(timer, at);
    }

    /// Sets the timer unless it runs already.
    pub(crate) fn set_once(&mut self, timer: Timer, at: Millis) {
        self.deadlines.entry(timer).or_insert(at);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.deadlines.remove(&timer);
    }

    /// Clears the step timers of rounds below `round`; of all rounds for `None` (N-18).
    pub(crate) fn clear_steps_below(&mut self, round: Option<Round>) {
        self.deadlines.retain(|timer, _| match timer {
            Timer::Step(of, _) => round.is_some_and(|round| *of >= round),
            _ => true,
        });
    }

    pub(crate) fn next(&self) -> Option<Millis> {
        self.deadlines.values().min().copied()
    }

    /// Takes one timer that is due, so that each firing makes progress.
    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<Timer> {
        let due = self
            .deadlines
            .iter()
            .find(|(_, at)| **at <= now)
            .map(|(timer, _)| *timer)?;
        self.deadlines.remove(&due);
        Some(due)
    }
}
