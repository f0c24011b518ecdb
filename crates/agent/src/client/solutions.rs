//! Solving a market: what is to be solved, and what this agent proposes (M-28 to M-31).

use std::sync::Arc;

use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::{BidInput, BidderInput, ClearingInput, SolutionInput, TaskInput};
use quorate_types::task::{check_amounts, check_price};
use quorate_types::{Body, Label, Millis, Operation, cbor, limits};

use super::fetches::Wanted;
use super::{ClientError, Event, LightClient};

/// What is to be solved in a window: the inputs that a clearing would have, each kind strictly
/// ascending by its keys, amounts and prices within their limits.
///
/// It is one validator's word and proves nothing. A false one costs its reader a solution that is
/// refused, or a worse one than there is; ask again, and another validator may answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandingBids {
    /// Due tasks, with what they demand and the highest price at which they are assigned.
    pub tasks: Vec<TaskInput>,
    /// Bidders, with what all that they win may take together.
    pub bidders: Vec<BidderInput>,
    /// Bids by task, then agent. One that is `excluded` takes no part: no pair may name it.
    pub bids: Vec<BidInput>,
    /// The solutions kept so far; another one must be better than each of them.
    pub solutions: Vec<SolutionInput>,
}

impl StandingBids {
    /// Parts the inputs by their kind. `None` where they are in no such order, or out of limits.
    fn from_inputs(inputs: Vec<ClearingInput>) -> Option<Self> {
        let kind = |input: &ClearingInput| match input {
            ClearingInput::Task(_) => 0,
            ClearingInput::Bidder(_) => 1,
            ClearingInput::Bid(_) => 2,
            ClearingInput::Solution(_) => 3,
        };
        if !inputs.is_sorted_by_key(kind) {
            return None;
        }
        let mut standing = Self::default();
        for input in inputs {
            match input {
                ClearingInput::Task(task) => standing.tasks.push(task),
                ClearingInput::Bidder(bidder) => standing.bidders.push(bidder),
                ClearingInput::Bid(bid) => standing.bids.push(bid),
                ClearingInput::Solution(solution) => standing.solutions.push(solution),
            }
        }
        standing.is_sound().then_some(standing)
    }

    fn is_sound(&self) -> bool {
        let tasks_ascend = self.tasks.is_sorted_by(|a, b| a.task < b.task);
        let bidders_ascend = self.bidders.is_sorted_by(|a, b| a.agent < b.agent);
        let bids_ascend = self
            .bids
            .is_sorted_by(|a, b| (a.task, a.agent) < (b.task, b.agent));
        let solutions_ascend = self.solutions.is_sorted_by(|a, b| a.agent < b.agent);
        let prices = self.bids.iter().filter_map(|bid| bid.price);
        let prices = prices.chain(self.tasks.iter().map(|task| task.limit));
        let demands = self.tasks.iter().map(|task| &task.demand);
        let has_demand = demands.clone().all(|demand| !demand.is_empty());
        let amounts = demands.chain(self.bidders.iter().map(|bidder| &bidder.budget));
        tasks_ascend
            && bidders_ascend
            && bids_ascend
            && solutions_ascend
            && has_demand
            && self.tasks.len() <= limits::TASKS_PER_CLEARING
            && self.bidders.len() <= limits::BIDDERS_PER_CLEARING
            && self.solutions.len() <= limits::SOLUTIONS_PER_WINDOW
            && self
                .solutions
                .iter()
                .all(|solution| are_pairs(&solution.pairs))
            && prices.map(check_price).all(|checked| checked.is_ok())
            && amounts.map(check_amounts).all(|checked| checked.is_ok())
    }
}

impl LightClient {
    /// Fetches what is to be solved in a window that takes solutions ([`Event::Solve`]);
    /// [`Event::StandingBids`] answers, once for all who asked meanwhile.
    pub fn fetch_bids(&mut self, market: Label, window: u64, now: Millis) {
        self.fetch(Wanted::Bids(market, window), now);
    }

    /// Proposes who should win what in a window that takes solutions; in any order, the pairs are
    /// sorted. It is refused ([`Event::Refused`]) where a pair does not hold, where it is not
    /// better than each that is kept, and where the window is over.
    ///
    /// # Errors
    /// [`ClientError::NotReady`]; [`ClientError::Pairs`] where there is none, there are too many,
    /// or two for one task; [`ClientError::Operation`] where they do not fit into an operation,
    /// which some 880 do.
    pub fn solve(
        &mut self,
        market: Label,
        window: u64,
        mut pairs: Vec<Pair>,
        now: Millis,
    ) -> Result<(), ClientError> {
        self.check_ready()?;
        pairs.sort_unstable();
        if !are_pairs(&pairs) {
            return Err(ClientError::Pairs(pairs.len()));
        }
        let body = Body::Solve(Solve {
            market,
            window,
            pairs,
        });
        let (swarm, agent, sequence) = (self.config.swarm, self.me, u64::MAX);
        let operation = Operation {
            swarm,
            agent,
            sequence,
            body,
        };
        let bytes = cbor::encode(&self.key.sign(operation.clone()).into_inner()).len();
        if bytes > limits::OPERATION_BYTES {
            return Err(ClientError::Operation(bytes));
        }
        self.outbox.push(operation.body);
        self.flush(now);
        Ok(())
    }

    /// The bytes of what is to be solved are there. `false` where they cannot be.
    pub(super) fn take_bids(&mut self, market: &Label, window: u64, bytes: &[u8]) -> bool {
        let inputs = cbor::decode(bytes, limits::DOSSIER_BYTES).ok();
        let Some(found) = inputs.and_then(StandingBids::from_inputs) else {
            return false;
        };
        self.conclude_bids(market, window, Some(found));
        true
    }

    pub(super) fn conclude_bids(
        &mut self,
        market: &Label,
        window: u64,
        found: Option<StandingBids>,
    ) {
        self.fetches.remove(&Wanted::Bids(market.clone(), window));
        let (market, found) = (market.clone(), found.map(Arc::new));
        self.event(Event::StandingBids {
            market,
            window,
            found,
        });
    }
}

/// Whether these are pairs of a solution within limits: strictly ascending by task.
fn are_pairs(pairs: &[Pair]) -> bool {
    (1..=limits::TASKS_PER_CLEARING).contains(&pairs.len())
        && pairs.is_sorted_by(|a, b| a.task < b.task)
}
