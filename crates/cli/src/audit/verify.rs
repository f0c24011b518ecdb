//! `quorate audit verify`: prints the verdict on each certificate.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use quorate_certificate::{
    Certificate, Judgement, MAX_BYTES, Policy, Summary, TrustRoot, Verdict, verify,
};
use quorate_console::say;
use quorate_types::Outcome;
use serde_json::{Value, json};

use super::{exit_code, files, read_trust_root, summary};

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
    /// Genesis file of the swarm. It must come to you another way than the certificates.
    #[arg(long, value_name = "GENESIS")]
    trust: PathBuf,
    /// Least number of distinct operators among the signers of each commit.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_operators: usize,
    /// Write JSON lines.
    #[arg(long)]
    json: bool,
}

/// The least number of files for which a progress bar is shown.
const MANY: usize = 50;

/// The verdict on one file.
#[derive(Debug)]
pub(super) struct Checked {
    path: PathBuf,
    /// The verdict, or the error if the file could not be read.
    verdict: Result<Verdict, io::Error>,
    /// The assignment or the clearing that the certificate certifies; `None` if it certifies
    /// something else or is not authentic.
    auction: Option<Outcome>,
}

/// Verifies the certificates, and prints the verdicts.
///
/// # Errors
/// Only if the usage is wrong. A fault of a certificate is not an error but a verdict.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let root = read_trust_root(&args.trust).context("--trust")?;
    let files = files::certificates(&args.files)?;

    let policy = Policy {
        min_operators: args.min_operators,
        ..Policy::default()
    };

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

/// Verifies all files on all cores. The results are in the order of the files.
pub(super) fn check_all(files: Vec<PathBuf>, root: &TrustRoot, policy: &Policy) -> Vec<Checked> {
    let bar = bar(files.len());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Each core gets files that stand together, so that joining the shares keeps their order.
    let share = files.len().div_ceil(cores).max(1);

    let check = |path: &PathBuf| {
        let checked = check(path, root, policy);
        bar.inc(1);
        checked
    };
    let checked = std::thread::scope(|scope| {
        let shares = files.chunks(share);
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(|| share.iter().map(check).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(joined).collect()
    });

    bar.finish_and_clear();
    checked
}

/// The progress bar over so many files; hidden if they are few or nobody watches.
fn bar(files: usize) -> ProgressBar {
    match files >= MANY && io::stderr().is_terminal() {
        true => ProgressBar::new(files as u64),
        false => ProgressBar::hidden(),
    }
}

/// The result of a thread. If the thread panicked, the panic continues here, so that no file is
/// ever left out silently.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn check(path: &Path, root: &TrustRoot, policy: &Policy) -> Checked {
    let mut auction = None;
    let verdict = files::read(path, MAX_BYTES).map(|bytes| {
        let verdict = verify(&bytes, root, policy);
        // There is a summary only if the certificate is authentic.
        auction = verdict.summary.as_ref().and_then(|_| auction_of(&bytes));
        verdict
    });

    Checked {
        path: path.to_owned(),
        verdict,
        auction,
    }
}

/// The outcome of a certificate, if it is an assignment or a clearing.
fn auction_of(bytes: &[u8]) -> Option<Outcome> {
    let outcome = Certificate::decode(bytes).ok()?.outcome;
    matches!(outcome, Outcome::Assignment(_) | Outcome::Clearing(_)).then_some(outcome)
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

/// The list of what was not checked, for a file that could not be read.
const UNREAD: [&str; 1] = ["anything: the file could not be read"];

impl Checked {
    /// The judgement of the file. A file that could not be read cannot be evaluated.
    pub(super) fn judgement(&self) -> Judgement {
        self.verdict
            .as_ref()
            .map_or(Judgement::CannotEvaluate, |verdict| verdict.verdict)
    }

    /// The name of the file.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The assignment or the clearing that the file certifies, if it is authentic.
    pub(super) fn auction(&self) -> Option<&Outcome> {
        self.auction.as_ref()
    }

    /// The points that the verdict leaves open.
    pub(super) fn not_checked(&self) -> &[&'static str] {
        self.verdict
            .as_ref()
            .map_or(&UNREAD, |verdict| &verdict.not_checked)
    }

    /// The name of the rule that was broken, and the rule in words.
    fn reason(&self) -> Option<(&'static str, String)> {
        match &self.verdict {
            Ok(verdict) => verdict
                .reason
                .map(|reason| (reason.code(), reason.to_string())),
            Err(error) => Some(("unreadable", error.to_string())),
        }
    }

    fn summary(&self) -> Option<&Summary> {
        self.verdict
            .as_ref()
            .ok()
            .and_then(|verdict| verdict.summary.as_ref())
    }

    pub(super) fn to_json(&self) -> Value {
        let (reason, explanation) = self.reason().unzip();
        json!({
            "file": self.name(),
            "verdict": self.judgement().name(),
            "reason": reason,
            "explanation": explanation,
            "certifies": self.summary().map(summary_json),
            "not_checked": self.not_checked(),
        })
    }

    pub(super) fn to_line(&self) -> String {
        let mut line = format!("{:<16}{}", self.judgement().name(), self.path.display());

        if let Some((_, explanation)) = self.reason() {
            line += &format!("\n{:16}{explanation}", "");
        }

        if let Some(summary) = self.summary() {
            line += &format!("\n{:16}{}", "", summary_line(summary));
        }
        line
    }
}

fn summary_json(summary: &Summary) -> Value {
    json!({
        "identity": summary.identity,
        "swarm": summary.swarm,
        "height": summary.height,
        "round": summary.round,
        "block": summary.block,
        "block_time": summary.block_time,
        "outcome": summary.outcome,
        "operation": summary.operation,
        "task": summary.task.map(|task| task.to_string()),
        "token": summary.token,
        "agent": summary.agent,

        "signers": summary.signers,
        "power": summary.power,
        "total_power": summary.total_power,
        "operators": summary.operators,
        "handovers": summary.handovers,
    })
}

fn summary_line(summary: &Summary) -> String {
    let mut line = summary.operation.unwrap_or(summary.outcome).to_owned();

    if let Some(task) = summary.task {
        line += &format!(" of task {}/{}", task.requester.short(), task.number);
    }
    if let Some(agent) = summary.agent {
        line += &format!(", agent {}", agent.short());
    }
    if let Some(token) = summary.token {
        line += &format!(", fencing token {token}");
    }

    let Summary {
        height,
        signers,
        power,
        total_power,
        operators,
        ..
    } = summary;

    line + &format!(
        "; height {height}, signed by {signers} validators of {operators} operators with {power} \
         of {total_power} of the power"
    )
}
