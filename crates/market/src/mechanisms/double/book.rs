//! The two sides of a good, units wanted and units offered, and how many of them cross.

use std::collections::BTreeMap;

use quorate_types::{Amounts, Price, PublicKey};

use super::shares::{Claim, shares};
use crate::auction::{Auction, Task};

/// Tasks with the same demand, ascending.
pub(super) type Good<'a> = Vec<&'a Task>;

/// Returns the goods of an auction, in the order of their first tasks.
pub(super) fn goods(auction: &Auction) -> Vec<Good<'_>> {
    let mut by_demand: BTreeMap<&Amounts, Good<'_>> = BTreeMap::new();
    for task in &auction.tasks {
        by_demand.entry(&task.demand).or_default().push(task);
    }

    // They clear in this order, each with what the ones before it left of the budgets.
    let mut goods: Vec<Good<'_>> = by_demand.into_values().collect();
    goods.sort_unstable_by_key(|good| {
        let first = good.first();
        first.map(|task| task.id)
    });

    goods
}

/// The tasks that want a unit of a good, and the bidders that offer units of it.
pub(super) struct Book<'a> {
    tasks: Good<'a>,
    sellers: BTreeMap<PublicKey, Seller>,
}

/// The units that a bidder offers of a good.
#[derive(Debug, Clone, Copy, Default)]
struct Seller {
    ask: Price,
    units: usize,
}

impl<'a> Book<'a> {
    /// Collects both sides of a good, which has at least one task, as [`goods`] makes them.
    /// `budgets` holds what the goods before it left.
    pub(super) fn new(
        auction: &Auction,
        good: Good<'a>,
        budgets: &BTreeMap<PublicKey, Amounts>,
    ) -> Self {
        let demand = &good[0].demand;
        let mut sellers = offered(auction, &good);

        // Nobody sells more units than its budget holds.
        for (agent, seller) in &mut sellers {
            let budget = budgets.get(agent);
            let held = budget.map_or(0, |budget| units(demand, budget));
            seller.units = seller.units.min(held);
        }

        sellers.retain(|_, seller| seller.units > 0);
        Self {
            tasks: good,
            sellers,
        }
    }

    /// Returns the amounts that one unit takes.
    pub(super) fn demand(&self) -> &'a Amounts {
        &self.tasks[0].demand
    }

    /// Returns all bids and asks, unit by unit.
    pub(super) fn crossing(&self) -> Crossing {
        let units = |seller: &Seller| std::iter::repeat_n(seller.ask, seller.units);
        let asks = self.sellers.values().flat_map(units).collect();
        Crossing::of(self.tasks.iter().map(|task| task.limit).collect(), asks)
    }

    /// Returns how many units each seller may sell: `trades` in all.
    pub(super) fn selling(&self, auction: &Auction, trades: usize) -> BTreeMap<PublicKey, usize> {
        let first = self.tasks[0].id;
        let claims: Vec<Claim> = self
            .sellers
            .iter()
            .map(|(agent, seller)| Claim {
                rank: seller.ask,
                units: seller.units,
                key: auction.ties.key(&first, agent),
            })
            .collect();

        self.sellers
            .keys()
            .copied()
            .zip(shares(&claims, trades))
            .collect()
    }

    /// Returns the tasks that may trade, ascending: `trades` in all.
    pub(super) fn buying(&self, auction: &Auction, trades: usize) -> Vec<&'a Task> {
        let first = self.tasks[0].id;
        let wanted = self.wanted();

        // The highest limits come first.
        let claims: Vec<Claim> = wanted
            .iter()
            .map(|((requester, limit), tasks)| Claim {
                rank: -limit,
                units: tasks.len(),
                key: auction.ties.key(&first, requester),
            })
            .collect();

        // Of each claim the first tasks trade.
        let mut served: Vec<&Task> = wanted
            .values()
            .zip(shares(&claims, trades))
            .flat_map(|(tasks, share)| &tasks[..share])
            .copied()
            .collect();
        served.sort_unstable_by_key(|task| task.id);
        served
    }

    /// Returns the tasks of each requester at each limit, ascending.
    fn wanted(&self) -> BTreeMap<(PublicKey, Price), Good<'a>> {
        let mut wanted: BTreeMap<_, Good<'a>> = BTreeMap::new();
        for task in &self.tasks {
            let claim = (task.id.requester, task.limit);
            wanted.entry(claim).or_default().push(task);
        }
        wanted
    }
}

/// Returns the agents that bid on tasks of a good. Each has one unit for each of its bids, and asks
/// the highest of them.
fn offered(auction: &Auction, good: &Good<'_>) -> BTreeMap<PublicKey, Seller> {
    let mut sellers: BTreeMap<PublicKey, Seller> = BTreeMap::new();
    let bids = good.iter().flat_map(|task| auction.bids_on(&task.id));

    // A bid above its task's limit counts as well.
    for bid in bids {
        let seller = sellers.entry(bid.agent).or_default();
        seller.ask = seller.ask.max(bid.price);
        seller.units += 1;
    }
    sellers
}

/// Returns how many times a budget holds a demand.
fn units(demand: &Amounts, budget: &Amounts) -> usize {
    let positive = demand.iter().filter(|(_, amount)| **amount > 0);

    // A dimension that is not in the budget counts as 0.
    let each = positive.map(|(name, amount)| {
        let held = budget.get(name).copied().unwrap_or(0);
        usize::try_from(held / amount).unwrap_or(0)
    });

    // A demand without a positive amount sets no bound.
    each.min().unwrap_or(usize::MAX)
}

/// All bids and asks of a good, sorted, and how many of them cross.
#[derive(Debug)]
pub(super) struct Crossing {
    /// Bids, the highest first.
    bids: Vec<Price>,
    /// Asks, the lowest first.
    asks: Vec<Price>,
    /// The greatest number of units that can trade: `k`.
    pub(super) trades: usize,
}

impl Crossing {
    pub(super) fn of(mut bids: Vec<Price>, mut asks: Vec<Price>) -> Self {
        bids.sort_unstable_by(|a, b| b.cmp(a));
        asks.sort_unstable();

        let trades = bids
            .iter()
            .zip(&asks)
            .take_while(|(bid, ask)| bid >= ask)
            .count();

        Self { bids, asks, trades }
    }

    /// Returns the `nth` highest bid, counted from 1.
    pub(super) fn bid(&self, nth: usize) -> Option<Price> {
        self.bids.get(nth.checked_sub(1)?).copied()
    }

    /// Returns the `nth` lowest ask, counted from 1.
    pub(super) fn ask(&self, nth: usize) -> Option<Price> {
        self.asks.get(nth.checked_sub(1)?).copied()
    }
}
