//! The `second-price` mechanism (M-18): second price, task by task (Vickrey, J. Finance 16, 1961),
//! with the public limit as the reserve price.
//!
//! For one task alone, an agent's price decides whether it wins, but never how much it is paid. So
//! an agent does best to ask its true cost, whatever the others do. These cases break that:
//!
//! - **False names.** An agent that also makes a dearer bid under a second key sets its own
//!   payment.
//! - **Shills.** A requester with a friend that bids just above the winner presses the payment
//!   down.
//! - **Budgets.** Tasks are cleared one after the other, and what a task takes is gone from the
//!   budget. So an agent that can do only one of several tasks may do better by not bidding on the
//!   first.
//! - **Open bids.** An agent that sees the others' prices cannot gain by that alone, but agents can
//!   collude.

use std::collections::BTreeMap;

use quorate_types::{Amounts, Price, PublicKey};

use super::first_price::{cheapest, take};
use crate::auction::{Auction, Bid, Clearing, Task, Winner};
use crate::mechanism::{About, Bidding, Mechanism};

/// Gives each task, in ascending order, to the cheapest bid that is within its limit and whose
/// demand still fits the agent's remaining budget; ties go to the lesser tie key. The winner is
/// paid the price of the cheapest of the other bids that fit, or the task's limit if there is none,
/// so never more than the limit.
#[derive(Debug, Clone, Copy)]
pub struct SecondPrice;

const ABOUT: About = About {
    name: "second-price",
    version: 1,
    class: "ST-SR-IA",
    guarantee: "truthful for one task at a time; not with false names, shills, or budgets \
                across tasks",
    limits: "none of its own",
    bidding: Bidding::Sealed,
    takes_all_asks: false,
    takes_solutions: false,
};

impl Mechanism for SecondPrice {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let rows = (tasks as u64).saturating_add(bidders as u64);
        rows.saturating_add((bids as u64).saturating_mul(5))
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        let mut remaining = auction.budgets();
        let mut winners = Vec::new();

        for task in &auction.tasks {
            let bids = auction.bids_on(&task.id);
            let Some(winner) = cheapest(auction, task, bids, &remaining) else {
                continue;
            };

            let price = price_without(auction, task, winner, &remaining);
            winners.push(Winner::at(winner, price));

            // The price is found with the budgets as they were before the task was won.
            if let Some(budget) = remaining.get_mut(&winner.agent) {
                take(budget, &task.demand);
            }
        }

        Clearing::of(winners)
    }
}

/// Returns the price that the task would have without its winner's bid.
fn price_without(
    auction: &Auction,
    task: &Task,
    winner: &Bid,
    remaining: &BTreeMap<PublicKey, Amounts>,
) -> Price {
    let bids = auction
        .bids_on(&task.id)
        .iter()
        .filter(|bid| bid.agent != winner.agent);

    let others: Vec<Bid> = bids.copied().collect();
    cheapest(auction, task, &others, remaining).map_or(task.limit, |bid| bid.price)
}
