//! The state of a validator, as people and monitors read it.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_ledger::{Ledger, WindowView};
use quorate_replica::{Counters, VotingStatus};
use quorate_types::{BlockId, Height, PublicKey, Round, UnixMillis, ValidatorSet};

/// The state of a running validator.
#[derive(Debug, Clone, Default)]
pub struct ValidatorStatus {
    /// The last decided height.
    pub height: Height,
    /// The round of the height in progress, counted from 0.
    pub round: Round,
    /// The number of operations in the mempool.
    pub pool: usize,
    /// The number of connected validators, not counting this one.
    pub connected_validators: usize,
    /// The number of connected peers, validators included.
    pub connected: usize,
    /// The replica's counters of dropped and refused messages and of signatures.
    pub counters: Counters,
    /// The number of frames that were not a message of the protocol.
    pub undecodable: u64,
    /// Whether the validator votes, and if not, when it will.
    pub standing: VotingStatus,
    /// The ledger after the last decided block; `None` until the validator has recovered.
    pub ledger: Option<Arc<LedgerSummary>>,
}

/// The parts of the ledger that people and monitors read, after a decided block.
#[derive(Debug, Clone)]
pub struct LedgerSummary {
    /// The height of the block.
    pub height: Height,
    /// The id of the block; [`BlockId::GENESIS`] at height 0.
    pub block: BlockId,
    /// The block time; at height 0 the time of the genesis.
    pub block_time: UnixMillis,
    /// The validators that vote on the next height.
    pub validators: Arc<ValidatorSet>,
    /// The validators that are benched, so that they do not propose at the next height.
    pub benched: BTreeSet<PublicKey>,
    /// The windows of all markets, ascending by market.
    pub windows: Vec<WindowView>,
}

impl LedgerSummary {
    /// Copies a few values instead of holding the ledger. While a reader holds the ledger, its
    /// changes cannot be folded into its base.
    pub(crate) fn of(ledger: &Ledger) -> Self {
        Self {
            height: ledger.height(),
            block: ledger.last_block(),
            block_time: ledger.block_time(),
            validators: Arc::clone(ledger.validators()),
            benched: ledger.benched().clone(),
            windows: ledger.windows(),
        }
    }
}
