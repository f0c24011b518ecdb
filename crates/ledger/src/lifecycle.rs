//! The life of a task: the only place where a task changes its state.
//!
//! ```text
//! open -> assigned -> working -> completed | failed
//!   ^--------+-----------'   decline, fail and lapse reopen while attempts are left
//! open, assigned, working -> canceled        open -> expired
//! ```

use quorate_types::{ActiveMillis, FencingToken, Height, Millis, Price, PublicKey, Reason};
use serde::Serialize;
use serde_tuple::Serialize_tuple;

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// The task waits for the next clearing of its market.
    Open,
    /// An agent won it and has not accepted yet.
    Assigned(Assignee),
    /// The agent has accepted it.
    Working(Assignee),
    /// The assignee completed it.
    Completed(Assignee),
    /// The task failed, because its attempts are used up.
    Failed,
    /// The requester canceled it.
    Canceled,
    /// Its deadline passed while it was open.
    Expired,
}

/// The agent that holds a task, with the terms of the assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub struct Assignee {
    /// The agent that won the task.
    pub agent: PublicKey,
    /// The price that the agent is paid.
    pub price: Price,
    /// The active time of the assignment in milliseconds: the start of the lease.
    pub assigned_at: ActiveMillis,
    /// Active milliseconds that the lease lasts without a heartbeat.
    pub lease: Millis,
    /// The height of the block that made the assignment.
    pub height: Height,
}

/// An event that may happen to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskEvent {
    /// A clearing assigns it to an agent.
    Assign(Assignee),
    /// The assignee accepts it.
    Accept(Claim),
    /// The assignee declines it.
    Decline(Claim),
    /// The assignee completed it.
    Complete(Claim),
    /// The assignee could not complete it.
    Fail(Claim),
    /// The committee no longer hears from the holder of this token.
    Lapse(FencingToken),
    /// The requester, which was checked, cancels it.
    Cancel,
    /// Its deadline has passed.
    Expire,
}

/// The agent that reports, and the token under which it does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub agent: PublicKey,
    pub token: FencingToken,
}

/// The effect of an event on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// The task is in this state now.
    State(TaskState),
    /// The task lost this assignee, which cannot win it again. It is open again, or failed if that
    /// was the last attempt.
    Reopen(PublicKey),
}

/// Returns the effect of `event` on a task in `state` whose last token is `token`. This is the
/// state machine of tasks (L-15).
///
/// # Errors
/// The reason why the event has no effect. A token that is not in force comes first, so that a late
/// report gets the same reason whatever became of the task (L-16).
pub(crate) fn step(
    state: &TaskState,
    token: FencingToken,
    event: &TaskEvent,
) -> Result<Next, Reason> {
    if let Some(claimed) = event.token() {
        check_token(state, token, claimed)?;
    }

    if state.has_ended() {
        return Err(Reason::TaskEnded);
    }

    // Cancel and lapse have no claimant: they come from the requester and the committee.
    let foreign = |assignee: &Assignee| event.claimant().is_some_and(|who| who != assignee.agent);
    if state.assignee().is_some_and(foreign) {
        return Err(Reason::NotAssignee);
    }

    follow(state, event)
}

/// Returns the effect of an event whose token and claimant are the right ones.
fn follow(state: &TaskState, event: &TaskEvent) -> Result<Next, Reason> {
    use TaskState::{Assigned, Canceled, Completed, Expired, Open, Working};

    match (state, event) {
        (Open, TaskEvent::Assign(assignee)) => Ok(Next::State(Assigned(assignee.clone()))),
        (Open, TaskEvent::Expire) => Ok(Next::State(Expired)),

        // The requester may cancel a task until it has ended.
        (Open | Assigned(_) | Working(_), TaskEvent::Cancel) => Ok(Next::State(Canceled)),

        // Accept and decline are for an assignment that is not accepted yet.
        (Assigned(who), TaskEvent::Accept(_)) => Ok(Next::State(Working(who.clone()))),

        (Assigned(who), TaskEvent::Decline(_)) => Ok(Next::Reopen(who.agent)),

        // An agent may report the end of a task that it never accepted.
        (Assigned(who) | Working(who), TaskEvent::Complete(_)) => {
            Ok(Next::State(Completed(who.clone())))
        }

        (Assigned(who) | Working(who), TaskEvent::Fail(_) | TaskEvent::Lapse(_)) => {
            Ok(Next::Reopen(who.agent))
        }

        _ => Err(Reason::WrongState),
    }
}

/// Checks that the claimed token is in force: it is the last one, and somebody holds the task or
/// the task has ended.
fn check_token(
    state: &TaskState,
    token: FencingToken,
    claimed: FencingToken,
) -> Result<(), Reason> {
    // An open task has no assignment that a token could stand for.
    let in_force = claimed == token && *state != TaskState::Open;

    if in_force {
        Ok(())
    } else {
        Err(Reason::StaleToken)
    }
}

impl TaskEvent {
    fn token(&self) -> Option<FencingToken> {
        match self {
            Self::Accept(claim)
            | Self::Decline(claim)
            | Self::Complete(claim)
            | Self::Fail(claim) => Some(claim.token),
            Self::Lapse(token) => Some(*token),
            Self::Assign(_) | Self::Cancel | Self::Expire => None,
        }
    }

    fn claimant(&self) -> Option<PublicKey> {
        match self {
            Self::Accept(claim)
            | Self::Decline(claim)
            | Self::Complete(claim)
            | Self::Fail(claim) => Some(claim.agent),
            Self::Lapse(_) | Self::Assign(_) | Self::Cancel | Self::Expire => None,
        }
    }
}

impl TaskState {
    /// Returns the name: `open`, `assigned`, `working`, `completed`, `failed`, `canceled`,
    /// `expired`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned(_) => "assigned",
            Self::Working(_) => "working",
            Self::Completed(_) => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// Returns the agent that has the task now; `None` unless it is assigned or working.
    pub fn assignee(&self) -> Option<&Assignee> {
        match self {
            Self::Assigned(assignee) | Self::Working(assignee) => Some(assignee),
            _ => None,
        }
    }

    /// Returns whether nothing can happen to the task any more.
    pub fn has_ended(&self) -> bool {
        matches!(
            self,
            Self::Completed(_) | Self::Failed | Self::Canceled | Self::Expired
        )
    }
}
