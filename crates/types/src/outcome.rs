//! Outcomes: the leaves of a block's outcome tree, each of which a certificate can prove.

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::operation::Pair;
use crate::{
    ActiveMillis, Amounts, FencingToken, Hash, Label, Millis, OperationId, Price, PublicKey,
    Reason, SignedOperation, TaskId, cbor,
};

/// One thing that a block decided. It is encoded as a map with one entry from its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A task is assigned to an agent.
    Assignment(Assignment),
    /// A market cleared. The record binds everything that the result followed from.
    Clearing(ClearingRecord),
    /// Something happened to a task. The receipt holds the signed operation that made it happen.
    Receipt(Box<Receipt>),
    /// An operation, or some of its offers, had no effect, for these reasons.
    Refusal(Refusal),
    /// A task ended without an operation: its deadline passed or its attempts were used up.
    Expiry(Expiry),
}

/// An assignment: a task, an agent, a price, and the token that makes it exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Assignment {
    /// The task that is assigned.
    pub task: TaskId,
    /// The fencing token of the assignment: one more than the task's last.
    pub token: FencingToken,
    /// The agent that won the task.
    pub agent: PublicKey,
    /// The market whose clearing made the assignment.
    pub market: Label,
    /// The price that the assignee is paid.
    pub price: Price,
    /// The price that the requester pays: the same, or more if the mechanism says so.
    pub charge: Price,
    /// The operation that brought the winning bid.
    pub bid: OperationId,
    /// The specification of the task, named by its [`crate::TaskSpec::hash`].
    pub spec: Hash,
    /// The attestations that the assignee held at the clearing, named by their
    /// [`crate::Attestation::hash`], ascending.
    pub attestations: Vec<Hash>,
    /// The active time of the assignment.
    pub assigned_at: ActiveMillis,
    /// Active milliseconds that the lease lasts without a heartbeat.
    pub lease: Millis,
    /// The clearing, named by its [`ClearingRecord::hash`].
    pub clearing: Hash,
}

/// The record of a clearing, which binds everything that its result followed from. If a single
/// losing bid is left out, the root is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClearingRecord {
    /// The name of the market.
    pub market: Label,
    /// The number of the market's window, counted from 0.
    pub window: u64,
    /// The name of the mechanism.
    pub mechanism: Label,
    /// The version of the mechanism.
    pub version: u16,
    /// The reserve price of the market, if it has one.
    pub reserve: Option<Price>,
    /// The root over the [`ClearingInput`]s in order (RFC 9162 tree, SHA-256).
    pub inputs: Hash,
    /// The number of inputs.
    pub input_count: u64,
    /// The number of assignments made.
    pub assigned: u64,
    /// The sum of the prices of the winning bids.
    pub total: Price,
    /// The operation whose solution was taken; `None` if the mechanism found the result itself.
    pub solution: Option<OperationId>,
}

impl ClearingRecord {
    /// Returns the BLAKE3 hash of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 clearing", &[&cbor::encode(self)])
    }
}

/// One input of a clearing. Tasks come first, then bidders, bids and solutions, each kind ascending
/// by its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearingInput {
    /// A task that was due.
    Task(TaskInput),
    /// A bidder and the budget that it may spend.
    Bidder(BidderInput),
    /// A bid that took part, or one that was excluded.
    Bid(BidInput),
    /// A solution by a member.
    Solution(SolutionInput),
}

/// A task in a clearing: see [`ClearingInput::Task`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskInput {
    /// The id of the task.
    pub task: TaskId,
    /// The specification of the task, named by its [`crate::TaskSpec::hash`].
    pub spec: Hash,
    /// The amounts that the task demands of a budget.
    pub demand: Amounts,
    /// The highest price at which the task is assigned: the lowest of its own limit, the market's
    /// and the protocol's.
    pub limit: Price,
}

/// A bidder in a clearing: see [`ClearingInput::Bidder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BidderInput {
    /// The agent that bids.
    pub agent: PublicKey,
    /// The budget that the agent reserved, cut to what it had free at the clearing.
    pub budget: Amounts,
}

/// A bid in a clearing: see [`ClearingInput::Bid`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BidInput {
    /// The task that the bid is on.
    pub task: TaskId,
    /// The agent that bids.
    pub agent: PublicKey,
    /// The price asked; `None` if a commitment was not opened.
    pub price: Option<Price>,
    /// The operation that brought the bid; for a sealed bid, the one that brought the commitment.
    pub operation: OperationId,
    /// The reason why the bid did not take part, if it did not.
    pub excluded: Option<Reason>,
}

/// A solution in a clearing: see [`ClearingInput::Solution`]. There are at most
/// [`crate::limits::SOLUTIONS_PER_WINDOW`], of one agent each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SolutionInput {
    /// The agent that proposed the solution.
    pub agent: PublicKey,
    /// The operation that brought the solution.
    pub operation: OperationId,
    /// The pairs as they came. Pairs that no longer hold at the clearing do not count.
    pub pairs: Vec<Pair>,
}

/// The receipt of what an assignee, a requester or the committee did with a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Receipt {
    /// The task that the operation is on.
    pub task: TaskId,
    /// The fencing token in force.
    pub token: FencingToken,
    /// The assignee in force; `None` if an open task was canceled.
    pub agent: Option<PublicKey>,
    /// The accept, decline, complete, fail, lapse or cancel itself, signed by its agent.
    pub operation: SignedOperation,
}

/// The refusal of an operation, in whole or in part: see [`Outcome::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Refusal {
    /// The operation that was refused.
    pub operation: OperationId,
    /// The agent that is charged for it.
    pub agent: PublicKey,
    /// The refused parts with their reasons, ascending: `None` stands for the whole operation, a
    /// task for the offer on that task.
    pub items: Vec<(Option<TaskId>, Reason)>,
}

/// The end of a task without an operation: see [`Outcome::Expiry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Expiry {
    /// The task that ended.
    pub task: TaskId,
    /// The number of assignments that the task had, which is its last fencing token.
    pub token: FencingToken,
    /// The reason why the task ended.
    pub reason: Reason,
}

impl Outcome {
    /// The names of all outcomes, ascending.
    pub const NAMES: [&'static str; 5] = ["assignment", "clearing", "expiry", "receipt", "refusal"];

    /// Returns the name that the outcome is encoded with.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Assignment(_) => "assignment",
            Self::Clearing(_) => "clearing",
            Self::Receipt(_) => "receipt",
            Self::Refusal(_) => "refusal",
            Self::Expiry(_) => "expiry",
        }
    }

    /// Returns the task that the outcome speaks of, if it speaks of one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Assignment(assignment) => Some(assignment.task),
            Self::Receipt(receipt) => Some(receipt.task),
            Self::Expiry(expiry) => Some(expiry.task),
            Self::Clearing(_) | Self::Refusal(_) => None,
        }
    }

    /// Returns the agent that the outcome concerns, if it concerns one.
    pub fn agent(&self) -> Option<PublicKey> {
        match self {
            Self::Assignment(assignment) => Some(assignment.agent),
            Self::Receipt(receipt) => receipt.agent,
            Self::Refusal(refusal) => Some(refusal.agent),
            Self::Clearing(_) | Self::Expiry(_) => None,
        }
    }
}
