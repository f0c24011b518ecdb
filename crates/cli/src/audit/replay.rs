//! `quorate audit replay`: runs every auction again, and compares it with the certified
//! assignments.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use quorate_certificate::{
    ANSWERED_BY_REPLAY, AuctionFacts, Auctions, AuditedAuction, Judgement, NOT_REPLAYED, TrustRoot,
    WrongAward,
};
use quorate_console::say;
use quorate_types::limits;
use serde_json::{Value, json};

use super::checked::{Checked, check_all};
use super::exit::exit_code;
use super::trust::TrustArgs;
use super::{files, summary};

/// Run auctions again from their dossiers, and compare them with certified assignments
///
/// First verifies the certificates as `quorate audit verify` does. Then, for each dossier, checks
/// that its inputs are all those that the certified record of the clearing binds, so that not one
/// losing bid is missing; runs the mechanism again on these inputs; and checks that it gives the
/// winner, the price and the charge of each certified assignment. Lists what it did not check.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  quorate submit desk --payload @job.txt --out certificates      # keeps dossiers as well
  quorate audit replay certificates --trust genesis.toml

Files whose names end in .dossier are dossiers; all others are certificates. A dossier counts only
if one of the certificates is of its clearing, or of an assignment that follows from it.

Exit codes:
  0  every certificate verified, and every auction gives what is certified
  1  a certificate or dossier is not authentic, or an auction gives something else
  2  everything is authentic, but a certificate falls short of the policy
  3  something cannot be evaluated, for instance because a dossier is missing or a mechanism is not
     known, and nothing is worse than that
  4  wrong usage: there is no auction in the input, or no trust root that can be read

--json writes one object:
  verdict      the gravest one: verified, not_authentic, policy_failed or cannot_evaluate
  verified     number of certificates that verified
  replayed     number of auctions that were run again and give what is certified
  auctions     each with clearing, file, verdict, reason, explanation, market, window, mechanism,
               version, tasks, bidders, bids, excluded, solutions, solution (the operation whose
               solution was taken; null if the mechanism's own was), assigned, total, compared
  mismatches   assignments that differ from what the auction gives: clearing, file, task,
               explanation
  refused      certificates that did not verify, as `quorate audit verify --json` writes them
  not_checked  what the verdict does not say; never empty")]
pub(super) struct Args {
    /// Certificates and dossiers, or folders of them. A folder is read with all folders below it;
    /// hidden files are left out.
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// The results of the whole run.
struct Findings {
    checked: Vec<Checked>,
    auctions: Vec<AuditedAuction>,
}

/// Verifies the certificates, runs the auctions again, and prints the results.
///
/// # Errors
/// If the usage is wrong, or a dossier cannot be read.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let root = args.trust.root()?;
    let files = files::collect(&args.files)?;

    let policy = args.trust.policy();
    let checked = check_all(files.certificates, &root, &policy);
    let known = auctions_of(&checked, files.dossiers)?;
    let findings = Findings {
        auctions: known.replay(&root),
        checked,
    };

    // If a certificate was refused, the verdict on it matters more than that there is no auction.
    let is_refused = findings.refused().next().is_some();
    ensure!(
        is_refused || !known.is_empty(),
        "there is no auction among these files: give dossiers, or certificates of assignments"
    );

    match args.json {
        true => say(findings.to_json().to_string())?,
        false => findings.say_for_people(&root)?,
    }

    Ok(exit_code(findings.verdict()).into())
}

/// Brings the outcomes of verified certificates and the dossiers in these files together.
fn auctions_of(checked: &[Checked], dossiers: Vec<PathBuf>) -> Result<Auctions> {
    let mut known = Auctions::default();
    for file in checked {
        // Only authentic certificates may say which auctions are to be compared.
        if let Some(outcome) = file.auction() {
            known.certify(file.name(), outcome);
        }
    }

    for path in dossiers {
        let name = path.display().to_string();
        let bytes = files::read(&path, limits::DOSSIER_BYTES).with_context(|| name.clone())?;
        known.add_dossier(name, &bytes);
    }

    Ok(known)
}

impl Findings {
    fn verdict(&self) -> Judgement {
        let certificates = self.checked.iter().map(Checked::judgement);
        summary::gravest(certificates.chain(self.auctions.iter().map(AuditedAuction::judgement)))
    }

    fn refused(&self) -> impl Iterator<Item = &Checked> {
        self.checked
            .iter()
            .filter(|file| file.judgement() != Judgement::Verified)
    }

    fn verified(&self) -> usize {
        self.checked.len() - self.refused().count()
    }

    fn replayed(&self) -> usize {
        let agrees = |auction: &&AuditedAuction| auction.judgement() == Judgement::Verified;
        self.auctions.iter().filter(agrees).count()
    }

    fn not_checked(&self) -> Vec<&'static str> {
        // Replay itself answers some points that the verdicts on certificates leave open.
        let certificates = summary::not_checked(&self.checked).into_iter();
        let open = certificates.filter(|text| !ANSWERED_BY_REPLAY.contains(text));
        NOT_REPLAYED.into_iter().chain(open).collect()
    }

    fn to_json(&self) -> Value {
        let mismatches = self.auctions.iter().flat_map(|auction| {
            auction
                .mismatches
                .iter()
                .map(|wrong| mismatch_json(auction, wrong))
        });

        json!({
            "verdict": self.verdict().name(),
            "verified": self.verified(),
            "replayed": self.replayed(),
            "auctions": self.auctions.iter().map(auction_json).collect::<Vec<_>>(),
            "mismatches": mismatches.collect::<Vec<_>>(),
            "refused": self.refused().map(Checked::to_json).collect::<Vec<_>>(),
            "not_checked": self.not_checked(),
        })
    }

    fn say_for_people(&self, root: &TrustRoot) -> Result<()> {
        say(format!(
            "trust root {} of swarm {}",
            root.fingerprint(),
            root.name()
        ))?;

        self.refused().try_for_each(|file| say(file.to_line()))?;
        self.auctions
            .iter()
            .try_for_each(|auction| say(auction_line(auction)))?;

        say("Not checked:")?;
        self.not_checked()
            .iter()
            .try_for_each(|text| say(format!("  - {text}")))?;

        say(format!(
            "{} of {} certificates verified",
            self.verified(),
            self.checked.len()
        ))?;
        say(format!(
            "{} of {} auctions agree",
            self.replayed(),
            self.auctions.len()
        ))
    }
}

