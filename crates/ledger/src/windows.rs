//! The windows of the markets: when bids are collected, and when that ends.

use std::collections::BTreeSet;

use quorate_market::mechanism;
use quorate_types::{Label, Market, Millis, PublicKey, limits};

use crate::run::{Now, Run};
use crate::state::{Index, Opened};

impl Opened {
    /// Active time from which on the window, or the part of it that runs, may close.
    pub(crate) fn closes(&self, market: &Market) -> Millis {
        let time = market.reveal_ms.filter(|_| self.opening).unwrap_or(market.window_ms);
        self.at.saturating_add(time)
    }

    /// A window that opens now.
    pub(crate) fn new(now: Now) -> Self {
        Self { height: now.height, at: now.active, builders: BTreeSet::new(), opening: false }
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
            let Some(since) = self.due_since(market) else { continue };
            if !self.end_commitments(market) {
                due.push((since, market));
            }
        }
        due.sort_by(|(a, first), (b, second)| (a, &first.name).cmp(&(b, &second.name)));
        for (_, market) in due {
            // A ledger begins with mechanisms that there are.
            let Some(rule) = mechanism(&market.mechanism) else { continue };
            // Strictly in order: what is due longest is not passed by what is smaller.
            let Some(rest) = self.clear(market, rule, left) else { return };
            left = rest;
        }
    }

    /// Closes a window without open tasks; else counts the builder, while builders are lacking.
    /// That of the block which opened it could not know what it opened for. The second part of a
    /// window gives way to a new first one where nothing is left to be opened.
    fn keep_window(&mut self, market: &Market, builder: PublicKey) {
        let mut window = self.view.window(&market.name);
        let Some(opened) = &mut window.opened else { return };
        if self.view.count(&Index::OpenCount(market.name.clone())) == 0 {
            // Prices that were opened for it are no secrets in the next one.
            window.number = window.number.saturating_add(u64::from(opened.opening));
            window.opened = None;
        } else if opened.opening && self.view.count(&Index::Live(market.name.clone())) == 0 {
            *opened = Opened::new(self.now);
            window.number = window.number.saturating_add(1);
        } else {
            let lacks = !market.trusted && !self.suffice(&opened.builders);
            let counts = opened.height < self.now.height && self.validators.power(&builder) > 0;
            if !lacks || !counts || !opened.builders.insert(builder) {
                return;
            }
        }
        self.view.put_window(&market.name, window);
    }

    /// The active time since which a window, or the part of it that runs, may close, if it may.
    /// Nobody is waited for where every commitment is opened.
    fn due_since(&self, market: &Market) -> Option<Millis> {
        let opened = self.view.window(&market.name).opened?;
        let since = opened.closes(market);
        let heard = market.trusted || self.suffice(&opened.builders);
        let count = |key: fn(Label) -> Index| self.view.count(&key(market.name.clone()));
        if opened.opening && count(Index::Sealed) == 0 {
            return Some(since.min(self.now.active));
        }
        (heard && count(Index::Live) > 0 && self.now.active >= since).then_some(since)
    }

    /// In a sealed market: no commitment is taken from here on, and those there are are opened.
    /// Whether that is what ended.
    fn end_commitments(&mut self, market: &Market) -> bool {
        let mut window = self.view.window(&market.name);
        if !market.is_sealed() || window.opened.as_ref().is_none_or(|opened| opened.opening) {
            return false;
        }
        window.opened = Some(Opened { opening: true, ..Opened::new(self.now) });
        self.view.put_window(&market.name, window);
        true
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
