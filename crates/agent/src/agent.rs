//! What an author writes.

use std::time::Duration;

use async_trait::async_trait;
use quorate_types::{Amounts, cbor};
use quorate_types::{
    Capabilities, FencingToken, Hash, Label, Millis, Price, SwarmId, TaskId, TaskSpec,
};

use crate::{LeaseGuard, LeaseLost};

/// A worker: one value does one task at a time.
///
/// [`Self::bid`] is asked between executions only, because both take `&mut self`: an agent that
/// works is not asked. Who wants several slots gives the runner several values under one key, which
/// share what they must (see [`crate::AgentRunner::new`]).
///
/// ```
/// use quorate_agent::{
///     Agent, Award, CallForBids, LeaseGuard, Offer, Outcome, TaskError, async_trait,
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
///     async fn bid(&mut self, call: &CallForBids) -> Option<Offer> {
///         Some(call.offer(10))
///     }
///     async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<Outcome, TaskError> {
///         lease.sleep(std::time::Duration::from_secs(1)).await?;
///         Ok(Outcome::new(award.spec.payload.0))
///     }
/// }
/// ```
#[async_trait]
pub trait Agent: Send + 'static {
    /// What its attestations claim. Tasks that ask for more are not put before it; an amount of
    /// `slots` that it does not name counts as 1.
    fn capabilities(&self) -> Capabilities;

    /// What it asks for a task; `None`: not interested. The calls of one window are asked one after
    /// another, then sent as one bid, of which it wins what fits into [`Self::budget`] together.
    async fn bid(&mut self, call: &CallForBids) -> Option<Offer>;

    /// What it reserves for all that it may win in one window, after [`Self::bid`]: `one` is enough
    /// for any one of its offers, and what it reserves unless it says otherwise. With more it may
    /// win several at once where the mechanism gives an agent several; what it cannot begin at once
    /// waits, under its lease, until it can. Cut to `free`, which knows what awards take, but not
    /// what is reserved in other markets: beyond that a bid is refused.
    fn budget(&self, one: Amounts, _free: &Amounts) -> Amounts {
        one
    }

    /// Does the task. [`LeaseGuard::lost`] resolves when the award is no longer in force: then
    /// stop.
    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<Outcome, TaskError>;
}

/// One open task that bids are wanted for. It proves nothing until it is awarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallForBids {
    /// Market that clears it.
    pub market: Label,
    /// Number of the clearing.
    pub window: u64,
    /// Task.
    pub task: TaskId,
    /// Payload, requirements and demand.
    pub spec: TaskSpec,
    /// What the agent has left of its amounts, by what this process knows.
    pub free: Amounts,
}

impl CallForBids {
    /// An offer to do the task at `price`, in the market's unit, at least 0.
    pub fn offer(&self, price: Price) -> Offer {
        Offer { price }
    }
}

/// The price an agent asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// In the market's unit, 0 to [`quorate_types::limits::PRICE`].
    pub price: Price,
}

/// A task that this agent has won, proved by a verified certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Award {
    /// Task.
    pub task: TaskId,
    /// What was submitted; its hash is the one in the certificate.
    pub spec: TaskSpec,
    /// Fencing token: give it to what the work touches, which then refuses smaller ones.
    pub token: FencingToken,
    /// What the agent is to be paid.
    pub price: Price,
    /// The same for every attempt at the task, by whomever: what must happen once in the world is
    /// done under this key.
    pub idempotency_key: Hash,
    /// The certificate in canonical CBOR.
    pub certificate: Vec<u8>,
    /// How long the award lasts without contact to the validators.
    pub lease: Duration,
    /// Active time of the swarm at the award, in milliseconds.
    pub assigned_at: Millis,
}

impl Award {
    /// The key that every attempt at `task` has.
    pub fn idempotency_key(swarm: &SwarmId, task: &TaskId) -> Hash {
        Hash::derive(
            "quorate 1 idempotency key",
            &[swarm.as_bytes(), &cbor::encode(task)],
        )
    }
}

/// What doing the task gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// For the requester, opaque to the swarm; at most [`quorate_types::limits::RESULT_BYTES`].
    pub detail: Vec<u8>,
}

impl Outcome {
    /// From bytes or text. Longer than the limit, the task counts as failed.
    pub fn new(detail: impl Into<Vec<u8>>) -> Self {
        Self {
            detail: detail.into(),
        }
    }
}

/// Why a task was not done. It goes back to the market, without this agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The award is no longer in force.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// The work failed; the text goes to the requester and the auditor.
    #[error("{reason}")]
    Failed {
        /// One sentence for a person.
        reason: String,
    },
}

impl TaskError {
    /// A failure with its reason.
    pub fn failed(reason: impl ToString) -> Self {
        Self::Failed {
            reason: reason.to_string(),
        }
    }
}
