//! Tasks as the model keeps them.

use std::collections::BTreeSet;

use quorate_types::{
    ActiveMillis, Amounts, FencingToken, Height, Label, PublicKey, TaskSpec, UnixMillis,
};

/// The amount of which a task takes one if its specification demands nothing (M-9).
pub(crate) const SLOTS: &str = "slots";

/// The height and the times of a block.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// The height of the block.
    pub height: Height,
    /// The active time of the swarm.
    pub active: ActiveMillis,
    /// The block time.
    pub wall: UnixMillis,
}

/// The state of a task (L-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelState {
    /// It is on the market.
    Open,
    /// An agent was given it.
    Assigned,
    /// Its assignee accepted it.
    Working,
    /// Its assignee completed it.
    Completed,
    /// The last of its attempts failed.
    Failed,
    /// Its requester canceled it.
    Canceled,
    /// Its deadline passed while it was open.
    Expired,
}

impl ModelState {
    /// The name of the state in the book.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// Whether an agent has the task.
    pub fn is_held(self) -> bool {
        matches!(self, Self::Assigned | Self::Working)
    }

    /// Whether the task has ended: nothing can change it any more.
    pub fn has_ended(self) -> bool {
        !self.is_held() && self != Self::Open
    }
}

/// A task that was taken in.
#[derive(Debug, Clone)]
pub struct Task {
    /// The specification, as it was submitted.
    pub spec: TaskSpec,
    /// The state after the last step.
    pub state: ModelState,
    /// The number of assignments that the task has had.
    pub token: FencingToken,
    /// The agent that got the task last, and when.
    pub holder: Option<(PublicKey, Moment)>,
    /// The agents that declined the task, failed on it or let it lapse.
    pub excluded: BTreeSet<PublicKey>,
}

/// The amounts that a task takes of its assignee.
pub(crate) fn demand(spec: &TaskSpec) -> Amounts {
    if spec.demand.is_empty() {
        return SLOTS.parse().map(|slots| (slots, 1)).into_iter().collect();
    }
    spec.demand.clone()
}

/// The amount of this name; 0 if there is none.
pub(crate) fn amount_of(amounts: &Amounts, name: &Label) -> i64 {
    amounts.get(name).copied().unwrap_or(0)
}
