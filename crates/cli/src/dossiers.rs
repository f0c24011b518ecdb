//! Stores dossiers beside the certificates, for `quorate audit replay`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use quorate_node::DossierBundle;
use quorate_types::Hash;

use crate::audit::files::DOSSIER;

/// The number of digits of the record's hash that a file name contains.
const NAME_DIGITS: usize = 16;

/// Writes the dossier of a clearing to a folder, and the certificate of the clearing if there is
/// one. Both files are named `clearing-` and the first digits of the record's hash. Returns the
/// path of the dossier.
///
/// # Errors
/// If a file cannot be written. The error names it.
pub(crate) fn keep(folder: &Path, clearing: &Hash, bundle: &DossierBundle) -> Result<PathBuf> {
    // Somebody could make two hashes with the same short form (eight digits), and then one dossier
    // would take the place of another.
    let digits: String = clearing.to_string().chars().take(NAME_DIGITS).collect();
    let path = |extension| folder.join(format!("clearing-{digits}.{extension}"));

    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| path.display().to_string())
    };
    if let Some(certificate) = &bundle.certificate {
        write(&path("cbor"), certificate.bytes())?;
    }

    write(&path(DOSSIER), &bundle.dossier)?;
    Ok(path(DOSSIER))
}
