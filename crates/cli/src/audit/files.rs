//! Which files are meant, and what is in them.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use quorate_certificate::MAX_BYTES;

/// The files named, and every file in the folders named and below them, in the order of their
/// names; hidden ones are left out.
///
/// # Errors
/// Where something named is not there, or nothing is left: no input is no success.
pub(super) fn collect(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
        match metadata.is_dir() {
            true => collect_folder(path, &mut files)?,
            false => files.push(path.clone()),
        }
    }
    ensure!(!files.is_empty(), "there is no file to check: no input is no success");
    Ok(files)
}

fn collect_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
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
            true => collect_folder(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

/// The bytes of a file; one byte more than a certificate may have at most, which is enough to see
/// that it is too long.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BYTES + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
