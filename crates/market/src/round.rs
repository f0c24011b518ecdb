//! What a mechanism is given, and what it gives back.

use quorate_types::operation::Pair;
use quorate_types::{Amounts, Hash, Label, Price, PublicKey, SwarmId, TaskId};

/// Everything a clearing may depend on. Bids that are excluded by eligibility are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Strictly ascending by id.
    pub tasks: Vec<Task>,
    /// Strictly ascending by agent.
    pub bidders: Vec<Bidder>,
    /// Strictly ascending by task, then agent. One that names an absent task or bidder is passed
    /// over.
    pub bids: Vec<Bid>,
    /// Solutions from outside, each strictly ascending by task, for a mechanism that takes them.
    /// Whatever of one does not hold is passed over.
    pub solutions: Vec<Vec<Pair>>,
    /// What ties are drawn from.
    pub ties: TieSeed,
}

/// A due task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Task.
    pub id: TaskId,
    /// What it takes from the winner's budget; never empty: see
    /// [`crate::eligibility::demand_or_slot`].
    pub demand: Amounts,
    /// Highest price at which it is assigned, at most [`quorate_types::limits::PRICE`].
    pub limit: Price,
}

/// An agent that bids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bidder {
    /// Agent.
    pub agent: PublicKey,
    /// What all it wins in this clearing may take together.
    pub budget: Amounts,
}

/// An offer to do a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bid {
    /// Task.
    pub task: TaskId,
    /// Agent.
    pub agent: PublicKey,
    /// Price asked, 0 to [`quorate_types::limits::PRICE`].
    pub price: Price,
}

/// What a mechanism decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clearing {
    /// Strictly ascending by task.
    pub awards: Vec<Award>,
    /// Prices that prove optimality, from a mechanism that has them.
    pub duals: Option<Duals>,
    /// Which of the round's solutions it is; `None`: what the mechanism found by itself.
    pub solution: Option<usize>,
}

/// A task won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Award {
    /// Task.
    pub task: TaskId,
    /// Winner.
    pub agent: PublicKey,
    /// Price it asked.
    pub bid: Price,
    /// Price it gets.
    pub payment: Price,
    /// What the requester pays: at least the payment. More only in `mcafee`, where both sides must
    /// not meet at one price; nobody gets the difference.
    pub charge: Price,
}

/// Dual prices (see [`crate::assignment::Solution`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duals {
    /// One for each bidder, in the round's order.
    pub bidders: Vec<i64>,
    /// One for each task, in the round's order.
    pub tasks: Vec<i64>,
}

/// What distinguishes the ties of one market from those of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TieSeed {
    /// Swarm.
    pub swarm: SwarmId,
    /// Market.
    pub market: Label,
}

impl TieSeed {
    /// The tie key of giving `task` to `agent`: the lesser wins. Nothing of any block is in it, so
    /// no proposer can grind it; the label is the only part of variable length.
    pub fn key(&self, task: &TaskId, agent: &PublicKey) -> Hash {
        let TaskId { requester, number } = task;
        let parts: [&[u8]; 5] = [
            self.swarm.as_bytes(),
            self.market.as_str().as_bytes(),
            requester.as_bytes(),
            &number.to_be_bytes(),
            agent.as_bytes(),
        ];
        Hash::derive("quorate 1 tie", &parts)
    }
}

impl Award {
    /// A bid won at this price for both sides.
    pub fn at(bid: &Bid, price: Price) -> Self {
        let Bid {
            task,
            agent,
            price: asked,
        } = *bid;
        Self {
            task,
            agent,
            bid: asked,
            payment: price,
            charge: price,
        }
    }
}

impl Round {
    /// The bids on a task, ascending by agent.
    pub fn bids_on(&self, task: &TaskId) -> &[Bid] {
        let start = self.bids.partition_point(|bid| bid.task < *task);
        let end = self.bids.partition_point(|bid| bid.task <= *task);
        &self.bids[start..end]
    }

    /// Place of a task in [`Self::tasks`].
    pub fn task_index(&self, task: &TaskId) -> Option<usize> {
        self.tasks.binary_search_by_key(task, |task| task.id).ok()
    }

    /// Place of an agent in [`Self::bidders`].
    pub fn bidder_index(&self, agent: &PublicKey) -> Option<usize> {
        self.bidders
            .binary_search_by_key(agent, |bidder| bidder.agent)
            .ok()
    }
}
