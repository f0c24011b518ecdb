//! The worth of solutions by M-30 and M-31, and the pairs of a solution that hold.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use quorate_types::operation::Pair;
use quorate_types::{Amounts, Hash, OperationId, Price, PublicKey, TaskId};

use crate::round::{Bid, ModelAuction};

/// The worth of a clearing, in the order of M-30: the number of tasks, the sum of prices, and the
/// tie keys in ascending order. The least value is the best clearing.
pub(crate) type Worth = (Reverse<usize>, Price, Vec<Hash>);

impl ModelAuction<'_> {
    /// The pairs of a solution that hold, as the bids that they name, ascending by task.
    pub(crate) fn holding(&self, pairs: &[Pair]) -> Vec<Bid> {
        let bids = self.bids_by_pair();
        let mut left = self.budgets();
        let mut won = Vec::new();

        for pair in pairs {
            // An excluded bid is not in the round, so a pair that names it does not hold.
            let Some(bid) = bids.get(&(pair.task, pair.agent)) else {
                continue;
            };
            let Some((takes, _)) = self.tasks.get(&pair.task) else {
                continue;
            };
            let Some(budget) = left.get_mut(&pair.agent) else {
                continue;
            };

            // The pair must fit into what the pairs before it leave of the agent's budget.
            if let Some(rest) = rest_of(budget, takes) {
                *budget = rest;
                won.push(**bid);
            }
        }

        won
    }

    /// The bids, by the task and agent that a pair names.
    fn bids_by_pair(&self) -> BTreeMap<(TaskId, PublicKey), &Bid> {
        self.bids
            .iter()
            .map(|bid| ((bid.task, bid.agent), bid))
            .collect()
    }

    /// M-30: the worth of a clearing in which these bids win.
    pub(crate) fn worth(&self, won: &[Bid]) -> Worth {
        let mut keys: Vec<Hash> = won.iter().map(|bid| self.key(bid)).collect();
        keys.sort();
        (
            Reverse(won.len()),
            won.iter().map(|bid| bid.price).sum(),
            keys,
        )
    }

    /// M-31: the best of `found`, which the mechanism finds without solutions, and of the solutions
    /// kept. Names the operation that brought the solution; `None` if `found` is the best.
    pub(crate) fn bettered(&self, found: Vec<Bid>) -> (Vec<Bid>, Option<OperationId>) {
        let given = self
            .solutions
            .iter()
            .map(|solution| (self.holding(&solution.pairs), Some(solution.operation)));

        let all: Vec<_> = std::iter::once((found, None)).chain(given).collect();

        // Of equals `min_by_key` takes the first: the mechanism's own, then that of the lesser
        // agent.
        all.into_iter()
            .min_by_key(|(won, _)| self.worth(won))
            .unwrap_or_default()
    }
}

/// The budget without what a task takes; `None` if the budget does not suffice.
fn rest_of(budget: &Amounts, takes: &Amounts) -> Option<Amounts> {
    let mut rest = budget.clone();

    for (name, amount) in takes {
        let left = rest.entry(name.clone()).or_insert(0);
        *left -= amount;

        if *left < 0 {
            return None;
        }
    }

    Some(rest)
}
