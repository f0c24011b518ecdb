//! The dossier of a clearing: its record and every input it followed from, losers included.

use quorate_crypto::merkle;
use quorate_types::outcome::{ClearingInput, ClearingRecord};
use quorate_types::{cbor, limits};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// Everything a clearing followed from. Shared by the certificates of that clearing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Dossier {
    /// The record, itself an outcome of the block.
    pub record: ClearingRecord,
    /// Tasks, bidders and bids in the order of [`ClearingInput`].
    pub inputs: Vec<ClearingInput>,
}

/// Why a dossier is not the one of its record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DossierError {
    /// Not the canonical CBOR of a dossier.
    #[error(transparent)]
    Encoding(#[from] cbor::CborError),
    /// Another number of inputs than the record says.
    #[error("{found} inputs, the record counts {recorded}")]
    Count {
        /// Inputs here.
        found: u64,
        /// Inputs of the record.
        recorded: u64,
    },
    /// Other inputs than the record binds: one left out, added, changed, or out of its place.
    #[error("the inputs are not those under the record's root")]
    Root,
}

impl Dossier {
    /// Canonical CBOR.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The inverse of [`Self::encode`]; the root stays to be checked.
    ///
    /// # Errors
    /// [`DossierError::Encoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DossierError> {
        Ok(cbor::decode(bytes, limits::DOSSIER_BYTES)?)
    }

    /// Checks that the inputs are all of those that the record binds, in their order.
    ///
    /// # Errors
    /// [`DossierError::Count`] or [`DossierError::Root`].
    pub fn check_root(&self) -> Result<(), DossierError> {
        let (found, recorded) = (self.inputs.len() as u64, self.record.input_count);
        if found != recorded {
            return Err(DossierError::Count { found, recorded });
        }
        let leaves: Vec<_> = self.inputs.iter().map(cbor::encode).collect();
        if merkle::root(&leaves) != self.record.inputs {
            return Err(DossierError::Root);
        }
        Ok(())
    }
}
