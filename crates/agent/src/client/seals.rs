//! The commitments that this agent made in sealed markets, and their openings.

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::SecretKey;
use quorate_types::operation::{Offer, Opening, Reveal, SealedOffer};
use quorate_types::{Label, OperationBody, Price, SwarmId, TaskId};

/// The commitments of the newest window of each sealed market.
///
/// The genesis says which markets are sealed, and no validator can: one that lies must not make the
/// agent show a price.
#[derive(Debug)]
pub(super) struct Seals {
    swarm: SwarmId,
    sealed: BTreeSet<Label>,
    made: BTreeMap<Label, Made>,
    /// Whether a commitment was refused because of an earlier default.
    barred: bool,
}

#[derive(Debug, Default)]
struct Made {
    window: u64,
    prices: BTreeMap<TaskId, Price>,
    /// Whether the commitments were opened. A further bid comes too late then.
    opened: bool,
}

impl Seals {
    pub(super) fn new(swarm: SwarmId, sealed: BTreeSet<Label>) -> Self {
        Self {
            swarm,
            sealed,
            made: BTreeMap::new(),
            barred: false,
        }
    }

    pub(super) fn is_sealed(&self, market: &Label) -> bool {
        self.sealed.contains(market)
    }

    /// Returns the markets in which commitments wait to be opened.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Label> {
        self.made
            .iter()
            .filter(|(_, made)| !made.opened)
            .map(|(market, _)| market)
    }

    /// Notes that a commitment was refused because of an earlier default.
    pub(super) fn bar(&mut self) {
        self.barred = true;
    }

    /// Returns whether there was such a refusal since the last call.
    pub(super) fn take_barred(&mut self) -> bool {
        std::mem::take(&mut self.barred)
    }

    /// Commits to offers for a window. Returns `None` if its commitments are being opened already.
    ///
    /// The first price for a task in a window stands, so that the same opening fits, whichever of
    /// two operations with it the swarm took.
    pub(super) fn seal(
        &mut self,
        key: &SecretKey,
        market: &Label,
        window: u64,
        offers: &[Offer],
    ) -> Option<Vec<SealedOffer>> {
        let swarm = self.swarm;
        let agent = key.public_key();
        let made = self.made_for(market, window);
        if made.opened {
            return None;
        }

        let sealed = offers.iter().map(|offer| {
            let task = offer.task;
            let price = *made.prices.entry(task).or_insert(offer.price);
            let opening = opening(key, &swarm, market, window, Offer { task, price });

            SealedOffer {
                task,
                commitment: opening.commitment(&swarm, &agent),
            }
        });

        Some(sealed.collect())
    }

    /// Returns the commitments to a window. Those to another window of the market are forgotten.
    fn made_for(&mut self, market: &Label, window: u64) -> &mut Made {
        let made = self.made.entry(market.clone()).or_default();
        if made.window != window {
            *made = Made {
                window,
                ..Made::default()
            };
        }

        made
    }

    /// Opens the commitments of this window; only once.
    pub(super) fn reveal(
        &mut self,
        key: &SecretKey,
        market: &Label,
        window: u64,
    ) -> Option<OperationBody> {
        let made = self
            .made
            .get_mut(market)
            .filter(|made| made.window == window)?;

        if std::mem::replace(&mut made.opened, true) || made.prices.is_empty() {
            return None;
        }

        // The nonces follow from key, place and offer, so they need not be kept.
        let openings = made.prices.iter().map(|(task, price)| {
            let offer = Offer {
                task: *task,
                price: *price,
            };
            opening(key, &self.swarm, market, window, offer)
        });

        let openings = openings
            .take(quorate_types::limits::OFFERS_PER_BID)
            .collect();

        Some(OperationBody::Reveal(Reveal {
            market: market.clone(),
            window,
            openings,
        }))
    }

    /// Forgets the commitments to earlier windows of the market.
    pub(super) fn forget(&mut self, market: &Label, window: u64) {
        if self
            .made
            .get(market)
            .is_some_and(|made| made.window < window)
        {
            self.made.remove(market);
        }
    }
}

/// Returns the opening of the commitment to an offer.
fn opening(key: &SecretKey, swarm: &SwarmId, market: &Label, window: u64, offer: Offer) -> Opening {
    Opening {
        task: offer.task,
        price: offer.price,
        nonce: key.seal_nonce(swarm, market, window, &offer),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{market, task};
    use super::*;

    fn seal(seals: &mut Seals, window: u64, price: Price) -> Option<Vec<SealedOffer>> {
        let key = SecretKey::from_seed(&[7; 32]);
        let offer = Offer {
            task: task(1),
            price,
        };
        seals.seal(&key, &market(), window, &[offer])
    }

    fn reveal(seals: &mut Seals, window: u64) -> Option<OperationBody> {
        let key = SecretKey::from_seed(&[7; 32]);
        seals.reveal(&key, &market(), window)
    }

    fn seals() -> Seals {
        Seals::new(SwarmId([3; 32]), BTreeSet::from([market()]))
    }

    #[test]
    fn the_first_price_in_a_window_stands() {
        let mut seals = seals();
        let first = seal(&mut seals, 1, 7);
        assert_eq!(seal(&mut seals, 1, 8), first);
        assert_ne!(seal(&mut seals, 2, 8), first);
    }

    #[test]
    fn commitments_are_opened_once_and_none_is_made_after() {
        let mut seals = seals();
        seal(&mut seals, 1, 7);
        assert_eq!(reveal(&mut seals, 2), None);
        assert!(reveal(&mut seals, 1).is_some());
        assert_eq!(reveal(&mut seals, 1), None);
        assert_eq!(seal(&mut seals, 1, 7), None);
        assert!(seal(&mut seals, 2, 7).is_some());
    }

    #[test]
    fn a_later_window_forgets_what_waits_to_be_opened() {
        let mut seals = seals();
        seal(&mut seals, 1, 7);
        seals.forget(&market(), 1);
        assert_eq!(seals.waiting().count(), 1);
        seals.forget(&market(), 2);
        assert_eq!(seals.waiting().count(), 0);
    }
}
