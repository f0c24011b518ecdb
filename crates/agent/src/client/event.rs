//! What comes out of the light client.

use std::sync::Arc;

use quorate_types::message::{Call, ClientRequest};
use quorate_types::{FencingToken, Hash, Label, OperationId, Price, PublicKey, Reason, TaskId};

use super::StandingBids;
use crate::Award;

/// What the driver of a [`crate::LightClient`] does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAction {
    /// Send a request to a validator. Losing it is allowed: it is repeated where it matters.
    Send {
        /// Validator.
        to: PublicKey,
        /// Request.
        request: ClientRequest,
    },
    /// Something its owner wants to know.
    Event(Event),
}

/// What the owner of a light client learns. What names a certificate was proved by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The swarm knows this agent; operations flow from here on. Once.
    Ready,
    /// Bids are wanted. A validator's word: it may be wrong, which costs a refused bid.
    Call(Call),
    /// Solutions are wanted for a window that takes no more bids: validators with more than a third
    /// of the power say so. [`crate::LightClient::fetch_bids`] gets what is to be solved.
    Solve {
        /// Market.
        market: Label,
        /// Number of the window.
        window: u64,
    },
    /// This agent won a task. The acceptance is on its way.
    Award(Box<Award>),
    /// An award of this agent is no longer in force: stop. After [`LossCause::OutOfReach`] it may
    /// still be reported on, and another loss may follow.
    LeaseLost {
        /// Task.
        task: TaskId,
        /// Token of the award that ended.
        token: FencingToken,
        /// Why.
        cause: LossCause,
    },
    /// The swarm took this agent's report on an award: it is over and done with.
    Reported {
        /// Task.
        task: TaskId,
        /// Token of the award.
        token: FencingToken,
        /// Receipt.
        certificate: Vec<u8>,
    },
    /// A task of this requester goes to an agent.
    Awarded {
        /// Task.
        task: TaskId,
        /// Token of the assignment.
        token: FencingToken,
        /// Assignee.
        agent: PublicKey,
        /// What it is to be paid.
        price: Price,
        /// Assignment.
        certificate: Vec<u8>,
    },
    /// The assignee took a task of this requester.
    Accepted {
        /// Task.
        task: TaskId,
        /// Token of the assignment.
        token: FencingToken,
        /// Receipt.
        certificate: Vec<u8>,
    },
    /// An assignee declined, failed or went silent; the task goes to market again while it has
    /// attempts left.
    Returned {
        /// Task.
        task: TaskId,
        /// Token of the assignment that ended.
        token: FencingToken,
        /// Receipt.
        certificate: Vec<u8>,
    },
    /// A task of this requester is done.
    Completed {
        /// Task.
        task: TaskId,
        /// What the assignee reported.
        detail: Vec<u8>,
        /// Receipt.
        certificate: Vec<u8>,
    },
    /// A task of this requester ended undone.
    Failed {
        /// Task.
        task: TaskId,
        /// Why; `None` where it was cancelled.
        reason: Option<Reason>,
        /// Receipt of the cancellation, expiry, or refusal of the submission.
        certificate: Vec<u8>,
    },
    /// An operation of this agent, or some of its offers, had no effect.
    Refused {
        /// Operation.
        operation: OperationId,
        /// The whole of it (`None`) or its offer on a task, and why.
        items: Vec<(Option<TaskId>, Reason)>,
        /// Refusal.
        certificate: Vec<u8>,
    },
    /// The answer to [`crate::LightClient::fetch_dossier`].
    Dossier {
        /// Hash of the clearing's record.
        clearing: Hash,
        /// `None` where no validator in reach keeps it any more.
        found: Option<Arc<DossierBundle>>,
    },
    /// The answer to [`crate::LightClient::fetch_bids`].
    StandingBids {
        /// Market.
        market: Label,
        /// Number of the window.
        window: u64,
        /// One validator's word; `None` where none in reach has them: the window is over, or has
        /// not come so far.
        found: Option<Arc<StandingBids>>,
    },
}

/// What a clearing followed from. Whether the auction was run right is for an auditor to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DossierBundle {
    /// The dossier in canonical CBOR. Its inputs are those under its record's root, and the record
    /// is the one that was asked for.
    pub dossier: Vec<u8>,
    /// Certificate of the record, verified; `None` where no validator gave one. A certified
    /// assignment of the clearing certifies the record as well.
    pub certificate: Option<Vec<u8>>,
}

/// Why an award is no longer in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossCause {
    /// The task was assigned again, under a higher fencing token.
    Superseded,
    /// The swarm ended the lease.
    Lapsed,
    /// The requester cancelled the task, or it expired.
    Ended,
    /// Validators with more than a third of the power were out of reach for the lease.
    OutOfReach,
}

impl Event {
    /// The event in a word, for logs: certificates are long.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Call(_) => "call",
            Self::Solve { .. } => "solve",
            Self::Award(_) => "award",
            Self::LeaseLost { .. } => "lease lost",
            Self::Reported { .. } => "reported",
            Self::Awarded { .. } => "awarded",
            Self::Accepted { .. } => "accepted",
            Self::Returned { .. } => "returned",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
            Self::Dossier { .. } => "dossier",
            Self::StandingBids { .. } => "standing bids",
        }
    }
}
