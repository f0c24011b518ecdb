//! The lines between a measurement and its validators: reports in JSON, and orders.

use std::collections::BTreeMap;

use quorate_types::{FencingToken, Height, PublicKey, TaskId};
use serde::{Deserialize, Serialize};

/// A line that a validator reports.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line {
    /// It listens.
    Ready {
        /// The addresses at which it listens.
        addresses: Vec<String>,
    },
    /// It is connected with all other validators.
    Connected,
    /// It committed a height. Only one validator reports this.
    Height(HeightProgress),
    /// The counts between [`BEGIN`] and [`END`].
    Sample(Box<Sample>),
}

/// The order, on standard input, to count from now on.
pub(super) const BEGIN: &str = "begin";
/// The order, on standard input, to report the counts.
pub(super) const END: &str = "end";

/// The facts of a height that the load needs to go on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct HeightProgress {
    pub(super) height: Height,
    /// The next sequence number of each agent that has operations in the height.
    pub(super) next: Vec<(PublicKey, u64)>,
    /// The assignments of the height: task, fencing token and assignee.
    pub(super) assigned: Vec<(TaskId, FencingToken, PublicKey)>,
    /// Whether the market cleared, which ends all bids.
    pub(super) cleared: bool,
}

/// The counts of one validator, or the joined counts of several. Times are in microseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) heights: u64,
    /// Heights that were decided in a later round than the first.
    pub(super) later_rounds: u64,
    pub(super) operations: u64,
    pub(super) assignments: u64,
    /// Operations that had no effect, in whole or in part.
    pub(super) refusals: u64,
    /// The tasks that were open when counting began.
    pub(super) open_tasks_at_begin: u64,
    /// The tasks that were open when counting ended.
    pub(super) open_tasks_at_end: u64,
    /// Times from building to commit, for its own blocks.
    pub(super) built_us: Vec<u32>,
    /// Times from receipt to commit, for the blocks of others.
    pub(super) received_us: Vec<u32>,
    /// Times from submission to commit.
    pub(super) submitted_us: Vec<u32>,
    /// Signatures that were checked.
    pub(super) signatures: u64,
    /// Frames that were sent to validators, by lane.
    pub(super) frames: BTreeMap<String, u64>,
    /// The bytes of these frames.
    pub(super) bytes: u64,
}

impl Sample {
    /// Joins the counts of two validators. All validators commit the same heights, so the greater
    /// count of these, of their operations and of open tasks is taken; everything that each does
    /// for itself is added up.
    pub(super) fn join(mut self, other: Self) -> Self {
        let most = |mine: &mut u64, theirs: u64| *mine = theirs.max(*mine);
        most(&mut self.heights, other.heights);
        most(&mut self.later_rounds, other.later_rounds);
        most(&mut self.operations, other.operations);
        most(&mut self.assignments, other.assignments);
        most(&mut self.refusals, other.refusals);
        most(&mut self.open_tasks_at_begin, other.open_tasks_at_begin);
        most(&mut self.open_tasks_at_end, other.open_tasks_at_end);

        self.built_us.extend(other.built_us);
        self.received_us.extend(other.received_us);
        self.submitted_us.extend(other.submitted_us);
        self.signatures += other.signatures;
        self.bytes += other.bytes;

        for (lane, frames) in other.frames {
            *self.frames.entry(lane).or_default() += frames;
        }

        self
    }
}
