//! The index: facts that follow from the entries, in the order in which a block needs them.

use std::ops::RangeInclusive;

use quorate_types::{Height, Label, PublicKey, TaskId, UnixMillis};

/// A key of the index. Its value is a number, and each variant says which one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Index {
    /// An open task of a market, by the height from which it is due. Value: 0.
    Open(Label, Height, TaskId),
    /// The block time from which on an open task expires. Value: 0.
    Deadline(UnixMillis, TaskId),
    /// An assignment in force. Value: 0.
    Assigned(PublicKey, TaskId),
    /// A live bid. Value: the price, or [`Self::SEALED`].
    Bid(TaskId, PublicKey),
    /// The live bids of a member in a market. Value: their number; no key if there is none.
    LiveOf(Label, PublicKey),
    /// The live bids in a market. Value: their number; no key if there is none.
    Live(Label),
    /// The live bids in a market that are commitments not yet opened. Value: their number; no key
    /// if there is none.
    Sealed(Label),
    /// The reservations in a market. Value: their number; no key if there is none.
    Bidders(Label),
    /// The open tasks of a market. Value: their number; no key if there is none.
    OpenCount(Label),
}

const FIRST_KEY: PublicKey = PublicKey([0; 32]);
const LAST_KEY: PublicKey = PublicKey([255; 32]);
const FIRST_TASK: TaskId = TaskId {
    requester: FIRST_KEY,
    number: 0,
};
const LAST_TASK: TaskId = TaskId {
    requester: LAST_KEY,
    number: u64::MAX,
};

impl Index {
    /// The value that stands for a price which is not opened yet. No price is as high.
    pub(crate) const SEALED: u64 = u64::MAX;

    /// Returns the keys of the open tasks of `market`, those due first at the front.
    pub(crate) fn open(market: &Label) -> RangeInclusive<Self> {
        Self::Open(market.clone(), 0, FIRST_TASK)
            ..=Self::Open(market.clone(), Height::MAX, LAST_TASK)
    }

    /// Returns the keys of all deadlines up to and including `time`.
    pub(crate) fn deadlines(time: UnixMillis) -> RangeInclusive<Self> {
        Self::Deadline(UnixMillis::ZERO, FIRST_TASK)..=Self::Deadline(time, LAST_TASK)
    }

    /// Returns the keys of the assignments of one agent.
    pub(crate) fn assigned(agent: PublicKey) -> RangeInclusive<Self> {
        Self::Assigned(agent, FIRST_TASK)..=Self::Assigned(agent, LAST_TASK)
    }

    /// Returns the keys of the assignments of all agents.
    pub(crate) fn all_assigned() -> RangeInclusive<Self> {
        Self::Assigned(FIRST_KEY, FIRST_TASK)..=Self::Assigned(LAST_KEY, LAST_TASK)
    }

    /// Returns the keys of the live bids on a task.
    pub(crate) fn bids(task: TaskId) -> RangeInclusive<Self> {
        Self::Bid(task, FIRST_KEY)..=Self::Bid(task, LAST_KEY)
    }
}
