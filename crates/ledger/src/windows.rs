//! The windows of the markets: what they take, and when that ends.

use std::collections::BTreeSet;

use quorate_market::mechanism;
use quorate_types::{Label, Market, Millis, PublicKey, Stage, limits};

use crate::run::{Now, Run};
use crate::state::{Index, Opened};

impl Opened {
    /// Active time from which on the stage may end.
    pub(crate) fn closes(&self, market: &Market) -> Millis {
        self.at.saturating_add(market.stage_ms(self.stage))
    }

    /// A stage that begins now.
    pub(crate) fn new(now: Now, stage: Stage) -> Self {
        Self {
            height: now.height,
            at: now.active,
            builders: BTreeSet::new(),
            stage,
        }
    }
}

impl<'a> Run<'a> {
    /// Counts the builder of this block in every open window, and clears those that close, as far
    /// as `left` pays for it.
    pub(crate) fn close_windows(&mut self, builder: PublicKey, mut left: u64) {
        let genesis = self.genesis;
        let mut due: Vec<(Millis, &'a Market)> = Vec::new();
        for market in &genesis.markets {
            self.keep_window(market, builder);
            let Some(since) = self.due_since(market) else {
                continue;
            };
            if !self.enter_next_stage(market) {
                due.push((since, market));
            }
        }
        due.sort_by(|(a, first), (b, second)| (a, &first.name).cmp(&(b, &second.name)));
        for (_, market) in due {
            // A ledger begins with mechanisms that there are.
            let Some(rule) = mechanism(&market.mechanism) else {
                continue;
            };
            // Strictly in order: what is due longest is not passed by what is smaller.
            let Some(rest) = self.clear(market, rule, left) else {
                return;
            };
            left = rest;
        }
    }

    /// Closes a window without open tasks; else counts the builder, while builders are lacking.
    /// That of the block which opened it could not know what it opened for. A window that takes no
    /// more bids gives way to a new one where none of those it has is left.
    fn keep_window(&mut self, market: &Market, builder: PublicKey) {
        let mut window = self.view.window(&market.name);
        let Some(opened) = &mut window.opened else {
            return;
        };
        let is_late = opened.stage > Stage::Bids;
        let is_done = self.view.count(&Index::OpenCount(market.name.clone())) == 0;
        let is_bare = is_late && self.view.count(&Index::Live(market.name.clone())) == 0;
        if is_done || is_bare {
            // Prices that were opened for it are no secrets in the next one.
            window.number = window.number.saturating_add(u64::from(is_late));
            window.opened = (!is_done).then(|| Opened::new(self.now, Stage::Bids));
            self.drop_solutions(&market.name);
        } else {
            let lacks = !market.trusted && !self.suffice(&opened.builders);
            let counts = opened.height < self.now.height && self.validators.power(&builder) > 0;
            if !lacks || !counts || !opened.builders.insert(builder) {
                return;
            }
        }
        self.view.put_window(&market.name, window);
    }

    /// The active time since which the stage of a window may end, if it may. Nobody is waited for
    /// where every commitment is opened.
    fn due_since(&self, market: &Market) -> Option<Millis> {
        let opened = self.view.window(&market.name).opened?;
        let since = opened.closes(market);
        let heard = market.trusted || self.suffice(&opened.builders);
        let count = |key: fn(Label) -> Index| self.view.count(&key(market.name.clone()));
        if opened.stage == Stage::Openings && count(Index::Sealed) == 0 {
            return Some(since.min(self.now.active));
        }
        (heard && count(Index::Live) > 0 && self.now.active >= since).then_some(since)
    }

    /// Begins the next stage of a window whose stage ended. Whether there is one.
    fn enter_next_stage(&mut self, market: &Market) -> bool {
        let mut window = self.view.window(&market.name);
        let next = window
            .opened
            .as_ref()
            .and_then(|opened| market.stage_after(opened.stage));
        let Some(next) = next else { return false };
        window.opened = Some(Opened::new(self.now, next));
        self.view.put_window(&market.name, window);
        true
    }

    /// What the window of a market takes now.
    pub(crate) fn stage(&self, market: &Label) -> Stage {
        self.view
            .window(market)
            .opened
            .map(|opened| opened.stage)
            .unwrap_or_default()
    }

    /// Builders with more than a third of the power: one of them is correct, and would have taken
    /// any bid that reached it.
    fn suffice(&self, builders: &BTreeSet<PublicKey>) -> bool {
        self.validators
            .has_correct(self.validators.power_of(builders))
    }

    /// Whether a window takes `offers` of an agent in the place of those it has.
    pub(crate) fn has_room(&self, market: &Label, agent: PublicKey, offers: usize) -> bool {
        let own = self.view.count(&Index::LiveOf(market.clone(), agent));
        let others = self
            .view
            .count(&Index::Live(market.clone()))
            .saturating_sub(own);
        let bidders = self.view.count(&Index::Bidders(market.clone()));
        let bidders = if own == 0 {
            bidders.saturating_add(1)
        } else {
            bidders
        };
        others.saturating_add(offers as u64) <= limits::BIDS_PER_WINDOW
            && bidders <= limits::BIDDERS_PER_CLEARING as u64
    }
}
