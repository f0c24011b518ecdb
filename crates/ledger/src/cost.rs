//! The execution cost of a block, in units of about a microsecond, which is known before the block
//! is executed.
//!
//! Half of [`limits::BLOCK_COST`] is for operations, half for clearings, so that neither a flood of
//! operations nor a large auction can stop the other. The cost of an operation includes the cost of
//! undoing its effects later: an offer pays for its own removal too.

use quorate_types::operation::OperationBody;
use quorate_types::{Block, CommitProof, Evidence, limits};

/// The most that the operations of one block may cost together.
pub(crate) const OPERATIONS: u64 = limits::BLOCK_COST / 2;
/// The most that the clearings of one block may cost together.
pub(crate) const CLEARINGS: u64 = limits::BLOCK_COST / 2;

/// The cost of any operation: its signature, its account, its leaf.
const OPERATION: u64 = 80;
/// The cost of checking a further signature.
const SIGNATURE: u64 = 60;
/// The cost of opening a task and of ending it later.
const TASK: u64 = 40;
/// The cost of keeping an offer and of dropping it later.
const OFFER: u64 = 4;
/// The cost of judging a bid and of writing it into the dossier.
const JUDGED_BID: u64 = 4;
/// The cost of judging a pair of a solution.
const PAIR: u64 = 2;
/// The most pairs that all solutions which a window keeps may have together.
pub(crate) const KEPT_PAIRS: usize = limits::SOLUTIONS_PER_WINDOW * limits::TASKS_PER_CLEARING;
/// The cost of a new solution besides its own pairs: to find the tasks that are due, and to judge
/// all solutions that the window keeps, at their longest, with what each of their bidders has left.
const KEPT: u64 = 5_000 + PAIR * KEPT_PAIRS as u64 + PARTY * limits::BIDDERS_PER_CLEARING as u64;
/// The cost of a bid that ends with the window, whether it was judged or not.
const LIVE_BID: u64 = 1;
/// The cost of a task or a bidder of a clearing: its entry, its assignment.
const PARTY: u64 = 20;

/// Returns the cost of an operation. It follows from the size of the operation alone, and never
/// from its effects (L-6).
pub(crate) fn operation(body: &OperationBody) -> u64 {
    let extra = match body {
        OperationBody::Admit(_) | OperationBody::Attest(_) => SIGNATURE,
        OperationBody::Submit(submit) => times(submit.tasks.len(), TASK),

        // An offer costs the same, whichever form it has.
        OperationBody::Bid(bid) => times(bid.offers.len(), OFFER),
        OperationBody::Seal(seal) => times(seal.offers.len(), OFFER),
        OperationBody::Reveal(reveal) => times(reveal.openings.len(), OFFER),

        OperationBody::Solve(solve) => times(solve.pairs.len(), PAIR).saturating_add(KEPT),
        OperationBody::Lapse(lapse) => times(lapse.suspicions.len(), SIGNATURE),

        OperationBody::Revoke(_) | OperationBody::Cancel(_) | OperationBody::Withdraw(_) => 0,
        OperationBody::Accept(_)
        | OperationBody::Decline(_)
        | OperationBody::Complete(_)
        | OperationBody::Fail(_) => 0,
    };

    OPERATION.saturating_add(extra)
}

/// Returns the cost of judging a piece of evidence, which counts among the operations of the block
/// that carries it (L-6). The signatures on its own statements cost nothing: checking 16 of them
/// takes no more than a millisecond.
pub(crate) fn evidence(evidence: &Evidence) -> u64 {
    evidence.accused().map_or(0, accused)
}

/// Returns the cost of checking and executing an accused block, without its clearings: these take
/// the place of the clearings of the block that carries it ([`clearings_beside`]).
pub(crate) fn accused(block: &Block) -> u64 {
    let commit = block
        .previous_commit
        .as_ref()
        .map_or(0, CommitProof::signatures);

    // A piece of evidence has up to two signatures.
    let signatures = commit.saturating_add(block.evidence.len().saturating_mul(2));
    let operations = block
        .operations
        .iter()
        .map(|signed| operation(&signed.payload.body));

    operations.fold(
        OPERATION.saturating_add(times(signatures, SIGNATURE)),
        u64::saturating_add,
    )
}

/// Returns the most that clearings may cost in a block with this evidence. It is nothing if the
/// block executes an accused block, which has clearings of its own. Markets that are due then wait
/// for the next block.
pub(crate) fn clearings_beside(evidence: &[&Evidence]) -> u64 {
    let executes = evidence.iter().any(|evidence| evidence.accused().is_some());

    if executes { 0 } else { CLEARINGS }
}

/// The sizes that the cost of a clearing follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClearingSize {
    /// The number of tasks that the clearing takes.
    pub tasks: usize,
    /// The number of reservations in the market, one for each bidder.
    pub bidders: usize,
    /// The number of bids on the tasks that the clearing takes.
    pub bids: usize,
    /// The number of live bids in the market.
    pub live: u64,
    /// The number of pairs in all solutions that are kept.
    pub pairs: usize,
}

/// Returns the cost of a clearing without the cost of its mechanism.
pub(crate) fn clearing(size: &ClearingSize) -> u64 {
    times(size.tasks.saturating_add(size.bidders), PARTY)
        .saturating_add(times(size.bids, JUDGED_BID))
        .saturating_add(size.live.saturating_mul(LIVE_BID))
        .saturating_add(times(size.pairs, PAIR))
}

fn times(count: usize, each: u64) -> u64 {
    (count as u64).saturating_mul(each)
}
