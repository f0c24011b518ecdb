//! The plan of a run: everything that a run depends on. The same plan gives the same run, to the
//! last byte.

use serde::{Deserialize, Serialize};

use quorate_types::{Label, Millis};

use crate::adversary::{LieKind, Manner};
use crate::faults::TimedFault;

/// Everything that a run depends on. Times are milliseconds since its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The seed of all dice.
    pub seed: u64,
    /// The members of the committee, 1 to 128. Their indices here name them elsewhere.
    pub validators: Vec<ValidatorPlan>,
    /// The agents. Their indices here name them elsewhere.
    pub agents: Vec<AgentPlan>,
    /// The market that all tasks go to.
    pub market: MarketPlan,
    /// The tasks that the requester submits, with their times.
    pub tasks: Vec<TaskPlan>,
    /// The behaviour of the network until `heal_at`.
    pub links: LinkPlan,
    /// The faults, with their times.
    pub faults: Vec<TimedFault>,
    /// The time from which on nothing new goes wrong and progress is demanded. Liars go on lying.
    pub heal_at: Millis,
    /// The longest time from `heal_at` to the end of the run, in milliseconds. A task that has not
    /// ended by then counts as one that never will.
    pub patience: Millis,
    /// The least height to reach: the run does not end below it unless `patience` is over.
    pub min_heights: u64,
    /// Whether a third of the power or more may lie. Agreement is not expected then, but proof of
    /// guilt is (invariant 8).
    #[serde(default)]
    pub over_threshold: bool,
}

/// One member of the committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorPlan {
    /// The voting power, at least 1.
    pub power: u64,
    /// The index of its region in [`LinkPlan::regions`].
    #[serde(default)]
    pub region: usize,
    /// Milliseconds that its Unix time is ahead; negative if it is behind.
    #[serde(default)]
    pub skew_ms: i64,
    /// Parts per thousand that its monotonic clock is too fast; negative if it is too slow.
    #[serde(default)]
    pub drift_permille: i64,
    /// The lie that it tells; `None` if it is correct.
    #[serde(default)]
    pub lie: Option<LieKind>,
}

/// One agent: its capabilities, and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentPlan {
    /// The labels that are attested to it.
    pub labels: Vec<String>,
    /// The number of tasks that it can do at once, at least 1.
    pub slots: usize,
    /// The price that it asks, in the market's unit. Its dice add up to a tenth.
    pub price: u64,
    /// Milliseconds that a task takes it.
    pub work_ms: Millis,
    /// Executions that fail, of a thousand.
    #[serde(default)]
    pub fails_permille: u64,
    /// The index of its region in [`LinkPlan::regions`].
    #[serde(default)]
    pub region: usize,
    /// Whether it is honest, or else how it lies.
    #[serde(default)]
    pub manner: Manner,
    /// Whether it proposes solutions, if the market takes them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub solves: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The market that all tasks go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketPlan {
    /// The name of the mechanism that clears it.
    pub mechanism: Label,
    /// Active milliseconds for which bids are collected.
    pub window_ms: Millis,
    /// Active milliseconds for which sealed bids are opened, at least; `None` if bids are not
    /// sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal_ms: Option<Millis>,
    /// Active milliseconds for which solutions are taken, at least; `None` if there are none. For
    /// the mechanism `gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solve_ms: Option<Millis>,
    /// Active milliseconds without a heartbeat after which an assignment may lapse.
    pub lease_ms: Millis,
    /// The number of assignments that a task may have.
    pub attempts: u64,
}

/// One task of the requester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskPlan {
    /// The time at which it is submitted.
    pub at: Millis,
    /// The labels that an agent must have to be given it.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Milliseconds after its submission at which the requester cancels it; `None` if it does not.
    #[serde(default)]
    pub cancel_after: Option<Millis>,
    /// Milliseconds after its submission from which on it is no longer assigned; `None` if there is
    /// no deadline.
    #[serde(default)]
    pub deadline_after: Option<Millis>,
}

/// How frames travel between hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkPlan {
    /// The names of the regions. Hosts name a region by its index.
    pub regions: Vec<String>,
    /// The latency from each region to each, one way, in milliseconds: a row for each sender's
    /// region.
    pub latency_ms: Vec<Vec<Millis>>,
    /// The most milliseconds that dice add to the latency. So frames overtake each other.
    #[serde(default)]
    pub jitter_ms: Millis,
    /// Frames that are lost, of a thousand.
    #[serde(default)]
    pub loss_permille: u64,
    /// Frames that arrive twice, of a thousand.
    #[serde(default)]
    pub duplicate_permille: u64,
    /// Frames that arrive with one bit flipped, of a thousand.
    #[serde(default)]
    pub flip_permille: u64,
    /// Bytes per millisecond that each link carries in each direction; `None` if there is no limit.
    #[serde(default)]
    pub bytes_per_ms: Option<u64>,
}
