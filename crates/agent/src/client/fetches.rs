//! Fetches data that is longer than one answer: in parts, from one validator after the other.
//!
//! A validator that is silent, has no such data, or sends data that cannot be right is passed over.
//! After a few rounds there is an answer in any case.
//!
//! A dossier is named by the hash of its record, and the record binds all inputs by their root. So
//! a validator can withhold a dossier, but cannot pass off a false one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_certificate::{Dossier, VerifiedCertificate};
use quorate_types::cose::Owned;
use quorate_types::message::{Answer, Part, Request};
use quorate_types::{Hash, MonotonicMillis, Outcome, PublicKey, limits};

use super::asked::{Answered, Asked, Rest, Wanted};
use super::cx::Cx;
use super::event::{ClientEvent, DossierBundle};
use super::out::Out;
use super::standing_bids::StandingBids;

/// The number of times that each validator in reach is asked. At the first time it may not have the
/// block yet.
const ROUNDS: u32 = 3;

/// The fetches in progress.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    running: BTreeMap<Wanted, Fetch>,
}

/// A fetch in progress.
#[derive(Debug, Default)]
struct Fetch {
    /// The validators that were asked in this round.
    asked: BTreeSet<PublicKey>,
    /// The validator that is asked now, and the time at which it was asked or heard last.
    at: Option<(PublicKey, MonotonicMillis)>,
    rounds: u32,
    /// The bytes that this validator has sent so far.
    part: Vec<u8>,
    /// The dossier, checked against its name. Its certificate is still wanted.
    dossier: Option<Vec<u8>>,
}

/// An answer to a request of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fetched {
    /// A part from some byte on, or the answer that there is none.
    Part { rest: Rest, part: Option<Part> },
    /// The certificate of a clearing, or the answer that there is none.
    Clearing {
        clearing: Hash,
        certificates: Vec<Owned>,
    },
}

/// The next step of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The answer changes nothing.
    Ignore,
    /// Count data that cannot be right, and ask the next validator.
    Refuse,
    /// Ask the next validator.
    AskNext,
    /// Ask this validator for what is missing.
    AskRest(PublicKey),
    /// The certificate of the dossier is there, so the fetch is over.
    Certified(VerifiedCertificate),
    /// The problem of a window is there, so the fetch is over.
    Found(Box<StandingBids>),
}

/// How much of the data was received.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Received {
    Part,
    Whole(Vec<u8>),
}

impl Fetches {
    /// Starts to fetch something. Requests that come meanwhile share the fetch.
    pub(super) fn fetch(&mut self, cx: &Cx, wanted: Wanted, out: &mut Out) {
        if let Entry::Vacant(fetch) = self.running.entry(wanted.clone()) {
            fetch.insert(Fetch::default());
            self.ask_next(cx, &wanted, out);
        }
    }

    /// Passes over validators that are silent, and begins new rounds.
    pub(super) fn pursue(&mut self, cx: &Cx, out: &mut Out) {
        let interval = cx.config().resubmit;
        let is_stuck = |(wanted, fetch): &(&Wanted, &Fetch)| {
            let patience = interval.saturating_mul(wanted.silent_ticks());
            fetch
                .at
                .is_none_or(|(_, since)| since.saturating_add(patience) <= cx.now())
        };

        let stuck = self.running.iter().filter(is_stuck);
        let stuck: Vec<Wanted> = stuck.map(|(wanted, _)| wanted.clone()).collect();

        for wanted in &stuck {
            self.ask_next(cx, wanted, out);
        }
    }

    /// Handles an answer to a request of a fetch. Any other answer was not asked for.
    pub(super) fn on_answer(&mut self, cx: &Cx, answered: Answered, out: &mut Out) {
        let from = answered.from();
        let (asked, answer) = answered.into_parts();
        let Some(fetched) = Fetched::of(asked, answer) else {
            out.count().unexpected += 1;
            return;
        };

        let wanted = fetched.wanted();
        let Some(fetch) = self.running.get_mut(&wanted) else {
            return;
        };

        let step = match fetched {
            Fetched::Part { rest, part } => fetch.on_part(from, &rest, part, cx.now()),
            Fetched::Clearing {
                clearing,
                certificates,
            } => fetch.on_clearing(cx, from, &clearing, &certificates),
        };

        self.take(cx, &wanted, step, out);
    }

