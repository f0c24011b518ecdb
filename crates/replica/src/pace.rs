//! How long a step may take: a base measured within bounds, growing with the round without bound.

use quorate_consensus::Step;
use quorate_types::{Millis, Round};

/// Bounds of the timeouts. Local: members need not agree on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceConfig {
    /// Least base of the propose timeout in milliseconds.
    pub least_ms: Millis,
    /// Greatest base of the propose timeout in milliseconds.
    pub most_ms: Millis,
    /// Milliseconds without progress after which peers are told.
    pub resend_ms: Millis,
    /// Milliseconds a block time may be off this node's clock, and the message under way, in
    /// round 0; each round adds as much again.
    pub timely_ms: Millis,
    /// Milliseconds a block body may be late before it is asked for.
    pub fetch_ms: Millis,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self { least_ms: 200, most_ms: 3_000, resend_ms: 500, timely_ms: 2_000, fetch_ms: 60 }
    }
}

/// Adapts the base of timeouts to the time that heights took lately.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) config: PaceConfig,
    /// Smoothed milliseconds from start of a height to its decision in round 0.
    measured_ms: Millis,
}

/// A step may take this many times what a whole height took lately.
const SLACK: Millis = 10;

impl Pace {
    pub(crate) fn new(config: PaceConfig) -> Self {
        Self { config, measured_ms: config.most_ms / SLACK / 3 }
    }

    /// Takes in that a height was decided in round 0 after `elapsed` milliseconds.
    pub(crate) fn observe(&mut self, elapsed: Millis) {
        self.measured_ms = (7 * self.measured_ms + elapsed.min(self.config.most_ms)) / 8;
    }

    pub(crate) fn timeout(&self, round: Round, step: Step) -> Millis {
        let base = (SLACK * self.measured_ms).clamp(self.config.least_ms, self.config.most_ms);
        let base = match step {
            Step::Propose => base,
            _ => base / 2,
        };
        base + base / 2 * Millis::from(round)
    }
}
