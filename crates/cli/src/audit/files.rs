//! Finds the files that the command line names, and reads them.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use quorate_certificate::DOSSIER_EXTENSION;

/// The files to check, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// All files that are not dossiers.
    pub(super) certificates: Vec<PathBuf>,
    /// The files whose names end in [`DOSSIER_EXTENSION`].
    pub(super) dossiers: Vec<PathBuf>,
}

/// Collects the files that are named, and all files in the folders that are named and below them,
/// in the order of their names. Leaves out hidden files in folders.
///
/// # Errors
/// If a name leads nowhere, or if there is no file at all, because nothing was checked then.
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
        "there is no file to check, so nothing was verified"
    );

    Ok(files)
}

/// Collects only certificates. Leaves out dossiers in folders, because they certify nothing.
///
/// # Errors
/// Those of [`collect`], and if a dossier itself is named.
pub(super) fn certificates(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if let Some(path) = named.iter().find(|path| is_dossier(path) && !path.is_dir()) {
        bail!(
            "{}: is a dossier, which certifies nothing; check it with quorate audit replay",
            path.display()
        );
    }

    let files = collect(named)?.certificates;
    ensure!(
        !files.is_empty(),
        "there is no certificate to check, so nothing was verified"
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

            // Links to folders are not followed, because they could lead in a circle.
            match entry.file_type().with_context(name)?.is_dir() {
                true => self.add_folder(&entry.path())?,
                false => self.add(entry.path()),
            }
        }

        Ok(())
    }
}

/// Whether a file is a dossier, by its name.
fn is_dossier(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == DOSSIER_EXTENSION)
}

/// Reads a file of at most `most` bytes. Of a longer file it reads one byte more, which is enough
/// to see that the file is too long.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);

    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;

    Ok(bytes)
}
