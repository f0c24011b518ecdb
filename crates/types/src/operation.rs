//! Operations: signed, numbered statements of one agent, which blocks put in order
//! (`protocols/ledger.md`).
//!
//! Fields are encoded in their order here, without names, so a new one changes pinned bytes.
//! `CONTRIBUTING.md` lists what a new field or a new kind touches.

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::{ContentHeader, Owned};
use crate::signed::{Sign1, Signable};
use crate::{
    Amounts, Attestation, FencingToken, Hash, Height, Label, Nonce, OperationId, Price, PublicKey,
    SwarmId, TaskId, TaskSpec, cbor, limits,
};

/// An operation with the signature of its agent.
pub type SignedOperation = Sign1<Operation>;

/// A statement of an agent to the ledger. The signer of the envelope is the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Operation {
    /// The only swarm that the operation is valid in.
    pub swarm: SwarmId,
    /// The agent, which must be the signer.
    pub agent: PublicKey,
    /// The number of the operation: contiguous per agent, from 0. Of two operations with one number
    /// at most one is committed.
    pub sequence: u64,
    /// The content of the operation.
    pub body: OperationBody,
}

/// The kinds of operations. Each is encoded as a map with one entry from its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationBody {
    /// Joins the swarm with a first attestation. The signature proves possession of the key.
    Admit(Attest),
    /// Registers a further attestation of the agent.
    Attest(Attest),
    /// Revokes an attestation, by its issuer: it is void from this block on.
    Revoke(Revoke),
    /// Cancels a task of the agent that has not ended.
    Cancel(Cancel),
    /// Withdraws the agent's live bids in a market.
    Withdraw(Withdraw),
    /// Submits tasks.
    Submit(Submit),
    /// Makes offers on open tasks of one market under one budget.
    Bid(Bid),
    /// Makes commitments to offers in a sealed market, under a public budget.
    Seal(Seal),
    /// Opens commitments once no more are taken.
    Reveal(Reveal),
    /// Proposes winners, once no more bids are taken.
    Solve(Solve),
    /// The assignee accepts the task. The receipt of that cannot be denied.
    Accept(TaskReport),
    /// The assignee declines the task.
    Decline(TaskReport),
    /// The assignee completed the task.
    Complete(TaskReport),
    /// The assignee could not complete the task.
    Fail(TaskReport),
    /// Ends an assignment whose lease is over, on the word of more than two thirds of the power.
    Lapse(Lapse),
}

/// An attestation that is brought to the ledger: see [`OperationBody::Admit`] and
/// [`OperationBody::Attest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Attest {
    /// The attestation, whose subject is the agent.
    pub attestation: Attestation,
}

/// The revocation of an attestation: see [`OperationBody::Revoke`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Revoke {
    /// The agent that the attestation is about.
    pub subject: PublicKey,
    /// The attestation, named by its [`Attestation::hash`].
    pub attestation: Hash,
}

/// The submission of tasks: see [`OperationBody::Submit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Submit {
    /// The number of the first task, which must be the requester's next one. The others follow.
    pub first: u64,
    /// The tasks, 1 to [`limits::TASKS_PER_OPERATION`] of them.
    pub tasks: Vec<TaskSpec>,
}

/// The cancellation of a task: see [`OperationBody::Cancel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Cancel {
    /// The task, whose requester must be the agent.
    pub task: TaskId,
}

/// The withdrawal of bids: see [`OperationBody::Withdraw`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Withdraw {
    /// The name of the market.
    pub market: Label,
}

/// A bid with open prices: see [`OperationBody::Bid`]. It replaces the agent's earlier bid in the
/// same window of the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Bid {
    /// The name of the market.
    pub market: Label,
    /// The amounts that the agent reserves for all it may win in this clearing, by dimension.
    pub budget: Amounts,
    /// The offers, which are alternatives under that budget, strictly ascending by task; at most
    /// [`limits::OFFERS_PER_BID`].
    pub offers: Vec<Offer>,
}

/// A price for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Offer {
    /// The task that the offer is on.
    pub task: TaskId,
    /// The price asked, 0 to [`limits::PRICE`].
    pub price: Price,
}

/// A sealed bid: see [`OperationBody::Seal`]. It replaces the agent's earlier commitments in the
/// same window of the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Seal {
    /// The name of the market.
    pub market: Label,
    /// The number of the window that the bid is for. In another one it counts nothing.
    pub window: u64,
    /// The amounts that the agent reserves, as in [`Bid`]. They are public at once.
    pub budget: Amounts,
    /// The commitments, strictly ascending by task; at most [`limits::OFFERS_PER_BID`].
    pub offers: Vec<SealedOffer>,
}

/// A price for one task that nobody can read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SealedOffer {
    /// The task that the offer is on.
    pub task: TaskId,
    /// The commitment to the price: see [`Opening::commitment`].
    pub commitment: Hash,
}

/// The openings of commitments: see [`OperationBody::Reveal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Reveal {
    /// The name of the market.
    pub market: Label,
    /// The number of the window that the commitments are for.
    pub window: u64,
    /// The openings, strictly ascending by task; at most [`limits::OFFERS_PER_BID`].
    pub openings: Vec<Opening>,
}

/// The content that a commitment hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Opening {
    /// The task that the offer is on.
    pub task: TaskId,
    /// The price asked, 0 to [`limits::PRICE`].
    pub price: Price,
    /// 256 bits that nobody else knew. Without them anybody could try all prices.
    pub nonce: Nonce,
}

