//! Certified assignments and dossiers, brought together by the clearings they are of.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::{
    Dossier, DossierError, Judgement, Mismatch, Replay, ReplayError, TrustRoot,
};
use quorate_types::outcome::{Assignment, ClearingInput, ClearingRecord};
use quorate_types::{Hash, Outcome, TaskId};

/// What is known of auctions; certificates are verified before they come in.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// What certificates say of each clearing.
    certified: BTreeMap<Hash, Certified>,
    /// With the names of their files.
    dossiers: Vec<(String, Result<Dossier, DossierError>)>,
}

/// What certificates say of one clearing.
#[derive(Debug, Default)]
struct Certified {
    /// Names of the files that certify the record itself.
    records: Vec<String>,
    /// Names of files, and the assignments they certify.
    assignments: Vec<(String, Assignment)>,
}

/// What came of one auction.
#[derive(Debug)]
pub(crate) struct Auction {
    /// Hash of the record; `None` where the dossier cannot be read.
    pub(crate) clearing: Option<Hash>,
    /// Name of the dossier's file, or of a certificate whose dossier is missing.
    pub(crate) file: String,
    /// By its dossier.
    pub(crate) facts: Option<Facts>,
    /// Certified assignments that were compared.
    pub(crate) compared: usize,
    /// What is wrong with the auction as a whole; `None` where it gives what its record says.
    pub(crate) fault: Option<Fault>,
    /// Certified assignments that are not what the auction gives.
    pub(crate) mismatches: Vec<WrongAward>,
}

/// What a dossier says.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) record: ClearingRecord,
    pub(crate) tasks: usize,
    pub(crate) bidders: usize,
    pub(crate) bids: usize,
    /// Of `bids`.
    pub(crate) excluded: usize,
    /// Proposed from outside.
    pub(crate) solutions: usize,
}

/// What is wrong with an auction as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Nothing here certifies the record.
    #[error("no certificate here is of this clearing: anyone can have made the dossier")]
    Uncertified,
    /// There are certificates alone.
    #[error("the dossier of the clearing that it names is not here")]
    Missing,
    /// It cannot be run again, or gives something else.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// A certified assignment that is not what the auction gives.
#[derive(Debug)]
pub(crate) struct WrongAward {
    /// Name of the certificate's file.
    pub(crate) file: String,
    pub(crate) task: TaskId,
    pub(crate) mismatch: Mismatch,
}

impl Bundle {
    /// Takes in what a verified certificate says; only what it says of auctions counts.
    pub(crate) fn certify(&mut self, file: String, outcome: &Outcome) {
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

    /// Takes in the bytes of a dossier, whatever they are.
    pub(crate) fn add_dossier(&mut self, file: String, bytes: &[u8]) {
        self.dossiers.push((file, Dossier::decode(bytes)));
    }

    /// Whether there is nothing of any auction.
    pub(crate) fn is_empty(&self) -> bool {
        self.certified.is_empty() && self.dossiers.is_empty()
    }

    /// Runs each auction again by the rules of this swarm: the dossiers as they came, then what
    /// certificates name and no dossier is here of.
    pub(crate) fn replay(&self, root: &TrustRoot) -> Vec<Auction> {
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
    ) -> Auction {
        let dossier = match dossier {
            Ok(dossier) => dossier,
            Err(error) => {
                let fault = Fault::Replay(ReplayError::Dossier(error.clone()));
                return Auction::faulty(None, file.to_owned(), None, fault);
            }
        };
        let clearing = dossier.record.hash();
        let faulty = |fault| {
            Auction::faulty(
                Some(clearing),
                file.to_owned(),
                Some(Facts::of(dossier)),
                fault,
            )
        };
        // Before anything is run: a made-up dossier must not cost more than it is worth.
        let Some(certified) = self.certified.get(&clearing) else {
            return faulty(Fault::Uncertified);
        };
        match Replay::run(dossier, root) {
            Err(error) => faulty(Fault::Replay(error)),
            Ok(replay) => Auction {
                clearing: Some(clearing),
                file: file.to_owned(),
                facts: Some(Facts::of(dossier)),
                compared: certified.assignments.len(),
                fault: None,
                mismatches: certified.compare(&replay),
            },
        }
    }
}

impl Certified {
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

    /// That the dossier is missing, under the name of a certificate.
    fn missing(&self, clearing: Hash) -> Option<Auction> {
        let mut files = self
            .assignments
            .iter()
            .map(|(file, _)| file)
            .chain(&self.records);
        let file = files.next()?.clone();
        Some(Auction::faulty(Some(clearing), file, None, Fault::Missing))
    }
}

impl Fault {
    /// The stable name: `missing_dossier`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Uncertified => "uncertified_dossier",
            Self::Missing => "missing_dossier",
            Self::Replay(error) => error.code(),
        }
    }
}

impl Auction {
    fn faulty(clearing: Option<Hash>, file: String, facts: Option<Facts>, fault: Fault) -> Self {
        let (compared, fault, mismatches) = (0, Some(fault), Vec::new());
        Self {
            clearing,
            file,
            facts,
            compared,
            fault,
            mismatches,
        }
    }

    /// What is wrong, each with the file it is about; nothing where it gives what is certified.
    pub(crate) fn complaints(&self) -> Vec<String> {
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

    /// Whether it gives what is certified.
    pub(crate) fn judgement(&self) -> Judgement {
        match &self.fault {
            Some(Fault::Uncertified) => Judgement::NotAuthentic,
            Some(Fault::Missing) => Judgement::CannotEvaluate,
            Some(Fault::Replay(error)) => error.judgement(),
            None if self.mismatches.is_empty() => Judgement::Verified,
            None => Judgement::NotAuthentic,
        }
    }
}

impl Facts {
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
