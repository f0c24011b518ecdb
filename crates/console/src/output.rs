//! Output for people and programs: lines on standard output, and errors in words.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a line to standard output and flushes it, so that the reader sees it at once.
///
/// # Errors
/// If standard output cannot be written, for instance because its reader has closed it.
pub fn say(line: impl AsRef<str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", line.as_ref())
        .and_then(|()| out.flush())
        .context(OUTPUT)
}

/// The context of each error of [`say`]; [`reader_left`] knows such errors by it.
const OUTPUT: &str = "standard output";

/// Whether an error only means that the reader of standard output has closed it, as `head` does
/// when it has read enough. Such an error is not worth a message.
pub fn reader_left(error: &anyhow::Error) -> bool {
    let is_output = error.chain().any(|cause| cause.to_string() == OUTPUT);
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    is_output && causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Creates a file with these bytes. The file must not exist yet.
///
/// # Errors
/// If the file exists already or cannot be written. The error names it.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("write {}", path.display()))
}

/// The text of an error and its causes. Leaves out a cause that the text before it contains
/// already.
pub fn describe(error: &anyhow::Error) -> String {
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
