//! The windows of the markets: the stages they go through, and the end of each.

use std::collections::BTreeSet;

use quorate_market::mechanism;
use quorate_types::{Label, Market, Millis, PublicKey, Stage, limits};

use crate::run::{Now, Run};
use crate::state::{Index, Opened};

impl Opened {
    /// Returns the active time in milliseconds from which on the stage may end.
    pub(crate) fn closes(&self, market: &Market) -> Millis {
        self.at.saturating_add(market.stage_ms(self.stage))
    }

    /// Returns a stage that begins now.
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
    /// Counts the builder of this block in every open window, and clears the windows that close, as
    /// far as `left` pays for it.
    pub(crate) fn close_windows(&mut self, builder: PublicKey, mut left: u64) {
        let genesis = self.genesis;
        let mut due: Vec<(Millis, &'a Market)> = Vec::new();

        for market in &genesis.markets {
            self.keep_window(market, builder);

            let Some(since) = self.due_since(market) else {
                continue;
            };

            // A window that enters another stage is not cleared in this block.
            if !self.enter_next_stage(market) {
                due.push((since, market));
            }
        }

        due.sort_by(|(a, first), (b, second)| (a, &first.name).cmp(&(b, &second.name)));

        for (_, market) in due {
            // The genesis can only name mechanisms that this program has.
            let Some(rule) = mechanism(&market.mechanism) else {
                continue;
            };

            // Strictly in order: a smaller clearing does not overtake one that is due longer (M-7).
            let Some(rest) = self.clear(market, rule, left) else {
                return;
            };

            left = rest;
        }
    }

    /// Closes a window without open tasks. Otherwise counts the builder, as long as those that are
    /// counted do not suffice. The builder of the block that opened the window does not count,
    /// because it could not know for which tasks it was opened (M-6). A window that takes no more
    /// bids is replaced by a new one if no live bid is left (M-25).
    fn keep_window(&mut self, market: &Market, builder: PublicKey) {
        let mut window = self.view.window(&market.name);
        let Some(opened) = &mut window.opened else {
            return;
        };

        // A late stage takes no more bids, so a window without any cannot clear.
        let is_late = opened.stage > Stage::Bids;
        let is_done = self.view.count(&Index::OpenCount(market.name.clone())) == 0;
        let is_bare = is_late && self.view.count(&Index::Live(market.name.clone())) == 0;

        if is_done || is_bare {
            // Prices that were opened for this window are not secret in the next one.
            window.number = window.number.saturating_add(u64::from(is_late));
            window.opened = (!is_done).then(|| Opened::new(self.now, Stage::Bids));
            self.drop_solutions(&market.name);
        } else {
            // Builders are counted only while they are needed, and each of them once.
            let lacks = !market.trusted && !self.suffice(&opened.builders);
            let counts = opened.height < self.now.height && self.validators.power(&builder) > 0;
            if !lacks || !counts || !opened.builders.insert(builder) {
                return;
            }
        }

        self.view.put_window(&market.name, window);
    }

    /// Returns the active time since which the stage of a window may end, if it may end. Nobody is
    /// waited for if every commitment is opened.
    fn due_since(&self, market: &Market) -> Option<Millis> {
        let opened = self.view.window(&market.name).opened?;
        let since = opened.closes(market);

        // Unless the market is trusted, a correct builder must have had its turn (M-6).
        let heard = market.trusted || self.suffice(&opened.builders);
        let count = |key: fn(Label) -> Index| self.view.count(&key(market.name.clone()));

        // Every commitment is opened, so nothing more can come.
        if opened.stage == Stage::Openings && count(Index::Sealed) == 0 {
            return Some(since.min(self.now.active));
        }

        (heard && count(Index::Live) > 0 && self.now.active >= since).then_some(since)
    }

    /// Begins the next stage of a window whose stage ended. Returns whether there is a next stage.
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

    /// Returns the stage of a market's window, which says what it takes now.
    pub(crate) fn stage(&self, market: &Label) -> Stage {
        self.view
            .window(market)
            .opened
            .map(|opened| opened.stage)
            .unwrap_or_default()
    }

    /// Returns whether these builders hold more than a third of the power. Then one of them is
    /// correct, and would have taken any bid that reached it (M-6).
    fn suffice(&self, builders: &BTreeSet<PublicKey>) -> bool {
        self.validators
            .has_correct(self.validators.power_of(builders))
    }

    /// Returns whether a window has room for `offers` of an agent in the place of its earlier ones.
    pub(crate) fn has_room(&self, market: &Label, agent: PublicKey, offers: usize) -> bool {
        let own = self.view.count(&Index::LiveOf(market.clone(), agent));

        let others = self
            .view
            .count(&Index::Live(market.clone()))
            .saturating_sub(own);

        let bidders = self.view.count(&Index::Bidders(market.clone()));
        // An agent with a live bid is among the bidders already.
        let bidders = if own == 0 {
            bidders.saturating_add(1)
        } else {
            bidders
        };

        others.saturating_add(offers as u64) <= limits::BIDS_PER_WINDOW
            && bidders <= limits::BIDDERS_PER_CLEARING as u64
    }
}