/// A solution: see [`OperationBody::Solve`]. It replaces the agent's earlier solution for the same
/// window, if it is better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Solve {
    /// The name of the market.
    pub market: Label,
    /// The number of the window that the solution is for.
    pub window: u64,
    /// The winner of each task, strictly ascending by task; 1 to [`limits::TASKS_PER_CLEARING`]
    /// pairs, and no more than fit into [`limits::OPERATION_BYTES`], some 880. Tasks without a pair
    /// stay open.
    pub pairs: Vec<Pair>,
}

/// A task and the bidder that wins it in a solution.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple,
)]
pub struct Pair {
    /// The task that is won.
    pub task: TaskId,
    /// The winner, an agent with a live bid on the task.
    pub agent: PublicKey,
}

/// A report of an assignee: see [`OperationBody::Accept`] and the three kinds after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskReport {
    /// The task that is reported on.
    pub task: TaskId,
    /// The fencing token of the assignment that is reported on. An older one is refused.
    pub token: FencingToken,
    /// The result or the reason, opaque to the swarm; at most [`limits::RESULT_BYTES`].
    pub detail: Owned,
}

/// The lapse of an assignment: see [`OperationBody::Lapse`]. Anyone may bring it, because only the
/// suspicions count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Lapse {
    /// The task that is assigned.
    pub task: TaskId,
    /// The fencing token of the assignment that ends.
    pub token: FencingToken,
    /// The suspicions of distinct validators, strictly ascending by key.
    pub suspicions: Vec<Sign1<Suspicion>>,
}

/// The signed word of a validator that it has not heard the assignee for the whole lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Suspicion {
    /// The only swarm that the suspicion is valid in.
    pub swarm: SwarmId,
    /// The task that is assigned.
    pub task: TaskId,
    /// The fencing token of the assignment.
    pub token: FencingToken,
    /// The height that the validator had committed when it signed. A suspicion that is too old does
    /// not count.
    pub height: Height,
}

impl OperationBody {
    /// Returns the name that the operation is encoded with.
    pub fn name(&self) -> &'static str {
        self.name_and_phase().0
    }

    /// Returns the phase of the canonical order within a block (L-4): revocation and membership,
    /// cancel and withdraw, submissions, bids with openings and solutions, reports, lapses.
    /// Deadlines and clearings follow after all operations.
    pub fn phase(&self) -> u8 {
        self.name_and_phase().1
    }

    /// Returns what stands in the table of the kinds: name and phase.
    fn name_and_phase(&self) -> (&'static str, u8) {
        match self {
            Self::Admit(_) => ("admit", 0),
            Self::Attest(_) => ("attest", 0),
            Self::Revoke(_) => ("revoke", 0),
            Self::Cancel(_) => ("cancel", 1),
            Self::Withdraw(_) => ("withdraw", 1),

            // A task can be bid for in the block that opens it.
            Self::Submit(_) => ("submit", 2),
            Self::Bid(_) => ("bid", 3),
            Self::Seal(_) => ("seal", 3),
            Self::Reveal(_) => ("reveal", 3),
            Self::Solve(_) => ("solve", 3),

            // A report comes before a lapse that would end its assignment.
            Self::Accept(_) => ("accept", 4),
            Self::Decline(_) => ("decline", 4),
            Self::Complete(_) => ("complete", 4),
            Self::Fail(_) => ("fail", 4),
            Self::Lapse(_) => ("lapse", 5),
        }
    }
}

impl Opening {
    /// Returns the commitment of `agent` to this offer (M-24). The agent is a part of it, so that a
    /// copy of the commitment is worth nothing to another agent.
    pub fn commitment(&self, swarm: &SwarmId, agent: &PublicKey) -> Hash {
        let TaskId { requester, number } = &self.task;

        // All parts have fixed lengths, so different inputs never give the same bytes.
        let parts: [&[u8]; 6] = [
            swarm.as_bytes(),
            requester.as_bytes(),
            &number.to_be_bytes(),
            agent.as_bytes(),
            &self.price.to_be_bytes(),
            self.nonce.as_bytes(),
        ];

        Hash::derive("quorate 1 sealed bid", &parts)
    }
}

impl Operation {
    /// Returns the id of the operation. It is the same whatever signature the operation carries.
    pub fn id(&self) -> OperationId {
        Self::id_of(&cbor::encode(self))
    }

    /// Returns the place of the operation in the canonical order of a block (L-4).
    pub fn order(&self) -> (u8, PublicKey, u64) {
        (self.body.phase(), self.agent, self.sequence)
    }
}

impl Signable for Operation {
    const HEADER: ContentHeader = ContentHeader::Type("application/vnd.quorate.operation+cose");
    const MAX_BYTES: usize = limits::OPERATION_BYTES;

    type Id = OperationId;

    fn id_of(encoded: &[u8]) -> OperationId {
        OperationId(Hash::derive("quorate 1 operation", &[encoded]).0)
    }
}

impl Signable for Suspicion {
    const HEADER: ContentHeader = ContentHeader::Type("application/vnd.quorate.suspicion+cose");
    const MAX_BYTES: usize = limits::STATEMENT_BYTES;

    type Id = ();

    fn id_of(_: &[u8]) {}
}
