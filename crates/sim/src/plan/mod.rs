//! What a run is made from. The same plan gives the same run, to the last byte.

use serde::{Deserialize, Serialize};

use quorate_types::{Label, Millis};

use crate::adversary::LieKind;

mod fault;

pub use fault::{Fault, TearPlan, TimedFault};

/// Everything a run follows from. Times are milliseconds from its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Where all dice start.
    pub seed: u64,
    /// The committee, by index; 1 to 128.
    pub validators: Vec<ValidatorPlan>,
    /// The agents.
    pub agents: Vec<AgentPlan>,
    /// The one market.
    pub market: MarketPlan,
    /// What is submitted when.
    pub tasks: Vec<TaskPlan>,
    /// How the network behaves while anything may happen.
    pub links: LinkPlan,
    /// What goes wrong when.
    pub faults: Vec<TimedFault>,
    /// From here on nothing new goes wrong, and progress is demanded. Liars go on lying.
    pub heal_at: Millis,
    /// Longest time from there to the end: what has not been decided then never is.
    pub patience: Millis,
    /// The run goes on at least to this height.
    pub min_heights: u64,
    /// Where a third of the power or more may lie: agreement is not expected then, but proof of
    /// guilt is (invariant 8).
    #[serde(default)]
    pub over_threshold: bool,
}

/// One member of the committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorPlan {
    /// Voting power, at least 1.
    pub power: u64,
    /// Index into [`LinkPlan::regions`].
    #[serde(default)]
    pub region: usize,
    /// Unix milliseconds that its clock is ahead; may be negative.
    #[serde(default)]
    pub skew_ms: i64,
    /// Parts per thousand that its monotonic clock is too fast; may be negative.
    #[serde(default)]
    pub drift_permille: i64,
    /// Which lie it tells; `None`: it is correct.
    #[serde(default)]
    pub lie: Option<LieKind>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentPlan {
    /// Labels attested to it.
    pub labels: Vec<String>,
    /// Tasks it can do at once, at least 1.
    pub slots: usize,
    /// What it asks, in the market's unit, plus up to a tenth by its dice.
    pub price: u64,
    /// Milliseconds a task takes it.
    pub work_ms: Millis,
    /// Executions that fail, per thousand.
    #[serde(default)]
    pub fails_permille: u64,
    /// Index into [`LinkPlan::regions`].
    #[serde(default)]
    pub region: usize,
    /// How it behaves.
    #[serde(default)]
    pub manner: Manner,
    /// It proposes who should win what, where the market takes solutions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub solves: bool,
}

/// How an agent behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// It does what it wins.
    #[default]
    Honest,
    /// It claims, and bids on, what nobody attested to it.
    CapabilityLiar,
    /// It wins by low prices and does nothing.
    WinAndAbandon,
    /// It sends far more bids than there are windows.
    BidSpammer,
    /// It sends operations whose signatures are wrong, in its own name and that of others.
    Forger,
    /// It proposes solutions that do not hold, and cancels what it proposed others should win.
    FalseSolver,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Manner {
    /// All of them, the honest one first.
    pub const ALL: [Self; 6] = [
        Self::Honest,
        Self::CapabilityLiar,
        Self::WinAndAbandon,
        Self::BidSpammer,
        Self::Forger,
        Self::FalseSolver,
    ];

    /// Its name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::CapabilityLiar => "capability-liar",
            Self::WinAndAbandon => "win-and-abandon",
            Self::BidSpammer => "bid-spammer",
            Self::Forger => "forger",
            Self::FalseSolver => "false-solver",
        }
    }
}

/// The market that all tasks go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketPlan {
    /// Mechanism.
    pub mechanism: Label,
    /// Active milliseconds that bids are collected for.
    pub window_ms: Millis,
    /// Bids are sealed, and opened for at least so many active milliseconds; `None`: open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal_ms: Option<Millis>,
    /// Solutions are taken for at least so many active milliseconds; `None`: none are. For `gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solve_ms: Option<Millis>,
    /// Active milliseconds without a heartbeat after which an assignment may lapse.
    pub lease_ms: Millis,
    /// Assignments a task may have.
    pub attempts: u64,
}

/// One task of the one requester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskPlan {
    /// When it is submitted.
    pub at: Millis,
    /// Labels that an agent must have.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Whether the requester cancels it so many milliseconds later.
    #[serde(default)]
    pub cancel_after: Option<Millis>,
    /// Milliseconds after its submission from which on it is no longer assigned.
    #[serde(default)]
    pub deadline_after: Option<Millis>,
}

/// How frames travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkPlan {
    /// Names of regions; hosts name one by its index.
    pub regions: Vec<String>,
    /// One-way milliseconds from region to region.
    pub latency_ms: Vec<Vec<Millis>>,
    /// Up to so many milliseconds more, by dice: frames overtake each other.
    #[serde(default)]
    pub jitter_ms: Millis,
    /// Frames lost, per thousand.
    #[serde(default)]
    pub loss_permille: u64,
    /// Frames that arrive twice, per thousand.
    #[serde(default)]
    pub duplicate_permille: u64,
    /// Frames in which a bit flips, per thousand.
    #[serde(default)]
    pub flip_permille: u64,
    /// Bytes per millisecond on each directed link; `None`: no limit.
    #[serde(default)]
    pub bytes_per_ms: Option<u64>,
}
