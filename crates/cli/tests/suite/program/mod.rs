//! Runs the binary in a folder, without the variables of this environment that would change its
//! behaviour.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod process;

use std::path::Path;
use std::process::{Command, Output};

/// Returns a command that runs `quorate` in `folder`, without any `QUORATE_` variable.
pub fn quorate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("QUORATE_"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.current_dir(folder);
    command
}

/// Runs the binary to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    quorate(folder).args(arguments).output().unwrap()
}

/// Runs the binary to its end, which must be a success, and returns its standard output.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs the binary to its end, which must be exit code 1, and returns its standard error.
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

/// Returns the bytes as text; bytes that are not UTF-8 are replaced.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
