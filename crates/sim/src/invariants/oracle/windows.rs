//! The windows of markets by M-6, M-25 and M-28.

use std::collections::BTreeSet;

use quorate_types::{
    ActiveMillis, Block, Evidence, Height, Label, Market, Millis, PublicKey, Stage, ValidatorSet,
};

use super::model::Moment;
use super::{Model, ModelState, Said, power, total_power};
use crate::world::World;

/// The current window of a market.
#[derive(Debug, Default)]
pub(super) struct Window {
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
    fn is_over(&self, market: &Market, set: &ValidatorSet, live: &[Said], now: Moment) -> bool {
        let lasted = now.active >= self.at + lasts(market, self);
        let timely = lasted && !live.is_empty() && self.is_heard(market, set);

        let all_opened = live.iter().all(|said| said.price().is_some());
        timely || (self.stage == Stage::Openings && all_opened)
    }
}

impl Model {
    /// The number and the stage of a market's window; the stage is `None` if no task is open.
    pub(in crate::invariants) fn window(&self, market: &Label) -> (u64, Option<Stage>) {
        let window = self.windows.get(market);
        let stage = window
            .and_then(|window| window.part.as_ref())
            .map(|part| part.stage);
        (window.map_or(0, |window| window.number), stage)
    }

    /// Opens a window for a market that has an open task, unless one is open.
    pub(super) fn open_window(&mut self, market: &Label) {
        let part = &mut self.windows.entry(market.clone()).or_default().part;
        part.get_or_insert_with(|| Part::new(self.now, Stage::Bids));
    }

    /// Moves the windows on after the operations and deadlines of a block; some become due.
    pub(super) fn move_windows(&mut self, world: &World, block: &Block) {
        self.due.clear();
        for market in &world.genesis().markets {
            if self.moves_to_clearing(world, market, block.header.builder) {
                self.due.insert(market.name.clone());
            }
        }

        // Judging a bad block takes the cost of clearings (L-6, M-7), so they wait for the next
        // block.
        if block
            .evidence
            .iter()
            .any(|found| matches!(found, Evidence::BadBlock(_)))
        {
            self.due.clear();
        }
    }

    /// Moves the window of a market on; returns whether the window clears in this block.
    fn moves_to_clearing(&mut self, world: &World, market: &Market, builder: PublicKey) -> bool {
        let open = self.has_open_task(&market.name);
        let live: Vec<Said> = self.live(&market.name).map(|offer| offer.said).collect();

        let now = self.now;
        let set = self.committee.at(world, now.height);

        let Some(window) = self.windows.get_mut(&market.name) else {
            return false;
        };
        let Some(part) = &mut window.part else {
            return false;
        };

        let late = part.stage > Stage::Bids;

        // A window without tasks, or without bids once it takes no more, ends without a clearing.
        if !open || (late && live.is_empty()) {
            window.number += u64::from(late);
            window.part = open.then(|| Part::new(now, Stage::Bids));
            self.kept.remove(&market.name);
            return false;
        }

        // The block in which the part began does not count.
        if part.height < now.height {
            part.count_builder(market, set, builder);
        }

        if !part.is_over(market, set, &live, now) {
            return false;
        }

        let next = next(market, part.stage);
        if let Some(stage) = next {
            *part = Part::new(now, stage);
        }

        next.is_none()
    }

    /// Begins the next window of a market that has cleared.
    pub(super) fn clear_window(&mut self, market: &Label) {
        self.due.remove(market);
        self.kept.remove(market);
        let number = self.window(market).0 + 1;
        let part = Some(Part::new(self.now, Stage::Bids));
        self.windows.insert(market.clone(), Window { number, part });
    }

    /// Ends, after a block, the windows of markets whose last open task was assigned.
    pub(super) fn end_windows(&mut self) {
        let open: BTreeSet<Label> = self
            .open_tasks()
            .map(|(_, market)| market.clone())
            .collect();

        let ended = self
            .windows
            .iter_mut()
            .filter(|(market, _)| !open.contains(*market));

        ended.for_each(|(_, window)| window.part = None);
    }

    fn has_open_task(&self, market: &Label) -> bool {
        self.open_tasks().any(|(_, of)| of == market)
    }

    fn open_tasks(&self) -> impl Iterator<Item = (&quorate_types::TaskId, &Label)> {
        let open = self
            .tasks
            .iter()
            .filter(|(_, task)| task.state == ModelState::Open);
        open.map(|(id, task)| (id, &task.spec.market))
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
