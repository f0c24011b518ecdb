//! Fetches data that is longer than one answer: in parts, from one validator after the other.
//!
//! A validator that is silent, has no such data, or sends data that cannot be right is passed over.
//! After a few rounds there is an answer in any case.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use quorate_types::cose::Owned;
use quorate_types::message::{Answer, FetchBids, FetchDossier, Part, Request};
use quorate_types::{Hash, Label, MonotonicMillis, PublicKey, limits};

use super::LightClient;
use super::links::Asked;

/// The number of times that each validator in reach is asked. At the first time it may not have the
/// block yet.
const ROUNDS: u32 = 3;

/// Data that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// The dossier of a clearing.
    Dossier(Hash),
    /// The problem to be solved in a window of a market.
    Bids(Label, u64),
}

/// Data that is fetched, from a byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) wanted: Wanted,
    /// The position of the first byte, counted from 0.
    pub(super) from: u64,
}

/// A fetch in progress.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    /// The validators that were asked in this round.
    asked: BTreeSet<PublicKey>,
    /// The validator that is asked now, and the time at which it was asked or heard last.
    at: Option<(PublicKey, MonotonicMillis)>,
    rounds: u32,
    /// The bytes that this validator has sent so far.
    part: Vec<u8>,
    /// The dossier, checked against its name. Its certificate is still wanted.
    pub(super) dossier: Option<Vec<u8>>,
}

/// How much of the data was received.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Received {
    Part,
    Whole(Vec<u8>),
}

impl Wanted {
    /// Returns the number of intervals after which a silent validator is passed over. It is short
    /// for a window that takes solutions, which does not wait.
    fn silent_ticks(&self) -> u64 {
        match self {
            Self::Dossier(_) => 3,
            Self::Bids(..) => 1,
        }
    }

    /// Returns which of so many validators is asked first. In each window it is another one, so
    /// that one that lies or is slow does not spoil all of them.
    fn first(&self, validators: usize) -> usize {
        match self {
            Self::Dossier(_) => 0,
            Self::Bids(_, window) => (*window % validators.max(1) as u64) as usize,
        }
    }
}

impl Rest {
    fn is_of_dossier(&self) -> bool {
        matches!(self.wanted, Wanted::Dossier(_))
    }

    /// Returns the request for the next part.
    fn request(&self) -> Request {
        let from = self.from;

        match self.wanted.clone() {
            Wanted::Dossier(clearing) => Request::Dossier(FetchDossier { clearing, from }),
            Wanted::Bids(market, window) => Request::Bids(FetchBids {
                market,
                window,
                from,
            }),
        }
    }
}

impl Fetch {
    /// Returns whether this validator is the one that is asked now.
    pub(super) fn is_asked_of(&self, validator: &PublicKey) -> bool {
        self.at.is_some_and(|(asked, _)| asked == *validator)
    }

    /// Takes a part. Returns `None` if it cannot be a part of data within the limits.
    fn take(&mut self, part: Part) -> Option<Received> {
        let Owned(bytes) = part.bytes;
        let total = usize::try_from(part.total).ok()?;
        let length = self.part.len() + bytes.len();
        if total > limits::DOSSIER_BYTES || length > total {
            return None;
        }

        // All parts but the last are full, so nobody can hold up the fetch by sending it byte by
        // byte.
        let is_part = bytes.len() == limits::PART_BYTES || (length == total && !bytes.is_empty());
        if !is_part || bytes.len() > limits::PART_BYTES {
            return None;
        }

        self.part.extend(bytes);
        Some(match length == total {
            true => Received::Whole(std::mem::take(&mut self.part)),
            false => Received::Part,
        })
    }
}

impl LightClient {
    /// Starts to fetch something. Requests that come meanwhile share the fetch.
    pub(super) fn fetch(&mut self, wanted: Wanted, now: MonotonicMillis) {
        if let Entry::Vacant(fetch) = self.fetches.entry(wanted.clone()) {
            fetch.insert(Fetch::default());
            self.ask_next(&wanted, now);
        }
    }

    /// Passes over validators that are silent, and begins new rounds.
    pub(super) fn pursue_fetches(&mut self, now: MonotonicMillis) {
        let interval = self.config.resubmit;
        let is_stuck = |(wanted, fetch): &(&Wanted, &Fetch)| {
            let patience = interval.saturating_mul(wanted.silent_ticks());
            fetch
                .at
                .is_none_or(|(_, since)| since.saturating_add(patience) <= now)
        };

        let stuck = self.fetches.iter().filter(is_stuck);
        let stuck: Vec<Wanted> = stuck.map(|(wanted, _)| wanted.clone()).collect();

        for wanted in &stuck {
            self.ask_next(wanted, now);
        }
    }

