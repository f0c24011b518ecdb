//! The `first-price` mechanism (M-12): the baseline, which clears task by task.

use std::collections::BTreeMap;

use quorate_types::{Amounts, PublicKey};

use crate::eligibility::fits;
use crate::mechanism::{Bidding, Mechanism};
use crate::round::{Award, Bid, Clearing, Round, Task};

/// Gives each task, in ascending order, to the cheapest bid that is within its limit and whose
/// demand still fits the agent's remaining budget. Winners are paid as bid; ties go to the lesser
/// tie key.
#[derive(Debug, Clone, Copy)]
pub struct FirstPrice;

impl Mechanism for FirstPrice {
    fn name(&self) -> &'static str {
        "first-price"
    }

    fn version(&self) -> u16 {
        1
    }

    fn class(&self) -> &'static str {
        "ST-SR-IA"
    }

    fn guarantee(&self) -> &'static str {
        "each task goes to its cheapest bid that fits; no guarantee for all tasks together"
    }

    fn limits(&self) -> &'static str {
        "none of its own"
    }

    fn bidding(&self) -> Bidding {
        Bidding::Either
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let rows = (tasks as u64).saturating_add(bidders as u64);
        rows.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear(&self, round: &Round) -> Clearing {
        let mut remaining: BTreeMap<PublicKey, Amounts> = round
            .bidders
            .iter()
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect();
        let mut awards = Vec::new();

        // Bids and tasks have the same order, so a task's bids follow those of the last one.
        let mut bids = &round.bids[..];
        for task in &round.tasks {
            let start = bids.partition_point(|bid| bid.task < task.id);
            let end = bids.partition_point(|bid| bid.task <= task.id);

            if let Some(bid) = cheapest(round, task, &bids[start..end], &remaining) {
                if let Some(budget) = remaining.get_mut(&bid.agent) {
                    take(budget, &task.demand);
                }
                awards.push(Award::at(bid, bid.price));
            }

            bids = &bids[end..];
        }

        Clearing {
            awards,
            duals: None,
            solution: None,
        }
    }
}

/// Returns the cheapest of these bids that fits the task's limit and the agent's remaining budget.
pub(crate) fn cheapest<'a>(
    round: &Round,
    task: &Task,
    bids: &'a [Bid],
    remaining: &BTreeMap<PublicKey, Amounts>,
) -> Option<&'a Bid> {
    let fitting = bids.iter().filter(|bid| {
        let budget = remaining.get(&bid.agent);
        bid.price <= task.limit && budget.is_some_and(|budget| fits(&task.demand, budget))
    });

    // The key is computed only if prices are equal: a hash costs more than everything else here.
    fitting.min_by(|a, b| {
        let key = |bid: &Bid| round.ties.key(&task.id, &bid.agent);
        a.price.cmp(&b.price).then_with(|| key(a).cmp(&key(b)))
    })
}

/// Subtracts a demand from a budget that it fits.
pub(crate) fn take(budget: &mut Amounts, demand: &Amounts) {
    for (name, amount) in demand {
        if let Some(left) = budget.get_mut(name) {
            *left = left.saturating_sub(*amount);
        }
    }
}
