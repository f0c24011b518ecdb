//! `quorate audit explain`: puts certificates into words.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_certificate::{Certificate, MAX_BYTES, explain};
use quorate_console::say;

use super::files;

/// Put into words what certificates claim; this VERIFIES NOTHING
///
/// The words are for reading only. Anyone can make a file that claims anything: use `quorate audit
/// verify` to find out what a swarm decided.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example: quorate audit explain certificates/3f9c0a12-0-award-1.cbor

Exit codes:
  0  every file could be read as a certificate, which says nothing about its truth
  1  a file could not be read as a certificate
  4  wrong usage: there is no input, or a file cannot be opened")]
pub(super) struct Args {
    /// Certificates, or folders of them.
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
}

/// Prints each certificate in words.
///
/// # Errors
/// If there is no input, or a file cannot be read.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut worst = 0;

    for path in files::certificates(&args.files)? {
        let name = path.display();
        let bytes = files::read(&path, MAX_BYTES).with_context(|| name.to_string())?;

        say(format!("== {name}"))?;
        match Certificate::decode(&bytes) {
            Ok(certificate) => say(explain(&certificate))?,
            Err(error) => {
                say(format!("not a valid certificate: {error}\n"))?;
                worst = 1;
            }
        }
    }

    Ok(worst.into())
}
