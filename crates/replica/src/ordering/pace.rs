//! The length of a step's timeout: a base that is measured within bounds, and a growth with the
//! round that has no bound.
//!
//! The base is each member's own; the growth is the same everywhere. If the growth were in
//! proportion to the base, a member with a large base would fall ever further behind one with a
//! small base. Its proposals would come long after the other has voted nil, and a lock that it
//! alone holds would stop the height forever.

use quorate_consensus::Step;
use quorate_types::{Millis, Round};

/// Bounds of the timeouts. They are local: members need not agree on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutConfig {
    /// Least base of the propose timeout, in milliseconds.
    pub least_ms: Millis,
    /// Greatest base of the propose timeout, in milliseconds.
    pub most_ms: Millis,
    /// Milliseconds that each round adds to the propose timeout; the other timeouts grow by half of
    /// it. Members should agree on it within a factor of two.
    pub growth_ms: Millis,
    /// Milliseconds without progress after which this node tells its peers where it is.
    pub resend_ms: Millis,
    /// Milliseconds by which a block time may differ from this node's clock in round 0, the time of
    /// the message under way included. Each round adds as much again.
    pub timely_ms: Millis,
    /// Milliseconds that a block body may be late before it is asked for.
    pub fetch_ms: Millis,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self {
            least_ms: 200,
            most_ms: 3_000,
            growth_ms: 250,
            resend_ms: 500,
            timely_ms: 2_000,
            fetch_ms: 60,
        }
    }
}

/// Adapts the base of the timeouts to the time that recent heights took.
#[derive(Debug, Clone)]
pub(super) struct Timeouts {
    config: TimeoutConfig,
    /// Smoothed milliseconds from the start of a height to its decision in round 0.
    measured_ms: Millis,
}

/// A step may take this many times as long as a whole height took lately.
const SLACK: Millis = 10;

impl Timeouts {
    pub(super) fn new(config: TimeoutConfig) -> Self {
        Self {
            config,
            measured_ms: config.most_ms / SLACK / 3,
        }
    }

    pub(super) fn config(&self) -> &TimeoutConfig {
        &self.config
    }

    /// Takes in that a height was decided in round 0 after `elapsed` milliseconds.
    pub(super) fn observe(&mut self, elapsed: Millis) {
        self.measured_ms = (7 * self.measured_ms + elapsed.min(self.config.most_ms)) / 8;
    }

    pub(super) fn timeout(&self, round: Round, step: Step) -> Millis {
        let base = (SLACK * self.measured_ms).clamp(self.config.least_ms, self.config.most_ms);
        let whole = base.saturating_add(self.config.growth_ms.saturating_mul(round.into()));
        match step {
            Step::Propose => whole,
            _ => whole / 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members are at the ends of the range that can be measured. The slow one enters each
    /// round later than the fast one by the difference of their precommit timeouts.
    #[test]
    fn the_slowest_member_proposes_in_time_for_the_fastest_from_some_round_on() {
        let config = TimeoutConfig::default();
        let (mut fast, mut slow) = (Timeouts::new(config), Timeouts::new(config));
        for _ in 0..100 {
            fast.observe(0);
            slow.observe(Millis::MAX);
        }
        let (quick, lazy) = (
            fast.timeout(0, Step::Propose),
            slow.timeout(0, Step::Propose),
        );
        assert_eq!((quick, lazy), (config.least_ms, config.most_ms));
        let in_time = |round: Round| {
            let behind =
                slow.timeout(round, Step::Precommit) - fast.timeout(round, Step::Precommit);
            let delay = 500;
            behind + delay < fast.timeout(round + 1, Step::Propose)
        };
        assert!(!in_time(0));
        assert!((8..1000).all(in_time));
    }
}
