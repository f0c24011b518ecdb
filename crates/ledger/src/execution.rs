//! The results of running a block: an [`Execution`] before the block is decided, a [`Committed`]
//! after that.

use std::sync::Arc;

use quorate_crypto::map::AuthenticatedMap;
use quorate_types::outcome::ClearingInput;
use quorate_types::outcome::ClearingRecord;
use quorate_types::{BlockId, Header, Height, Outcome, ValidatorSet};

use crate::state::Changes;

/// A block that was run on top of the last decided one: the changes it would make, and its
/// outcomes.
///
/// The ledger it came from is unchanged. Several executions may exist for one height, each at the
/// cost of its own changes; the one whose block is decided goes to [`crate::Ledger::commit`].
#[derive(Debug, Clone)]
pub struct Execution {
    pub(crate) block: BlockId,
    pub(crate) header: Header,
    pub(crate) changes: Changes,
    pub(crate) tree: AuthenticatedMap,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) dossiers: Vec<Dossier>,
    pub(crate) validators: Option<Arc<ValidatorSet>>,
}

impl Execution {
    /// Returns the id of the block that was run.
    pub fn block(&self) -> BlockId {
        self.block
    }

    /// Returns the header of the block, with the roots that running it gave.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the outcomes of the block, in the order of execution.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }
}

/// A clearing record with all inputs that it binds: everything that running the auction again
/// takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// The record, as it stands among the block's outcomes.
    pub record: ClearingRecord,
    /// The inputs under [`ClearingRecord::inputs`], in order.
    pub inputs: Vec<ClearingInput>,
}

/// The effects of a decided block.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The height of the block, counted from 1.
    pub height: Height,
    /// The id of the block: the hash of its header.
    pub block: BlockId,
    /// The outcomes of the block, in the order of execution.
    pub outcomes: Vec<Outcome>,
    /// The outcomes in canonical CBOR: the leaves under the header's `outcomes` root.
    pub leaves: Vec<Vec<u8>>,
    /// The dossiers, one for each clearing record among the outcomes, in their order.
    pub dossiers: Vec<Dossier>,
    /// The validator set that this block decided on, which is in force from
    /// [`quorate_types::limits::VALIDATOR_SET_DELAY`] heights later on; `None` if the set does not
    /// change.
    pub validators: Option<Arc<ValidatorSet>>,
}
