//! Counters of the contents of committed blocks, since the start of the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_types::{Outcome, Reason};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::committed::{CommittedBlock, ValidatorEvent};

/// The upper bounds of the histogram's buckets, in microseconds. A longer duration falls in no
/// bucket; it only counts in the total.
pub(super) const BOUNDS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
/// The kinds that are counted from 0, so that their first operation is seen as an increase. Other
/// kinds are added when they occur.
const OPERATIONS: [&str; 12] = [
    "accept", "admit", "attest", "bid", "cancel", "complete", "decline", "fail", "lapse", "revoke",
    "submit", "withdraw",
];

/// Counters of committed blocks. They only grow.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Committed blocks.
    pub(super) commits: u64,
    /// Committed blocks that were decided in a round above 0.
    pub(super) late: u64,
    /// Committed blocks whose contents were not counted, because counting was behind.
    pub(super) uncounted: u64,
    /// The time from the first sight of a block to its commit.
    pub(super) took: Histogram,
    /// Operations in committed blocks, by kind.
    pub(super) operations: BTreeMap<&'static str, u64>,
    /// Outcomes of committed blocks, by kind.
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    /// Refused operations and offers by reason.
    pub(super) refusals: BTreeMap<Reason, u64>,
}

/// A histogram of durations.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// The number of durations within each of [`BOUNDS`] and above the bound before it.
    pub(super) buckets: [u64; BOUNDS.len()],
    /// The number of all durations.
    pub(super) count: u64,
    /// The sum of all durations in microseconds.
    pub(super) sum: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            commits: 0,
            late: 0,
            uncounted: 0,
            took: Histogram::default(),
            operations: OPERATIONS.map(|kind| (kind, 0)).into(),
            outcomes: Outcome::NAMES.map(|kind| (kind, 0)).into(),
            refusals: Reason::ALL.iter().map(|reason| (*reason, 0)).collect(),
        }
    }
}

/// Counts committed blocks until the validator is gone.
pub(super) async fn keep(mut events: Receiver<ValidatorEvent>, tally: Arc<Mutex<Tally>>) {
    loop {
        let event = events.recv().await;
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);

        match event {
            Ok(ValidatorEvent::Committed(block)) => tally.count(&block),
            Err(RecvError::Lagged(blocks)) => tally.miss(blocks),
            Err(RecvError::Closed) => return,
        }
    }
}

impl Tally {
    fn count(&mut self, block: &CommittedBlock) {
        self.commits += 1;
        self.late += u64::from(block.round > 0);

        if let Some(micros) = block.proposed_to_committed_us {
            self.took.observe(micros);
        }

        for operation in &block.content.operations {
            *self
                .operations
                .entry(operation.payload.body.name())
                .or_default() += 1;
        }

        for outcome in &block.outcomes {
            *self.outcomes.entry(outcome.name()).or_default() += 1;
            if let Outcome::Refusal(refusal) = outcome {
                for (_, reason) in &refusal.items {
                    *self.refusals.entry(*reason).or_default() += 1;
                }
            }
        }
    }

    /// Counts blocks that were dropped from the queue of events. Every event is one block.
    fn miss(&mut self, blocks: u64) {
        self.commits += blocks;
        self.uncounted += blocks;
    }
}

impl Histogram {
    fn observe(&mut self, micros: u64) {
        // A bound belongs to its own bucket: `le` means at most.
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for micros in [0, 1_000, 1_001, 10_000_000, 10_000_001] {
            histogram.observe(micros);
        }
        assert_eq!((histogram.buckets[0], histogram.buckets[1]), (2, 1));
        assert_eq!(
            (histogram.buckets[BOUNDS.len() - 1], histogram.count),
            (1, 5)
        );
        assert_eq!(histogram.sum, 20_002_002);
    }
}
