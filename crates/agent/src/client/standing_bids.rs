//! The problem to be solved in a window (M-28 to M-31).

use quorate_types::operation::Pair;
use quorate_types::outcome::{BidInput, BidderInput, ClearingInput, SolutionInput, TaskInput};
use quorate_types::task::{check_amounts, check_price};
use quorate_types::{cbor, limits};

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
    /// Decodes the problem of a window. Returns `None` if the inputs are not in order, or outside
    /// of the limits.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let inputs = cbor::decode(bytes, limits::DOSSIER_BYTES).ok()?;
        Self::from_inputs(inputs)
    }

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
pub(super) fn are_pairs(pairs: &[Pair]) -> bool {
    (1..=limits::TASKS_PER_CLEARING).contains(&pairs.len())
        && pairs.is_sorted_by(|a, b| a.task < b.task)
}

#[cfg(test)]
mod tests {
    use quorate_types::PublicKey;

    use super::super::testing::task;
    use super::*;

    #[test]
    fn pairs_are_one_for_each_task_in_ascending_order() {
        let pair = |number| Pair {
            task: task(number),
            agent: PublicKey([number as u8; 32]),
        };
        assert!(are_pairs(&[pair(1), pair(2)]));
        assert!(!are_pairs(&[pair(2), pair(1)]));
        assert!(!are_pairs(&[pair(1), pair(1)]));
        assert!(!are_pairs(&[]));
    }

    #[test]
    fn bytes_that_are_not_a_problem_are_refused() {
        assert_eq!(StandingBids::decode(&[0xff]), None);
        let nothing: Vec<ClearingInput> = Vec::new();
        let empty = StandingBids::decode(&cbor::encode(&nothing));
        assert_eq!(empty, Some(StandingBids::default()));
    }
}
