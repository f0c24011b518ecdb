//! Outcomes: the leaves of a block's outcome tree, each of which a certificate can prove.

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::operation::Pair;
use crate::{
    Amounts, FencingToken, Hash, Label, Millis, OperationId, Price, PublicKey, Reason,
    SignedOperation, TaskId, cbor,
};

/// One thing a block decided. Written as a map of one entry from its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A task goes to an agent.
    Assignment(Assignment),
    /// A market cleared: binds everything its result followed from.
    Clearing(ClearingRecord),
    /// Something that happened to a task, with the signed operation that made it happen.
    Receipt(Box<Receipt>),
    /// An operation, or some of its offers, had no effect, and why.
    Refusal(Refusal),
    /// A task ended without an operation: its deadline passed or its attempts were used up.
    Expiry(Expiry),
}

/// A task, an agent, a price, and the token that makes it exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Assignment {
    /// Task.
    pub task: TaskId,
    /// One more than the task's last.
    pub token: FencingToken,
    /// Assignee.
    pub agent: PublicKey,
    /// Market whose clearing it came from.
    pub market: Label,
    /// What the assignee is to be paid.
    pub price: Price,
    /// What the requester is to pay: the price, or more by a mechanism that says so.
    pub charge: Price,
    /// The winning bid.
    pub bid: OperationId,
    /// [`crate::TaskSpec::hash`].
    pub spec: Hash,
    /// [`crate::Attestation::hash`] of the attestations the assignee held at clearing, ascending.
    pub attestations: Vec<Hash>,
    /// Active time it was made at.
    pub assigned_at: Millis,
    /// Active milliseconds the lease lasts without a heartbeat.
    pub lease: Millis,
    /// [`ClearingRecord::hash`] of the clearing.
    pub clearing: Hash,
}

/// What a clearing followed from. Leaving one losing bid out gives another root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClearingRecord {
    /// Market.
    pub market: Label,
    /// Number of the market's window, from 0.
    pub window: u64,
    /// Name of the mechanism.
    pub mechanism: Label,
    /// Version of the mechanism.
    pub version: u16,
    /// Reserve price of the market.
    pub reserve: Option<Price>,
    /// Root over the [`ClearingInput`]s in order (RFC 9162 tree, SHA-256).
    pub inputs: Hash,
    /// Number of inputs.
    pub input_count: u64,
    /// Assignments made.
    pub assigned: u64,
    /// Sum of the winning bids' prices.
    pub total: Price,
    /// The operation whose solution was taken; `None`: what the mechanism found by itself.
    pub solution: Option<OperationId>,
}

impl ClearingRecord {
    /// BLAKE3 of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 clearing", &[&cbor::encode(self)])
    }
}

/// One input of a clearing: tasks first, then bidders, bids and solutions; each kind ascending by
/// its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearingInput {
    /// A due task.
    Task(TaskInput),
    /// A bidder and what it may spend.
    Bidder(BidderInput),
    /// A bid, live or excluded.
    Bid(BidInput),
    /// A solution from outside.
    Solution(SolutionInput),
}

/// See [`ClearingInput::Task`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskInput {
    /// Task.
    pub task: TaskId,
    /// [`crate::TaskSpec::hash`].
    pub spec: Hash,
    /// What it demands of a budget.
    pub demand: Amounts,
    /// The highest price at which it is assigned: the lowest of its own, the market's and the
    /// protocol's.
    pub limit: Price,
}

/// See [`ClearingInput::Bidder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BidderInput {
    /// Agent.
    pub agent: PublicKey,
    /// The budget it reserved, cut to what it had free at clearing.
    pub budget: Amounts,
}

/// See [`ClearingInput::Bid`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BidInput {
    /// Task.
    pub task: TaskId,
    /// Agent.
    pub agent: PublicKey,
    /// Price asked; `None` where a commitment was not opened.
    pub price: Option<Price>,
    /// The operation that brought it: of a sealed one, that which brought the commitment.
    pub operation: OperationId,
    /// Why it did not take part, if it did not.
    pub excluded: Option<Reason>,
}

/// See [`ClearingInput::Solution`]. At most [`crate::limits::SOLUTIONS_PER_WINDOW`], of one agent
/// each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SolutionInput {
    /// Whose it is.
    pub agent: PublicKey,
    /// The operation that brought it.
    pub operation: OperationId,
    /// As it came: what holds no more at the clearing does not count.
    pub pairs: Vec<Pair>,
}

/// What an assignee, a requester or the committee did with a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Receipt {
    /// Task.
    pub task: TaskId,
    /// Fencing token in force.
    pub token: FencingToken,
    /// Assignee in force; `None` where an open task was cancelled.
    pub agent: Option<PublicKey>,
    /// The accept, decline, complete, fail, lapse or cancel itself, signed by who made it.
    pub operation: SignedOperation,
}

/// See [`Outcome::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Refusal {
    /// Operation.
    pub operation: OperationId,
    /// Who is charged for it.
    pub agent: PublicKey,
    /// What was refused: the whole operation (`None`) or its offer on a task. Ascending.
    pub items: Vec<(Option<TaskId>, Reason)>,
}

/// See [`Outcome::Expiry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Expiry {
    /// Task.
    pub task: TaskId,
    /// Assignments it had.
    pub token: FencingToken,
    /// Why.
    pub reason: Reason,
}

impl Outcome {
    /// The task it speaks of, where it speaks of one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Assignment(assignment) => Some(assignment.task),
            Self::Receipt(receipt) => Some(receipt.task),
            Self::Expiry(expiry) => Some(expiry.task),
            Self::Clearing(_) | Self::Refusal(_) => None,
        }
    }

    /// The agent it concerns, where it concerns one.
    pub fn agent(&self) -> Option<PublicKey> {
        match self {
            Self::Assignment(assignment) => Some(assignment.agent),
            Self::Receipt(receipt) => receipt.agent,
            Self::Refusal(refusal) => Some(refusal.agent),
            Self::Clearing(_) | Self::Expiry(_) => None,
        }
    }
}
