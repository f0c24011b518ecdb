//! Double auctions (M-21): tasks are units to buy, offers are units to sell, and many of both trade
//! at one time.
//!
//! # Units
//! - Tasks with the same demand are one **good**. Goods clear one after the other, in the order of
//!   their first tasks; the units that a seller sold of one are gone from its budget for the next.
//! - A task is one unit wanted. The buyer is its requester, and the buyer's bid is the task's
//!   limit.
//! - A bidder sells units of a good: as many as its budget holds the demand, and at most one for
//!   each of its offers there. Its **ask** is the highest of these offers. (An offer above the
//!   limit of its task counts as an ask, but never trades with that task.)
//!
//! # Trades
//! With bids falling (`b1 >= b2 >= ...`) and asks rising (`s1 <= s2 <= ...`), `k` is the greatest
//! number with `bk >= sk`. A mechanism decides how many units trade, and at what prices. The better
//! bids and asks trade in full. Units at the marginal ask are shared among their sellers in
//! proportion to the units that these have, and units at the marginal bid among their requesters in
//! the same way. The shares are rounded by the largest remainder (Hamilton's method); of equal
//! remainders, the lesser tie key of (first task of the good, agent) comes first. Of one
//! requester's tasks at one limit, the first ones trade.
//!
//! # Matching
//! Only a pair with an offer between them trades. The chosen tasks are matched in ascending order.
//! Each takes the seller of least tie key that has a unit left; if there is none, it takes one over
//! the shortest chain of exchanges that frees a unit (`matching`). That gives the most pairs, and
//! of all such sets of tasks the first.
//!
//! A task that cannot be matched does not trade, nor do the units of a seller that are left. Prices
//! stay as they are, so everyone that trades does so within its bid or ask, and what buyers pay
//! covers what sellers get. If every seller offers on every task of a good, all are matched.

mod book;
mod matching;
mod shares;

use quorate_types::Price;

use self::book::{Book, Crossing};
use crate::auction::{Auction, Clearing, Winner};
use crate::mechanism::{About, Bidding, Mechanism};
use crate::mechanisms::first_price::take;

/// One price for all trades: `k` units trade at the middle, rounded down, of the prices between
/// `max(sk, bk+1)` and `min(bk, sk+1)`. At these prices exactly `k` units want to trade.
///
/// Charges and payments match to the last unit. The rule is not truthful: an agent at the margin
/// may move the price (Wilson, Econometrica 53, 1985: the gain vanishes as the market grows).
#[derive(Debug, Clone, Copy)]
pub struct UniformDouble;

/// McAfee's double auction (J. Economic Theory 56, 1992).
///
/// Let `p0` be the middle of `bk+1` and `sk+1`, rounded down. If it lies between `sk` and `bk`, all
/// `k` units trade at `p0`. Otherwise, or if `bk+1` or `sk+1` is missing, the last trade is left
/// out: buyers pay `bk`, sellers get `sk`, and nobody gets the difference.
///
/// The rule is truthful for buyers and sellers of one unit each, if sellers offer on every task of
/// the good. With more units, an agent may gain by holding some back.
#[derive(Debug, Clone, Copy)]
pub struct McAfee;

/// The number of units of a good that trade, and their prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    trades: usize,
    payment: Price,
    charge: Price,
}

const UNIFORM: About = About {
    name: "uniform-double",
    version: 1,
    class: "MT-SR-IA",
    guarantee: "most gains from trade of each kind of task, one price, budget balanced; \
                not truthful",
    limits: "tasks of one demand are one good, a seller has one ask for each",
    bidding: Bidding::Sealed,
    takes_all_asks: true,
    takes_solutions: false,
};

impl Mechanism for UniformDouble {
    fn about(&self) -> &'static About {
        &UNIFORM
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        cost(tasks, bidders, bids)
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        clear(auction, uniform)
    }
}

const MCAFEE: About = About {
    name: "mcafee",
    version: 1,
    class: "MT-SR-IA",
    guarantee: "truthful for one unit each, no deficit; all but the least valuable of the trades",
    limits: "tasks of one demand are one good, a seller has one ask for each",
    bidding: Bidding::Sealed,
    takes_all_asks: true,
    takes_solutions: false,
};

impl Mechanism for McAfee {
    fn about(&self) -> &'static About {
        &MCAFEE
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        cost(tasks, bidders, bids)
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        clear(auction, mcafee)
    }
}

/// Worst-case cost: the search of each task looks at each bid and each task once, at about two
/// nanoseconds each.
fn cost(tasks: usize, bidders: usize, bids: usize) -> u64 {
    let tasks = tasks as u64;
    let bids = bids as u64;
    let looked_at = tasks.saturating_add(bids);
    let searches = tasks.saturating_mul(looked_at) / 500;
    let rows = tasks.saturating_add(bidders as u64).saturating_mul(3);

    searches
        .saturating_add(rows)
        .saturating_add(bids.saturating_mul(4))
}

