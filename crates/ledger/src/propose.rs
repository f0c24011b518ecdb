//! Builds a block out of the operations and evidence that wait.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};

use quorate_crypto::Verified;
use quorate_types::{
    Block, CommitProof, Evidence, PublicKey, SignedOperation, Turn, UnixMillis, cbor, limits,
};

use crate::check::{self, Contents};
use crate::court::{self, EvidenceJudge};
use crate::inputs::Inputs;
use crate::operations::{self, Admission, admits};
use crate::run::Now;
use crate::state::View;
use crate::{Execution, Ledger, cost};

/// The inputs from which a builder makes a block.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The time by the builder's clock. If it is not later than the time of the last block, the
    /// block gets that time plus one.
    pub block_time: UnixMillis,
    /// The key of the builder.
    pub builder: PublicKey,
    /// The number of turns to propose that passed at this height before that of the builder.
    pub missed_turns: Turn,
    /// The proof that the last block was decided; `None` exactly for the first block.
    pub previous_commit: Option<Verified<CommitProof>>,
    /// The operations that wait, in order of preference if not all of them fit.
    pub operations: Vec<Verified<SignedOperation>>,
    /// The evidence that waits to be committed.
    pub evidence: Vec<Verified<Evidence>>,
}

impl Ledger {
    /// Builds the next block from the inputs that fit into the limits, in canonical order, with the
    /// roots that executing it gives. It leaves out everything that would make the block invalid:
    /// evidence that convicts nobody, operations that do not continue a sequence, and strangers
    /// without an attestation.
    ///
    /// The result passes [`Ledger::execute`], given the commit of the last decided block. If
    /// everything fits, the order of the given operations makes no difference.
    pub fn propose(&self, proposal: Proposal) -> (Verified<Block>, Execution) {
        let Proposal {
            builder,
            missed_turns,
            previous_commit,
            operations,
            evidence,
            ..
        } = proposal;

        let now = self.next_now(proposal.block_time);

        // The first block has no commit.
        let previous_commit = previous_commit.filter(|_| self.height() > 0);

        // Evidence takes its room before the operations.
        let evidence = self.select_evidence(evidence);
        let mut room = Room::new(previous_commit.as_deref(), &evidence);
        let operations = self.select(now, operations, &mut room);

        let inputs = Inputs {
            now,
            builder,
            missed_turns,
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

    /// Returns the point in time of the next block, if its builder's clock shows `clock`.
    pub(crate) fn next_now(&self, clock: UnixMillis) -> Now {
        // Block time must increase, even if the clock is behind (L-3).
        let wall = clock.max(self.block_time().saturating_add(1));

        Now {
            height: self.height().saturating_add(1),
            active: self.active_at(wall),
            wall,
        }
    }

    /// Returns the evidence that convicts, in order, once for each culprit.
    fn select_evidence(&self, mut evidence: Vec<Verified<Evidence>>) -> Vec<Verified<Evidence>> {
        let Some(mut court) = EvidenceJudge::new(self) else {
            return Vec::new();
        };

        evidence.sort_unstable_by(|a, b| Evidence::cmp(a, b));

        // The court refuses a second piece of evidence against one culprit.
        let convicts = evidence
            .into_iter()
            .filter(|evidence| court.convict(evidence).is_ok());

        convicts.take(limits::EVIDENCE_PER_BLOCK).collect()
    }

    /// Selects operations while there is room, one of each agent in turn, in the order in which the
    /// agents first appear. The result is sorted.
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
                // An operation that does not fit stops its agent: the sequence must not have a gap.
                _ => false,
            });
        }

        selected.sort_unstable_by_key(|operation| operation.payload.order());
        selected
    }

    /// Returns for each agent the operations that continue its sequence, by first appearance of the
    /// agent.
    fn queues(&self, now: Now, operations: Vec<Verified<SignedOperation>>) -> Vec<Queue> {
        let mut order: Vec<PublicKey> = Vec::new();
        let mut by_agent: BTreeMap<PublicKey, Sequence> = BTreeMap::new();

        let ours = operations.into_iter().filter(|each| self.is_ours(each));

        for operation in ours {
            let sequence = by_agent.entry(operation.signer).or_insert_with(|| {
                // The first operation of an agent gives it its place in the order.
                order.push(operation.signer);
                Sequence::new()
            });

            keep_lesser(sequence, operation);
        }

        let view = self.state().view();
        let admission = self.admission(now.wall);

        let queue = |agent: PublicKey| {
            let sequence = by_agent.remove(&agent)?;
            queue_of(&admission, &view, agent, sequence)
        };

        order.into_iter().filter_map(queue).collect()
    }

    fn is_ours(&self, operation: &SignedOperation) -> bool {
        operation.payload.swarm == self.swarm() && operation.payload.agent == operation.signer
    }
}

