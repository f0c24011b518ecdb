//! Building a block out of what waits.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};

use quorate_crypto::Verified;
use quorate_types::{
    Block, Evidence, Millis, PublicKey, QuorumCertificate, Round, SignedOperation, cbor, limits,
};

use crate::check::{self, Contents};
use crate::court::Court;
use crate::execute::Inputs;
use crate::operations::admits;
use crate::run::Now;
use crate::{Execution, Ledger, cost};

/// What a builder has at hand.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Unix milliseconds by the builder's clock; raised to one more than the last block's where it
    /// is not later.
    pub block_time: Millis,
    /// Builder.
    pub builder: PublicKey,
    /// Round it builds in.
    pub build_round: Round,
    /// Commit of the last decided block; `None` exactly for the first block.
    pub previous_commit: Option<Verified<QuorumCertificate>>,
    /// Operations that wait, in order of preference where not all fit.
    pub operations: Vec<Verified<SignedOperation>>,
    /// Evidence that waits.
    pub evidence: Vec<Verified<Evidence>>,
}

impl Ledger {
    /// Builds the next block from what fits into the limits, in canonical order, with the roots
    /// that executing it gives. What would make it invalid is left out: evidence that convicts
    /// nobody, operations whose sequence does not continue, strangers without an attestation.
    ///
    /// The result passes [`Ledger::execute`], given the commit of the last decided block. Where
    /// everything fits, the order of the operations given makes no difference.
    pub fn propose(&self, proposal: Proposal) -> (Verified<Block>, Execution) {
        let Proposal {
            builder,
            build_round,
            previous_commit,
            operations,
            evidence,
            ..
        } = proposal;
        let wall = proposal.block_time.max(self.block_time().saturating_add(1));
        let now = Now {
            height: self.height().saturating_add(1),
            active: self.active_at(wall),
            wall,
        };
        let previous_commit = previous_commit.filter(|_| self.height() > 0);
        let evidence = self.select_evidence(evidence);
        let mut room = Room::new(previous_commit.as_deref(), &evidence);
        let operations = self.select(now, operations, &mut room);
        let inputs = Inputs {
            now,
            builder,
            build_round,
            operations: operations.iter().map(|operation| &**operation).collect(),
            evidence: evidence.iter().map(|evidence| &**evidence).collect(),
            commit: previous_commit.as_deref(),
        };
        let contents = Contents::of(&inputs);
        let execution = self.run(&inputs, &contents);
        let header = execution.header.clone();
        (
            Verified::<Block>::assemble(header, operations, evidence, previous_commit),
            execution,
        )
    }

    /// What convicts, in order, once for each culprit.
    fn select_evidence(&self, mut evidence: Vec<Verified<Evidence>>) -> Vec<Verified<Evidence>> {
        let Some(mut court) = Court::new(self) else {
            return Vec::new();
        };
        evidence.sort_unstable_by(|a, b| Evidence::cmp(a, b));
        let convicts = evidence
            .into_iter()
            .filter(|evidence| court.convict(evidence).is_ok());
        convicts.take(limits::EVIDENCE_PER_BLOCK).collect()
    }

    /// One operation of each agent in turn, in the order in which the agents first appear, while
    /// there is room; then sorted.
    fn select(
        &self,
        now: Now,
        operations: Vec<Verified<SignedOperation>>,
        room: &mut Room,
    ) -> Vec<Verified<SignedOperation>> {
        let mut queues = self.queues(now, operations);
        let mut selected = Vec::new();
        while !queues.is_empty() {
            queues.retain_mut(|queue| match queue.next() {
                Some(operation) if room.take(&operation) => {
                    selected.push(operation);
                    true
                }
                // What does not fit stops its agent: the sequence must not have a gap.
                _ => false,
            });
        }
        selected.sort_unstable_by_key(|operation| operation.payload.order());
        selected
    }

    /// The operations of each agent that continue its sequence, by first appearance of the agent.
    fn queues(&self, now: Now, operations: Vec<Verified<SignedOperation>>) -> Vec<Queue> {
        let mut order: Vec<PublicKey> = Vec::new();
        let mut by_agent: BTreeMap<PublicKey, Sequence> = BTreeMap::new();
        for operation in operations
            .into_iter()
            .filter(|operation| self.is_ours(operation))
        {
            let sequence = by_agent.entry(operation.signer).or_insert_with(|| {
                order.push(operation.signer);
                Sequence::new()
            });
            keep_lesser(sequence, operation);
        }
        let (view, admission) = (self.state().view(), self.admission(now.wall));
        let queue = |agent: PublicKey| {
            let sequence = by_agent.remove(&agent)?;
            let account = view.account(&agent);
            let mut next = account.map_or(0, |account| account.next_sequence);
            let first = sequence.get(&next)?;
            if account.is_none() && !admits(&admission, &view, &first.payload) {
                return None;
            }
            let continues = sequence.into_values().filter(move |operation| {
                let is_next = operation.payload.sequence == next;
                next = next.saturating_add(u64::from(is_next));
                is_next
            });
            Some(continues.collect::<Vec<_>>().into_iter())
        };
        order.into_iter().filter_map(queue).collect()
    }

    fn is_ours(&self, operation: &SignedOperation) -> bool {
        operation.payload.swarm == self.swarm() && operation.payload.agent == operation.signer
    }
}

/// Operations of one agent by sequence number.
type Sequence = BTreeMap<u64, Verified<SignedOperation>>;
/// The same, as they are taken.
type Queue = std::vec::IntoIter<Verified<SignedOperation>>;

/// Of two operations with one number the one with the lesser id stays, of two signatures under one
/// the lesser: whichever came first.
fn keep_lesser(sequence: &mut Sequence, operation: Verified<SignedOperation>) {
    match sequence.entry(operation.payload.sequence) {
        btree_map::Entry::Vacant(vacant) => {
            vacant.insert(operation);
        }
        btree_map::Entry::Occupied(mut occupied) => {
            let ids = operation.payload.id().cmp(&occupied.get().payload.id());
            let signatures = operation.signature.cmp(&occupied.get().signature);
            if ids.then(signatures) == Ordering::Less {
                occupied.insert(operation);
            }
        }
    }
}

/// What a block still has room for.
struct Room {
    bytes: usize,
    cost: u64,
    count: usize,
}

impl Room {
    fn new(commit: Option<&QuorumCertificate>, evidence: &[Verified<Evidence>]) -> Self {
        let commit = commit.map_or(0, |commit| cbor::encode(commit).len());
        let lengths = evidence
            .iter()
            .map(|evidence| cbor::encode(&**evidence).len());
        let taken = lengths.fold(check::FRAME.saturating_add(commit), usize::saturating_add);
        let costs = evidence.iter().map(|evidence| cost::evidence(evidence));
        Self {
            bytes: limits::BLOCK_BYTES.saturating_sub(taken),
            cost: costs.fold(cost::OPERATIONS, u64::saturating_sub),
            count: limits::OPERATIONS_PER_BLOCK,
        }
    }

    /// Takes room for an operation, if there is enough.
    fn take(&mut self, operation: &SignedOperation) -> bool {
        let bytes = cbor::encode(operation).len();
        let cost = cost::operation(&operation.payload.body);
        let fits = bytes <= limits::OPERATION_BYTES
            && bytes <= self.bytes
            && cost <= self.cost
            && self.count > 0;
        if fits {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.cost = self.cost.saturating_sub(cost);
            self.count = self.count.saturating_sub(1);
        }
        fits
    }
}
