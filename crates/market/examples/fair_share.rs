//! An example of a new mechanism: the cheapest bid wins, but nobody gets a second task before every
//! agent that bids has one. The book's chapter on markets walks through it.
//!
//! `cargo run -p quorate-market --example fair_share`

use std::collections::BTreeMap;

use quorate_market::eligibility::fits;
use quorate_market::{
    About, Auction, Bid, Bidder, Bidding, Clearing, Mechanism, Task, TieSeed, Winner,
};
use quorate_types::slots::{demand_or_slot, slots};
use quorate_types::{Amounts, PublicKey, SwarmId, TaskId};

const ABOUT: About = About {
    name: "fair-share",
    // Any change that may alter a result, in this file or in code that it calls, needs another
    // version. The version stands in every clearing record, and an auditor runs the auction by it.
    version: 1,
    class: "ST-SR-IA",
    guarantee: "nobody has two tasks more than another that bid on the same; no guarantee \
                on the price",
    limits: "none of its own",
    bidding: Bidding::Either,
    takes_all_asks: false,
    takes_solutions: false,
};

/// Gives each task, in ascending order, to the bidder with the fewest tasks so far; among those to
/// the cheapest, then to the lesser tie key. Winners are paid as bid.
struct FairShare;

impl Mechanism for FairShare {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// The worst-case cost of a clearing, known before it runs. An auction that does not fit into a
    /// block is cut.
    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64 {
        let rows = (tasks as u64).saturating_add(bidders as u64);
        rows.saturating_add((bids as u64).saturating_mul(3))
    }

    fn clear(&self, auction: &Auction) -> Clearing {
        // The maps are ordered, so the same auction gives the same clearing on every machine.
        let mut won: BTreeMap<PublicKey, u32> = BTreeMap::new();
        let mut left: BTreeMap<PublicKey, Amounts> = auction
            .bidders
            .iter()
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect();
        let mut winners = Vec::new();

        for task in &auction.tasks {
            let can = |bid: &&Bid| {
                bid.price <= task.limit
                    && left
                        .get(&bid.agent)
                        .is_some_and(|budget| fits(&task.demand, budget))
            };
            let rank = |bid: &Bid| {
                let so_far = won.get(&bid.agent).copied().unwrap_or(0);
                (so_far, bid.price, auction.ties.key(&task.id, &bid.agent))
            };

            let bids = auction.bids_on(&task.id).iter();
            let Some(bid) = bids.filter(can).min_by_key(|bid| rank(bid)).copied() else {
                continue;
            };

            *won.entry(bid.agent).or_default() += 1;
            if let Some(budget) = left.get_mut(&bid.agent) {
                for (name, amount) in &task.demand {
                    budget
                        .entry(name.clone())
                        .and_modify(|left| *left -= amount);
                }
            }
            winners.push(Winner::at(&bid, bid.price));
        }

        Clearing {
            winners,
            duals: None,
            solution: None,
        }
    }
}

/// Clears an auction of two tasks and two bidders with two slots each; the first bidder is cheaper
/// on both tasks.
fn main() {
    let agent = |seed| PublicKey([seed; 32]);
    let task = |number| TaskId {
        requester: agent(9),
        number,
    };
    let two = Amounts::from([(slots(), 2)]);

    let auction = Auction {
        tasks: [task(0), task(1)]
            .map(|id| Task {
                id,
                demand: demand_or_slot(&Amounts::new()),
                limit: 100,
            })
            .to_vec(),
        bidders: [1, 2]
            .map(|seed| Bidder {
                agent: agent(seed),
                budget: two.clone(),
            })
            .to_vec(),
        bids: vec![
            Bid {
                task: task(0),
                agent: agent(1),
                price: 10,
            },
            Bid {
                task: task(0),
                agent: agent(2),
                price: 12,
            },
            Bid {
                task: task(1),
                agent: agent(1),
                price: 10,
            },
            Bid {
                task: task(1),
                agent: agent(2),
                price: 12,
            },
        ],
        solutions: Vec::new(),
        ties: TieSeed {
            swarm: SwarmId([0; 32]),
            market: slots(),
        },
    };

    for award in FairShare.clear(&auction).winners {
        println!(
            "task {} to agent {} for {}",
            award.task.number,
            award.agent.short(),
            award.payment
        );
    }
}
