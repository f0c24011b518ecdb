//! The windows of the markets: the stages they go through, and the end of each.

use std::collections::BTreeSet;

use quorate_market::mechanism;
use quorate_types::{ActiveMillis, Label, Market, PublicKey, Stage, limits};

use crate::run::{Now, Run};
use crate::state::{Index, Opened};

impl Opened {
    /// Returns the active time from which on the stage may end.
    pub(crate) fn closes(&self, market: &Market) -> ActiveMillis {
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
    pub(crate) fn close_windows(&mut self, builder: PublicKey, left: u64) {
        let genesis = self.genesis;
        let mut due: Vec<(ActiveMillis, &'a Market)> = Vec::new();

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
        self.clear_in_order(due.into_iter().map(|(_, market)| market), left);
    }

    /// Clears the windows of these markets, one after the other, as far as `left` pays for it.
    fn clear_in_order(&mut self, due: impl Iterator<Item = &'a Market>, mut left: u64) {
        for market in due {
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

        let open_tasks = self.view.count(&Index::OpenCount(market.name.clone()));
        let is_done = open_tasks == 0;

        // A late stage takes no more bids, so a window without any cannot clear.
        let is_late = opened.stage > Stage::Bids;
        let live_bids = self.view.count(&Index::Live(market.name.clone()));
        let is_bare = is_late && live_bids == 0;

        if is_done || is_bare {
            // Prices that were opened for this window are not secret in the next one.
            window.number = window.number.saturating_add(u64::from(is_late));

            // Tasks that are left need a window at once.
            window.opened = (!is_done).then(|| Opened::new(self.now, Stage::Bids));
            self.drop_solutions(&market.name);
        } else if !self.is_needed(market, opened, &builder) || !opened.builders.insert(builder) {
            return;
        }

        self.view.put_window(&market.name, window);
    }

    /// Returns whether a window needs this builder: those that were counted do not suffice, and the
    /// builder has power and did not build the block that opened the window. Builders are counted
    /// only while they are needed.
    fn is_needed(&self, market: &Market, opened: &Opened, builder: &PublicKey) -> bool {
        let lacks = !market.trusted && !self.suffice(&opened.builders);
        lacks && opened.height < self.now.height && self.validators.power(builder) > 0
    }

    /// Returns the active time since which the stage of a window may end, if it may end. Nobody is
    /// waited for if every commitment is opened.
    fn due_since(&self, market: &Market) -> Option<ActiveMillis> {
        let opened = self.view.window(&market.name).opened?;
        let since = opened.closes(market);

        let sealed = self.view.count(&Index::Sealed(market.name.clone()));

        // Every commitment is opened, so nothing more can come.
        if opened.stage == Stage::Openings && sealed == 0 {
            return Some(since.min(self.now.active));
        }

        // Unless the market is trusted, a correct builder must have had its turn (M-6).
        let heard = market.trusted || self.suffice(&opened.builders);
        let live = self.view.count(&Index::Live(market.name.clone()));
        let is_due = heard && live > 0 && self.now.active >= since;

        is_due.then_some(since)
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

    /// Returns whether a market is in this stage of the window with this number.
    pub(crate) fn is_at(&self, market: &Label, number: u64, stage: Stage) -> bool {
        let window = self.view.window(market);
        let is_open = window.opened.is_some_and(|opened| opened.stage == stage);
        is_open && window.number == number
    }

    /// Returns whether these builders hold more than a third of the power. Then one of them is
    /// correct, and would have taken any bid that reached it (M-6).
    fn suffice(&self, builders: &BTreeSet<PublicKey>) -> bool {
        self.validators
            .exceeds_one_third(self.validators.power_of(builders))
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
