//! The windows of markets by M-6, M-25 and M-28.

use std::collections::BTreeSet;

use quorate_types::{Block, Evidence, Height, Label, Market, Millis, PublicKey, Stage};

use super::model::Moment;
use super::{Model, Said, State, power};
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
    at: Millis,
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
        let live: Vec<Said> = self.live(&market.name).map(|(_, _, said)| said).collect();

        let (now, set) = (self.now, self.committee.at(world, self.now.height));
        let total: u128 = set.iter().map(|member| u128::from(member.power)).sum();

        // With more than a third of the power, one builder is correct and took every bid it got.
        let heard = |part: &Part| market.trusted || 3 * power(set, part.builders.iter()) > total;

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

        let votes = set.iter().any(|member| member.key == builder);
        // The block in which the part began does not count.
        if part.height < now.height && votes && !heard(part) {
            part.builders.insert(builder);
        }

        // A part ends by time, builders and a live bid (M-6), or once all bids are opened (M-25).
        let timely = heard(part) && !live.is_empty() && now.active >= part.at + lasts(market, part);
        let all_opened = live.iter().all(|said| said.price().is_some());
        let over = timely || (part.stage == Stage::Openings && all_opened);

        if !over {
            return false;
        }

        match next(market, part.stage) {
            Some(stage) => *part = Part::new(now, stage),
            None => return true,
        }

        false
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
            .filter(|(_, task)| task.state == State::Open);
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
