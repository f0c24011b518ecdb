//! Seal and reveal: bids that nobody can read before all of them are made (M-23 to M-27).

use quorate_types::operation::{Offer, Opening, Reveal, Seal};
use quorate_types::{
    Label, Market, PublicKey, Reason, SignedOperation, Stage, TaskId, limits, task,
};

use crate::cost;
use crate::run::{Items, Run};
use crate::state::{Index, Reservation};

use super::is_valid_list;
use super::perform::Perform;

/// The number of defaults after which a further one no longer lengthens the bar (M-27).
const MAX_BARS: u64 = 16;

impl Perform for Seal {
    fn cost(&self) -> u64 {
        cost::times(self.offers.len(), cost::OFFER)
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        run.seal(signed, self)
    }
}

impl Perform for Reveal {
    fn cost(&self) -> u64 {
        cost::times(self.openings.len(), cost::OFFER)
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        run.reveal(signed.payload.agent, self)
    }
}

impl Run<'_> {
    /// Replaces the agent's earlier commitments in this window. Commitments that cannot count are
    /// refused one by one; if none is left, the earlier ones stand (M-23).
    fn seal(&mut self, signed: &SignedOperation, seal: &Seal) -> Result<Items, Reason> {
        let agent = signed.payload.agent;
        self.check_seal(agent, seal)?;

        // Commitments on unknown or ended tasks are refused; the others stand (M-4).
        let (seals, items) = self.sort_out(&seal.market, &seal.offers, |offer| offer.task);

        let reservation = Reservation {
            operation: signed.id(),
            budget: seal.budget.clone(),
            offers: Vec::new(),
            seals,
        };

        self.replace(&seal.market, agent, reservation)?;
        Ok(items)
    }

    /// Checks everything about commitments that does not depend on their tasks.
    fn check_seal(&self, agent: PublicKey, seal: &Seal) -> Result<(), Reason> {
        check_form(self.market(&seal.market)?, true)?;

        let is_list = is_valid_list(&seal.offers, limits::OFFERS_PER_BID, |offer| offer.task);

        if !is_list || task::check_amounts(&seal.budget).is_err() {
            return Err(Reason::BidMalformed);
        }

        // A commitment is for one window, since its price may be opened in that one (M-25).
        if !self.is_at(&seal.market, seal.window, Stage::Bids) {
            return Err(Reason::LateBid);
        }

        // An agent that defaulted is barred for a while (M-27).
        let account = self.view.account(&agent);

        if account.is_some_and(|account| self.now.active < account.barred_until) {
            return Err(Reason::Barred);
        }

        self.check_budget(agent, &seal.market, &seal.budget)
    }

    /// Opens commitments. An opening that has no live commitment, or that does not hash to its
    /// commitment, is refused; the others count (M-26).
    fn reveal(&mut self, agent: PublicKey, reveal: &Reveal) -> Result<Items, Reason> {
        self.check_reveal(reveal)?;

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

            self.put_reservation(&reveal.market, agent, reservation);
        }

        Ok(items)
    }

    /// Checks everything about openings that does not depend on the commitments.
    fn check_reveal(&self, reveal: &Reveal) -> Result<(), Reason> {
        check_form(self.market(&reveal.market)?, true)?;
        check_openings(&reveal.openings)?;

        // Openings count only in the second part of their window (M-26).
        if !self.is_at(&reveal.market, reveal.window, Stage::Openings) {
            return Err(Reason::NotOpening);
        }

        Ok(())
    }

    /// Turns a commitment into an offer.
    fn open(
        &self,
        agent: PublicKey,
        reservation: &mut Reservation,
        opening: &Opening,
    ) -> Result<(), Reason> {
        let seals = &mut reservation.seals;
        let at = seals
            .binary_search_by_key(&opening.task, |seal| seal.task)
            .map_err(|_| Reason::NoBid)?;

        // A commitment ends with its task, although the reservation still lists it.
        if !self.is_sealed(opening.task, agent) {
            return Err(Reason::LateBid);
        }

        let kept = seals.get(at).map(|seal| seal.commitment);
        if kept != Some(opening.commitment(&self.swarm, &agent)) {
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

        let now = self.now.active;
        let window = market.window_ms.saturating_add(reveal_ms);

        for agent in self.silent_bidders(&market.name) {
            self.view.change_account(agent, |account| {
                // Each default bars the agent for longer, up to a limit.
                account.defaults = account.defaults.saturating_add(1);

                let time = window.saturating_mul(account.defaults.min(MAX_BARS));
                account.barred_until = account.barred_until.max(now.saturating_add(time));
            });
        }
    }

    /// Returns the agents with a live commitment in a market that they did not open.
    fn silent_bidders(&self, market: &Label) -> Vec<PublicKey> {
        // A commitment whose task ended need not be opened.
        let silent = self.reservations(market).filter(|(agent, reservation)| {
            let mut seals = reservation.seals.iter();
            seals.any(|seal| self.is_sealed(seal.task, *agent))
        });

        silent.map(|(agent, _)| agent).collect()
    }
}

/// Checks that openings are strictly ascending, at least one and not too many, and that prices are
/// within their range.
fn check_openings(openings: &[Opening]) -> Result<(), Reason> {
    let is_list = is_valid_list(openings, limits::OFFERS_PER_BID, |opening| opening.task);
    let prices = openings
        .iter()
        .all(|opening| task::check_price(opening.price).is_ok());

    if is_list && prices {
        Ok(())
    } else {
        Err(Reason::BidMalformed)
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
