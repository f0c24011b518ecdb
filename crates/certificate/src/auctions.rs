//! The auctions behind many certificates: brings certified assignments and dossiers together, by
//! the clearing that they belong to, and runs each auction again.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::outcome::{Assignment, ClearingInput, ClearingRecord};
use quorate_types::{Hash, Outcome, TaskId};

use crate::{Dossier, DossierError, Judgement, Mismatch, Replay, ReplayError, TrustRoot};

/// Everything that certificates and dossiers tell of auctions.
///
/// Certificates must be verified before they are put in. Files are told apart by names, which are
/// any text that the caller finds them by.
#[derive(Debug, Default)]
pub struct Auctions {
    /// The statements of certificates about each clearing, by the hash of its record.
    certified: BTreeMap<Hash, Certified>,
    /// The dossiers with the names of their files, or the reason why one cannot be read.
    dossiers: Vec<(String, Result<Dossier, DossierError>)>,
}

/// The statements of certificates about one clearing.
#[derive(Debug, Default)]
struct Certified {
    /// Names of the files that certify the record itself.
    records: Vec<String>,
    /// The certified assignments that name the clearing, each with the name of its file.
    assignments: Vec<(String, Assignment)>,
}

/// The result of running one auction again.
#[derive(Debug)]
pub struct AuditedAuction {
    /// Hash of the clearing's record; `None` if the dossier cannot be read.
    pub clearing: Option<Hash>,
    /// Name of the dossier's file, or of a certificate whose dossier is missing.
    pub file: String,
    /// The facts in the dossier; `None` if it is missing or cannot be read.
    pub facts: Option<AuctionFacts>,
    /// The number of certified assignments that were compared.
    pub compared: usize,
    /// The fault that concerns the whole auction; `None` if it gives what its record says.
    pub fault: Option<AuctionFault>,
    /// The certified assignments that differ from what the auction gives.
    pub mismatches: Vec<WrongAward>,
}

/// AuctionFacts about an auction, from its dossier.
#[derive(Debug)]
pub struct AuctionFacts {
    /// The record of the clearing.
    pub record: ClearingRecord,
    /// The number of tasks that were to be assigned.
    pub tasks: usize,
    /// The number of agents that bid.
    pub bidders: usize,
    /// The number of bids, those that were excluded among them.
    pub bids: usize,
    /// The number of `bids` that were excluded from the clearing.
    pub excluded: usize,
    /// The number of solutions that members proposed.
    pub solutions: usize,
}

/// A fault that concerns a whole auction.
#[derive(Debug, thiserror::Error)]
pub enum AuctionFault {
    /// No certificate at hand is of the clearing.
    #[error("no certificate here is of this clearing, so anyone can have made the dossier")]
    Uncertified,
    /// Certificates name the clearing, but its dossier is not at hand.
    #[error("the dossier of the clearing that this certificate names is not here")]
    Missing,
    /// The auction cannot be run again, or gives something else than its record.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// A certified assignment that differs from what the auction gives.
#[derive(Debug)]
pub struct WrongAward {
    /// Name of the certificate's file.
    pub file: String,
    /// The task that is assigned.
    pub task: TaskId,
    /// The way in which the assignment differs.
    pub mismatch: Mismatch,
}

impl Auctions {
    /// Takes in the outcome of a verified certificate. Ignores it if it says nothing of an auction.
    pub fn certify(&mut self, file: String, outcome: &Outcome) {
        match outcome {
            Outcome::Assignment(assignment) => {
                let certified = self.certified.entry(assignment.clearing).or_default();
                certified.assignments.push((file, assignment.clone()));
            }

            Outcome::Clearing(record) => {
                self.certified
                    .entry(record.hash())
                    .or_default()
                    .records
                    .push(file);
            }

            Outcome::Receipt(_) | Outcome::Refusal(_) | Outcome::Expiry(_) => {}
        }
    }

    /// Takes in the bytes of a dossier, even if they are not a valid one.
    pub fn add_dossier(&mut self, file: String, bytes: &[u8]) {
        self.dossiers.push((file, Dossier::decode(bytes)));
    }

    /// Returns whether there is nothing about any auction.
    pub fn is_empty(&self) -> bool {
        self.certified.is_empty() && self.dossiers.is_empty()
    }

    /// Runs each auction again by the rules of this swarm. Returns the auctions of all dossiers in
    /// the order in which these came, then those that certificates name but whose dossier is
    /// missing.
    pub fn replay(&self, root: &TrustRoot) -> Vec<AuditedAuction> {
        let mut seen = BTreeSet::new();
        let mut auctions = Vec::new();
        for (file, dossier) in &self.dossiers {
            let auction = self.replay_one(file, dossier, root);
            seen.extend(auction.clearing);
            auctions.push(auction);
        }

        let missing = self
            .certified
            .iter()
            .filter(|(clearing, _)| !seen.contains(*clearing));
        auctions.extend(missing.filter_map(|(clearing, certified)| certified.missing(*clearing)));

        auctions
    }