    fn take(&mut self, cx: &Cx, wanted: &Wanted, step: Step, out: &mut Out) {
        match step {
            Step::Ignore => {}
            Step::Refuse => {
                out.count().unexpected += 1;
                self.ask_next(cx, wanted, out);
            }
            Step::AskNext => self.ask_next(cx, wanted, out),
            Step::AskRest(validator) => self.ask_for_rest(cx, validator, wanted, out),
            Step::Certified(certificate) => self.conclude(wanted, Some(certificate), None, out),
            Step::Found(found) => self.conclude(wanted, None, Some(*found), out),
        }
    }

    /// Asks the next validator for the missing data. After the last one, another round begins at
    /// the next tick, or the fetch ends with the data that is there.
    fn ask_next(&mut self, cx: &Cx, wanted: &Wanted, out: &mut Out) {
        let mut connected = cx.connected();
        let first = wanted.first(connected.len());
        connected.rotate_left(first);

        let Some(fetch) = self.running.get_mut(wanted) else {
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
                // No validator in reach has more of it.
                self.conclude(wanted, None, None, out);
            }
            return;
        };

        fetch.asked.insert(next);
        self.ask_for_rest(cx, next, wanted, out);
    }

    /// Asks a validator for the missing data.
    fn ask_for_rest(&mut self, cx: &Cx, validator: PublicKey, wanted: &Wanted, out: &mut Out) {
        let Some(fetch) = self.running.get_mut(wanted) else {
            return;
        };

        fetch.at = Some((validator, cx.now()));
        let from = fetch.part.len() as u64;

        // The dossier is there already, so only its certificate is missing.
        if let (Wanted::Dossier(clearing), Some(_)) = (wanted, &fetch.dossier) {
            let asked = Asked::Clearing(*clearing);
            out.ask(&validator, Request::Clearing(*clearing), Some(asked));
            return;
        }

        let rest = Rest::new(wanted.clone(), from);
        out.ask(&validator, rest.request(), Some(Asked::Part(rest)));
    }

    /// Ends a fetch, and tells what was found.
    fn conclude(
        &mut self,
        wanted: &Wanted,
        certificate: Option<VerifiedCertificate>,
        found: Option<StandingBids>,
        out: &mut Out,
    ) {
        let fetch = self.running.remove(wanted).unwrap_or_default();

        out.event(match wanted.clone() {
            Wanted::Dossier(clearing) => ClientEvent::Dossier {
                clearing,
                found: fetch.dossier.map(|dossier| {
                    Arc::new(DossierBundle {
                        dossier,
                        certificate,
                    })
                }),
            },
            Wanted::Bids(market, window) => ClientEvent::StandingBids {
                market,
                window,
                found: found.map(Arc::new),
            },
        });
    }
}

impl Fetched {
    /// Returns the answer to a request of a fetch; `None` if it does not fit to what was asked.
    fn of(asked: Asked, answer: Answer) -> Option<Self> {
        match (asked, answer) {
            (Asked::Part(rest), Answer::Dossier(part)) if rest.is_of_dossier() => {
                Some(Self::Part { rest, part })
            }
            (Asked::Part(rest), Answer::Bids(part)) if !rest.is_of_dossier() => {
                Some(Self::Part { rest, part })
            }
            (Asked::Clearing(clearing), Answer::Certificates(certificates)) => {
                Some(Self::Clearing {
                    clearing,
                    certificates,
                })
            }
            _ => None,
        }
    }

    fn wanted(&self) -> Wanted {
        match self {
            Self::Part { rest, .. } => rest.wanted().clone(),
            Self::Clearing { clearing, .. } => Wanted::Dossier(*clearing),
        }
    }
}

impl Fetch {
    /// Returns whether this validator is the one that is asked now.
    fn is_asked_of(&self, validator: &PublicKey) -> bool {
        self.at.is_some_and(|(asked, _)| asked == *validator)
    }

    /// Handles a part from some byte on, or the answer that there is none. A validator that was
    /// passed over may be slow and right, so it is heard as long as no other one has sent anything.
    fn on_part(
        &mut self,
        from: PublicKey,
        rest: &Rest,
        part: Option<Part>,
        now: MonotonicMillis,
    ) -> Step {
        let is_late = !self.is_asked_of(&from);
        let is_next = rest.from() == self.part.len() as u64 && self.dossier.is_none();
        if !is_next || (is_late && (rest.from() > 0 || part.is_none())) {
            return Step::Ignore;
        }

        // From here on it is the one that is asked.
        if is_late {
            self.at = Some((from, now));
        }

        let Some(part) = part else {
            return Step::AskNext;
        };

        match self.receive(part) {
            Some(Received::Part) => Step::AskRest(from),
            Some(Received::Whole(bytes)) => self.on_whole(from, rest.wanted(), bytes),
            None => Step::Refuse,
        }
    }

