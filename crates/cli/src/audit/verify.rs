//! `quorate audit verify`: prints the verdict on each certificate.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use quorate_certificate::TrustRoot;
use quorate_console::say;

use super::checked::{Checked, check_all};
use super::exit::exit_code;
use super::trust::TrustArgs;
use super::{files, summary};

/// Verify certificates against the genesis of their swarm
///
/// Checks that a quorum of validators signed the block of each certificate, that these are the
/// validators to which the genesis leads, and that the block decided what the certificate says.
/// Lists what it did not check.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  quorate audit verify certificates --trust genesis.toml
  quorate audit verify award.cbor receipt.cbor --trust genesis.toml --min-operators 3 --json

Exit codes:
  0  every file verified
  1  a file is not authentic
  2  every file is authentic, but one falls short of the policy
  3  this program cannot evaluate a file, and no file is a forgery
  4  wrong usage: there is no input, or no trust root that can be read

--json writes one line for each file, an object with the keys
  file         path of the file
  verdict      verified, not_authentic, policy_failed or cannot_evaluate
  reason       name of the first rule that was broken, or null
  explanation  the rule in words, or null
  certifies    what is certified, or null if the file is not authentic
  not_checked  what the verdict does not say; never empty")]
pub(super) struct Args {
    /// Certificates, or folders of them. A folder is read with all folders below it; hidden files
    /// and dossiers are left out.
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Write JSON lines.
    #[arg(long)]
    json: bool,
}

/// Verifies the certificates, and prints the verdicts.
///
/// # Errors
/// Only if the usage is wrong. A fault of a certificate is not an error but a verdict.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let root = args.trust.root()?;
    let files = files::certificates(&args.files)?;

    let policy = args.trust.policy();
    let checked = check_all(files, &root, &policy);
    match args.json {
        true => checked
            .iter()
            .try_for_each(|file| say(file.to_json().to_string()))?,
        false => say_for_people(&checked, &root)?,
    }

    let totals = summary::Totals::of(&checked);

    // With --json, standard output has nothing but the objects.
    match args.json {
        true => eprintln!("{}", totals.line()),
        false => say(totals.line())?,
    }

    Ok(exit_code(summary::gravest(checked.iter().map(Checked::judgement))).into())
}

fn say_for_people(checked: &[Checked], root: &TrustRoot) -> Result<()> {
    say(format!(
        "trust root {} of swarm {}",
        root.fingerprint(),
        root.name()
    ))?;

    checked.iter().try_for_each(|file| say(file.to_line()))?;

    say("Not checked:")?;
    summary::not_checked(checked)
        .iter()
        .try_for_each(|text| say(format!("  - {text}")))
}
