//! The index: what the entries imply, in the order in which a block asks for it.

use std::ops::RangeInclusive;

use quorate_types::{Height, Label, Millis, PublicKey, TaskId};

/// A key of the index; its value is a number, whose meaning each variant says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Index {
    /// An open task of a market, by the height it is due from. Value 0.
    Open(Label, Height, TaskId),
    /// The block time from which on an open task expires. Value 0.
    Deadline(Millis, TaskId),
    /// An assignment in force. Value 0.
    Assigned(PublicKey, TaskId),
    /// A live bid. Value: the price, or [`Self::SEALED`].
    Bid(TaskId, PublicKey),
    /// Live bids of a member in a market; none is no key.
    LiveOf(Label, PublicKey),
    /// Live bids in a market; none is no key.
    Live(Label),
    /// Live bids in a market that are commitments not yet opened; none is no key.
    Sealed(Label),
    /// Reservations in a market; none is no key.
    Bidders(Label),
    /// Open tasks of a market; none is no key.
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
    /// In the place of a price that nobody knows yet; no price is as high.
    pub(crate) const SEALED: u64 = u64::MAX;

    /// The open tasks of `market`, those due first at the front.
    pub(crate) fn open(market: &Label) -> RangeInclusive<Self> {
        Self::Open(market.clone(), 0, FIRST_TASK)
            ..=Self::Open(market.clone(), Height::MAX, LAST_TASK)
    }

    /// Deadlines up to and with `time`.
    pub(crate) fn deadlines(time: Millis) -> RangeInclusive<Self> {
        Self::Deadline(0, FIRST_TASK)..=Self::Deadline(time, LAST_TASK)
    }

    /// Assignments of one agent.
    pub(crate) fn assigned(agent: PublicKey) -> RangeInclusive<Self> {
        Self::Assigned(agent, FIRST_TASK)..=Self::Assigned(agent, LAST_TASK)
    }

    /// Assignments of all agents.
    pub(crate) fn all_assigned() -> RangeInclusive<Self> {
        Self::Assigned(FIRST_KEY, FIRST_TASK)..=Self::Assigned(LAST_KEY, LAST_TASK)
    }

    /// Live bids on a task.
    pub(crate) fn bids(task: TaskId) -> RangeInclusive<Self> {
        Self::Bid(task, FIRST_KEY)..=Self::Bid(task, LAST_KEY)
    }
}