    /// Handles an answer to a request of a fetch. Any other answer was not asked for.
    pub(super) fn handle_fetched(
        &mut self,
        from: PublicKey,
        asked: Asked,
        answer: Answer,
        now: MonotonicMillis,
    ) {
        match (asked, answer) {
            (Asked::Part(rest), Answer::Dossier(part)) if rest.is_of_dossier() => {
                self.handle_part(from, &rest, part, now);
            }
            (Asked::Part(rest), Answer::Bids(part)) if !rest.is_of_dossier() => {
                self.handle_part(from, &rest, part, now);
            }
            (Asked::Clearing(clearing), Answer::Certificates(certificates)) => {
                self.handle_clearing(from, clearing, certificates, now);
            }
            _ => self.counters.unexpected += 1,
        }
    }

    /// Handles a part from some byte on, or the answer that there is none. A validator that was
    /// passed over may be slow and right, so it is heard as long as no other one has sent anything.
    fn handle_part(
        &mut self,
        from: PublicKey,
        rest: &Rest,
        part: Option<Part>,
        now: MonotonicMillis,
    ) {
        let wanted = &rest.wanted;
        let Some(fetch) = self.fetches.get_mut(wanted) else {
            return;
        };

        let is_late = !fetch.is_asked_of(&from);
        let is_next = rest.from == fetch.part.len() as u64 && fetch.dossier.is_none();
        if !is_next || (is_late && (rest.from > 0 || part.is_none())) {
            return;
        }

        // From here on it is the one that is asked.
        if is_late {
            fetch.at = Some((from, now));
        }

        let Some(part) = part else {
            self.ask_next(wanted, now);
            return;
        };

        match fetch.take(part) {
            Some(Received::Part) => self.ask_for_rest(from, wanted, now),
            Some(Received::Whole(bytes)) => self.take_whole(from, wanted, bytes, now),
            None => self.refuse_part(wanted, now),
        }
    }

    /// Takes data of which all parts came from this validator.
    fn take_whole(
        &mut self,
        from: PublicKey,
        wanted: &Wanted,
        bytes: Vec<u8>,
        now: MonotonicMillis,
    ) {
        let is_sound = match wanted {
            Wanted::Dossier(clearing) => self.take_dossier(from, *clearing, bytes, now),
            Wanted::Bids(market, window) => self.take_bids(market, *window, &bytes),
        };

        if !is_sound {
            self.refuse_part(wanted, now);
        }
    }

    /// Counts data that cannot be right, and asks the next validator.
    fn refuse_part(&mut self, wanted: &Wanted, now: MonotonicMillis) {
        self.counters.unexpected += 1;
        self.ask_next(wanted, now);
    }

    /// Asks the next validator for the missing data. After the last one, another round begins at
    /// the next tick, or the fetch ends with the data that is there.
    pub(super) fn ask_next(&mut self, wanted: &Wanted, now: MonotonicMillis) {
        let mut connected = self.connected();
        let first = wanted.first(connected.len());
        connected.rotate_left(first);

        let Some(fetch) = self.fetches.get_mut(wanted) else {
            return;
        };

        // Parts of two validators may not belong together.
        fetch.part = Vec::new();

        let next = connected
            .into_iter()
            .find(|validator| !fetch.asked.contains(validator));

        let Some(next) = next else {
            fetch.rounds += 1;
            fetch.at = None;
            fetch.asked = BTreeSet::new();
            if fetch.rounds >= ROUNDS {
                self.give_up(wanted);
            }
            return;
        };

        fetch.asked.insert(next);
        self.ask_for_rest(next, wanted, now);
    }

    /// Asks a validator for the missing data.
    pub(super) fn ask_for_rest(
        &mut self,
        validator: PublicKey,
        wanted: &Wanted,
        now: MonotonicMillis,
    ) {
        let Some(fetch) = self.fetches.get_mut(wanted) else {
            return;
        };

        fetch.at = Some((validator, now));
        let from = fetch.part.len() as u64;

        // The dossier is there already, so only its certificate is missing.
        if let (Wanted::Dossier(clearing), Some(_)) = (wanted, &fetch.dossier) {
            let asked = Asked::Clearing(*clearing);
            self.ask(&validator, Request::Clearing(*clearing), Some(asked));
            return;
        }

        let wanted = wanted.clone();
        let rest = Rest { wanted, from };
        self.ask(&validator, rest.request(), Some(Asked::Part(rest)));
    }

    /// Ends a fetch, because no validator in reach has more of it.
    fn give_up(&mut self, wanted: &Wanted) {
        match wanted {
            Wanted::Dossier(clearing) => self.conclude_dossier(*clearing, None),
            Wanted::Bids(market, window) => self.conclude_bids(market, *window, None),
        }
    }
}
