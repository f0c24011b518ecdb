//! Bids that stand, and their offers.

use std::collections::BTreeMap;

use quorate_types::{Amounts, Hash, OperationId, Price, PublicKey, SignedOperation, TaskId};

/// The offer of a bid for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// An open price.
    Price(Price),
    /// A commitment to a price that is not open yet.
    Sealed(Hash),
}

impl Offered {
    /// The price; `None` if it is not open yet.
    pub(crate) fn price(self) -> Option<Price> {
        match self {
            Self::Price(price) => Some(price),
            Self::Sealed(_) => None,
        }
    }
}

/// A bid that stands.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) signed: SignedOperation,
    pub(crate) budget: Amounts,
    pub(crate) offers: BTreeMap<TaskId, Offered>,
}

impl Live {
    /// The id of the operation that brought the bid.
    pub(crate) fn operation(&self) -> OperationId {
        self.signed.id()
    }
}

/// An offer of a live bid for one task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveOffer {
    pub(crate) task: TaskId,
    pub(crate) agent: PublicKey,
    pub(crate) said: Offered,
}
