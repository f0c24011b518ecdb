//! A decided block, as a validator reports it.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_types::outcome::ClearingInput;
use quorate_types::{Block, Outcome, ValidatorSet};

/// A decided block and its effects.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The block. Its signatures hold.
    pub block: Arc<Verified<Block>>,
    /// The effects that the validator reports of it.
    pub effects: Arc<Effects>,
}

/// The effects of a block. They are the subject of the rules here, so nothing in them is checked.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// The outcomes, in the order of L-8.
    pub outcomes: Vec<Outcome>,
    /// The inputs of each clearing record among the outcomes, in the order of the records.
    pub inputs: Vec<Vec<ClearingInput>>,
    /// The validator set that the block decided on (N-25); `None` if the set does not change.
    pub validators: Option<Arc<ValidatorSet>>,
}
