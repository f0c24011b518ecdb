//! The windows of markets as the book has them: M-6, M-25, M-28.

use std::collections::BTreeSet;

use quorate_types::{Block, Evidence, Height, Label, Market, Millis, PublicKey, Stage};

use super::model::Moment;
use super::{Model, Said, State, power};
use crate::world::World;

/// The window of a market.
#[derive(Debug, Default)]
pub(super) struct Window {
    number: u64,
    /// `None` where no task is open.
    part: Option<Part>,
}

/// A part of a window: what it takes, since when, and who has built blocks in it.
#[derive(Debug)]
struct Part {
    stage: Stage,
    height: Height,
    at: Millis,
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
    /// Number of a market's window and what it takes; `None` where no task is open.
    pub(in crate::invariants) fn window(&self, market: &Label) -> (u64, Option<Stage>) {
        let window = self.windows.get(market);
        let stage = window
            .and_then(|window| window.part.as_ref())
            .map(|part| part.stage);
        (window.map_or(0, |window| window.number), stage)
    }

    /// A task of the market is open.
    pub(super) fn open_window(&mut self, market: &Label) {
        let part = &mut self.windows.entry(market.clone()).or_default().part;
        part.get_or_insert_with(|| Part::new(self.now, Stage::Bids));
    }

    /// The operations and deadlines of a block are over: windows move on, and some clear.
    pub(super) fn move_windows(&mut self, world: &World, block: &Block) {
        self.due.clear();
        for market in &world.genesis().markets {
            if self.moves_to_clearing(world, market, block.header.builder) {
                self.due.insert(market.name.clone());
            }
        }
        // Judging a block takes what clearings may cost (M-7): they wait for the next one.
        if block
            .evidence
            .iter()
            .any(|found| matches!(found, Evidence::BadBlock(_)))
        {
            self.due.clear();
        }
    }

    /// Moves the window of a market on; whether it clears.
    fn moves_to_clearing(&mut self, world: &World, market: &Market, builder: PublicKey) -> bool {
        let open = self.has_open_task(&market.name);
        let live: Vec<Said> = self.live(&market.name).map(|(_, _, said)| said).collect();
        let (now, set) = (self.now, self.committee.at(world, self.now.height));
        let total: u128 = set.iter().map(|member| u128::from(member.power)).sum();
        let heard = |part: &Part| market.trusted || 3 * power(set, part.builders.iter()) > total;
        let Some(window) = self.windows.get_mut(&market.name) else {
            return false;
        };
        let Some(part) = &mut window.part else {
            return false;
        };
        let late = part.stage > Stage::Bids;
        if !open || (late && live.is_empty()) {
            window.number += u64::from(late);
            window.part = open.then(|| Part::new(now, Stage::Bids));
            self.kept.remove(&market.name);
            return false;
        }
        let votes = set.iter().any(|member| member.key == builder);
        if part.height < now.height && votes && !heard(part) {
            part.builders.insert(builder);
        }
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

    /// The market has cleared: the next window begins.
    pub(super) fn clear_window(&mut self, market: &Label) {
        self.due.remove(market);
        self.kept.remove(market);
        let number = self.window(market).0 + 1;
        let part = Some(Part::new(self.now, Stage::Bids));
        self.windows.insert(market.clone(), Window { number, part });
    }

    /// The block is over: windows of which clearings took the last task end.
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

/// What follows in a window; `None`: the clearing.
fn next(market: &Market, stage: Stage) -> Option<Stage> {
    let opens = market.reveal_ms.is_some() && stage == Stage::Bids;
    let solves = market.solve_ms.is_some() && stage != Stage::Solutions;
    if opens {
        Some(Stage::Openings)
    } else {
        solves.then_some(Stage::Solutions)
    }
}

/// Active milliseconds that a part lasts at least.
fn lasts(market: &Market, part: &Part) -> Millis {
    match part.stage {
        Stage::Bids => market.window_ms,
        Stage::Openings => market.reveal_ms.unwrap_or(0),
        Stage::Solutions => market.solve_ms.unwrap_or(0),
    }
}
