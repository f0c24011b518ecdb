//! The rules on the contents of a block: order, sequences, membership, evidence, and the limits on
//! all of these (L-4 to L-6).

use std::collections::BTreeMap;

use quorate_crypto::merkle;
use quorate_types::{
    CommitProof, Evidence, Hash, Operation, PublicKey, SignedOperation, UnixMillis, cbor, limits,
};

use crate::court::{self, EvidenceJudge};
use crate::inputs::Inputs;
use crate::operations::{self, Admission, admits};
use crate::run::Now;
use crate::{InvalidBlock, Ledger, cost};

/// Upper bound for the bytes of a block that belong to neither operations nor evidence nor the
/// commit.
pub(crate) const FRAME: usize = 1024;

/// The roots over the contents of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The root over the operations.
    pub operations: Hash,
    /// The root over the evidence.
    pub evidence: Hash,
}

impl Contents {
    /// Checks the contents of a block against the state that it would run on.
    ///
    /// # Errors
    /// [`InvalidBlock`], which names the first rule that is broken.
    pub(crate) fn check(ledger: &Ledger, inputs: &Inputs<'_>) -> Result<Self, InvalidBlock> {
        let operations = &inputs.operations;
        let evidence = &inputs.evidence;

        let many = operations.len() > limits::OPERATIONS_PER_BLOCK;
        if many || evidence.len() > limits::EVIDENCE_PER_BLOCK {
            return Err(InvalidBlock::TooMany {
                operations: operations.len(),
                evidence: evidence.len(),
            });
        }

        let leaves = Leaves::of(inputs);
        leaves.check_bytes(inputs)?;
        check_cost(operations, evidence)?;
        check_operations(ledger, operations)?;
        check_sequences(ledger, inputs.now, operations)?;
        // Evidence comes last, because judging an accused block means executing it.
        check_evidence(ledger, evidence)?;

        Ok(leaves.roots())
    }

    /// Returns the roots of contents that a builder selected by these rules.
    pub(crate) fn of(inputs: &Inputs<'_>) -> Self {
        Leaves::of(inputs).roots()
    }
}

/// The operations and the evidence, each in canonical CBOR.
struct Leaves<'a> {
    operations: Vec<&'a [u8]>,
    evidence: Vec<Vec<u8>>,
}

impl<'a> Leaves<'a> {
    fn of(inputs: &Inputs<'a>) -> Self {
        Self {
            operations: inputs.operations.iter().map(|op| op.bytes()).collect(),
            evidence: inputs.evidence.iter().map(cbor::encode).collect(),
        }
    }

    fn roots(&self) -> Contents {
        Contents {
            operations: merkle::root(&self.operations),
            evidence: merkle::root(&self.evidence),
        }
    }

    /// Checks that neither an operation nor the whole block is too long.
    fn check_bytes(&self, inputs: &Inputs<'_>) -> Result<(), InvalidBlock> {
        for (index, leaf) in self.operations.iter().enumerate() {
            let bytes = leaf.len();

            if bytes > limits::OPERATION_BYTES {
                return Err(InvalidBlock::OperationBytes { index, bytes });
            }
        }

        let bytes = self.block_bytes(inputs.commit);
        if bytes > limits::BLOCK_BYTES {
            Err(InvalidBlock::TooLong(bytes))
        } else {
            Ok(())
        }
    }

    /// Returns the length that counts as that of the block with these parts.
    fn block_bytes(&self, commit: Option<&CommitProof>) -> usize {
        // The frame stands for the header and for everything around the parts.
        let commit = commit.map_or(0, |commit| cbor::encode(commit).len());
        let frame = FRAME.saturating_add(commit);

        let operations = self.operations.iter().map(|leaf| leaf.len());
        let evidence = self.evidence.iter().map(Vec::len);
        operations
            .chain(evidence)
            .fold(frame, usize::saturating_add)
    }
}

/// Checks the cost of the operations and of the accused blocks: an accused block is executed beside
/// the operations, so it takes from what they may cost (L-6).
fn check_cost(operations: &[&SignedOperation], evidence: &[&Evidence]) -> Result<(), InvalidBlock> {
    let operations = operations
        .iter()
        .map(|operation| operations::cost_of(&operation.payload.body));

    let evidence = evidence.iter().map(|evidence| court::cost_of(evidence));
    let cost = operations.chain(evidence).fold(0, u64::saturating_add);

    if cost > cost::OPERATIONS {
        Err(InvalidBlock::Cost(cost))
    } else {
        Ok(())
    }
}

