//! The trait that the author of an agent implements, and its types.

use std::time::Duration;

use async_trait::async_trait;
use quorate_certificate::VerifiedCertificate;
use quorate_types::outcome::Assignment;
use quorate_types::{
    ActiveMillis, Capabilities, FencingToken, Hash, Label, Price, SwarmId, TaskId, TaskSpec,
};
use quorate_types::{Amounts, cbor};

use crate::{LeaseGuard, LeaseLost};

/// A worker. One value does one task at a time.
///
/// [`Self::bid`] and [`Self::execute`] both take `&mut self`, so an agent that works is not asked
/// for bids. To do several tasks at once, give the runner several values under one key; they share
/// whatever state they need (see [`crate::AgentRunner::new`]).
///
/// ```
/// use quorate_agent::{
///     Agent, Award, CallForBids, LeaseGuard, Quote, TaskOutput, TaskError, async_trait,
/// };
/// use quorate_types::Capabilities;
///
/// struct Echo;
///
/// #[async_trait]
/// impl Agent for Echo {
///     fn capabilities(&self) -> Capabilities {
///         Capabilities::new()
///     }
///     async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
///         Some(call.quote(10))
///     }
///     async fn execute(
///         &mut self,
///         award: Award,
///         lease: LeaseGuard,
///     ) -> Result<TaskOutput, TaskError> {
///         lease.sleep(std::time::Duration::from_secs(1)).await?;
///         Ok(TaskOutput::new(award.spec.payload.0))
///     }
/// }
/// ```
#[async_trait]
pub trait Agent: Send + 'static {
    /// Returns the capabilities that the agent's attestations claim. Tasks that require more are
    /// not offered to it. An amount of `slots` that it does not name counts as 1.
    fn capabilities(&self) -> Capabilities;

    /// Returns the price that the agent asks for a task, or `None` if it is not interested. The
    /// agent is asked about the tasks of a window one after another. Its offers are then sent as
    /// one bid, of which it wins what fits into [`Self::budget`] together.
    async fn bid(&mut self, call: &CallForBids) -> Option<Quote>;

    /// Returns the amounts to reserve for everything that the agent may win in one window. It is
    /// called after [`Self::bid`]. `one` is enough for any one of the offers, and is the default.
    /// With more, the agent may win several tasks at once, if the mechanism gives an agent several;
    /// an award that it cannot begin at once waits, under its lease, until it can. The budget is
    /// cut to `free`, from which the amounts of awards are deducted, but not those reserved in
    /// other markets: a bid that exceeds what these leave is refused.
    fn budget(&self, one: Amounts, _free: &Amounts) -> Amounts {
        one
    }

    /// Does the task. [`LeaseGuard::lost`] resolves when the award is no longer in force; then the
    /// agent must stop.
    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<TaskOutput, TaskError>;
}

/// An open task for which bids are wanted. It proves nothing until it is awarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallForBids {
    /// The market that clears the task.
    pub market: Label,
    /// The number of the window.
    pub window: u64,
    /// The name of the task.
    pub task: TaskId,
    /// The specification of the task: payload, requirements and demand.
    pub spec: TaskSpec,
    /// The amounts that the agent has free, as far as this process knows.
    pub free: Amounts,
}

impl CallForBids {
    /// Makes an offer to do the task at `price`, in the market's unit, at least 0.
    pub fn quote(&self, price: Price) -> Quote {
        Quote { price }
    }
}

/// The price that an agent asks for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quote {
    /// The price in the market's unit, from 0 to [`quorate_types::limits::PRICE`].
    pub price: Price,
}

/// A task that this agent won, proved by a verified certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Award {
    /// The name of the task.
    pub task: TaskId,
    /// The specification as it was submitted; its hash is the one in the certificate.
    pub spec: TaskSpec,
    /// The fencing token. Give it to each resource that the work touches, which then refuses
    /// smaller ones.
    pub token: FencingToken,
    /// The price that the agent will be paid, in the market's unit.
    pub price: Price,
    /// A key that is the same for every attempt at the task, by any agent. Use it for effects that
    /// must happen only once in the world.
    pub idempotency_key: Hash,
    /// The certificate of the assignment. In the test of an agent, use
    /// [`quorate_certificate::example`].
    pub certificate: VerifiedCertificate,
    /// The time that the award lasts without contact to the validators.
    pub lease: Duration,
    /// The active time of the swarm at the award.
    pub assigned_at: ActiveMillis,
}

impl Award {
    /// Makes the award of an assignment that a certificate proves.
    pub(crate) fn new(
        swarm: &SwarmId,
        spec: TaskSpec,
        assignment: &Assignment,
        certificate: VerifiedCertificate,
    ) -> Self {
        let task = assignment.task;

        Self {
            task,
            spec,
            token: assignment.token,
            price: assignment.price,
            idempotency_key: Self::idempotency_key(swarm, &task),
            certificate,
            lease: Duration::from_millis(assignment.lease),
            assigned_at: assignment.assigned_at,
        }
    }

    /// Returns the key that all attempts at `task` have in common.
    pub fn idempotency_key(swarm: &SwarmId, task: &TaskId) -> Hash {
        Hash::derive(
            "quorate 1 idempotency key",
            &[swarm.as_bytes(), &cbor::encode(task)],
        )
    }
}

/// The result of a task that was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskOutput {
    /// The result for the requester, opaque to the swarm. It has at most
    /// [`quorate_types::limits::RESULT_BYTES`] bytes.
    pub detail: Vec<u8>,
}

impl TaskOutput {
    /// Makes a result from bytes or text. If it is longer than the limit, the task counts as
    /// failed.
    pub fn new(detail: impl Into<Vec<u8>>) -> Self {
        Self {
            detail: detail.into(),
        }
    }
}

/// The reason why a task was not done. The task goes back to the market, but not to this agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The award is no longer in force.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// The work failed. The text goes to the requester and the auditor.
    #[error("{reason}")]
    Failed {
        /// The reason, in one sentence for people.
        reason: String,
    },
}

impl TaskError {
    /// Makes a failure with its reason.
    pub fn failed(reason: impl ToString) -> Self {
        Self::Failed {
            reason: reason.to_string(),
        }
    }
}
