//! The windows of the markets: when bids are collected, and when that ends.

use std::collections::BTreeSet;

use quorate_market::mechanism;
use quorate_types::{Label, Market, Millis, PublicKey, limits};

use crate::clearing::Plan;
use crate::run::{Now, Run};
use crate::state::{Index, Opened};

impl Opened {
    /// A window that opens now.
    pub(crate) fn new(now: Now) -> Self {
        Self { height: now.height, at: now.active, builders: BTreeSet::new() }
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
            due.extend(self.due_since(market).map(|since| (since, market)));
        }
        due.sort_by(|(a, first), (b, second)| (a, &first.name).cmp(&(b, &second.name)));
        for (_, market) in due {
            // A ledger begins with mechanisms that there are.
            let Some(rule) = mechanism(&market.mechanism) else { continue };
            let plan = Plan::new(self, market, rule);
            if plan.cost > left {
                // Strictly in order: what is due longest is not passed by what is smaller.
                return;
            }
            left = left.saturating_sub(plan.cost);
            self.clear(market, plan);
        }
    }

    /// Closes a window without open tasks; else counts the builder, while builders are lacking.
    /// That of the block which opened it could not know what it opened for.
    fn keep_window(&mut self, market: &Market, builder: PublicKey) {
        let mut window = self.view.window(&market.name);
        let Some(opened) = &mut window.opened else { return };
        if self.view.count(&Index::OpenCount(market.name.clone())) == 0 {
            window.opened = None;
        } else {
            let lacks = !market.trusted && !self.suffice(&opened.builders);
            let counts = opened.height < self.now.height && self.validators.power(&builder) > 0;
            if !lacks || !counts || !opened.builders.insert(builder) {
                return;
            }
        }
        self.view.put_window(&market.name, window);
    }

    /// The active time since which a window may close, if it may.
    fn due_since(&self, market: &Market) -> Option<Millis> {
        let opened = self.view.window(&market.name).opened?;
        let since = opened.at.saturating_add(market.window_ms);
        let heard = market.trusted || self.suffice(&opened.builders);
        let has_bids = self.view.count(&Index::Live(market.name.clone())) > 0;
        (heard && has_bids && self.now.active >= since).then_some(since)
    }

    /// Builders with more than a third of the power: one of them is correct, and would have taken
    /// any bid that reached it.
    fn suffice(&self, builders: &BTreeSet<PublicKey>) -> bool {
        self.validators.has_correct(self.validators.power_of(builders))
    }

    /// Whether a window takes `offers` of an agent in the place of those it has.
    pub(crate) fn has_room(&self, market: &Label, agent: PublicKey, offers: usize) -> bool {
        let own = self.view.count(&Index::LiveOf(market.clone(), agent));
        let others = self.view.count(&Index::Live(market.clone())).saturating_sub(own);
        let bidders = self.view.count(&Index::Bidders(market.clone()));
        let bidders = if own == 0 { bidders.saturating_add(1) } else { bidders };
        others.saturating_add(offers as u64) <= limits::BIDS_PER_WINDOW
            && bidders <= limits::BIDDERS_PER_CLEARING as u64
    }
}
