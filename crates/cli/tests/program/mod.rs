//! The binary, run in a folder with nothing of this environment that would change what it does.

#![allow(dead_code, reason = "each test binary uses its part of it")]

pub mod process;

use std::path::Path;
use std::process::{Command, Output};

/// `quorate` in `folder`.
pub fn quorate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("QUORATE_"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.current_dir(folder);
    command
}

/// Runs it to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    quorate(folder).args(arguments).output().unwrap()
}

/// Runs it to its end, which must be a success; its standard output.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs it to its end, which must be code 1; its standard error.
pub fn fail(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        text(&output.stdout)
    );
    text(&output.stderr)
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
