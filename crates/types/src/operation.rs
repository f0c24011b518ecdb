//! Operations: signed, numbered statements of one agent that blocks order (`protocols/ledger.md`).

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::{ContentHeader, Owned, Sign1, Signable};
use crate::{
    Amounts, Attestation, FencingToken, Hash, Height, Label, Nonce, OperationId, Price, PublicKey,
    SwarmId, TaskId, TaskSpec, cbor, limits,
};

/// An operation with its agent's signature.
pub type SignedOperation = Sign1<Operation>;

/// What an agent says to the ledger; the signer of the envelope is the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Operation {
    /// The only swarm it is valid in.
    pub swarm: SwarmId,
    /// The agent; must be the signer.
    pub agent: PublicKey,
    /// Contiguous per agent, from 0. The same number twice is one operation or none.
    pub sequence: u64,
    /// What is said.
    pub body: Body,
}

/// The operations there are. Written as a map of one entry from its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Joins the swarm with a first attestation. The signature proves possession of the key.
    Admit(Attest),
    /// Registers a further attestation of the agent.
    Attest(Attest),
    /// By the issuer: an attestation is void from this block on.
    Revoke(Revoke),
    /// Withdraws an open task of the agent, or one that is assigned.
    Cancel(Cancel),
    /// Withdraws the agent's live bids in a market.
    Withdraw(Withdraw),
    /// Submits tasks.
    Submit(Submit),
    /// Offers on open tasks of one market under one budget.
    Bid(Bid),
    /// The same in a sealed market: commitments to offers, under a public budget.
    Seal(Seal),
    /// Opens commitments once no more are taken.
    Reveal(Reveal),
    /// Proposes who should win what, once no more bids are taken.
    Solve(Solve),
    /// The assignee takes the task: a receipt nobody can deny.
    Accept(Report),
    /// The assignee does not take it.
    Decline(Report),
    /// The assignee has done it.
    Complete(Report),
    /// The assignee could not do it.
    Fail(Report),
    /// The lease of an assignment is over, by more than two thirds of the power.
    Lapse(Lapse),
}

/// See [`Body::Admit`] and [`Body::Attest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Attest {
    /// The attestation; its subject is the agent.
    pub attestation: Attestation,
}

/// See [`Body::Revoke`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Revoke {
    /// Agent whose attestation it is.
    pub subject: PublicKey,
    /// [`Attestation::hash`].
    pub attestation: Hash,
}

/// See [`Body::Submit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Submit {
    /// Number of the first task; the others follow. Must be the requester's next.
    pub first: u64,
    /// 1 to [`limits::TASKS_PER_OPERATION`] tasks.
    pub tasks: Vec<TaskSpec>,
}

/// See [`Body::Cancel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Cancel {
    /// The task; its requester must be the agent.
    pub task: TaskId,
}

/// See [`Body::Withdraw`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Withdraw {
    /// Market.
    pub market: Label,
}

/// See [`Body::Bid`]. Replaces the agent's earlier bids in the same window of the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Bid {
    /// Market.
    pub market: Label,
    /// What the agent reserves for all it may win in this clearing, by dimension.
    pub budget: Amounts,
    /// Alternatives under that budget, strictly ascending by task; at most
    /// [`limits::OFFERS_PER_BID`].
    pub offers: Vec<Offer>,
}

/// A price for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Offer {
    /// Task.
    pub task: TaskId,
    /// Price asked, 0 to [`limits::PRICE`].
    pub price: Price,
}

/// See [`Body::Seal`]. Replaces the agent's earlier commitments in the same window of the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Seal {
    /// Market.
    pub market: Label,
    /// Number of the window that it is for; in another one it counts nothing.
    pub window: u64,
    /// As in [`Bid`]; public from now on.
    pub budget: Amounts,
    /// Strictly ascending by task; at most [`limits::OFFERS_PER_BID`].
    pub offers: Vec<SealedOffer>,
}

/// A price for one task that nobody can read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SealedOffer {
    /// Task.
    pub task: TaskId,
    /// [`Opening::commitment`].
    pub commitment: Hash,
}

/// See [`Body::Reveal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Reveal {
    /// Market.
    pub market: Label,
    /// Number of the window that the commitments are for.
    pub window: u64,
    /// Strictly ascending by task; at most [`limits::OFFERS_PER_BID`].
    pub openings: Vec<Opening>,
}

