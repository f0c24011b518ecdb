//! The files of a dossier, beside the certificates of the auction, for `quorate audit replay`.

use std::path::{Path, PathBuf};

use quorate_agent::DossierBundle;
use quorate_certificate::DOSSIER_EXTENSION;
use quorate_types::Hash;

/// The number of digits of the record's hash that a file name contains.
const NAME_DIGITS: usize = 16;

/// A file of a dossier that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct DossierFileError {
    /// The path of the file.
    pub path: PathBuf,
    /// The error of the system.
    pub source: std::io::Error,
}

/// Writes the dossier of a clearing to a folder, and the certificate of the clearing if there is
/// one. Both files are named `clearing-` and the first digits of the record's hash. Returns the
/// path of the dossier.
///
/// # Errors
/// If a file cannot be written. The error names it.
pub fn store_dossier(
    folder: &Path,
    clearing: &Hash,
    bundle: &DossierBundle,
) -> Result<PathBuf, DossierFileError> {
    // Somebody could make two hashes with the same short form (eight digits), and then one dossier
    // would take the place of another.
    let digits: String = clearing.to_string().chars().take(NAME_DIGITS).collect();
    let path = |extension| folder.join(format!("clearing-{digits}.{extension}"));

    if let Some(certificate) = &bundle.certificate {
        write(path("cbor"), certificate.bytes())?;
    }
    write(path(DOSSIER_EXTENSION), &bundle.dossier)
}

/// Writes a file, and returns its path.
fn write(path: PathBuf, bytes: &[u8]) -> Result<PathBuf, DossierFileError> {
    match std::fs::write(&path, bytes) {
        Ok(()) => Ok(path),
        Err(source) => Err(DossierFileError { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dossier_and_certificate_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = |certificate| DossierBundle {
            dossier: vec![1],
            certificate,
        };

        let alone = store_dossier(folder.path(), &Hash([0xab; 32]), &bundle(None)).unwrap();
        assert_eq!(
            alone,
            folder.path().join("clearing-abababababababab.dossier")
        );
        assert!(!alone.with_extension("cbor").exists());

        let certificate = quorate_certificate::example().unwrap();
        let beside = bundle(Some(certificate.clone()));
        store_dossier(folder.path(), &Hash([0xab; 32]), &beside).unwrap();
        assert_eq!(std::fs::read(&alone).unwrap(), [1]);
        let written = std::fs::read(alone.with_extension("cbor")).unwrap();
        assert_eq!(written, certificate.bytes());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let bundle = DossierBundle {
            dossier: vec![1],
            certificate: None,
        };

        let error = store_dossier(&absent, &Hash([1; 32]), &bundle).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("clearing-0101010101010101.dossier: ")
        );
    }
}
