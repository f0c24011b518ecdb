//! Keeping dossiers beside the certificates, for `quorate audit replay`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use quorate_node::DossierBundle;
use quorate_types::Hash;

use crate::audit::files::DOSSIER;

/// Digits of a record's hash in the name of a file.
const NAME_DIGITS: usize = 16;

/// Writes the dossier of a clearing, and the certificate of the clearing where there is one, to a
/// folder: `clearing-` with the first digits of the record's hash. Gives the path of the dossier.
///
/// # Errors
/// Names the file that cannot be written.
pub(crate) fn keep(folder: &Path, clearing: &Hash, bundle: &DossierBundle) -> Result<PathBuf> {
    // Short names can be made to collide, and one dossier must not take the place of another.
    let digits: String = clearing.to_string().chars().take(NAME_DIGITS).collect();
    let path = |extension| folder.join(format!("clearing-{digits}.{extension}"));
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| path.display().to_string())
    };
    if let Some(certificate) = &bundle.certificate {
        write(&path("cbor"), certificate)?;
    }
    write(&path(DOSSIER), &bundle.dossier)?;
    Ok(path(DOSSIER))
}
