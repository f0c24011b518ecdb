//! The life of a task: the only place where a task changes its state.
//!
//! ```text
//! open -> assigned -> working -> completed | failed
//!   ^--------+-----------'   decline, fail and lapse reopen while attempts are left
//! open, assigned, working -> canceled        open -> expired
//! ```

use quorate_types::{FencingToken, Height, Millis, Price, PublicKey, Reason};
use serde::Serialize;
use serde_tuple::Serialize_tuple;

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for the next clearing of its market.
    Open,
    /// An agent won it and has not accepted yet.
    Assigned(Assignee),
    /// The agent has accepted it.
    Working(Assignee),
    /// Done, by this agent.
    Completed(Assignee),
    /// Its attempts are used up.
    Failed,
    /// The requester withdrew it.
    Canceled,
    /// Its deadline passed while nobody had it.
    Expired,
}

/// Who has a task, since when and at what price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub struct Assignee {
    /// Agent.
    pub agent: PublicKey,
    /// What it is to be paid.
    pub price: Price,
    /// Active time of the assignment: the start of the lease.
    pub assigned_at: Millis,
    /// Active milliseconds the lease lasts without a heartbeat.
    pub lease: Millis,
    /// Height of the assignment.
    pub height: Height,
}

/// What may happen to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A clearing gives it to an agent.
    Assign(Assignee),
    /// The assignee takes it.
    Accept(Claim),
    /// The assignee does not take it.
    Decline(Claim),
    /// The assignee has done it.
    Complete(Claim),
    /// The assignee could not do it.
    Fail(Claim),
    /// The committee no longer hears whoever holds this token.
    Lapse(FencingToken),
    /// The requester, who was checked, withdraws it.
    Cancel,
    /// Its deadline has passed.
    Expire,
}

/// Who reports, under which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub agent: PublicKey,
    pub token: FencingToken,
}

/// What an event makes of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is in this state now.
    State(TaskState),
    /// It lost its assignee, who gets it no more: open again, or failed if that was the last try.
    Reopen(PublicKey),
}

/// The state machine: what `event` makes of a task in `state` whose last token is `token`.
///
/// # Errors
/// The reason for which the event has no effect. A token that is not in force comes first, so that
/// a late report reads the same whatever became of the task.
pub(crate) fn step(state: &TaskState, token: FencingToken, event: &Event) -> Result<Next, Reason> {
    use TaskState::{Assigned, Canceled, Completed, Expired, Open, Working};
    if let Some(claimed) = event.token() {
        check_token(state, token, claimed)?;
    }
    if state.has_ended() {
        return Err(Reason::TaskEnded);
    }
    let foreign = |assignee: &Assignee| event.claimant().is_some_and(|who| who != assignee.agent);
    if state.assignee().is_some_and(foreign) {
        return Err(Reason::NotAssignee);
    }
    match (state, event) {
        (Open, Event::Assign(assignee)) => Ok(Next::State(Assigned(assignee.clone()))),
        (Open, Event::Expire) => Ok(Next::State(Expired)),
        (Open | Assigned(_) | Working(_), Event::Cancel) => Ok(Next::State(Canceled)),
        (Assigned(who), Event::Accept(_)) => Ok(Next::State(Working(who.clone()))),
        (Assigned(who), Event::Decline(_)) => Ok(Next::Reopen(who.agent)),
        (Assigned(who) | Working(who), Event::Complete(_)) => {
            Ok(Next::State(Completed(who.clone())))
        }
        (Assigned(who) | Working(who), Event::Fail(_) | Event::Lapse(_)) => {
            Ok(Next::Reopen(who.agent))
        }
        _ => Err(Reason::WrongState),
    }
}

/// The token in force is the last one, while somebody holds it or after the end.
fn check_token(
    state: &TaskState,
    token: FencingToken,
    claimed: FencingToken,
) -> Result<(), Reason> {
    let in_force = claimed == token && *state != TaskState::Open;
    if in_force {
        Ok(())
    } else {
        Err(Reason::StaleToken)
    }
}

impl Event {
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
    /// The name: `open`, `assigned`, `working`, `completed`, `failed`, `canceled`, `expired`.
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

    /// Who has it now: `None` unless it is assigned or working.
    pub fn assignee(&self) -> Option<&Assignee> {
        match self {
            Self::Assigned(assignee) | Self::Working(assignee) => Some(assignee),
            _ => None,
        }
    }

    /// Whether nothing can happen to it any more.
    pub fn has_ended(&self) -> bool {
        matches!(
            self,
            Self::Completed(_) | Self::Failed | Self::Canceled | Self::Expired
        )
    }
}
