//! Fetching dossiers: one validator after the other is asked, and each lie is seen.
//!
//! A dossier is named by the hash of its record, and the record binds all inputs by their root: a
//! validator can withhold a dossier, or send another in vain. The next one is asked then.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_certificate::Dossier;
use quorate_types::cose::Owned;
use quorate_types::message::{DossierPart, FetchDossier, Request};
use quorate_types::{Hash, Millis, Outcome, PublicKey, limits};

use super::links::Asked;
use super::{DossierBundle, Event, LightClient};

/// Validators in reach are asked so many times each: the first may not have the block yet.
const ROUNDS: u32 = 3;
/// A validator that has not answered after so many intervals is passed over.
const SILENT_TICKS: u64 = 3;

/// Dossiers that are on their way.
#[derive(Debug, Default)]
pub(super) struct Dossiers {
    fetches: BTreeMap<Hash, Fetch>,
}

#[derive(Debug, Default)]
struct Fetch {
    /// Who was asked in this round.
    asked: BTreeSet<PublicKey>,
    /// Who is asked now, and heard last when.
    at: Option<(PublicKey, Millis)>,
    rounds: u32,
    /// What that one has sent of it so far.
    part: Vec<u8>,
    /// Checked against the name.
    dossier: Option<Vec<u8>>,
}

impl Fetch {
    /// Takes a part; whether it is one of a dossier within limits.
    fn take(&mut self, part: DossierPart) -> Option<Received> {
        let DossierPart { total, bytes: Owned(bytes) } = part;
        let total = usize::try_from(total).ok().filter(|total| *total <= limits::DOSSIER_BYTES)?;
        let length = self.part.len() + bytes.len();
        if bytes.is_empty() || bytes.len() > limits::DOSSIER_PART_BYTES || length > total {
            return None;
        }
        self.part.extend(bytes);
        Some(if length == total { Received::Whole } else { Received::Part })
    }
}

/// How much of a dossier is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    Part,
    Whole,
}

impl LightClient {
    /// Fetches the dossier of a clearing, named by the hash of its record, and the certificate of
    /// the record; [`Event::Dossier`] answers, once for all who asked meanwhile.
    pub fn fetch_dossier(&mut self, clearing: Hash, now: Millis) {
        if let Entry::Vacant(fetch) = self.dossiers.fetches.entry(clearing) {
            fetch.insert(Fetch::default());
            self.ask_next(clearing, now);
        }
    }

    /// Passes over who is silent, and begins new rounds.
    pub(super) fn pursue_dossiers(&mut self, now: Millis) {
        let patience = self.config.resubmit.saturating_mul(SILENT_TICKS);
        let is_stuck =
            |fetch: &Fetch| fetch.at.is_none_or(|(_, since)| since.saturating_add(patience) <= now);
        let stuck = self.dossiers.fetches.iter().filter(|(_, fetch)| is_stuck(fetch));
        let stuck: Vec<Hash> = stuck.map(|(clearing, _)| *clearing).collect();
        stuck.into_iter().for_each(|clearing| self.ask_next(clearing, now));
    }

    /// A validator sent a part of a dossier, or has none.
    pub(super) fn handle_dossier(
        &mut self,
        from: PublicKey,
        clearing: Hash,
        part: Option<DossierPart>,
        now: Millis,
    ) {
        let Some(fetch) = self.dossiers.fetches.get_mut(&clearing) else { return };
        if fetch.at.is_none_or(|(asked, _)| asked != from) || fetch.dossier.is_some() {
            return;
        }
        match part.map(|part| fetch.take(part)) {
            None => self.ask_next(clearing, now),
            Some(Some(Received::Part)) => self.ask_for_rest(from, clearing, now),
            Some(Some(Received::Whole)) if is_of(&fetch.part, &clearing) => {
                fetch.dossier = Some(std::mem::take(&mut fetch.part));
                self.ask_for_rest(from, clearing, now);
            }
            Some(_) => {
                self.counters.unexpected += 1;
                self.ask_next(clearing, now);
            }
        }
    }

    /// A validator sent the certificate of a clearing, or has none.
    pub(super) fn handle_clearing(
        &mut self,
        from: PublicKey,
        clearing: Hash,
        certificates: Vec<Owned>,
        now: Millis,
    ) {
        let Some(fetch) = self.dossiers.fetches.get(&clearing) else { return };
        if fetch.at.is_none_or(|(asked, _)| asked != from) || fetch.dossier.is_none() {
            return;
        }
        let is_certified = |bytes: &Owned| match self.verifier.verify(&bytes.0) {
            Some(Outcome::Clearing(record)) => record.hash() == clearing,
            _ => false,
        };
        match certificates.into_iter().next().filter(is_certified) {
            Some(Owned(certificate)) => self.conclude_fetch(clearing, Some(certificate)),
            None => self.ask_next(clearing, now),
        }
    }

    /// Asks the next validator for what is missing; after the last one, another round begins at the
    /// next tick, or what is there must do.
    fn ask_next(&mut self, clearing: Hash, now: Millis) {
        let connected = self.connected();
        let Some(fetch) = self.dossiers.fetches.get_mut(&clearing) else { return };
        fetch.part.clear();
        let next = connected.into_iter().find(|validator| !fetch.asked.contains(validator));
        let Some(next) = next else {
            fetch.rounds += 1;
            (fetch.at, fetch.asked) = (None, BTreeSet::new());
            if fetch.rounds >= ROUNDS {
                self.conclude_fetch(clearing, None);
            }
            return;
        };
        fetch.asked.insert(next);
        self.ask_for_rest(next, clearing, now);
    }

    /// Asks a validator for what is missing of a dossier, or for the certificate of its record.
    fn ask_for_rest(&mut self, validator: PublicKey, clearing: Hash, now: Millis) {
        let Some(fetch) = self.dossiers.fetches.get_mut(&clearing) else { return };
        fetch.at = Some((validator, now));
        let (request, asked) = match fetch.dossier {
            Some(_) => (Request::Clearing(clearing), Asked::Clearing(clearing)),
            None => {
                let from = fetch.part.len() as u64;
                let wanted = FetchDossier { clearing, from };
                (Request::Dossier(wanted), Asked::Dossier(clearing))
            }
        };
        self.ask(&validator, request, Some(asked));
    }

    fn conclude_fetch(&mut self, clearing: Hash, certificate: Option<Vec<u8>>) {
        let fetch = self.dossiers.fetches.remove(&clearing);
        let dossier = fetch.and_then(|fetch| fetch.dossier);
        let found = dossier.map(|dossier| Arc::new(DossierBundle { dossier, certificate }));
        self.event(Event::Dossier { clearing, found });
    }
}

/// Whether these bytes are the dossier of the record with this hash.
fn is_of(bytes: &[u8], clearing: &Hash) -> bool {
    Dossier::decode(bytes)
        .is_ok_and(|dossier| dossier.record.hash() == *clearing && dossier.check_root().is_ok())
}
