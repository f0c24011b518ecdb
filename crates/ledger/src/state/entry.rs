//! What stands under the state root. Every entry has one encoding; the tree holds its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_types::operation::{Offer, Pair, SealedOffer};
use quorate_types::{
    Amounts, Capabilities, FencingToken, Hash, Height, Millis, OperationId, PublicKey, Stage,
    TaskId, TaskSpec, ValidatorSet, cbor,
};
use serde::Serialize;
use serde_tuple::Serialize_tuple;

use crate::lifecycle::TaskState;

use super::Index;

/// An entry of the state; its variant is that of its key.
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
    /// Canonical CBOR: what the state root binds.
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

/// A member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Account {
    /// Sequence number of its next operation.
    pub next_sequence: u64,
    /// Number of its next task.
    pub next_task: u64,
    /// Its tasks that have not ended.
    pub live_tasks: u64,
    /// Operations of it that were refused, wholly or in part.
    pub refusals: u64,
    /// What its assignments in force take, by dimension; no zeros.
    pub committed: Amounts,
    /// Clearings in which it left commitments unopened.
    pub defaults: u64,
    /// Active time before which no commitment of it is taken.
    pub barred_until: Millis,
}

/// A registered attestation, without the signature that was checked when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attested {
    /// Attester.
    pub issuer: PublicKey,
    /// Unix seconds from which on it is void.
    pub expires: u64,
    /// Unix seconds before which it is not valid.
    pub not_before: u64,
    /// What is attested.
    pub capabilities: Capabilities,
}

/// That an attestation is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Revocation {
    /// Since this height.
    pub height: Height,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    /// What is to be done.
    pub spec: Arc<TaskSpec>,
    /// Hash of the specification: what the state root binds of it.
    pub spec_hash: Hash,
    /// Where it stands.
    pub state: TaskState,
    /// Assignments it has had: the token in force.
    pub token: FencingToken,
    /// Its place in the queue of its market.
    pub due: Height,
    /// Who failed, declined or lapsed on it.
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

/// What a member has bid in the window of a market. Its offers are live as long as their tasks are
/// open: a task leaves the open state for an assignment only by a clearing, which ends them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Reservation {
    /// The operation that brought it.
    pub operation: OperationId,
    /// What it reserves, by dimension.
    pub budget: Amounts,
    /// The offers that were not refused, ascending by task; in a sealed market those opened.
    pub offers: Vec<Offer>,
    /// Commitments that were neither refused nor opened, ascending by task.
    pub seals: Vec<SealedOffer>,
}

impl Reservation {
    /// Its tasks, each with the value of [`Index::Bid`] while the bid is live.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (TaskId, u64)> {
        let open = self
            .offers
            .iter()
            .map(|offer| (offer.task, offer.price.unsigned_abs()));
        open.chain(self.seals.iter().map(|seal| (seal.task, Index::SEALED)))
    }
}

/// A solution that was better than all there were when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Solution {
    /// The operation that brought it.
    pub operation: OperationId,
    /// Who wins what, strictly ascending by task.
    pub pairs: Vec<Pair>,
}

/// The window of a market.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Window {
    /// Windows that ended: by a clearing, or because no bid was left after their first stage.
    pub number: u64,
    /// Its stage, since when; `None` where no task is open.
    pub opened: Option<Opened>,
}

/// A stage of an open window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct Opened {
    /// Height at which it began.
    pub height: Height,
    /// Active time at which it began.
    pub at: Millis,
    /// Distinct builders of the blocks since, while they do not suffice.
    pub builders: BTreeSet<PublicKey>,
    /// What is taken now.
    pub stage: Stage,
}

/// The validator sets that evidence may speak of, and who was convicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committee {
    /// From which height on which set votes; ascending, never empty.
    pub sets: Vec<(Height, Arc<ValidatorSet>)>,
    /// Keys that equivocated; none of them votes again.
    pub convicted: BTreeSet<PublicKey>,
}

impl Committee {
    fn encode(&self) -> Vec<u8> {
        let sets: Vec<(Height, &ValidatorSet)> = self
            .sets
            .iter()
            .map(|(from, set)| (*from, &**set))
            .collect();
        cbor::encode(&(sets, &self.convicted))
    }
}

/// Who missed his turn, of those who did lately or are benched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Proposers {
    pub records: BTreeMap<PublicKey, ProposerRecord>,
}

/// A validator's turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize_tuple)]
pub(crate) struct ProposerRecord {
    /// Heights in a row at which it missed its turn.
    pub misses: u32,
    /// Times it was benched since it last built a block.
    pub benchings: u32,
    /// First height at which it is not benched any more.
    pub benched_until: Height,
}
