//! What a person or program reads: standard output, a line at a time, and errors in words.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a line, so that it is seen at once.
///
/// # Errors
/// Where the reader has gone.
pub(crate) fn say(line: impl AsRef<str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", line.as_ref())
        .and_then(|()| out.flush())
        .context(OUTPUT)
}

/// What an error of [`say`] is about.
const OUTPUT: &str = "standard output";

/// Whether an error is that the reader of standard output has had enough, like `head`: nothing
/// that anyone has to be told.
pub(crate) fn reader_left(error: &anyhow::Error) -> bool {
    let is_output = error.chain().any(|cause| cause.to_string() == OUTPUT);
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    is_output && causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Writes a file that must not be there yet.
///
/// # Errors
/// Names the file where it exists or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("write {}", path.display()))
}

/// An error with its causes; a cause that the text before it says already is not said again.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        let cause = cause.trim_end();
        if !text.contains(cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = text + separator + cause;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!("no such file")
            .context("a.toml: no such file")
            .context("--trust");
        assert_eq!(describe(&error), "--trust: a.toml: no such file");
        assert_eq!(describe(&anyhow!("b").context("a")), "a: b");
    }
}