    /// Takes data of which all parts came from this validator. The certificate of a dossier is
    /// still missing then.
    fn on_whole(&mut self, from: PublicKey, wanted: &Wanted, bytes: Vec<u8>) -> Step {
        match wanted {
            Wanted::Dossier(clearing) if is_of(&bytes, clearing) => {
                self.dossier = Some(bytes);
                Step::AskRest(from)
            }
            Wanted::Dossier(_) => Step::Refuse,
            Wanted::Bids(..) => match StandingBids::decode(&bytes) {
                Some(found) => Step::Found(Box::new(found)),
                None => Step::Refuse,
            },
        }
    }

    /// Handles the certificate of a clearing, or the answer that there is none.
    fn on_clearing(
        &self,
        cx: &Cx,
        from: PublicKey,
        clearing: &Hash,
        certificates: &[Owned],
    ) -> Step {
        if !self.is_asked_of(&from) || self.dossier.is_none() {
            return Step::Ignore;
        }

        let first = certificates.first();
        let verified = first.and_then(|Owned(bytes)| cx.verify(bytes));

        match verified.filter(|certificate| is_record(certificate, clearing)) {
            Some(certificate) => Step::Certified(certificate),
            None => Step::AskNext,
        }
    }

    /// Takes a part. Returns `None` if it cannot be a part of data within the limits.
    fn receive(&mut self, part: Part) -> Option<Received> {
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

/// Returns whether a certificate is that of the record with this hash.
fn is_record(certificate: &VerifiedCertificate, clearing: &Hash) -> bool {
    matches!(certificate.outcome(), Outcome::Clearing(record) if record.hash() == *clearing)
}

/// Returns whether these bytes are the dossier of the record with this hash.
fn is_of(bytes: &[u8], clearing: &Hash) -> bool {
    Dossier::decode(bytes)
        .is_ok_and(|dossier| dossier.record.hash() == *clearing && dossier.check_root().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, market};
    use super::*;

    #[test]
    fn requests_for_the_same_share_a_fetch_and_a_silent_validator_is_passed_over() {
        let mut bench = Bench::new();
        let mut fetches = Fetches::default();
        let mut out = Out::default();
        let wanted = Wanted::Bids(market(), 1);
        for _ in 0..2 {
            fetches.fetch(&bench.cx(), wanted.clone(), &mut out);
        }
        let first = bench.requests(&mut out);
        assert_eq!(first.len(), 1);

        bench.wait(999);
        fetches.pursue(&bench.cx(), &mut out);
        assert_eq!(bench.requests(&mut out).len(), 0);
        bench.wait(1);
        fetches.pursue(&bench.cx(), &mut out);
        let second = bench.requests(&mut out);
        assert_eq!(second.len(), 1);
        assert_ne!(first[0].0, second[0].0);
    }

    #[test]
    fn a_fetch_ends_when_all_were_asked_three_times() {
        let mut bench = Bench::new();
        let mut fetches = Fetches::default();
        let mut out = Out::default();
        let wanted = Wanted::Bids(market(), 1);
        fetches.fetch(&bench.cx(), wanted.clone(), &mut out);

        let mut asked = bench.requests(&mut out).len();
        let mut events = Vec::new();
        while events.is_empty() {
            bench.wait(1_000);
            fetches.pursue(&bench.cx(), &mut out);
            let (requests, told) = bench.all(&mut out);
            asked += requests.len();
            events = told;
        }
        assert_eq!(asked, 12);
        assert_eq!(
            events,
            [ClientEvent::StandingBids {
                market: market(),
                window: 1,
                found: None
            }]
        );
    }

    #[test]
    fn an_answer_that_does_not_fit_is_counted_and_bytes_that_cannot_be_right_too() {
        let mut bench = Bench::new();
        let mut fetches = Fetches::default();
        let mut out = Out::default();
        let wanted = Wanted::Bids(market(), 1);
        fetches.fetch(&bench.cx(), wanted.clone(), &mut out);
        let validator = bench.requests(&mut out)[0].0;
        let part = || {
            Some(Part {
                total: 1,
                bytes: Owned(vec![0xff]),
            })
        };

        for answer in [Answer::Dossier(part()), Answer::Bids(part())] {
            let asked = Asked::Part(Rest::new(wanted.clone(), 0));
            let answered = Answered::new(validator, asked, answer);
            fetches.on_answer(&bench.cx(), answered, &mut out);
        }
        assert_eq!(out.counters().unexpected, 2);
        assert_eq!(bench.requests(&mut out).len(), 1);
    }
}