/// The operations of one agent by sequence number.
type Sequence = BTreeMap<u64, Verified<SignedOperation>>;
/// The operations of one agent while they are selected.
type Queue = std::vec::IntoIter<Verified<SignedOperation>>;

/// Returns the operations of an agent that may go into the block; `None` if none of them may.
fn queue_of(
    admission: &Admission<'_>,
    view: &View<'_>,
    agent: PublicKey,
    sequence: Sequence,
) -> Option<Queue> {
    let account = view.account(&agent);
    let next = account.map_or(0, |account| account.next_sequence);

    // If the next number is missing, none of the agent's operations can go in.
    let first = sequence.get(&next)?;
    if account.is_none() && !admits(admission, view, &first.payload) {
        return None;
    }

    Some(continue_from(next, sequence))
}

/// Returns the operations from number `next` on, up to the first gap.
fn continue_from(mut next: u64, sequence: Sequence) -> Queue {
    // Older numbers are passed over, and everything after a gap is left out.
    let continues = sequence.into_values().filter(|operation| {
        let is_next = operation.payload.sequence == next;
        next = next.saturating_add(u64::from(is_next));
        is_next
    });

    continues.collect::<Vec<_>>().into_iter()
}

/// Keeps one operation for each number, whichever came first: the one with the lesser id, and of
/// two with one id the one with the lesser signature.
fn keep_lesser(sequence: &mut Sequence, operation: Verified<SignedOperation>) {
    match sequence.entry(operation.payload.sequence) {
        btree_map::Entry::Vacant(vacant) => {
            vacant.insert(operation);
        }

        btree_map::Entry::Occupied(mut occupied) => {
            // The result must not depend on which of the two came first.
            let ids = operation.id().cmp(&occupied.get().id());
            let signatures = operation.signature.cmp(&occupied.get().signature);

            if ids.then(signatures) == Ordering::Less {
                occupied.insert(operation);
            }
        }
    }
}

/// The room that is left in a block.
struct Room {
    bytes: usize,
    cost: u64,
    count: usize,
}

impl Room {
    fn new(commit: Option<&CommitProof>, evidence: &[Verified<Evidence>]) -> Self {
        // Commit and evidence have taken their room before any operation.
        let commit = commit.map_or(0, |commit| cbor::encode(commit).len());
        let frame = check::FRAME.saturating_add(commit);

        let lengths = evidence
            .iter()
            .map(|evidence| cbor::encode(&**evidence).len());

        let taken = lengths.fold(frame, usize::saturating_add);

        let costs = evidence.iter().map(|evidence| court::cost_of(evidence));
        let cost = costs.fold(cost::OPERATIONS, u64::saturating_sub);

        Self {
            bytes: limits::BLOCK_BYTES.saturating_sub(taken),
            cost,
            count: limits::OPERATIONS_PER_BLOCK,
        }
    }

    /// Takes room for an operation if there is enough, and returns whether there was.
    fn take(&mut self, operation: &SignedOperation) -> bool {
        let bytes = operation.bytes().len();
        let cost = operations::cost_of(&operation.payload.body);

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
