//! The `first-price` mechanism (M-12): the baseline, which clears task by task.

use std::collections::BTreeMap;

use quorate_types::{Amounts, PublicKey};

use crate::auction::{Auction, Bid, Clearing, Task, Winner};
use crate::eligibility::fits;
use crate::mechanism::{About, Bidding, Mechanism};

/// Gives each task, in ascending order, to the cheapest bid that is within its limit and whose
/// demand still fits the agent's remaining budget. Winners are paid as bid; ties go to the lesser
/// tie key.
#[derive(Debug, Clone, Copy)]
pub struct FirstPrice;

const ABOUT: About = About {
    name: "first-price",
    version: 1,
    class: "ST-SR-IA",
    guarantee: "each task goes to its cheapest bid that fits; no guarantee for all tasks together",
    limits: "none of its own",
    bidding: Bidding::Either,
    takes_all_asks: false,
    takes_solutions: false,
};

impl Mechanism for FirstPrice {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let rows = (tasks as u64).saturating_add(bidders as u64);
        rows.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        let mut remaining = auction.budgets();
        let mut winners = Vec::new();

        // Bids and tasks have the same order, so a task's bids follow those of the last one.
        let mut bids = &auction.bids[..];
        for task in &auction.tasks {
            let start = bids.partition_point(|bid| bid.task < task.id);
            let end = bids.partition_point(|bid| bid.task <= task.id);
            let on_task = &bids[start..end];
            bids = &bids[end..];

            let Some(bid) = cheapest(auction, task, on_task, &remaining) else {
                continue;
            };

            winners.push(Winner::at(bid, bid.price));

            // The task takes its part of what the agent has left for the next ones.
            if let Some(budget) = remaining.get_mut(&bid.agent) {
                take(budget, &task.demand);
            }
        }

        Clearing::of(winners)
    }
}

/// Returns the cheapest of these bids that fits the task's limit and the agent's remaining budget.
pub(super) fn cheapest<'a>(
    auction: &Auction,
    task: &Task,
    bids: &'a [Bid],
    remaining: &BTreeMap<PublicKey, Amounts>,
) -> Option<&'a Bid> {
    let within_limit = bids.iter().filter(|bid| bid.price <= task.limit);

    // A bid by an absent bidder is ignored.
    let fitting = within_limit.filter(|bid| {
        let budget = remaining.get(&bid.agent);
        budget.is_some_and(|budget| fits(&task.demand, budget))
    });

    fitting.min_by(|a, b| auction.compare(a, b))
}

/// Subtracts a demand from a budget that it fits.
pub(crate) fn take(budget: &mut Amounts, demand: &Amounts) {
    for (name, amount) in demand {
        if let Some(left) = budget.get_mut(name) {
            *left = left.saturating_sub(*amount);
        }
    }
}