/// Clears the goods one after the other.
fn clear(auction: &Auction, terms: impl Fn(&Crossing) -> Option<Terms>) -> Clearing {
    let mut budgets = auction.budgets();
    let mut winners = Vec::new();

    for good in book::goods(auction) {
        let book = Book::new(auction, good, &budgets);
        let Some(terms) = terms(&book.crossing()) else {
            continue;
        };

        // The next good must see what this one leaves of the sellers' budgets.
        for award in trade(auction, &book, terms) {
            if let Some(budget) = budgets.get_mut(&award.agent) {
                take(budget, book.demand());
            }
            winners.push(award);
        }
    }

    winners.sort_unstable_by_key(|award| award.task);
    Clearing::of(winners)
}

/// Returns the awards of one good.
fn trade(auction: &Auction, book: &Book<'_>, terms: Terms) -> Vec<Winner> {
    let sellers = book.selling(auction, terms.trades);
    let tasks = book.buying(auction, terms.trades);

    // The prices do not depend on who trades with whom.
    matching::most(auction, &tasks, &sellers)
        .iter()
        .map(|bid| Winner {
            charge: terms.charge,
            ..Winner::at(bid, terms.payment)
        })
        .collect()
}

/// Returns the terms of [`UniformDouble`], or `None` if nothing can trade.
fn uniform(crossing: &Crossing) -> Option<Terms> {
    let trades = crossing.trades;
    let bid = crossing.bid(trades)?;
    let ask = crossing.ask(trades)?;

    // At each price from `low` to `high`, exactly these units want to trade.
    let low = crossing.bid(trades + 1).map_or(ask, |next| next.max(ask));
    let high = crossing.ask(trades + 1).map_or(bid, |next| next.min(bid));
    let price = middle(low, high);

    Some(Terms {
        trades,
        payment: price,
        charge: price,
    })
}

/// Returns the terms of [`McAfee`], or `None` if nothing can trade.
fn mcafee(crossing: &Crossing) -> Option<Terms> {
    let trades = crossing.trades;
    let bid = crossing.bid(trades)?;
    let ask = crossing.ask(trades)?;

    // The first pair that does not trade sets the price, if the last one that does accepts it.
    let next = crossing.bid(trades + 1).zip(crossing.ask(trades + 1));
    let price = next.map(|(bid, ask)| middle(bid, ask));

    if let Some(price) = price.filter(|price| (ask..=bid).contains(price)) {
        return Some(Terms {
            trades,
            payment: price,
            charge: price,
        });
    }

    // The last pair only sets the prices that the others trade at.
    Some(Terms {
        trades: trades - 1,
        payment: ask,
        charge: bid,
    })
}

/// Returns the middle of two prices, rounded down. Prices are at most 2^40, so the sum fits.
fn middle(one: Price, other: Price) -> Price {
    (one + other).div_euclid(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossing(bids: &[Price], asks: &[Price]) -> Crossing {
        Crossing::of(bids.to_vec(), asks.to_vec())
    }

    #[test]
    fn as_many_units_cross_as_have_a_bid_at_the_ask() {
        let table: [(&[Price], &[Price], usize); 6] = [
            (&[9, 8, 3], &[2, 4, 7], 2),
            (&[5, 5], &[5, 5], 2),
            (&[3], &[4], 0),
            (&[], &[1], 0),
            (&[1], &[], 0),
            (&[3, 9, 8], &[7, 2, 4], 2),
        ];
        for (bids, asks, trades) in table {
            assert_eq!(crossing(bids, asks).trades, trades, "{bids:?} {asks:?}");
        }
    }

    #[test]
    fn uniform_price_is_the_middle_of_those_that_clear() {
        type Row<'a> = (&'a [Price], &'a [Price], Option<(usize, Price)>);
        let table: [Row<'_>; 6] = [
            // Between max(4, 3) and min(8, 7).
            (&[9, 8, 3], &[2, 4, 7], Some((2, 5))),
            // The next bid bounds the price from below, the next ask from above.
            (&[9, 8, 6], &[2, 4, 7], Some((2, 6))),
            (&[9], &[2], Some((1, 5))),
            (&[9], &[2, 3], Some((1, 2))),
            (&[9, 8], &[2], Some((1, 8))),
            (&[3], &[4], None),
        ];
        for (bids, asks, expected) in table {
            let terms = uniform(&crossing(bids, asks));
            let expected = expected.map(|(trades, price)| Terms {
                trades,
                payment: price,
                charge: price,
            });
            assert_eq!(terms, expected, "{bids:?} {asks:?}");
        }
    }

    #[test]
    fn mcafee_leaves_the_last_trade_out_unless_the_next_pair_prices_it() {
        type Row<'a> = (&'a [Price], &'a [Price], Option<(usize, Price, Price)>);
        let table: [Row<'_>; 6] = [
            // (3 + 7) / 2 lies between 4 and 8.
            (&[9, 8, 3], &[2, 4, 7], Some((2, 5, 5))),
            // (1 + 4) / 2 is below the ask 4.
            (&[9, 8, 1], &[2, 4, 4], Some((1, 4, 8))),
            (&[9, 8], &[2, 4], Some((1, 4, 8))),
            (&[9, 8], &[2, 4, 7], Some((1, 4, 8))),
            (&[9], &[2], Some((0, 2, 9))),
            (&[3], &[4], None),
        ];
        for (bids, asks, expected) in table {
            let terms = mcafee(&crossing(bids, asks));
            let expected = expected.map(|(trades, payment, charge)| Terms {
                trades,
                payment,
                charge,
            });
            assert_eq!(terms, expected, "{bids:?} {asks:?}");
        }
    }
}
