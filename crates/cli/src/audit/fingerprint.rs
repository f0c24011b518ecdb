//! `quorate audit fingerprint`: shows what to compare before a genesis is trusted.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use quorate_certificate::{Judgement, TrustRoot};
use quorate_console::say;
use quorate_types::Validator;

use super::exit::exit_code;
use super::trust::read_trust_root;

/// Show the fingerprint of a genesis, and the members that it asks you to trust
///
/// Compare the fingerprint with one that somebody you trust tells you another way. Then look at the
/// list: do you believe that these operators and attesters will not conspire?
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  quorate audit fingerprint genesis.toml
  quorate audit fingerprint genesis.toml --expect 'ABCD EFGH ...'   # as heard over a telephone

Exit codes:
  0  the fingerprint is the one given with --expect, or none was given
  1  the fingerprint is another one
  4  wrong usage, or the file is not a valid genesis")]
pub(super) struct Args {
    /// Genesis file.
    genesis: PathBuf,
    /// Fingerprint that you were told another way. Case, blanks and hyphens do not matter, O counts
    /// as 0, and I and L count as 1.
    #[arg(long, value_name = "FINGERPRINT")]
    expect: Option<String>,
}

/// Prints the fingerprint and the members, and compares the fingerprint if one is expected.
///
/// # Errors
/// If the file is not a valid genesis.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let root = read_trust_root(&args.genesis)?;

    say(format!("{:<13}{}", "swarm", root.name()))?;
    say(format!("{:<13}{}", "swarm id", root.swarm()))?;
    say(format!("{:<13}{}", "fingerprint", root.fingerprint()))?;
    say_members(&root)?;

    match args
        .expect
        .as_ref()
        .map(|spoken| root.has_fingerprint(spoken))
    {
        None => Ok(ExitCode::SUCCESS),
        Some(true) => say("the fingerprint is the expected one").map(|()| ExitCode::SUCCESS),
        Some(false) => {
            say("THE FINGERPRINT IS NOT THE EXPECTED ONE: do not trust this file")?;
            Ok(exit_code(Judgement::NotAuthentic).into())
        }
    }
}

fn say_members(root: &TrustRoot) -> Result<()> {
    for validator in root.validators() {
        let Validator {
            key,
            power,
            operator,
        } = validator;
        say(format!(
            "{:<13}{operator}, power {power}, key {key}",
            "validator"
        ))?;
    }

    for attester in root.attesters() {
        say(format!(
            "{:<13}{}, key {}",
            "attester", attester.name, attester.key
        ))?;
    }

    say(format!(
        "{:<13}{}, power {} in all",
        "operators",
        root.operators().len(),
        root.validators().total()
    ))
}