/// What a commitment hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Opening {
    /// Task.
    pub task: TaskId,
    /// Price asked, 0 to [`limits::PRICE`].
    pub price: Price,
    /// 256 bits that nobody else knew: without them all prices could be tried.
    pub nonce: Nonce,
}

/// See [`Body::Solve`]. Replaces the agent's earlier solution for the same window, if it is better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Solve {
    /// Market.
    pub market: Label,
    /// Number of the window that it is for.
    pub window: u64,
    /// Who wins what, strictly ascending by task; 1 to [`limits::TASKS_PER_CLEARING`], and no more
    /// than fit into [`limits::OPERATION_BYTES`], some 880. Tasks that are not in it stay open.
    pub pairs: Vec<Pair>,
}

/// A task and the bidder that wins it by a solution.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple,
)]
pub struct Pair {
    /// Task.
    pub task: TaskId,
    /// An agent with a live bid on it.
    pub agent: PublicKey,
}

/// What an assignee reports. See [`Body::Accept`] and the three after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Report {
    /// Task.
    pub task: TaskId,
    /// Fencing token of the assignment reported on; an older one is refused.
    pub token: FencingToken,
    /// Result or reason, opaque; at most [`limits::RESULT_BYTES`].
    pub detail: Owned,
}

/// See [`Body::Lapse`]. Anyone may bring it: what counts are the suspicions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Lapse {
    /// Task.
    pub task: TaskId,
    /// Fencing token of the assignment that ends.
    pub token: FencingToken,
    /// Suspicions of distinct validators, strictly ascending by key.
    pub suspicions: Vec<Sign1<Suspicion>>,
}

/// A validator has not heard the assignee for the whole lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Suspicion {
    /// The only swarm it is valid in.
    pub swarm: SwarmId,
    /// Task.
    pub task: TaskId,
    /// Fencing token of the assignment.
    pub token: FencingToken,
    /// Height the validator had committed when it signed; an old suspicion counts no more.
    pub height: Height,
}

impl Body {
    /// Phase of the canonical order within a block: revocation and membership, cancel and
    /// withdraw, submissions, bids with openings and solutions, reports. Timers and clearing follow
    /// after all operations.
    pub fn phase(&self) -> u8 {
        match self {
            Self::Revoke(_) | Self::Admit(_) | Self::Attest(_) => 0,
            Self::Cancel(_) | Self::Withdraw(_) => 1,
            Self::Submit(_) => 2,
            Self::Bid(_) | Self::Seal(_) | Self::Reveal(_) | Self::Solve(_) => 3,
            Self::Accept(_) | Self::Decline(_) | Self::Complete(_) | Self::Fail(_) => 4,
            Self::Lapse(_) => 5,
        }
    }

    /// The name it is written with.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admit(_) => "admit",
            Self::Attest(_) => "attest",
            Self::Revoke(_) => "revoke",
            Self::Cancel(_) => "cancel",
            Self::Withdraw(_) => "withdraw",
            Self::Submit(_) => "submit",
            Self::Bid(_) => "bid",
            Self::Seal(_) => "seal",
            Self::Reveal(_) => "reveal",
            Self::Solve(_) => "solve",
            Self::Accept(_) => "accept",
            Self::Decline(_) => "decline",
            Self::Complete(_) => "complete",
            Self::Fail(_) => "fail",
            Self::Lapse(_) => "lapse",
        }
    }
}

impl Opening {
    /// The commitment of `agent` to this offer (clause M-24). The agent is inside, so that another
    /// one's commitment is worth nothing to whoever copies it.
    pub fn commitment(&self, swarm: &SwarmId, agent: &PublicKey) -> Hash {
        let TaskId { requester, number } = &self.task;
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
    /// Names the operation, whatever signature it carries.
    pub fn id(&self) -> OperationId {
        OperationId(Hash::derive("quorate 1 operation", &[&cbor::encode(self)]).0)
    }

    /// Place in the canonical order of a block.
    pub fn order(&self) -> (u8, PublicKey, u64) {
        (self.body.phase(), self.agent, self.sequence)
    }
}

impl Signable for Operation {
    const HEADER: ContentHeader = ContentHeader::Type("application/vnd.quorate.operation+cose");
    const MAX_BYTES: usize = limits::OPERATION_BYTES;
}

impl Signable for Suspicion {
    const HEADER: ContentHeader = ContentHeader::Type("application/vnd.quorate.suspicion+cose");
    const MAX_BYTES: usize = limits::STATEMENT_BYTES;
}
