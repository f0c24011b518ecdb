//! The `sequential` mechanism (M-19): a sequential single-item auction, which awards one task in
//! each clearing.
//!
//! An agent bids the cost that a task adds to the work it already has. The lowest of all bids wins
//! its task. In the next window the agents bid again on the remaining tasks, with their new
//! marginal costs (Lagoudakis et al., Robotics: Science and Systems 2005; Koenig et al., AAMAS
//! 2006). So tasks that belong together find one agent, although nobody bids on bundles.
//!
//! If tasks are stops on routes and the aim is the least sum of the ways, the result is at most
//! twice the optimum. Other costs have other factors, and arbitrary ones have none.

use crate::auction::{Auction, Bid, Clearing, Winner};
use crate::eligibility::fits;
use crate::mechanism::{About, Bidding, Mechanism};

/// Awards the one bid of least price, among all within limit and budget, and pays it as bid; ties
/// go to the lesser tie key. All other tasks stay open for the next window.
#[derive(Debug, Clone, Copy)]
pub struct Sequential;

const ABOUT: About = About {
    name: "sequential",
    version: 1,
    class: "ST-SR-TA",
    guarantee: "least price first; at most twice the least sum for routes bid by marginal cost",
    limits: "one award for each clearing",
    bidding: Bidding::Either,
    takes_all_asks: false,
    takes_solutions: false,
};

impl Mechanism for Sequential {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let rows = (tasks as u64).saturating_add(bidders as u64);
        rows.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        let bids = auction.bids.iter();
        let possible = bids.filter(|bid| is_possible(auction, bid));
        let first = possible.min_by(|a, b| auction.compare(a, b));

        let winner = first.map(|bid| Winner::at(bid, bid.price));
        Clearing::of(winner.into_iter().collect())
    }
}

/// Checks whether a bid is within its task's limit and its agent's budget.
fn is_possible(auction: &Auction, bid: &Bid) -> bool {
    let Some(task) = auction.task(&bid.task) else {
        return false;
    };

    let Some(bidder) = auction.bidder(&bid.agent) else {
        return false;
    };

    bid.price <= task.limit && fits(&task.demand, &bidder.budget)
}
