//! Seal and reveal: bids that nobody can read before all of them are made (M-23 to M-27).

use std::sync::Arc;

use quorate_types::operation::{Offer, Opening, Operation, Reveal, Seal};
use quorate_types::{Label, Market, PublicKey, Reason, Stage, TaskId, limits, task};

use crate::run::{Items, Run};
use crate::state::{Entry, Index, Key, Reservation};

/// The number of defaults after which a further one no longer lengthens the bar (M-27).
const MAX_BARS: u64 = 16;

impl Run<'_> {
    /// Replaces the agent's earlier commitments in this window. Commitments that cannot count are
    /// refused one by one; if none is left, the earlier ones stand (M-23).
    pub(super) fn seal(&mut self, operation: &Operation, seal: &Seal) -> Result<Items, Reason> {
        let agent = operation.agent;
        let market = self.market(&seal.market)?;
        check_form(market, true)?;

        let ordered = seal.offers.is_sorted_by(|a, b| a.task < b.task);
        let counted = (1..=limits::OFFERS_PER_BID).contains(&seal.offers.len());
        if !ordered || !counted || task::check_amounts(&seal.budget).is_err() {
            return Err(Reason::BidMalformed);
        }

        // A commitment is for one window, since its price may be opened in that one (M-25).
        let window = self.view.window(&seal.market);
        let collects = window
            .opened
            .is_some_and(|opened| opened.stage == Stage::Bids);

        if !collects || window.number != seal.window {
            return Err(Reason::LateBid);
        }

        // An agent that defaulted is barred for a while (M-27).
        let account = self.view.account(&agent);
        if account.is_some_and(|account| self.now.active < account.barred_until) {
            return Err(Reason::Barred);
        }

        self.check_budget(agent, &seal.market, &seal.budget)?;
        // Commitments on unknown or ended tasks are refused; the others stand (M-4).
        let (seals, items) = self.sort_out(&seal.market, &seal.offers, |offer| offer.task);

        let (operation, budget) = (operation.id(), seal.budget.clone());
        let reservation = Reservation {
            operation,
            budget,
            offers: Vec::new(),
            seals,
        };

        self.replace(&seal.market, agent, reservation)?;
        Ok(items)
    }

    /// Opens commitments. An opening that has no live commitment, or that does not hash to its
    /// commitment, is refused; the others count (M-26).
    pub(super) fn reveal(&mut self, agent: PublicKey, reveal: &Reveal) -> Result<Items, Reason> {
        check_form(self.market(&reveal.market)?, true)?;

        let ordered = reveal.openings.is_sorted_by(|a, b| a.task < b.task);
        let counted = (1..=limits::OFFERS_PER_BID).contains(&reveal.openings.len());
        let prices = reveal
            .openings
            .iter()
            .all(|offer| task::check_price(offer.price).is_ok());

        if !ordered || !counted || !prices {
            return Err(Reason::BidMalformed);
        }

        // Openings count only in the second part of their window (M-26).
        let window = self.view.window(&reveal.market);
        let opens = window
            .opened
            .is_some_and(|opened| opened.stage == Stage::Openings);

        if !opens || window.number != reveal.window {
            return Err(Reason::NotOpening);
        }

        let found = self
            .view
            .reservation(&reveal.market, agent)
            .ok_or(Reason::NoBid)?;
        let mut reservation = (**found).clone();
        let mut items = Items::new();

        for opening in &reveal.openings {
            match self.open(agent, &mut reservation, opening) {
                Ok(()) => self.show(&reveal.market, agent, opening),
                Err(reason) => items.push((Some(opening.task), reason)),
            }
        }

        if items.len() < reveal.openings.len() {
            // Offers ascend by task, opened or not.
            reservation.offers.sort_unstable_by_key(|offer| offer.task);
            let key = Key::Reservation(reveal.market.clone(), agent);
            self.view
                .put(key, Entry::Reservation(Arc::new(reservation)));
        }

        Ok(items)
    }

    /// Turns a commitment into an offer.
    fn open(
        &self,
        agent: PublicKey,
        reservation: &mut Reservation,
        opening: &Opening,
    ) -> Result<(), Reason> {
        let seals = &mut reservation.seals;
        let at = seals.binary_search_by_key(&opening.task, |seal| seal.task);
        let at = at.map_err(|_| Reason::NoBid)?;

        // A commitment ends with its task, although the reservation still lists it.
        if !self.is_sealed(opening.task, agent) {
            return Err(Reason::LateBid);
        }

        if seals.get(at).map(|seal| seal.commitment)
            != Some(opening.commitment(&self.swarm, &agent))
        {
            return Err(Reason::WrongOpening);
        }

        // Once opened, the offer is a bid like any other (M-26).
        seals.remove(at);
        reservation.offers.push(Offer {
            task: opening.task,
            price: opening.price,
        });

        Ok(())
    }

    /// Puts the opened price into the index.
    fn show(&mut self, market: &Label, agent: PublicKey, opening: &Opening) {
        self.view.mark(
            Index::Bid(opening.task, agent),
            opening.price.unsigned_abs(),
        );
        self.add(Index::Sealed(market.clone()), -1);
    }

    /// Returns whether there is a live commitment of the agent on the task.
    fn is_sealed(&self, task: TaskId, agent: PublicKey) -> bool {
        self.view.value(&Index::Bid(task, agent)) == Some(Index::SEALED)
    }

    /// Counts a default for each agent with a live commitment that it did not open, and takes none
    /// of its commitments for a while (M-27): withdrawing by silence must have a cost.
    pub(crate) fn count_defaults(&mut self, market: &Market) {
        let Some(reveal_ms) = market.reveal_ms else {
            return;
        };

        // A commitment whose task ended need not be opened.
        let silent = self
            .reservations(&market.name)
            .filter(|(agent, reservation)| {
                reservation
                    .seals
                    .iter()
                    .any(|seal| self.is_sealed(seal.task, *agent))
            });
        let silent: Vec<PublicKey> = silent.map(|(agent, _)| agent).collect();

        let (now, window) = (self.now.active, market.window_ms.saturating_add(reveal_ms));
        for agent in silent {
            self.view.change_account(agent, |account| {
                // Each default bars the agent for longer, up to a limit.
                account.defaults = account.defaults.saturating_add(1);
                let time = window.saturating_mul(account.defaults.min(MAX_BARS));
                account.barred_until = account.barred_until.max(now.saturating_add(time));
            });
        }
    }
}

/// Checks that a market takes commitments if `sealed`, and open bids otherwise.
pub(super) fn check_form(market: &Market, sealed: bool) -> Result<(), Reason> {
    if market.is_sealed() == sealed {
        Ok(())
    } else {
        Err(Reason::WrongForm)
    }
}
