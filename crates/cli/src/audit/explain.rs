//! `quorate audit explain`: a certificate in words.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use quorate_certificate::{Certificate, MAX_BYTES, explain};

use super::files;
use crate::output::say;

/// Put into words what certificates claim; this VERIFIES NOTHING
///
/// For reading. Anyone can make a file that claims anything: use `quorate audit verify` to know.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example: quorate audit explain certificates/3f9c0a12-0-award-1.cbor

Ends with 0 where every file could be read as a certificate, which says nothing about its truth;
with 1 where one could not; with 4 where there is no input.")]
pub(super) struct Args {
    /// Certificates, or folders of them.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    files: Vec<PathBuf>,
}

/// Prints the words.
///
/// # Errors
/// Where there is no input or it cannot be read.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut worst = 0;
    for path in files::certificates(&args.files)? {
        let name = path.display();
        let bytes = files::read(&path, MAX_BYTES).with_context(|| name.to_string())?;
        say(format!("== {name}"))?;
        match Certificate::decode(&bytes) {
            Ok(certificate) => say(explain(&certificate))?,
            Err(error) => {
                say(format!("no certificate: {error}\n"))?;
                worst = 1;
            }
        }
    }
    Ok(worst.into())
}
