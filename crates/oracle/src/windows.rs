//! The windows of markets by M-6, M-25 and M-28.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{ActiveMillis, Height, Label, Market, Millis, PublicKey, Stage, ValidatorSet};

use crate::committee::{power, total_power};
use crate::offer::Offered;
use crate::task::Moment;

/// The current window of a market.
#[derive(Debug, Default)]
struct Window {
    /// The number of the window, counted from 0.
    number: u64,
    /// The part that the window is in; `None` if no task is open.
    part: Option<Part>,
}

/// A part of a window.
#[derive(Debug)]
struct Part {
    /// The kind of operations that the part takes.
    stage: Stage,
    /// The height of the block in which the part began.
    height: Height,
    /// The active time at which the part began.
    at: ActiveMillis,
    /// Validators that built blocks since then.
    builders: BTreeSet<PublicKey>,
}

impl Part {
    fn new(now: Moment, stage: Stage) -> Self {
        Self {
            stage,
            height: now.height,
            at: now.active,
            builders: BTreeSet::new(),
        }
    }

    /// Whether the builders since the part began took every bid that was sent. With more than a
    /// third of the power, one of them is correct and took every bid it got.
    fn is_heard(&self, market: &Market, set: &ValidatorSet) -> bool {
        market.trusted || 3 * power(set, &self.builders) > total_power(set)
    }

    /// Counts a builder that votes, until enough builders are counted.
    fn count_builder(&mut self, market: &Market, set: &ValidatorSet, builder: PublicKey) {
        if set.get(&builder).is_some() && !self.is_heard(market, set) {
            self.builders.insert(builder);
        }
    }

    /// Whether the part is over: by time, builders and a live bid (M-6), or once all bids are
    /// opened (M-25).
    fn is_over(&self, market: &Market, set: &ValidatorSet, live: &[Offered], now: Moment) -> bool {
        let lasted = now.active >= self.at + lasts(market, self);
        let timely = lasted && !live.is_empty() && self.is_heard(market, set);

        let all_opened = live.iter().all(|said| said.price().is_some());
        timely || (self.stage == Stage::Openings && all_opened)
    }
}

/// The things that decide whether the window of a market moves on in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) now: Moment,
    /// The committee of the block.
    pub(crate) set: &'a ValidatorSet,
    /// The builder of the block.
    pub(crate) builder: PublicKey,
    /// Whether a task of the market is open.
    pub(crate) is_open: bool,
    /// The offers of the live bids of the market.
    pub(crate) live: &'a [Offered],
}

/// The current windows of all markets, and those of them that are over.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    windows: BTreeMap<Label, Window>,
    /// Markets whose window is over, so that they must clear in this block.
    due: BTreeSet<Label>,
}

impl Windows {
    /// The number and the stage of a market's window; the stage is `None` if no task is open.
    pub(crate) fn stage(&self, market: &Label) -> (u64, Option<Stage>) {
        let window = self.windows.get(market);
        let stage = window
            .and_then(|window| window.part.as_ref())
            .map(|part| part.stage);
        (window.map_or(0, |window| window.number), stage)
    }

    /// The markets that must clear in this block and have not yet.
    pub(crate) fn due(&self) -> &BTreeSet<Label> {
        &self.due
    }

    /// Lets no market clear in this block.
    pub(crate) fn clear_none(&mut self) {
        self.due.clear();
    }

    /// Opens a window for a market that has an open task, unless one is open.
    pub(crate) fn open(&mut self, market: &Label, now: Moment) {
        let part = &mut self.windows.entry(market.clone()).or_default().part;
        part.get_or_insert_with(|| Part::new(now, Stage::Bids));
    }

    /// Moves the window of a market on after the operations and deadlines of a block; it may become
    /// due. Returns whether it ends without a clearing.
    pub(crate) fn move_on(&mut self, market: &Market, facts: Facts<'_>) -> bool {
        let Facts { now, set, live, .. } = facts;

        let Some(window) = self.windows.get_mut(&market.name) else {
            return false;
        };
        let Some(part) = &mut window.part else {
            return false;
        };

        let late = part.stage > Stage::Bids;

        // A window without tasks, or without bids once it takes no more, ends without a clearing.
        if !facts.is_open || (late && live.is_empty()) {
            window.number += u64::from(late);
            window.part = facts.is_open.then(|| Part::new(now, Stage::Bids));
            return true;
        }

        // The block in which the part began does not count.
        if part.height < now.height {
            part.count_builder(market, set, facts.builder);
        }

        if part.is_over(market, set, live, now) {
            match next(market, part.stage) {
                Some(stage) => *part = Part::new(now, stage),
                None => drop(self.due.insert(market.name.clone())),
            }
        }

        false
    }

    /// Begins the next window of a market that has cleared.
    pub(crate) fn clear(&mut self, market: &Label, now: Moment) {
        self.due.remove(market);
        let number = self.stage(market).0 + 1;
        let part = Some(Part::new(now, Stage::Bids));
        self.windows.insert(market.clone(), Window { number, part });
    }

    /// Ends the windows of all markets but those with open tasks.
    pub(crate) fn end_others(&mut self, open: &BTreeSet<Label>) {
        let ended = self
            .windows
            .iter_mut()
            .filter(|(market, _)| !open.contains(*market));

        ended.for_each(|(_, window)| window.part = None);
    }
}

/// The stage that follows in a window; `None` if the window clears next.
fn next(market: &Market, stage: Stage) -> Option<Stage> {
    let opens = market.reveal_ms.is_some() && stage == Stage::Bids;
    let solves = market.solve_ms.is_some() && stage != Stage::Solutions;
    if opens {
        Some(Stage::Openings)
    } else {
        solves.then_some(Stage::Solutions)
    }
}

/// The least time that a part lasts, in active milliseconds.
fn lasts(market: &Market, part: &Part) -> Millis {
    match part.stage {
        Stage::Bids => market.window_ms,
        Stage::Openings => market.reveal_ms.unwrap_or(0),
        Stage::Solutions => market.solve_ms.unwrap_or(0),
    }
}
