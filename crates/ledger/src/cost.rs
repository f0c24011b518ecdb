//! Execution cost of a block, in units of about a microsecond, known before it is executed.
//!
//! Half of [`limits::BLOCK_COST`] is for operations, half for clearings, so that neither a flood
//! of operations nor a large auction stops the other. What an operation pays for includes what
//! undoing it costs later: an offer pays for its removal too.

use quorate_types::operation::Body;
use quorate_types::{Block, Evidence, limits};

/// What the operations of one block may cost together.
pub(crate) const OPERATIONS: u64 = limits::BLOCK_COST / 2;
/// What the clearings of one block may cost together.
pub(crate) const CLEARINGS: u64 = limits::BLOCK_COST / 2;

/// Any operation: its signature, its account, its leaf.
const OPERATION: u64 = 80;
/// A further signature to check.
const SIGNATURE: u64 = 60;
/// A task to open, and later to end.
const TASK: u64 = 40;
/// An offer to keep, and later to drop.
const OFFER: u64 = 4;
/// Judging a bid and writing it into the dossier.
const JUDGED_BID: u64 = 4;
/// A pair of a solution, judged.
const PAIR: u64 = 2;
/// Pairs of all solutions that a window keeps, at most.
pub(crate) const KEPT_PAIRS: usize = limits::SOLUTIONS_PER_WINDOW * limits::TASKS_PER_CLEARING;
/// Beside a new solution: finding the tasks that are due, and judging all solutions that the window
/// keeps, at the longest, with what each of their bidders has left.
const KEPT: u64 = 5_000 + PAIR * KEPT_PAIRS as u64 + PARTY * limits::BIDDERS_PER_CLEARING as u64;
/// A bid that ends with the window, judged or not.
const LIVE_BID: u64 = 1;
/// A task or bidder of a clearing: its entry, its assignment.
const PARTY: u64 = 20;

/// What an operation costs. By its size alone: never by what it does.
pub(crate) fn operation(body: &Body) -> u64 {
    let extra = match body {
        Body::Admit(_) | Body::Attest(_) => SIGNATURE,
        Body::Submit(submit) => times(submit.tasks.len(), TASK),
        Body::Bid(bid) => times(bid.offers.len(), OFFER),
        Body::Seal(seal) => times(seal.offers.len(), OFFER),
        Body::Reveal(reveal) => times(reveal.openings.len(), OFFER),
        Body::Solve(solve) => times(solve.pairs.len(), PAIR).saturating_add(KEPT),
        Body::Lapse(lapse) => times(lapse.suspicions.len(), SIGNATURE),
        Body::Revoke(_) | Body::Cancel(_) | Body::Withdraw(_) => 0,
        Body::Accept(_) | Body::Decline(_) | Body::Complete(_) | Body::Fail(_) => 0,
    };
    OPERATION.saturating_add(extra)
}

/// What judging a piece of evidence takes from the operations of the block that carries it. Two
/// signatures of a conflict are for nothing: 16 of them are no more than a millisecond.
pub(crate) fn evidence(evidence: &Evidence) -> u64 {
    match evidence {
        Evidence::Conflict(_) => 0,
        Evidence::BadBlock(bad) => accused(&bad.block),
    }
}

/// What checking and executing an accused block costs, but for its clearings: these take the place
/// of those of the block that carries it ([`clearings_beside`]).
pub(crate) fn accused(block: &Block) -> u64 {
    let votes = block
        .previous_commit
        .as_ref()
        .map_or(0, |commit| commit.votes.len());
    let signatures = votes.saturating_add(block.evidence.len().saturating_mul(2));
    let operations = block
        .operations
        .iter()
        .map(|signed| operation(&signed.payload.body));
    operations.fold(
        OPERATION.saturating_add(times(signatures, SIGNATURE)),
        u64::saturating_add,
    )
}

/// What clearings may cost in a block with this evidence: nothing where it executes another block
/// with clearings of its own. What is due waits for the next block.
pub(crate) fn clearings_beside(evidence: &[&Evidence]) -> u64 {
    let executes = evidence
        .iter()
        .any(|evidence| matches!(evidence, Evidence::BadBlock(_)));
    if executes { 0 } else { CLEARINGS }
}

/// Sizes of a clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClearingSize {
    /// Tasks taken.
    pub tasks: usize,
    /// Reservations in the market.
    pub bidders: usize,
    /// Bids on the tasks taken.
    pub bids: usize,
    /// All live bids of the market.
    pub live: u64,
    /// Pairs of all solutions kept.
    pub pairs: usize,
}

/// What a clearing costs around its mechanism.
pub(crate) fn clearing(size: &ClearingSize) -> u64 {
    times(size.tasks.saturating_add(size.bidders), PARTY)
        .saturating_add(times(size.bids, JUDGED_BID))
        .saturating_add(size.live.saturating_mul(LIVE_BID))
        .saturating_add(times(size.pairs, PAIR))
}

fn times(count: usize, each: u64) -> u64 {
    (count as u64).saturating_mul(each)
}
