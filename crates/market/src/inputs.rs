//! The auction of a clearing, made of the inputs that a dossier or a validator lists.

use quorate_types::outcome::{BidInput, BidderInput, ClearingInput, SolutionInput, TaskInput};

use crate::{Auction, Bid, Bidder, Task, TieSeed};

/// Each input is taken as it stands. Whether the inputs are those of a clearing, in their order and
/// within their limits, is for the caller to know: mechanisms rely on it.
impl Auction {
    /// Returns an auction without tasks, bidders, bids and solutions.
    pub fn new(ties: TieSeed) -> Self {
        Self {
            tasks: Vec::new(),
            bidders: Vec::new(),
            bids: Vec::new(),
            solutions: Vec::new(),
            ties,
        }
    }

    /// Adds the next input of the clearing.
    pub fn add(&mut self, input: &ClearingInput) {
        match input {
            ClearingInput::Task(task) => self.add_task(task),
            ClearingInput::Bidder(bidder) => self.add_bidder(bidder),
            ClearingInput::Bid(bid) => self.add_bid(bid),
            ClearingInput::Solution(solution) => self.add_solution(solution),
        }
    }

    /// Adds a task.
    pub fn add_task(&mut self, input: &TaskInput) {
        self.tasks.push(Task {
            id: input.task,
            demand: input.demand.clone(),
            limit: input.limit,
        });
    }

    /// Adds a bidder.
    pub fn add_bidder(&mut self, input: &BidderInput) {
        self.bidders.push(Bidder {
            agent: input.agent,
            budget: input.budget.clone(),
        });
    }

    /// Adds a bid, if it takes part: an excluded one does not, and neither does one without a
    /// price, which was sealed and not opened.
    pub fn add_bid(&mut self, input: &BidInput) {
        let Some(price) = input.price.filter(|_| input.excluded.is_none()) else {
            return;
        };

        self.bids.push(Bid {
            task: input.task,
            agent: input.agent,
            price,
        });
    }

    /// Adds a solution.
    pub fn add_solution(&mut self, input: &SolutionInput) {
        self.solutions.push(input.pairs.clone());
    }
}

#[cfg(test)]
mod tests {
    use quorate_types::operation::Pair;
    use quorate_types::{Amounts, Hash, OperationId, Price, PublicKey, Reason, SwarmId, TaskId};

    use super::*;

    const AGENT: PublicKey = PublicKey([1; 32]);

    fn task(number: u64) -> TaskId {
        TaskId {
            requester: PublicKey([9; 32]),
            number,
        }
    }

    fn bid(number: u64, price: Option<Price>, excluded: Option<Reason>) -> ClearingInput {
        ClearingInput::Bid(BidInput {
            task: task(number),
            agent: AGENT,
            price,
            operation: OperationId([0; 32]),
            excluded,
        })
    }

    #[test]
    fn bids_that_are_excluded_or_not_opened_take_no_part() {
        let slot = Amounts::from([("slots".parse().unwrap(), 1)]);
        let pairs = vec![Pair {
            task: task(1),
            agent: AGENT,
        }];
        let inputs = [
            ClearingInput::Task(TaskInput {
                task: task(1),
                spec: Hash::ZERO,
                demand: slot.clone(),
                limit: 70,
            }),
            ClearingInput::Bidder(BidderInput {
                agent: AGENT,
                budget: slot.clone(),
            }),
            bid(1, Some(7), None),
            bid(2, Some(8), Some(Reason::OverBudget)),
            bid(3, None, Some(Reason::Unopened)),
            bid(4, None, None),
            ClearingInput::Solution(SolutionInput {
                agent: AGENT,
                operation: OperationId([5; 32]),
                pairs: pairs.clone(),
            }),
        ];

        let ties = TieSeed {
            swarm: SwarmId([7; 32]),
            market: "grid".parse().unwrap(),
        };
        let mut auction = Auction::new(ties.clone());
        inputs.iter().for_each(|input| auction.add(input));

        let expected = Auction {
            tasks: vec![Task {
                id: task(1),
                demand: slot.clone(),
                limit: 70,
            }],
            bidders: vec![Bidder {
                agent: AGENT,
                budget: slot,
            }],
            bids: vec![Bid {
                task: task(1),
                agent: AGENT,
                price: 7,
            }],
            solutions: vec![pairs],
            ties,
        };
        assert_eq!(auction, expected);
    }
}
