//! The dossier of a clearing: its record and every input that it followed from, also losing bids.

use quorate_crypto::merkle;
use quorate_types::outcome::{ClearingInput, ClearingRecord};
use quorate_types::{cbor, limits};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// The extension of the name of a dossier's file, by which dossiers are told from certificates.
pub const DOSSIER_EXTENSION: &str = "dossier";

/// Everything that a clearing followed from. The certificates of one clearing share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Dossier {
    /// The record, which is itself an outcome of the block.
    pub record: ClearingRecord,
    /// Tasks, bidders, bids and solutions, in the order of [`ClearingInput`].
    pub inputs: Vec<ClearingInput>,
}

/// The reason why a dossier is not that of its record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DossierError {
    /// The bytes are not the canonical CBOR of a dossier.
    #[error(transparent)]
    Encoding(#[from] cbor::CborError),
    /// The number of inputs is not the one that the record states.
    #[error("the dossier has {found} inputs, but its record counts {recorded}")]
    Count {
        /// The number of inputs in the dossier.
        found: u64,
        /// The number of inputs that the record states.
        recorded: u64,
    },
    /// The inputs are not those that the record binds: one is missing, added, changed or misplaced.
    #[error("the inputs of the dossier are not those under its record's root")]
    Root,
}

impl Dossier {
    /// Returns the canonical CBOR.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Decodes what [`Self::encode`] gives. It does not check the root: see [`Self::check_root`].
    ///
    /// # Errors
    /// [`DossierError::Encoding`] if the bytes are not the canonical CBOR of a dossier.
    pub fn decode(bytes: &[u8]) -> Result<Self, DossierError> {
        Ok(cbor::decode(bytes, limits::DOSSIER_BYTES)?)
    }

    /// Checks that the inputs are all those that the record binds, in their order.
    ///
    /// # Errors
    /// [`DossierError::Count`] if their number differs, otherwise [`DossierError::Root`].
    pub fn check_root(&self) -> Result<(), DossierError> {
        let found = self.inputs.len() as u64;
        let recorded = self.record.input_count;
        if found != recorded {
            return Err(DossierError::Count { found, recorded });
        }

        // The root binds the contents and the order.
        let leaves: Vec<_> = self.inputs.iter().map(cbor::encode).collect();
        if merkle::root(&leaves) != self.record.inputs {
            return Err(DossierError::Root);
        }

        Ok(())
    }
}
