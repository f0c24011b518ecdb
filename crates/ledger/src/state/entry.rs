//! The entries under the state root. Each has exactly one encoding, and the tree holds its hash.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_types::operation::{Offer, Pair, SealedOffer};
use quorate_types::{
    ActiveMillis, Amounts, Capabilities, FencingToken, Hash, Height, OperationId, PublicKey, Stage,
    TaskId, TaskSpec, cbor,
};
use serde::Serialize;
use serde_tuple::Serialize_tuple;

use crate::committee::{Committee, Proposers};
use crate::lifecycle::TaskState;

use super::Index;

/// An entry of the state. Its variant matches the variant of its key.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Account(Arc<Account>),
    Attestation(Arc<Attested>),
    Revocation(Revocation),
    Task(Arc<Task>),
    Reservation(Arc<Reservation>),
    Solution(Arc<Solution>),
    Window(Arc<Window>),
    Committee(Arc<Committee>),
    Proposers(Arc<Proposers>),
}

impl Entry {
    /// Returns the canonical CBOR, which the state root binds.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Account(account) => cbor::encode(&**account),
            Self::Attestation(attested) => cbor::encode(&**attested),
            Self::Revocation(revocation) => cbor::encode(revocation),
            Self::Task(task) => task.encode(),
            Self::Reservation(reservation) => cbor::encode(&**reservation),
            Self::Solution(solution) => cbor::encode(&**solution),
            Self::Window(window) => cbor::encode(&**window),
            Self::Committee(committee) => committee.encode(),
            Self::Proposers(proposers) => cbor::encode(&**proposers),
        }
    }
}

/// The account of a member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Account {
    /// The sequence number of its next operation.
    pub next_sequence: u64,
    /// The number of its next task.
    pub next_task: u64,
    /// The number of its tasks that have not ended.
    pub live_tasks: u64,
    /// The number of refusals of its operations, in whole or in part.
    pub refusals: u64,
    /// The amounts that its assignments in force take, by dimension; no zeros.
    pub committed: Amounts,
    /// The number of clearings in which it left commitments unopened.
    pub defaults: u64,
    /// The active time before which none of its commitments is taken.
    pub barred_until: ActiveMillis,
}

/// A registered attestation, without its signature, which was checked when the attestation came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attested {
    /// The key of the attester.
    pub issuer: PublicKey,
    /// Unix seconds from which on the attestation is void.
    pub expires: u64,
    /// Unix seconds before which the attestation is not valid.
    pub not_before: u64,
    /// The labels and amounts that are attested.
    pub capabilities: Capabilities,
}

/// The revocation of an attestation, which is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Revocation {
    /// The height of the block that revoked it.
    pub height: Height,
}

/// A task, with its state and its place in the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    /// The specification that the requester submitted.
    pub spec: Arc<TaskSpec>,
    /// The hash of the specification. The state root binds the specification by this hash only.
    pub spec_hash: Hash,
    /// The state of the task, with its assignee if it has one.
    pub state: TaskState,
    /// The number of assignments the task has had, which is the fencing token in force.
    pub token: FencingToken,
    /// The height that orders the task in the queue of its market.
    pub due: Height,
    /// The agents that failed, declined or lapsed on the task.
    pub excluded: BTreeSet<PublicKey>,
}

impl Task {
    fn encode(&self) -> Vec<u8> {
        let Self {
            spec: _,
            spec_hash,
            state,
            token,
            due,
            excluded,
        } = self;

        cbor::encode(&(spec_hash, state, token, due, excluded))
    }
}

/// The bid of a member in the window of a market. Its offers are live as long as their tasks are
/// open: a task leaves the open state for an assignment only by a clearing, which ends all bids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Reservation {
    /// The operation that brought the bid.
    pub operation: OperationId,
    /// The amounts that the bid reserves, by dimension.
    pub budget: Amounts,
    /// The offers that were not refused, ascending by task; in a sealed market, the opened ones.
    pub offers: Vec<Offer>,
    /// The commitments that were neither refused nor opened, ascending by task.
    pub seals: Vec<SealedOffer>,
}

impl Reservation {
    /// Returns the tasks of the bid, each with the value of [`Index::Bid`] while the bid is live.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (TaskId, u64)> {
        let open = self
            .offers
            .iter()
            .map(|offer| (offer.task, offer.price.unsigned_abs()));
        open.chain(self.seals.iter().map(|seal| (seal.task, Index::SEALED)))
    }
}

/// A solution that was better than all that were kept when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Solution {
    /// The operation that brought the solution.
    pub operation: OperationId,
    /// The winner of each task, strictly ascending by task.
    pub pairs: Vec<Pair>,
}

/// The window of a market.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Window {
    /// The number of windows that ended before this one, by a clearing or because no bid was left
    /// after their first stage.
    pub number: u64,
    /// The current stage; `None` if no task is open.
    pub opened: Option<Opened>,
}

/// A stage of an open window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Opened {
    /// The height at which the stage began.
    pub height: Height,
    /// The active time at which the stage began.
    pub at: ActiveMillis,
    /// The distinct builders of the blocks since then, counted only until they suffice.
    pub builders: BTreeSet<PublicKey>,
    /// The stage, which says what the window takes now.
    pub stage: Stage,
}
