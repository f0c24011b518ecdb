//! Solving a market: the problem of a window, and the solution that this agent proposes (M-28 to
//! M-31).

use std::sync::Arc;

use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::{BidInput, BidderInput, ClearingInput, SolutionInput, TaskInput};
use quorate_types::task::{check_amounts, check_price};
use quorate_types::{Label, MonotonicMillis, Operation, OperationBody, cbor, limits};

use super::fetches::Wanted;
use super::{ClientError, ClientEvent, LightClient};

/// The problem to be solved in a window: the inputs that its clearing would have. Each kind is
/// strictly ascending by its keys, and amounts and prices are within their limits.
///
/// It is one validator's word and proves nothing. A false one makes its reader propose a solution
/// that is refused, or a worse one than necessary. If it is asked for again, another validator may
/// answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandingBids {
    /// The due tasks, with their demands and the highest prices at which they are assigned.
    pub tasks: Vec<TaskInput>,
    /// The bidders, each with the amounts that all its tasks together may take.
    pub bidders: Vec<BidderInput>,
    /// The bids, by task, then agent. An `excluded` bid does not take part, so no pair may name it.
    pub bids: Vec<BidInput>,
    /// The solutions that are kept so far. Another one must be better than each of them.
    pub solutions: Vec<SolutionInput>,
}

impl StandingBids {
    /// Sorts the inputs by their kind. Returns `None` if they are not in order, or outside of the
    /// limits.
    fn from_inputs(inputs: Vec<ClearingInput>) -> Option<Self> {
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

    /// Returns whether the inputs are in order and within the limits. They come from one validator,
    /// so this is checked here.
    fn is_sound(&self) -> bool {
        self.is_in_order()
            && self.tasks.len() <= limits::TASKS_PER_CLEARING
            && self.bidders.len() <= limits::BIDDERS_PER_CLEARING
            && self.solutions.len() <= limits::SOLUTIONS_PER_WINDOW
            && self
                .solutions
                .iter()
                .all(|solution| are_pairs(&solution.pairs))
            && self.has_valid_prices()
            && self.has_valid_amounts()
    }

    /// Returns whether each kind of input is strictly ascending by its keys.
    fn is_in_order(&self) -> bool {
        self.tasks.is_sorted_by(|a, b| a.task < b.task)
            && self.bidders.is_sorted_by(|a, b| a.agent < b.agent)
            && self
                .bids
                .is_sorted_by(|a, b| (a.task, a.agent) < (b.task, b.agent))
            && self.solutions.is_sorted_by(|a, b| a.agent < b.agent)
    }

    fn has_valid_prices(&self) -> bool {
        let asked = self.bids.iter().filter_map(|bid| bid.price);
        let limits = self.tasks.iter().map(|task| task.limit);

        asked.chain(limits).all(|price| check_price(price).is_ok())
    }

    fn has_valid_amounts(&self) -> bool {
        let mut demands = self.tasks.iter().map(|task| &task.demand);
        let budgets = self.bidders.iter().map(|bidder| &bidder.budget);
        let amounts = demands.clone().chain(budgets);

        demands.all(|demand| !demand.is_empty())
            && amounts.map(check_amounts).all(|checked| checked.is_ok())
    }
}

impl LightClient {
    /// Fetches the problem of a window that takes solutions ([`ClientEvent::Solve`]). The answer is
    /// [`ClientEvent::StandingBids`], once for all requests that come meanwhile.
    pub fn fetch_bids(&mut self, market: Label, window: u64, now: MonotonicMillis) {
        self.fetch(Wanted::Bids(market, window), now);
    }

    /// Proposes a solution for a window that takes solutions: pairs of task and winner, in any
    /// order. It is refused ([`ClientEvent::Refused`]) if a pair does not hold, if it is not better
    /// than each solution that is kept, or if the window is over.
    ///
    /// # Errors
    /// [`ClientError::NotReady`]; [`ClientError::Pairs`] if there is no pair, if there are too
    /// many, or if two are for one task; [`ClientError::Operation`] if they do not fit into an
    /// operation, which holds some 880.
    pub fn solve(
        &mut self,
        market: Label,
        window: u64,
        mut pairs: Vec<Pair>,
        now: MonotonicMillis,
    ) -> Result<(), ClientError> {
        self.check_ready()?;
        pairs.sort_unstable();
        if !are_pairs(&pairs) {
            return Err(ClientError::Pairs(pairs.len()));
        }

        let body = OperationBody::Solve(Solve {
            market,
            window,
            pairs,
        });

        let bytes = self.longest_operation(&body);
        if bytes > limits::OPERATION_BYTES {
            return Err(ClientError::Operation(bytes));
        }

        self.outbox.push(body);
        self.flush(now);
        Ok(())
    }

    /// Returns the most bytes that a signed operation with this body may have.
    fn longest_operation(&self, body: &OperationBody) -> usize {
        // It is signed here only to measure it, with the number whose encoding is longest.
        let operation = Operation {
            swarm: self.config.swarm,
            agent: self.me,
            sequence: u64::MAX,
            body: body.clone(),
        };

        cbor::encode(&self.key.sign(operation).into_inner()).len()
    }

    /// Takes the bytes of a problem. Returns `false` if they cannot be right.
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
        self.event(ClientEvent::StandingBids {
            market: market.clone(),
            window,
            found: found.map(Arc::new),
        });
    }
}

/// Returns the place of an input's kind in the order of a problem.
fn kind(input: &ClearingInput) -> u8 {
    match input {
        ClearingInput::Task(_) => 0,
        ClearingInput::Bidder(_) => 1,
        ClearingInput::Bid(_) => 2,
        ClearingInput::Solution(_) => 3,
    }
}

/// Returns whether these are pairs of a solution within limits, strictly ascending by task.
fn are_pairs(pairs: &[Pair]) -> bool {
    (1..=limits::TASKS_PER_CLEARING).contains(&pairs.len())
        && pairs.is_sorted_by(|a, b| a.task < b.task)
}
