//! Builders of auctions for the tests, and a short form of the awards of a clearing.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::collections::BTreeSet;

use quorate_market::{Auction, Bid, Bidder, Clearing, Task, TieSeed};
use quorate_types::{Amounts, Label, Price, PublicKey, SwarmId, TaskId};

pub fn task_id(number: u64) -> TaskId {
    TaskId {
        requester: PublicKey([9; 32]),
        number,
    }
}

pub fn agent(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

pub fn slots(amount: i64) -> Amounts {
    Amounts::from([("slots".parse::<Label>().unwrap(), amount)])
}

/// An auction with one task for each limit and one bidder for each budget, which is in slots.
/// `offers` are (task, agent, price).
pub fn auction(limits: &[Price], budgets: &[i64], offers: &[(u64, u8, Price)]) -> Auction {
    let tasks = limits.iter().zip(0..).map(|(limit, number)| Task {
        id: task_id(number),
        demand: slots(1),
        limit: *limit,
    });
    let bidders = budgets.iter().zip(0..).map(|(budget, number)| Bidder {
        agent: agent(number),
        budget: slots(*budget),
    });
    let bids: BTreeSet<Bid> = offers
        .iter()
        .map(|(task, by, price)| Bid {
            task: task_id(*task),
            agent: agent(*by),
            price: *price,
        })
        .collect();
    Auction {
        tasks: tasks.collect(),
        bidders: bidders.collect(),
        bids: bids.into_iter().collect(),
        solutions: Vec::new(),
        ties: TieSeed {
            swarm: SwarmId([1; 32]),
            market: "drones".parse().unwrap(),
        },
    }
}

/// The awards of a clearing, each as (task, agent, payment).
pub fn winners(clearing: &Clearing) -> Vec<(u64, u8, Price)> {
    clearing
        .winners
        .iter()
        .map(|won| (won.task.number, won.agent.0[0], won.payment))
        .collect()
}
