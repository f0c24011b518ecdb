//! The units and limits of the execution cost of a block, in units of about a microsecond, and the
//! cost of clearings. The cost is known before the block is executed.
//!
//! Half of [`limits::BLOCK_COST`] is for operations, half for clearings, so that neither a flood of
//! operations nor a large auction can stop the other. The cost of an operation includes the cost of
//! undoing its effects later: an offer pays for its own removal too.

use quorate_types::{Evidence, limits};

/// The most that the operations of one block may cost together.
pub(crate) const OPERATIONS: u64 = limits::BLOCK_COST / 2;
/// The most that the clearings of one block may cost together.
pub(crate) const CLEARINGS: u64 = limits::BLOCK_COST / 2;

/// The cost of any operation: its signature, its account, its leaf.
pub(crate) const OPERATION: u64 = 80;
/// The cost of checking a further signature.
pub(crate) const SIGNATURE: u64 = 60;
/// The cost of keeping an offer and of dropping it later.
pub(crate) const OFFER: u64 = 4;
/// The cost of judging a bid and of writing it into the dossier.
const JUDGED_BID: u64 = 4;
/// The cost of judging a pair of a solution.
pub(crate) const PAIR: u64 = 2;
/// The most pairs that all solutions which a window keeps may have together.
pub(crate) const KEPT_PAIRS: usize = limits::SOLUTIONS_PER_WINDOW * limits::TASKS_PER_CLEARING;
/// The cost of a bid that ends with the window, whether it was judged or not.
const LIVE_BID: u64 = 1;
/// The cost of a task or a bidder of a clearing: its entry, its assignment.
pub(crate) const PARTY: u64 = 20;

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

/// Returns the cost of `count` parts that cost `each`.
pub(crate) fn times(count: usize, each: u64) -> u64 {
    (count as u64).saturating_mul(each)
}
