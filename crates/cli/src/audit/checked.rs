//! The verdicts on the files of an audit.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use quorate_certificate::{
    Certificate, Judgement, MAX_BYTES, Policy, Summary, TrustRoot, Verdict, verify,
};
use quorate_types::Outcome;
use serde_json::{Value, json};

use super::files;

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
