//! What a person or program reads: standard output, a line at a time.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a line, so that it is seen at once.
///
/// # Errors
/// Where the reader has gone.
pub(crate) fn say(line: impl AsRef<str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush()).context("standard output")
}

/// Writes a file that must not be there yet.
///
/// # Errors
/// Names the file where it exists or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("write {}", path.display()))
}
