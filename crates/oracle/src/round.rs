//! A round of a market, as the oracle sees it.

use std::collections::BTreeMap;

use quorate_market::{Mechanism, TieSeed};
use quorate_types::outcome::SolutionInput;
use quorate_types::{Amounts, Hash, Label, Price, PublicKey, SwarmId, TaskId};

/// A bidder and what it may spend.
#[derive(Debug, Clone)]
pub struct Bidder {
    /// The key of the bidder.
    pub agent: PublicKey,
    /// The amounts that it may spend.
    pub budget: Amounts,
}

/// An offer that takes part in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid {
    /// The task that the offer is for.
    pub task: TaskId,
    /// The key of the bidder.
    pub agent: PublicKey,
    /// The price asked; in an award, the price paid.
    pub price: Price,
}

/// The inputs of a clearing, without the bids that take no part.
#[derive(Debug)]
pub struct ModelAuction<'a> {
    /// The swarm, for the tie keys.
    pub swarm: SwarmId,
    /// The market that clears.
    pub market: &'a Label,
    /// The tasks, each with its demand and the highest price that is paid for it.
    pub tasks: BTreeMap<TaskId, (Amounts, Price)>,
    /// The bidders.
    pub bidders: Vec<Bidder>,
    /// The bids that take part.
    pub bids: Vec<Bid>,
    /// The solutions that were kept, ascending by agent.
    pub solutions: Vec<SolutionInput>,
}

impl ModelAuction<'_> {
    /// M-14: the tie key of a bid.
    pub(crate) fn key(&self, bid: &Bid) -> Hash {
        let number = bid.task.number.to_be_bytes();

        let parts: [&[u8]; 5] = [
            &self.swarm.0,
            self.market.as_str().as_bytes(),
            &bid.task.requester.0,
            &number,
            &bid.agent.0,
        ];

        Hash::derive("quorate 1 tie", &parts)
    }

    /// The awards that the product's mechanism gives for the round without its solutions.
    pub fn again(&self, rule: &dyn Mechanism) -> Vec<Bid> {
        let winners = rule.clear(&self.given()).winners.into_iter();

        winners
            .map(|won| Bid {
                task: won.task,
                agent: won.agent,
                price: won.payment,
            })
            .collect()
    }

    /// The round in the types of the product's mechanisms, without solutions.
    pub fn given(&self) -> quorate_market::Auction {
        let task = |(id, (demand, limit)): (&TaskId, &(Amounts, Price))| quorate_market::Task {
            id: *id,
            demand: demand.clone(),
            limit: *limit,
        };

        let bidder = |bidder: &Bidder| quorate_market::Bidder {
            agent: bidder.agent,
            budget: bidder.budget.clone(),
        };

        let bid = |bid: &Bid| quorate_market::Bid {
            task: bid.task,
            agent: bid.agent,
            price: bid.price,
        };

        quorate_market::Auction {
            tasks: self.tasks.iter().map(task).collect(),
            bidders: self.bidders.iter().map(bidder).collect(),
            bids: self.bids.iter().map(bid).collect(),
            solutions: Vec::new(),
            ties: TieSeed {
                swarm: self.swarm,
                market: self.market.clone(),
            },
        }
    }

    /// The budget of each bidder.
    pub(crate) fn budgets(&self) -> BTreeMap<PublicKey, Amounts> {
        self.bidders
            .iter()
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect()
    }
}
