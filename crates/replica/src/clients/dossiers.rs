//! The dossiers of recent clearings, for anyone that runs an auction again, and the standing bids,
//! for anyone that wants to solve one (`protocols/wire.md`, W-15, W-16). None of it is agreed on;
//! after a restart it is made again from the blocks.

use std::collections::{BTreeMap, VecDeque};

use quorate_ledger::{Committed, Ledger};
use quorate_types::cose::Owned;
use quorate_types::message::{FetchBids, FetchDossier, Part};
use quorate_types::{Hash, Height, Label, Outcome, Stage, cbor, limits};

/// The number of dossiers kept in memory; the oldest are dropped first.
const KEPT: usize = 4096;
/// The bytes of the dossiers in memory.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Dossiers by the hashes of their records.
#[derive(Debug, Default)]
pub(super) struct Dossiers {
    kept: BTreeMap<Hash, Kept>,
    /// The keys of `kept`, oldest first.
    order: VecDeque<Hash>,
    /// The sum of the bytes in `kept`.
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    /// The dossier in canonical CBOR.
    bytes: Vec<u8>,
    /// The height of the clearing, and the index of its record among the outcomes.
    place: (Height, usize),
}

impl Dossiers {
    /// Takes in the clearings of a decided block.
    pub(super) fn record(&mut self, committed: &Committed) {
        let is_clearing = |outcome: &Outcome| matches!(outcome, Outcome::Clearing(_));
        let places = (0..)
            .zip(&committed.outcomes)
            .filter(|(_, outcome)| is_clearing(outcome));

        // The ledger lists the dossiers in the order of their records.
        for ((at, _), dossier) in places.zip(&committed.dossiers) {
            let quorate_ledger::Dossier { record, inputs } = dossier.clone();
            let clearing = record.hash();
            let dossier = quorate_certificate::Dossier { record, inputs };
            let bytes = dossier.encode();

            let place = (committed.height, at);
            self.keep(clearing, Kept { bytes, place });
        }
    }

    fn keep(&mut self, clearing: Hash, kept: Kept) {
        self.bytes += kept.bytes.len();
        self.order.push_back(clearing);
        self.kept.insert(clearing, kept);

        while self.order.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };

            let dropped = self.kept.remove(&oldest);
            self.bytes -= dropped.map_or(0, |kept| kept.bytes.len());
        }
    }

    /// A part of a dossier. `None` if the dossier is not kept or has no byte at that offset.
    pub(super) fn part(&self, wanted: FetchDossier) -> Option<Part> {
        part(&self.kept.get(&wanted.clearing)?.bytes, wanted.from)
    }

    /// The place of the record: its height, and its index among the outcomes of its block.
    pub(super) fn place(&self, clearing: &Hash) -> Option<(Height, usize)> {
        Some(self.kept.get(clearing)?.place)
    }
}

/// The bids that stand in markets which take solutions, as they were when somebody first asked in
/// the window. So all parts are of one whole, and a thousand solvers cost no more than one.
#[derive(Debug, Default)]
pub(super) struct KeptBids {
    markets: BTreeMap<Label, (u64, Vec<u8>)>,
}

impl KeptBids {
    /// A part of the standing bids. `None` if the window takes no solutions, or if there is no byte
    /// at that offset.
    pub(super) fn part(&mut self, ledger: &Ledger, wanted: &FetchBids) -> Option<Part> {
        let FetchBids {
            market,
            window,
            from,
        } = wanted;

        if self.markets.get(market).is_none_or(|(of, _)| of != window) {
            let bytes = cbor::encode(&ledger.standing_bids(market, *window)?);
            self.markets.insert(market.clone(), (*window, bytes));
        }

        let (_, bytes) = self.markets.get(market)?;
        part(bytes, *from)
    }

    /// Forgets the bids of windows that take no solutions any more.
    pub(super) fn keep_up(&mut self, ledger: &Ledger) {
        if self.markets.is_empty() {
            return;
        }

        let windows = ledger.windows();
        let solves = |market: &Label, number: u64| {
            let of = windows.iter().find(|window| window.market == *market);
            of.is_some_and(|of| of.number == number && of.stage == Stage::Solutions)
        };

        self.markets
            .retain(|market, (number, _)| solves(market, *number));
    }
}

/// The part of `whole` that begins at byte `from`; `None` if there is no such byte.
fn part(whole: &[u8], from: u64) -> Option<Part> {
    let rest = whole.get(usize::try_from(from).ok()?..)?;
    let part = rest.get(..limits::PART_BYTES).unwrap_or(rest);

    if part.is_empty() {
        return None;
    }

    Some(Part {
        total: whole.len() as u64,
        bytes: Owned(part.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: usize) -> Kept {
        Kept {
            bytes: vec![7; bytes],
            place: (1, 0),
        }
    }

    fn name(number: usize) -> Hash {
        Hash::derive("quorate 1 clearing", &[&number.to_be_bytes()])
    }

    #[test]
    fn w15_the_oldest_fall_out_by_count() {
        let mut dossiers = Dossiers::default();
        for number in 0..=KEPT {
            dossiers.keep(name(number), kept(1));
        }
        assert_eq!((dossiers.kept.len(), dossiers.bytes), (KEPT, KEPT));
        assert_eq!(dossiers.place(&name(0)), None);
        assert_eq!(dossiers.place(&name(1)), Some((1, 0)));
    }

    #[test]
    fn w15_the_oldest_fall_out_by_bytes() {
        let mut dossiers = Dossiers::default();
        let (count, each) = (5, KEPT_BYTES / 4);
        for number in 0..count {
            dossiers.keep(name(number), kept(each));
        }
        assert_eq!((dossiers.kept.len(), dossiers.bytes), (4, KEPT_BYTES));
        assert_eq!(dossiers.place(&name(0)), None);
    }

    #[test]
    fn w15_parts_make_the_whole() {
        let mut dossiers = Dossiers::default();
        let whole: Vec<u8> = (0..limits::PART_BYTES + 9).map(|at| at as u8).collect();
        dossiers.keep(
            name(1),
            Kept {
                bytes: whole.clone(),
                place: (1, 0),
            },
        );
        let part = |from| {
            dossiers.part(FetchDossier {
                clearing: name(1),
                from,
            })
        };
        let (first, last) = (part(0).unwrap(), part(limits::PART_BYTES as u64).unwrap());
        assert_eq!(
            (first.total, last.total),
            (whole.len() as u64, whole.len() as u64)
        );
        assert_eq!(first.bytes.0.len(), limits::PART_BYTES);
        assert_eq!([first.bytes.0, last.bytes.0].concat(), whole);
        for from in [whole.len() as u64, whole.len() as u64 + 1, u64::MAX] {
            assert_eq!(part(from), None, "from {from}");
        }
        assert_eq!(
            dossiers.part(FetchDossier {
                clearing: name(2),
                from: 0
            }),
            None
        );
    }
}
