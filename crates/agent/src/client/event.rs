//! The actions and events that come out of the light client.

use std::sync::Arc;

use quorate_certificate::VerifiedCertificate;
use quorate_types::message::{Call, ClientRequest};
use quorate_types::{FencingToken, Hash, Label, OperationId, Price, PublicKey, Reason, TaskId};

use super::standing_bids::StandingBids;
use crate::Award;

/// An action for the driver of a [`crate::LightClient`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAction {
    /// Send a request to a validator. It may be lost, because a request that matters is repeated.
    Send {
        /// The validator to send it to.
        to: PublicKey,
        /// The request to send.
        request: ClientRequest,
    },
    /// Tell the owner of the client about an event.
    Event(ClientEvent),
}

/// Something that the owner of a light client learns. An event that holds a certificate was proved
/// by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The swarm knows this agent, and its operations are sent from here on. This happens once.
    Ready,
    /// Bids are wanted. This is a validator's word: if it is wrong, a bid is refused.
    Call(Call),
    /// Solutions are wanted for a window that takes no more bids. Validators with more than a third
    /// of the power say so. [`crate::LightClient::fetch_bids`] fetches the problem to be solved.
    Solve {
        /// The market of the window.
        market: Label,
        /// The number of the window.
        window: u64,
    },
    /// This agent won a task. The acceptance is on its way.
    Award(Box<Award>),
    /// An award of this agent is no longer in force, so its work must stop. After
    /// [`LossCause::OutOfReach`] the award may still be reported on, and another loss may follow.
    LeaseLost {
        /// The task of the award.
        task: TaskId,
        /// The token of the award that ended.
        token: FencingToken,
        /// The reason why it ended.
        cause: LossCause,
    },
    /// The swarm took this agent's report on an award, which is over now.
    Reported {
        /// The task of the award.
        task: TaskId,
        /// The token of the award.
        token: FencingToken,
        /// The certificate of the receipt.
        certificate: VerifiedCertificate,
    },
    /// A task of this requester was assigned to an agent.
    Awarded {
        /// The task that was assigned.
        task: TaskId,
        /// The token of the assignment.
        token: FencingToken,
        /// The agent that won the task.
        agent: PublicKey,
        /// The price that the agent will be paid, in the market's unit.
        price: Price,
        /// The certificate of the assignment.
        certificate: VerifiedCertificate,
    },
    /// The assignee accepted a task of this requester.
    Accepted {
        /// The task that was accepted.
        task: TaskId,
        /// The token of the assignment.
        token: FencingToken,
        /// The certificate of the receipt.
        certificate: VerifiedCertificate,
    },
    /// An assignee declined, failed or went silent. The task goes to market again while it has
    /// attempts left.
    Returned {
        /// The task that was given back.
        task: TaskId,
        /// The token of the assignment that ended.
        token: FencingToken,
        /// The certificate of the receipt.
        certificate: VerifiedCertificate,
    },
    /// A task of this requester is done.
    Completed {
        /// The task that was completed.
        task: TaskId,
        /// The report of the assignee.
        detail: Vec<u8>,
        /// The certificate of the receipt.
        certificate: VerifiedCertificate,
    },
    /// A task of this requester ended without completion.
    Failed {
        /// The task that ended.
        task: TaskId,
        /// The reason; `None` if the task was canceled.
        reason: Option<Reason>,
        /// The certificate of the cancellation, of the expiry, or of the refusal of the submission.
        certificate: VerifiedCertificate,
    },
    /// An operation of this agent, or some of its offers, had no effect.
    Refused {
        /// The operation that was refused.
        operation: OperationId,
        /// The refused parts with the reasons: `None` for the whole operation, or the task of an
        /// offer.
        items: Vec<(Option<TaskId>, Reason)>,
        /// The certificate of the refusal.
        certificate: VerifiedCertificate,
    },
    /// The answer to [`crate::LightClient::fetch_dossier`].
    Dossier {
        /// The hash of the clearing's record.
        clearing: Hash,
        /// The dossier; `None` if no validator in reach keeps it any more.
        found: Option<Arc<DossierBundle>>,
    },
    /// The answer to [`crate::LightClient::fetch_bids`].
    StandingBids {
        /// The market of the window.
        market: Label,
        /// The number of the window.
        window: u64,
        /// The word of one validator. `None` if no validator in reach has an answer, because the
        /// window is over or does not take solutions yet.
        found: Option<Arc<StandingBids>>,
    },
}

/// The inputs of a clearing. Only an audit shows whether the auction was run correctly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DossierBundle {
    /// The dossier in canonical CBOR. Its inputs have the root that its record names, and the
    /// record is the one that was asked for.
    pub dossier: Vec<u8>,
    /// The verified certificate of the record; `None` if no validator gave one. A certified
    /// assignment of the clearing certifies the record as well.
    pub certificate: Option<VerifiedCertificate>,
}

/// The reason why an award is no longer in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossCause {
    /// The task was assigned again, under a higher fencing token.
    Superseded,
    /// The swarm ended the lease.
    Lapsed,
    /// The requester canceled the task, or it expired.
    Ended,
    /// The validators that were heard within the lease have no more than a third of the power.
    OutOfReach,
}

impl ClientEvent {
    /// Returns the name of the event, for logs. Certificates are too long for them.
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
