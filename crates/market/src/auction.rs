//! The input and the output of a mechanism: [`Auction`] and [`Clearing`].

use std::cmp::Ordering;
use std::collections::BTreeMap;

use quorate_types::operation::Pair;
use quorate_types::{Amounts, Hash, Label, Price, PublicKey, SwarmId, TaskId};

/// Everything that a clearing may depend on. It does not hold the bids that eligibility excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auction {
    /// The tasks to assign, strictly ascending by id.
    pub tasks: Vec<Task>,
    /// The agents that bid, strictly ascending by key.
    pub bidders: Vec<Bidder>,
    /// The bids, strictly ascending by task, then agent. A bid that names an absent task or bidder
    /// is ignored.
    pub bids: Vec<Bid>,
    /// Solutions from outside, each strictly ascending by task, for a mechanism that takes them.
    /// Pairs of a solution that do not hold are ignored.
    pub solutions: Vec<Vec<Pair>>,
    /// The source of the tie keys.
    pub ties: TieSeed,
}

/// A task that is due for assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The requester and the number that identify the task.
    pub id: TaskId,
    /// The amounts that the task takes from the winner's budget. Never empty: see
    /// [`quorate_types::TaskSpec::demand_or_slot`].
    pub demand: Amounts,
    /// The highest price at which the task is assigned, at most [`quorate_types::limits::PRICE`].
    pub limit: Price,
}

/// An agent that bids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bidder {
    /// The key that the agent bids under.
    pub agent: PublicKey,
    /// The amounts that all the tasks it wins in this clearing may take together.
    pub budget: Amounts,
}

/// An offer to do a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bid {
    /// The task that the offer is for.
    pub task: TaskId,
    /// The agent that makes the offer.
    pub agent: PublicKey,
    /// The price asked, from 0 to [`quorate_types::limits::PRICE`].
    pub price: Price,
}

/// The result of a mechanism.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clearing {
    /// The tasks that were won, strictly ascending by task.
    pub winners: Vec<Winner>,
    /// Prices that prove optimality, if the mechanism computes them.
    pub duals: Option<Duals>,
    /// The index in [`Auction::solutions`] of the solution that was taken; `None` if the awards are
    /// what the mechanism found itself.
    pub solution: Option<usize>,
}

/// A task that was won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Winner {
    /// The task that was awarded.
    pub task: TaskId,
    /// The agent that won it.
    pub agent: PublicKey,
    /// The price that the winner asked.
    pub bid: Price,
    /// The price that the winner is paid.
    pub payment: Price,
    /// The price that the requester pays: at least the payment. It is higher only in `mcafee`,
    /// where the two sides need not meet at one price; nobody gets the difference.
    pub charge: Price,
}

/// Dual prices, which prove that an assignment is optimal (see [`crate::assignment::Solution`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duals {
    /// The price of each bidder, in the auction's order.
    pub bidders: Vec<i64>,
    /// The price of each task, in the auction's order.
    pub tasks: Vec<i64>,
}

/// The swarm and the market from which tie keys are derived: each market has its own ties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TieSeed {
    /// The swarm that the market belongs to.
    pub swarm: SwarmId,
    /// The name of the market.
    pub market: Label,
}

impl TieSeed {
    /// Returns the tie key of giving `task` to `agent`; the lesser key wins (M-14). Nothing of any
    /// block enters it, so no proposer can grind it. The label is the only part of variable length,
    /// so the parts can be joined without lengths.
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

impl Clearing {
    /// Makes the clearing of a mechanism that proves nothing and takes no solutions.
    pub(crate) fn of(winners: Vec<Winner>) -> Self {
        Self {
            winners,
            duals: None,
            solution: None,
        }
    }
}

impl Winner {
    /// Makes an award of a bid, at the given price for both sides.
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

impl Auction {
    /// Returns the bids on a task, ascending by agent.
    pub fn bids_on(&self, task: &TaskId) -> &[Bid] {
        let start = self.bids.partition_point(|bid| bid.task < *task);
        let end = self.bids.partition_point(|bid| bid.task <= *task);
        &self.bids[start..end]
    }

    /// Compares bids by price, then tie key; the lesser one is the better.
    pub(crate) fn compare(&self, one: &Bid, other: &Bid) -> Ordering {
        let key = |bid: &Bid| self.ties.key(&bid.task, &bid.agent);

        // The key is computed only if prices are equal: a hash costs more than a comparison.
        let by_price = one.price.cmp(&other.price);
        by_price.then_with(|| key(one).cmp(&key(other)))
    }

    /// Returns the budget of each bidder.
    pub(crate) fn budgets(&self) -> BTreeMap<PublicKey, Amounts> {
        let bidders = self.bidders.iter();
        bidders
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect()
    }

    /// Returns a task, if it is due.
    pub(crate) fn task(&self, task: &TaskId) -> Option<&Task> {
        self.tasks.get(self.task_index(task)?)
    }

    /// Returns a bidder, if it takes part.
    pub(crate) fn bidder(&self, agent: &PublicKey) -> Option<&Bidder> {
        self.bidders.get(self.bidder_index(agent)?)
    }

    /// Returns the index of a task in [`Self::tasks`].
    pub fn task_index(&self, task: &TaskId) -> Option<usize> {
        self.tasks.binary_search_by_key(task, |task| task.id).ok()
    }

    /// Returns the index of an agent in [`Self::bidders`].
    pub fn bidder_index(&self, agent: &PublicKey) -> Option<usize> {
        self.bidders
            .binary_search_by_key(agent, |bidder| bidder.agent)
            .ok()
    }
}