/// Checks that each operation is for this swarm and signed by its agent, and that all of them
/// ascend in the canonical order (L-4, L-5).
fn check_operations(ledger: &Ledger, operations: &[&SignedOperation]) -> Result<(), InvalidBlock> {
    for (index, signed) in operations.iter().enumerate() {
        let operation = &signed.payload;

        if operation.swarm != ledger.swarm() || operation.agent != signed.signer {
            return Err(InvalidBlock::OperationSwarm(index));
        }
    }

    // A strict order leaves the builder no choice among orders (L-4).
    let orders: Vec<_> = operations
        .iter()
        .map(|signed| signed.payload.order())
        .collect();

    match first_unordered(&orders) {
        Some(index) => Err(InvalidBlock::OperationOrder(index)),
        None => Ok(()),
    }
}

/// Returns the place of the first item that is not greater than the one before it.
fn first_unordered<T: PartialOrd>(items: &[T]) -> Option<usize> {
    let before = items.windows(2).position(|pair| pair[0] >= pair[1])?;
    Some(before.saturating_add(1))
}

/// Checks that the operations of each agent continue its sequence without a gap, over all phases,
/// and that the first operation of a stranger admits it (L-5).
fn check_sequences(
    ledger: &Ledger,
    now: Now,
    operations: &[&SignedOperation],
) -> Result<(), InvalidBlock> {
    let view = ledger.state().view();
    let admission = ledger.admission(now.wall);

    for (agent, operations) in by_agent(operations) {
        let account = view.account(&agent);
        let next = account.map_or(0, |account| account.next_sequence);

        check_numbers(agent, next, &operations)?;

        // A stranger has no account: its first operation has to make one (L-10).
        let first = operations.first();

        if account.is_none() && !first.is_some_and(|first| admits(&admission, &view, first)) {
            return Err(InvalidBlock::Stranger(agent));
        }
    }

    Ok(())
}

/// Returns the operations of each agent, sorted by their numbers.
fn by_agent<'a>(operations: &[&'a SignedOperation]) -> BTreeMap<PublicKey, Vec<&'a Operation>> {
    let mut by_agent: BTreeMap<_, Vec<&Operation>> = BTreeMap::new();

    for signed in operations {
        let operation = &signed.payload;
        by_agent.entry(operation.agent).or_default().push(operation);
    }

    // In the block the operations are sorted by phase first, so the numbers of an agent may be out
    // of order.
    for operations in by_agent.values_mut() {
        operations.sort_unstable_by_key(|operation| operation.sequence);
    }

    by_agent
}

/// Checks that the operations of an agent have the numbers from `next` on, without a gap.
fn check_numbers(
    agent: PublicKey,
    next: u64,
    operations: &[&Operation],
) -> Result<(), InvalidBlock> {
    let mut expected = next;

    for operation in operations {
        let found = operation.sequence;
        if found != expected {
            return Err(InvalidBlock::Sequence {
                agent,
                expected,
                found,
            });
        }

        expected = expected.saturating_add(1);
    }

    Ok(())
}

/// Checks that each piece of evidence convicts a validator that nothing before it convicted.
fn check_evidence(ledger: &Ledger, evidence: &[&Evidence]) -> Result<(), InvalidBlock> {
    // Strictly ascending, so that the same evidence always has the same form.
    if let Some(index) = first_unordered(evidence) {
        return Err(InvalidBlock::EvidenceOrder(index));
    }

    let Some(mut court) = EvidenceJudge::new(ledger) else {
        return Ok(());
    };

    for (index, evidence) in evidence.iter().enumerate() {
        court
            .convict(evidence)
            .map_err(|error| InvalidBlock::Evidence { index, error })?;
    }

    Ok(())
}

impl Ledger {
    /// Returns the inputs that decide on the admission of strangers at block time `wall`.
    pub(crate) fn admission(&self, wall: UnixMillis) -> Admission<'_> {
        Admission {
            genesis: self.genesis_info(),
            swarm: self.swarm(),
            wall,
        }
    }
}