    fn replay_one(
        &self,
        file: &str,
        dossier: &Result<Dossier, DossierError>,
        root: &TrustRoot,
    ) -> AuditedAuction {
        match dossier {
            Ok(dossier) => self.replay_dossier(file, dossier, root),
            Err(error) => {
                let fault = AuctionFault::Replay(ReplayError::Dossier(error.clone()));
                AuditedAuction::faulty(None, file.to_owned(), None, fault)
            }
        }
    }

    fn replay_dossier(&self, file: &str, dossier: &Dossier, root: &TrustRoot) -> AuditedAuction {
        let clearing = dossier.record.hash();
        let faulty = |fault| {
            let facts = AuctionFacts::of(dossier);
            AuditedAuction::faulty(Some(clearing), file.to_owned(), Some(facts), fault)
        };

        // Before the auction is run, so that a made-up dossier costs no more than this lookup
        // (C-17).
        let Some(certified) = self.certified.get(&clearing) else {
            return faulty(AuctionFault::Uncertified);
        };

        match Replay::run(dossier, root) {
            Err(error) => faulty(AuctionFault::Replay(error)),

            Ok(replay) => AuditedAuction {
                clearing: Some(clearing),
                file: file.to_owned(),
                facts: Some(AuctionFacts::of(dossier)),
                compared: certified.assignments.len(),
                fault: None,
                mismatches: certified.compare(&replay),
            },
        }
    }
}

impl Certified {
    /// The certified assignments that differ from what the replay gives.
    fn compare(&self, replay: &Replay) -> Vec<WrongAward> {
        let compared = self.assignments.iter().map(|(file, assignment)| {
            let mismatch = replay.check(assignment).err()?;
            Some(WrongAward {
                file: file.clone(),
                task: assignment.task,
                mismatch,
            })
        });

        compared.flatten().collect()
    }

    /// Reports the missing dossier of the clearing, under the name of a certificate's file.
    fn missing(&self, clearing: Hash) -> Option<AuditedAuction> {
        let mut files = self
            .assignments
            .iter()
            .map(|(file, _)| file)
            .chain(&self.records);

        let file = files.next()?.clone();
        Some(AuditedAuction::faulty(
            Some(clearing),
            file,
            None,
            AuctionFault::Missing,
        ))
    }
}

impl AuctionFault {
    /// Returns the stable name of the fault, such as `missing_dossier`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Uncertified => "uncertified_dossier",
            Self::Missing => "missing_dossier",
            Self::Replay(error) => error.code(),
        }
    }
}

impl AuditedAuction {
    fn faulty(
        clearing: Option<Hash>,
        file: String,
        facts: Option<AuctionFacts>,
        fault: AuctionFault,
    ) -> Self {
        Self {
            clearing,
            file,
            facts,
            compared: 0,
            fault: Some(fault),
            mismatches: Vec::new(),
        }
    }

    /// Returns the complaints about the auction, each with the file that it is about. Empty if the
    /// auction gives what is certified.
    pub fn complaints(&self) -> Vec<String> {
        let fault = self
            .fault
            .iter()
            .map(|fault| format!("{}: {fault}", self.file));

        let wrong = self.mismatches.iter().map(
            |WrongAward {
                 file,
                 task,
                 mismatch,
             }| { format!("{file}: task {task:?}: {mismatch}") },
        );

        fault.chain(wrong).collect()
    }

    /// Returns the judgement of the auction. It is `Verified` if the auction gives what is
    /// certified.
    pub fn judgement(&self) -> Judgement {
        match &self.fault {
            Some(AuctionFault::Uncertified) => Judgement::NotAuthentic,
            Some(AuctionFault::Missing) => Judgement::CannotEvaluate,
            Some(AuctionFault::Replay(error)) => error.judgement(),
            None if self.mismatches.is_empty() => Judgement::Verified,
            None => Judgement::NotAuthentic,
        }
    }
}

impl AuctionFacts {
    fn of(dossier: &Dossier) -> Self {
        let record = dossier.record.clone();
        let mut facts = Self {
            record,
            tasks: 0,
            bidders: 0,
            bids: 0,
            excluded: 0,
            solutions: 0,
        };

        for input in &dossier.inputs {
            match input {
                ClearingInput::Task(_) => facts.tasks += 1,
                ClearingInput::Bidder(_) => facts.bidders += 1,
                ClearingInput::Solution(_) => facts.solutions += 1,
                ClearingInput::Bid(bid) => {
                    facts.bids += 1;
                    facts.excluded += usize::from(bid.excluded.is_some());
                }
            }
        }
        facts
    }
}
