//! Bid and withdraw: what members reserve and offer in the window of a market.

use std::sync::Arc;

use quorate_types::operation::{Bid, Withdraw};
use quorate_types::{
    Amounts, Capabilities, Label, PublicKey, Reason, SignedOperation, Stage, TaskId, limits, task,
};

use crate::cost;
use crate::lifecycle::TaskState;
use crate::run::{Items, Run};
use crate::state::{Entry, Index, Key, Reservation};

use super::perform::{Perform, as_a_whole};
use super::{is_valid_list, sealed};

impl Perform for Bid {
    fn cost(&self) -> u64 {
        cost::times(self.offers.len(), cost::OFFER)
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        run.bid(signed, self)
    }
}

impl Perform for Withdraw {
    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        as_a_whole(run.withdraw(signed.payload.agent, &self.market))
    }
}

impl Run<'_> {
    /// Replaces the agent's earlier bid in this window. Offers that cannot count are refused one by
    /// one; if none is left, the earlier bid stands (M-4).
    ///
    /// A budget in a dimension that is not attested is accepted here. At clearing it is cut to
    /// nothing and the bid is excluded, with a refusal that everybody can see.
    fn bid(&mut self, signed: &SignedOperation, bid: &Bid) -> Result<Items, Reason> {
        let agent = signed.payload.agent;
        self.check_bid(agent, bid)?;

        // Offers on unknown or ended tasks are refused; the others stand (M-4).
        let (offers, items) = self.sort_out(&bid.market, &bid.offers, |offer| offer.task);

        let reservation = Reservation {
            operation: signed.id(),
            budget: bid.budget.clone(),
            offers,
            seals: Vec::new(),
        };

        self.replace(&bid.market, agent, reservation)?;
        Ok(items)
    }

    /// Checks everything about a bid that does not depend on the tasks of its offers.
    fn check_bid(&self, agent: PublicKey, bid: &Bid) -> Result<(), Reason> {
        sealed::check_form(self.market(&bid.market)?, false)?;
        check_form(bid)?;

        if self.stage(&bid.market) > Stage::Bids {
            return Err(Reason::LateBid);
        }

        self.check_budget(agent, &bid.market, &bid.budget)
    }

    /// Ends the agent's live bids in a market, unless the window takes no more bids (M-5).
    fn withdraw(&mut self, agent: PublicKey, market: &Label) -> Result<(), Reason> {
        self.market(market)?;
        self.view.reservation(market, agent).ok_or(Reason::NoBid)?;
        // Once the window takes no more bids, those there are stand.
        if self.stage(market) > Stage::Bids {
            return Err(Reason::WithdrawLate);
        }

        self.drop_reservation(market, agent);
        Ok(())
    }

    /// Checks that in each attested dimension the budget is at most what is free (M-3).
    pub(super) fn check_budget(
        &self,
        agent: PublicKey,
        market: &Label,
        budget: &Amounts,
    ) -> Result<(), Reason> {
        let (attested, _) = self.view.capabilities(agent, self.now.wall);
        let free = self.free(agent, market, &attested);

        // A dimension that is not attested is not in `free`, and passes here.
        let exceeds = |(name, wanted)| free.get(name).is_some_and(|free| wanted > free);

        if budget.iter().any(exceeds) {
            Err(Reason::BudgetExceeded)
        } else {
            Ok(())
        }
    }

    /// Replaces the agent's earlier reservation, unless the new one is empty.
    pub(super) fn replace(
        &mut self,
        market: &Label,
        agent: PublicKey,
        reservation: Reservation,
    ) -> Result<(), Reason> {
        let live = reservation
            .offers
            .len()
            .saturating_add(reservation.seals.len());

        if live == 0 {
            return Ok(());
        }

        if !self.has_room(market, agent, live) {
            return Err(Reason::QuotaExceeded);
        }

        // The earlier bids end first, so that none of them counts twice.
        self.drop_reservation(market, agent);
        self.keep(market, agent, reservation);
        Ok(())
    }

    /// Returns the part of each attested amount that is neither committed to assignments nor
    /// reserved in another market than `except`. It is at least 0: after a revocation more may be
    /// committed than is attested.
    pub(crate) fn free(
        &self,
        agent: PublicKey,
        except: &Label,
        attested: &Capabilities,
    ) -> Amounts {
        let mut free = attested.amounts.clone();

        if let Some(account) = self.view.account(&agent) {
            take(&mut free, &account.committed);
        }

        // A bid in the market itself would be replaced, so it takes nothing.
        let markets = self.genesis.markets.iter();
        for market in markets.filter(|market| market.name != *except) {
            if let Some(reservation) = self.view.reservation(&market.name, agent) {
                take(&mut free, &reservation.budget);
            }
        }

        free.values_mut().for_each(|left| *left = (*left).max(0));
        free
    }

    /// Returns the offers that count, and the others with the reason against each.
    pub(super) fn sort_out<T: Copy>(
        &self,
        market: &Label,
        all: &[T],
        task: impl Fn(&T) -> TaskId,
    ) -> (Vec<T>, Items) {
        let mut offers = Vec::new();
        let mut items = Items::new();

        for offer in all {
            match self.check_offer(market, task(offer)) {
                Ok(()) => offers.push(*offer),
                Err(reason) => items.push((Some(task(offer)), reason)),
            }
        }

        (offers, items)
    }

    /// Checks that a task is open in this market, so that an offer on it counts (M-4).
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

    /// Stores a reservation, and marks its bids as live.
    fn keep(&mut self, market: &Label, agent: PublicKey, reservation: Reservation) {
        let mut live = 0;

        for (task, value) in reservation.marks() {
            self.view.mark(Index::Bid(task, agent), value);
            live += 1;
        }

        // The index keeps counts, so that no block has to count bids.
        let sealed = reservation.seals.len() as i64;
        self.add(Index::Live(market.clone()), live);
        self.add(Index::Sealed(market.clone()), sealed);

        self.add(Index::Bidders(market.clone()), 1);
        self.add(Index::LiveOf(market.clone(), agent), live);

        self.put_reservation(market, agent, reservation);
    }

    /// Writes the entry of a reservation, without the index.
    pub(super) fn put_reservation(
        &mut self,
        market: &Label,
        agent: PublicKey,
        reservation: Reservation,
    ) {
        let key = Key::Reservation(market.clone(), agent);
        let entry = Entry::Reservation(Arc::new(reservation));
        self.view.put(key, entry);
    }

    /// Ends a reservation and its live bids; does nothing if there is none.
    pub(crate) fn drop_reservation(&mut self, market: &Label, agent: PublicKey) {
        let Some(reservation) = self.view.reservation(market, agent).map(Arc::clone) else {
            return;
        };

        for (task, _) in reservation.marks() {
            self.drop_mark(market, agent, task);
        }

        self.add(Index::Bidders(market.clone()), -1);

        self.view.remove(Key::Reservation(market.clone(), agent));
    }

    /// Ends a live bid in the index; does nothing if there is none.
    pub(crate) fn drop_mark(&mut self, market: &Label, agent: PublicKey, task: TaskId) {
        let bid = Index::Bid(task, agent);

        // The bid may have ended before, with its task.
        let Some(value) = self.view.value(&bid) else {
            return;
        };

        self.view.unmark(bid);

        self.add(Index::Live(market.clone()), -1);
        self.add(Index::LiveOf(market.clone(), agent), -1);

        if value == Index::SEALED {
            self.add(Index::Sealed(market.clone()), -1);
        }
    }

    /// Changes a count of the index.
    pub(crate) fn add(&mut self, key: Index, change: i64) {
        let count = self.view.count(&key).saturating_add_signed(change);
        self.view.set_count(key, count);
    }

    /// Returns the reservations in a market, ascending by agent.
    pub(crate) fn reservations(
        &self,
        market: &Label,
    ) -> impl Iterator<Item = (PublicKey, &Reservation)> {
        self.view
            .entries(Key::reservations(market))
            .filter_map(|(key, entry)| match (key, entry) {
                (Key::Reservation(_, agent), Entry::Reservation(found)) => Some((*agent, &**found)),
                _ => None,
            })
    }
}

/// Takes amounts from those that are free. Only dimensions that are attested have any.
fn take(free: &mut Amounts, taken: &Amounts) {
    for (name, amount) in taken {
        if let Some(left) = free.get_mut(name) {
            *left = left.saturating_sub(*amount);
        }
    }
}

/// Checks that offers are strictly ascending, at least one and not too many, and that prices and
/// budget are within their ranges (M-2).
fn check_form(bid: &Bid) -> Result<(), Reason> {
    let is_list = is_valid_list(&bid.offers, limits::OFFERS_PER_BID, |offer| offer.task);
    let budget = task::check_amounts(&bid.budget).is_ok();

    let prices = bid
        .offers
        .iter()
        .all(|offer| task::check_price(offer.price).is_ok());

    if is_list && prices && budget {
        Ok(())
    } else {
        Err(Reason::BidMalformed)
    }
}
