//! The binary under test, and how it is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::{Checked, repository};

/// The variable that names a program to test, so that none is built.
const VARIABLE: &str = "QUORATE_BINARY";

/// The prefixes of the variables with which cargo describes its package to a test.
const TOLD: [&str; 5] = [
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
];

/// Returns the path of the program `quorate`. Cargo builds it once in this process, in the profile
/// and target folder of the running test. `QUORATE_BINARY` may name another program to test.
///
/// # Errors
/// Fails if the program does not build.
pub fn quorate() -> Checked<PathBuf> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| {
        let given = std::env::var_os(VARIABLE).map(PathBuf::from);
        given
            .map_or_else(build, Ok)
            .map_err(|error| error.to_string())
    });
    Ok(found.clone()?)
}

fn build() -> Checked<PathBuf> {
    let test = std::env::current_exe()?;
    // The program of a test is in TARGET/PROFILE/deps.
    let profile = test
        .parent()
        .and_then(Path::parent)
        .ok_or("the running test has no parent folder")?;
    let target = profile
        .parent()
        .ok_or("the running test is not in a target folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        // The whole workspace chooses the features, as `cargo test --workspace` does: the build is
        // there already.
        "--workspace",
        "--bin",
        "quorate",
        "--offline",
    ]);
    cargo
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    // With the variables that describe the test's package, cargo would run build scripts again.
    for (name, _) in std::env::vars_os() {
        if TOLD
            .iter()
            .any(|told| name.as_encoded_bytes().starts_with(told.as_bytes()))
        {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .current_dir(repository::root())
        .stderr(std::process::Stdio::inherit());
    let output = output.output()?;
    if !output.status.success() {
        return Err("the binary quorate does not build".into());
    }
    let text = String::from_utf8(output.stdout)?;
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter_map(|message| {
        let ours = message["target"]["name"] == "quorate";
        ours.then(|| message["executable"].as_str().map(PathBuf::from))
            .flatten()
    });
    Ok(programs.next().ok_or("cargo reports no executable")?)
}
