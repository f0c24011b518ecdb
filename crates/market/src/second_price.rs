//! Second price, task by task (Vickrey, J. Finance 16, 1961), with the public limit as reserve.
//!
//! One task by itself: the agent's price decides whether it wins, never what it gets, so that its
//! true cost is its best price whatever the others do. What breaks this:
//!
//! - **False names.** An agent that also bids, dearer, under a second key sets its own payment.
//! - **Shills.** A requester whose friend bids just above the winner presses the payment down.
//! - **Budgets.** An agent that can do only one of several tasks may do better by passing over the
//!   first: tasks are cleared one after the other, and what is won first is gone from the budget.
//! - **Open bids.** Who sees the others' prices cannot gain by it here, but can collude.

use std::collections::BTreeMap;

use quorate_types::{Amounts, Price, PublicKey};

use crate::first_price::{cheapest, take};
use crate::mechanism::{Bidding, Mechanism};
use crate::round::{Award, Bid, Clearing, Round, Task};

/// Each task in ascending order goes to its cheapest bid within the limit whose demand still fits
/// the agent's remaining budget, ties to the lesser tie key. The winner is paid what the cheapest
/// of the other fitting bids asks, or the task's limit where there is none: never above the limit.
#[derive(Debug, Clone, Copy)]
pub struct SecondPrice;

impl Mechanism for SecondPrice {
    fn name(&self) -> &'static str {
        "second-price"
    }

    fn version(&self) -> u16 {
        1
    }

    fn class(&self) -> &'static str {
        "ST-SR-IA"
    }

    fn guarantee(&self) -> &'static str {
        "truthful for one task at a time; not with false names, shills, or budgets across tasks"
    }

    fn limits(&self) -> &'static str {
        "none of its own"
    }

    fn bidding(&self) -> Bidding {
        Bidding::Sealed
    }

    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let rows = (tasks as u64).saturating_add(bidders as u64);
        rows.saturating_add((bids as u64).saturating_mul(5))
    }

    fn clear(&self, round: &Round) -> Clearing {
        let mut remaining: BTreeMap<PublicKey, Amounts> = round
            .bidders
            .iter()
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect();
        let mut awards = Vec::new();
        for task in &round.tasks {
            let bids = round.bids_on(&task.id);
            let Some(winner) = cheapest(round, task, bids, &remaining) else {
                continue;
            };
            awards.push(Award::at(winner, without(round, task, winner, &remaining)));
            if let Some(budget) = remaining.get_mut(&winner.agent) {
                take(budget, &task.demand);
            }
        }
        Clearing {
            awards,
            duals: None,
            solution: None,
        }
    }
}

/// What the task would cost without its winner.
fn without(
    round: &Round,
    task: &Task,
    winner: &Bid,
    remaining: &BTreeMap<PublicKey, Amounts>,
) -> Price {
    let bids = round
        .bids_on(&task.id)
        .iter()
        .filter(|bid| bid.agent != winner.agent);
    let others: Vec<Bid> = bids.copied().collect();
    cheapest(round, task, &others, remaining).map_or(task.limit, |bid| bid.price)
}
