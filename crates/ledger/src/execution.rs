//! What running a block gives, before and after it is decided.

use std::sync::Arc;

use quorate_crypto::map::AuthenticatedMap;
use quorate_types::outcome::ClearingInput;
use quorate_types::outcome::ClearingRecord;
use quorate_types::{BlockId, Header, Height, Outcome, ValidatorSet};

use crate::state::Changes;

/// A block run on top of the last decided one: what it would change, and what it decides.
///
/// The ledger it came from is unchanged. Several may exist for one height, at the cost of their
/// own changes; the one whose block is decided goes to [`crate::Ledger::commit`].
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
    /// The block that was run.
    pub fn block(&self) -> BlockId {
        self.block
    }

    /// Its header, with the roots that running it gave.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What it decides, in the order of execution.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }
}

/// A clearing record with all inputs it binds: what re-executing the auction takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// The record, as it stands among the block's outcomes.
    pub record: ClearingRecord,
    /// The inputs under [`ClearingRecord::inputs`], in order.
    pub inputs: Vec<ClearingInput>,
}

/// What a decided block did.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub block: BlockId,
    /// What it decided, in the order of execution.
    pub outcomes: Vec<Outcome>,
    /// The outcomes in canonical CBOR: the leaves under the header's `outcomes` root.
    pub leaves: Vec<Vec<u8>>,
    /// One for each clearing record among the outcomes, in their order.
    pub dossiers: Vec<Dossier>,
    /// The validator set that this block decided on, from
    /// [`quorate_types::limits::VALIDATOR_SET_DELAY`] heights later; `None` where nothing changes.
    pub validators: Option<Arc<ValidatorSet>>,
}
