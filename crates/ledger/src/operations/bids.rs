//! Bid and withdraw: what members reserve and offer in the window of a market.

use std::sync::Arc;

use quorate_types::operation::{Bid, Offer, Operation};
use quorate_types::{Amounts, Capabilities, Label, PublicKey, Reason, TaskId, limits, task};

use crate::lifecycle::TaskState;
use crate::run::{Items, Run};
use crate::state::{Entry, Index, Key, Reservation};

impl Run<'_> {
    /// Puts a bid in the place of the agent's earlier one in this window. Offers that cannot count
    /// are refused one by one; if none is left, the earlier bid stands.
    ///
    /// A budget in a dimension that nobody attested is let in: at clearing it is cut to nothing
    /// and the bid excluded, as a refusal that all can see.
    pub(super) fn bid(&mut self, operation: &Operation, bid: &Bid) -> Result<Items, Reason> {
        let agent = operation.agent;
        self.market(&bid.market)?;
        check_form(bid)?;
        let (attested, _) = self.view.capabilities(agent, self.now.wall);
        let free = self.free(agent, &bid.market, &attested);
        if bid.budget.iter().any(|(name, wanted)| free.get(name).is_some_and(|f| wanted > f)) {
            return Err(Reason::BudgetExceeded);
        }
        let (offers, items) = self.sort_out(bid);
        if offers.is_empty() {
            return Ok(items);
        }
        if !self.has_room(&bid.market, agent, offers.len()) {
            return Err(Reason::QuotaExceeded);
        }
        self.drop_reservation(&bid.market, agent);
        let (operation, budget) = (operation.id(), bid.budget.clone());
        self.keep(&bid.market, agent, Reservation { operation, budget, offers });
        Ok(items)
    }

    /// Ends the agent's live bids in a market.
    pub(super) fn withdraw(&mut self, agent: PublicKey, market: &Label) -> Result<(), Reason> {
        self.market(market)?;
        self.view.reservation(market, agent).ok_or(Reason::NoBid)?;
        self.drop_reservation(market, agent);
        Ok(())
    }

    /// What of each attested amount is neither committed to assignments nor reserved in another
    /// market than `except`. At least 0: a revocation may leave less than is committed.
    pub(crate) fn free(
        &self,
        agent: PublicKey,
        except: &Label,
        attested: &Capabilities,
    ) -> Amounts {
        let mut free = attested.amounts.clone();
        let mut take = |taken: &Amounts| {
            for (name, amount) in taken {
                if let Some(left) = free.get_mut(name) {
                    *left = left.saturating_sub(*amount);
                }
            }
        };
        if let Some(account) = self.view.account(&agent) {
            take(&account.committed);
        }
        for market in self.genesis.markets.iter().filter(|market| market.name != *except) {
            if let Some(reservation) = self.view.reservation(&market.name, agent) {
                take(&reservation.budget);
            }
        }
        free.values_mut().for_each(|left| *left = (*left).max(0));
        free
    }

    /// The offers that count, and those that do not with the reason.
    fn sort_out(&self, bid: &Bid) -> (Vec<Offer>, Items) {
        let (mut offers, mut items) = (Vec::new(), Items::new());
        for offer in &bid.offers {
            match self.check_offer(&bid.market, offer.task) {
                Ok(()) => offers.push(*offer),
                Err(reason) => items.push((Some(offer.task), reason)),
            }
        }
        (offers, items)
    }

    fn check_offer(&self, market: &Label, task: TaskId) -> Result<(), Reason> {
        let task = self.view.task(&task).ok_or(Reason::UnknownTask)?;
        if task.spec.market != *market {
            return Err(Reason::WrongMarket);
        }
        if task.state != TaskState::Open {
            return Err(Reason::LateBid);
        }
        Ok(())
    }

    fn keep(&mut self, market: &Label, agent: PublicKey, reservation: Reservation) {
        let live = reservation.offers.len();
        for Offer { task, price } in &reservation.offers {
            self.view.mark(Index::Bid(*task, agent), price.unsigned_abs());
        }
        self.add_live(market, live as i64);
        self.add_bidders(market, 1);
        self.view.set_count(Index::LiveOf(market.clone(), agent), live as u64);
        let key = Key::Reservation(market.clone(), agent);
        self.view.put(key, Entry::Reservation(Arc::new(reservation)));
    }

    /// Ends a reservation and its live bids; does nothing where there is none.
    pub(crate) fn drop_reservation(&mut self, market: &Label, agent: PublicKey) {
        let Some(reservation) = self.view.reservation(market, agent).map(Arc::clone) else {
            return;
        };
        for offer in &reservation.offers {
            self.view.unmark(Index::Bid(offer.task, agent));
        }
        let of = Index::LiveOf(market.clone(), agent);
        self.add_live(market, -(self.view.count(&of) as i64));
        self.add_bidders(market, -1);
        self.view.unmark(of);
        self.view.remove(Key::Reservation(market.clone(), agent));
    }

    fn add_live(&mut self, market: &Label, change: i64) {
        let key = Index::Live(market.clone());
        let count = self.view.count(&key).saturating_add_signed(change);
        self.view.set_count(key, count);
    }

    fn add_bidders(&mut self, market: &Label, change: i64) {
        let key = Index::Bidders(market.clone());
        let count = self.view.count(&key).saturating_add_signed(change);
        self.view.set_count(key, count);
    }
}

/// Offers strictly ascending, not none, not too many; prices and budget within their ranges.
fn check_form(bid: &Bid) -> Result<(), Reason> {
    let ordered = bid.offers.is_sorted_by(|a, b| a.task < b.task);
    let prices = bid.offers.iter().all(|offer| task::check_price(offer.price).is_ok());
    let counted = (1..=limits::OFFERS_PER_BID).contains(&bid.offers.len());
    let budget = task::check_amounts(&bid.budget).is_ok();
    if ordered && prices && counted && budget { Ok(()) } else { Err(Reason::BidMalformed) }
}
