//! What a validator of a measurement says, in lines of JSON, and what it is told.

use std::collections::BTreeMap;

use quorate_types::{FencingToken, Height, PublicKey, TaskId};
use serde::{Deserialize, Serialize};

/// What a validator says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line {
    /// It listens.
    Ready {
        /// Where.
        addresses: Vec<String>,
    },
    /// It is connected with all other validators.
    Connected,
    /// It committed a height; one validator alone says so.
    Height(Progress),
    /// What it counted between [`BEGIN`] and [`END`].
    Sample(Box<Sample>),
}

/// Told on standard input: count from now on.
pub(super) const BEGIN: &str = "begin";
/// Told on standard input: say what was counted.
pub(super) const END: &str = "end";

/// What the load has to know of a height to go on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) height: Height,
    /// By agent that has operations in it: its next sequence number.
    pub(super) next: Vec<(PublicKey, u64)>,
    /// Assignments it made.
    pub(super) assigned: Vec<(TaskId, FencingToken, PublicKey)>,
    /// Whether the market cleared, which ends all bids.
    pub(super) cleared: bool,
}

/// What one validator counted. Times are in microseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) heights: u64,
    /// Heights decided in a later round than the first.
    pub(super) later_rounds: u64,
    pub(super) operations: u64,
    pub(super) assignments: u64,
    /// Operations that had no effect, or not the whole.
    pub(super) refusals: u64,
    /// From building to commit, of its own blocks.
    pub(super) built_us: Vec<u32>,
    /// From receipt to commit, of others' blocks.
    pub(super) received_us: Vec<u32>,
    /// From submission to commit.
    pub(super) submitted_us: Vec<u32>,
    /// Signatures checked.
    pub(super) signatures: u64,
    /// Frames sent to validators, by lane.
    pub(super) frames: BTreeMap<String, u64>,
    /// Their bytes.
    pub(super) bytes: u64,
}

impl Sample {
    /// Of all validators: what each saw by itself is joined, what all saw is the most that one saw.
    pub(super) fn join(mut self, other: Self) -> Self {
        let most = |mine: &mut u64, theirs: u64| *mine = theirs.max(*mine);
        most(&mut self.heights, other.heights);
        most(&mut self.later_rounds, other.later_rounds);
        most(&mut self.operations, other.operations);
        most(&mut self.assignments, other.assignments);
        most(&mut self.refusals, other.refusals);
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
