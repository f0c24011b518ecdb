//! The last decided block, and the validator sets around its height.

use std::sync::Arc;

use quorate_types::{ActiveMillis, BlockId, Height, UnixMillis, ValidatorSet};

use crate::committee::Committee;

/// The last decided block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    pub height: Height,
    pub block: BlockId,
    pub active_time: ActiveMillis,
    pub block_time: UnixMillis,
}

/// The validator sets of the last height, the next, and the one after.
#[derive(Debug, Clone)]
pub(super) struct Sets {
    pub previous: Arc<ValidatorSet>,
    pub current: Arc<ValidatorSet>,
    pub next: Arc<ValidatorSet>,
}

impl Sets {
    /// Returns the sets around `height`, the last decided one.
    pub(super) fn after(committee: &Committee, height: Height) -> Self {
        let at = |ahead| Arc::clone(committee.at(height.saturating_add(ahead)));
        Self {
            previous: at(0),
            current: at(1),
            next: at(2),
        }
    }
}
