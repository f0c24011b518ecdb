//! Which files are meant, and what is in them.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// How names of dossiers end: that tells them from certificates.
pub(crate) const DOSSIER: &str = "dossier";

/// Files to look at, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// All others.
    pub(super) certificates: Vec<PathBuf>,
    /// Those whose names end in [`DOSSIER`].
    pub(super) dossiers: Vec<PathBuf>,
}

/// The files named, and every file in the folders named and below them, in the order of their
/// names; hidden ones are left out.
///
/// # Errors
/// Where something named is not there, or nothing is left: no input is no success.
pub(super) fn collect(named: &[PathBuf]) -> Result<Files> {
    let mut files = Files::default();
    for path in named {
        let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
        match metadata.is_dir() {
            true => files.add_folder(path)?,
            false => files.add(path.clone()),
        }
    }
    let is_empty = files.certificates.is_empty() && files.dossiers.is_empty();
    ensure!(
        !is_empty,
        "there is no file to check: no input is no success"
    );
    Ok(files)
}

/// The certificates among them; dossiers in folders are left out, because they certify nothing.
///
/// # Errors
/// As [`collect`], and where a dossier is named.
pub(super) fn certificates(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if let Some(path) = named.iter().find(|path| is_dossier(path) && !path.is_dir()) {
        bail!(
            "{}: a dossier certifies nothing; quorate audit replay reads it",
            path.display()
        );
    }
    let files = collect(named)?.certificates;
    ensure!(
        !files.is_empty(),
        "there is no certificate to check: no input is no success"
    );
    Ok(files)
}

impl Files {
    fn add(&mut self, path: PathBuf) {
        match is_dossier(&path) {
            true => self.dossiers.push(path),
            false => self.certificates.push(path),
        }
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let name = || folder.display().to_string();
        let entries = std::fs::read_dir(folder).with_context(name)?;
        let mut entries = entries.collect::<Result<Vec<_>, _>>().with_context(name)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Links to folders are not followed, so that none leads in a circle.
            match entry.file_type().with_context(name)?.is_dir() {
                true => self.add_folder(&entry.path())?,
                false => self.add(entry.path()),
            }
        }
        Ok(())
    }
}

/// Whether a file is a dossier by its name.
pub(crate) fn is_dossier(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == DOSSIER)
}

/// The bytes of a file of at most `most` bytes; one byte more of a longer one, which is enough to
/// see that it is too long.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