fn auction_json(auction: &AuditedAuction) -> Value {
    let facts = auction.facts.as_ref();
    let record = facts.map(|facts| &facts.record);

    json!({
        "clearing": auction.clearing,
        "file": auction.file,
        "verdict": auction.judgement().name(),
        "reason": auction.fault.as_ref().map(|fault| fault.code()),
        "explanation": auction.fault.as_ref().map(ToString::to_string),
        "market": record.map(|record| &record.market),
        "window": record.map(|record| record.window),
        "mechanism": record.map(|record| &record.mechanism),
        "version": record.map(|record| record.version),
        "tasks": facts.map(|facts| facts.tasks),
        "bidders": facts.map(|facts| facts.bidders),
        "bids": facts.map(|facts| facts.bids),
        "excluded": facts.map(|facts| facts.excluded),
        "solutions": facts.map(|facts| facts.solutions),
        "solution": record.and_then(|record| record.solution),
        "assigned": record.map(|record| record.assigned),
        "total": record.map(|record| record.total),
        "compared": auction.compared,
    })
}

fn mismatch_json(auction: &AuditedAuction, wrong: &WrongAward) -> Value {
    json!({
        "clearing": auction.clearing,
        "file": wrong.file,
        "task": wrong.task.to_string(),
        "explanation": wrong.mismatch.to_string(),
    })
}

fn auction_line(auction: &AuditedAuction) -> String {
    let mut line = format!("{:<16}{}", auction.judgement().name(), auction.file);
    if let Some(facts) = &auction.facts {
        line += &format!("\n{:16}{}", "", facts_line(facts));
    }

    if auction.fault.is_none() {
        line += &format!("; {} certified assignments compared", auction.compared);
    }

    for complaint in auction.complaints() {
        line += &format!("\n{:16}{complaint}", "");
    }
    line
}

fn facts_line(facts: &AuctionFacts) -> String {
    let AuctionFacts {
        record,
        tasks,
        bids,
        excluded,
        solutions,
        ..
    } = facts;

    let taken = match record.solution {
        _ if *solutions == 0 => String::new(),
        None => format!("; none of {solutions} solutions was better"),
        Some(operation) => {
            format!("; by the solution of operation {operation}, one of {solutions}")
        }
    };
    format!(
        "market {}, window {}, by {} {}: {tasks} tasks, {bids} bids, {excluded} of them excluded, \
         {} assigned for {}{taken}",
        record.market,
        record.window,
        record.mechanism,
        record.version,
        record.assigned,
        record.total
    )
}
