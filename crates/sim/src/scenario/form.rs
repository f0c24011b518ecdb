//! The keys of a scenario file, and their defaults.

use serde::Deserialize;
use toml::Spanned;

use quorate_market::Mechanism;
use quorate_market::mechanisms::Optimal;
use quorate_types::Label;

use super::time::Time;
use crate::adversary::LieKind;
use crate::adversary::Manner;
use crate::faults::TearPlan;

/// A name with its position in the file.
pub(super) type Name = Spanned<String>;

/// All keys of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    pub(super) name: Option<String>,
    pub(super) seed: Option<u64>,
    /// The least height to reach.
    pub(super) heights: Option<u64>,
    pub(super) heal_at: Option<Time>,
    pub(super) patience: Option<Time>,
    pub(super) validators: Vec<Validators>,
    #[serde(default)]
    pub(super) agents: Vec<Agents>,
    #[serde(default)]
    pub(super) market: Market,
    #[serde(default)]
    pub(super) tasks: Vec<Tasks>,
    #[serde(default)]
    pub(super) links: Links,
    #[serde(default)]
    pub(super) faults: Vec<FaultForm>,
}

/// `[[validators]]`: a group of equal validators.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Validators {
    pub(super) name: Name,
    #[serde(default = "one")]
    pub(super) count: u64,
    #[serde(default = "one")]
    pub(super) power: u64,
    pub(super) region: Option<Name>,
    #[serde(default)]
    pub(super) clock_ahead_ms: i64,
    #[serde(default)]
    pub(super) clock_fast_permille: i64,
    pub(super) lie: Option<LieKind>,
}

/// `[[agents]]`: a group of equal agents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agents {
    pub(super) name: Name,
    #[serde(default = "one")]
    pub(super) count: u64,
    #[serde(default)]
    pub(super) labels: Vec<Name>,
    #[serde(default = "one_slot")]
    pub(super) slots: usize,
    #[serde(default = "hundred")]
    pub(super) price: u64,
    pub(super) work: Time,
    #[serde(default)]
    pub(super) fails_permille: u64,
    pub(super) region: Option<Name>,
    #[serde(default)]
    pub(super) manner: Manner,
    #[serde(default)]
    pub(super) solves: bool,
}

/// The table `[market]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Market {
    pub(super) mechanism: Label,
    pub(super) window: Time,
    /// If it is there, bids are sealed, and this is the time in which they are opened.
    pub(super) reveal: Option<Time>,
    /// If it is there, solutions are taken for this time.
    pub(super) solve: Option<Time>,
    pub(super) lease: Time,
    pub(super) attempts: u64,
}

impl Default for Market {
    fn default() -> Self {
        Self {
            mechanism: Optimal.label(),
            window: Time::of(300),
            reveal: None,
            solve: None,
            lease: Time::of(3_000),
            attempts: 5,
        }
    }
}

/// `[[tasks]]`: a group of equal tasks, at regular times or at those that are listed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tasks {
    pub(super) count: Option<u64>,
    pub(super) from: Option<Time>,
    pub(super) every: Option<Time>,
    /// The times of submission, in place of the three keys above.
    pub(super) at: Option<Vec<Time>>,
    #[serde(default)]
    pub(super) requires: Vec<Name>,
    pub(super) deadline: Option<Time>,
    pub(super) cancel: Option<Time>,
}

/// The table `[links]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Links {
    pub(super) regions: Option<Vec<Name>>,
    pub(super) round_trip_ms: Option<Vec<Vec<f64>>>,
    pub(super) round_trip_file: Option<String>,
    pub(super) jitter: Option<Time>,
    pub(super) loss_permille: u64,
    pub(super) duplicate_permille: u64,
    pub(super) flip_permille: u64,
    pub(super) bytes_per_ms: Option<u64>,
}

/// `[[faults]]`. The keys that a fault takes depend on its kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultForm {
    pub(super) kind: Name,
    pub(super) at: Spanned<Time>,
    pub(super) lasts: Option<Time>,
    pub(super) validators: Option<Vec<Name>>,
    pub(super) agents: Option<Vec<Name>>,
    pub(super) groups: Option<Vec<Vec<Name>>>,
    pub(super) region: Option<Name>,
    pub(super) times: Option<u64>,
    pub(super) after_writes: Option<u64>,
    pub(super) tear: Option<TearPlan>,
    pub(super) by_ms: Option<i64>,
    pub(super) sync: Option<Time>,
}

fn one() -> u64 {
    1
}

fn one_slot() -> usize {
    1
}

fn hundred() -> u64 {
    100
}
