//! Fetches data that is longer than one answer: in parts, from one validator after the other.
//!
//! A validator that is silent, has no such data, or sends data that cannot be right is passed over.
//! After a few rounds there is an answer in any case.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use quorate_types::cose::Owned;
use quorate_types::message::{FetchBids, FetchDossier, Part, Request};
use quorate_types::{Hash, Label, Millis, PublicKey, limits};

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

/// A fetch in progress.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    /// The validators that were asked in this round.
    asked: BTreeSet<PublicKey>,
    /// The validator that is asked now, and the time at which it was asked or heard last.
    at: Option<(PublicKey, Millis)>,
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

impl Fetch {
    /// Returns whether this validator is the one that is asked now.
    pub(super) fn is_asked_of(&self, validator: &PublicKey) -> bool {
        self.at.is_some_and(|(asked, _)| asked == *validator)
    }

    /// Takes a part. Returns `None` if it cannot be a part of data within the limits.
    fn take(&mut self, part: Part) -> Option<Received> {
        let Part {
            total,
            bytes: Owned(bytes),
        } = part;
        let total = usize::try_from(total)
            .ok()
            .filter(|total| *total <= limits::DOSSIER_BYTES)?;
        let length = self.part.len() + bytes.len();

        // All parts but the last are full, so nobody can hold up the fetch by sending it byte by
        // byte.
        let is_part = bytes.len() == limits::PART_BYTES || (length == total && !bytes.is_empty());
        if !is_part || bytes.len() > limits::PART_BYTES || length > total {
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
    pub(super) fn fetch(&mut self, wanted: Wanted, now: Millis) {
        if let Entry::Vacant(fetch) = self.fetches.entry(wanted.clone()) {
            fetch.insert(Fetch::default());
            self.ask_next(&wanted, now);
        }
    }

    /// Passes over validators that are silent, and begins new rounds.
    pub(super) fn pursue_fetches(&mut self, now: Millis) {
        let interval = self.config.resubmit;
        let is_stuck = |(wanted, fetch): &(&Wanted, &Fetch)| {
            let patience = interval.saturating_mul(wanted.silent_ticks());
            fetch
                .at
                .is_none_or(|(_, since)| since.saturating_add(patience) <= now)
        };

        let stuck = self
            .fetches
            .iter()
            .filter(is_stuck)
            .map(|(wanted, _)| wanted.clone());
        let stuck: Vec<Wanted> = stuck.collect();

        stuck.iter().for_each(|wanted| self.ask_next(wanted, now));
    }

    /// Handles a part from some byte on, or the answer that there is none. A validator that was
    /// passed over may be slow and right, so it is heard as long as no other one has sent anything.
    pub(super) fn handle_part(
        &mut self,
        from: PublicKey,
        (wanted, first): (&Wanted, u64),
        part: Option<Part>,
        now: Millis,
    ) {
        let Some(fetch) = self.fetches.get_mut(wanted) else {
            return;
        };

        let is_late = !fetch.is_asked_of(&from);
        let is_next = first == fetch.part.len() as u64 && fetch.dossier.is_none();
        if !is_next || (is_late && (first > 0 || part.is_none())) {
            return;
        }

        // From here on it is the one that is asked.
        if is_late {
            fetch.at = Some((from, now));
        }

        let is_sound = match part.map(|part| fetch.take(part)) {
            None => return self.ask_next(wanted, now),
            Some(Some(Received::Part)) => return self.ask_for_rest(from, wanted, now),
            Some(Some(Received::Whole(bytes))) => match wanted {
                Wanted::Dossier(clearing) => self.take_dossier(from, *clearing, bytes, now),
                Wanted::Bids(market, window) => self.take_bids(market, *window, &bytes),
            },
            Some(None) => false,
        };

        if !is_sound {
            self.counters.unexpected += 1;
            self.ask_next(wanted, now);
        }
    }

    /// Asks the next validator for the missing data. After the last one, another round begins at
    /// the next tick, or the fetch ends with the data that is there.
    pub(super) fn ask_next(&mut self, wanted: &Wanted, now: Millis) {
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
            (fetch.at, fetch.asked) = (None, BTreeSet::new());
            if fetch.rounds >= ROUNDS {
                self.give_up(wanted);
            }
            return;
        };

        fetch.asked.insert(next);
        self.ask_for_rest(next, wanted, now);
    }

    /// Asks a validator for the missing data.
    pub(super) fn ask_for_rest(&mut self, validator: PublicKey, wanted: &Wanted, now: Millis) {
        let Some(fetch) = self.fetches.get_mut(wanted) else {
            return;
        };

        fetch.at = Some((validator, now));
        let from = fetch.part.len() as u64;

        let (request, asked) = match wanted {
            Wanted::Dossier(clearing) if fetch.dossier.is_some() => {
                (Request::Clearing(*clearing), Asked::Clearing(*clearing))
            }
            &Wanted::Dossier(clearing) => (
                Request::Dossier(FetchDossier { clearing, from }),
                Asked::Part(wanted.clone(), from),
            ),
            Wanted::Bids(market, window) => {
                let (market, window) = (market.clone(), *window);
                (
                    Request::Bids(FetchBids {
                        market,
                        window,
                        from,
                    }),
                    Asked::Part(wanted.clone(), from),
                )
            }
        };

        self.ask(&validator, request, Some(asked));
    }

    /// Ends a fetch, because no validator in reach has more of it.
    fn give_up(&mut self, wanted: &Wanted) {
        match wanted {
            Wanted::Dossier(clearing) => self.conclude_dossier(*clearing, None),
            Wanted::Bids(market, window) => self.conclude_bids(market, *window, None),
        }
    }
}
