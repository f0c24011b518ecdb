//! The mechanisms of the book, written in the slow way: short enough to be seen to be correct.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Amounts, Label, OperationId, Price, PublicKey, TaskId};

use crate::assignment::optimum;
use crate::round::{Bid, ModelAuction};

/// The number of offers up to which `assignment` is checked against the tie rule, which is slow
/// here.
const TIES: usize = 80;

/// Checks the winners of a clearing and what they are paid; `won` ascends by task. Returns the
/// operation that brought the solution, if the winners are those of a solution.
///
/// # Errors
/// A description, for people, of the winners and payments that the rules give.
pub fn winners(
    auction: &ModelAuction<'_>,
    mechanism: &Label,
    won: &[Bid],
) -> Result<Option<OperationId>, String> {
    let found = match mechanism.as_str() {
        "first-price" => auction.task_by_task(|bid, _| bid.price),
        "second-price" => auction.task_by_task(|_, second| second),
        "assignment" => return auction.check_assignment(won).map(|()| None),
        // The other mechanisms are not written down here: the product's are run again.
        _ => match quorate_market::mechanism(mechanism) {
            Some(rule) => auction.again(rule),
            None => return Err(format!("there is no mechanism `{mechanism}`")),
        },
    };

    let (expected, solution) = match mechanism.as_str() {
        "gap" => auction.bettered(found),
        _ => (found, None),
    };

    check_awards(won, &expected)?;
    Ok(solution)
}

/// Checks that the awards are those of the rule.
fn check_awards(won: &[Bid], expected: &[Bid]) -> Result<(), String> {
    if expected == won {
        return Ok(());
    }

    Err(format!(
        "the awards are {won:?}, but the rule gives {expected:?}"
    ))
}

impl ModelAuction<'_> {
    /// M-12, M-18: gives each task to the cheapest bid that fits. `paid` computes what the winner
    /// gets from its bid and the second price: the price of the next bid that fits or, if there is
    /// none, the limit of the task.
    fn task_by_task(&self, paid: impl Fn(&Bid, Price) -> Price) -> Vec<Bid> {
        let mut left = self.budgets();
        let mut won = Vec::new();

        for (task, (demand, limit)) in &self.tasks {
            let fitting = self.fitting(task, demand, &left);

            let Some(cheapest) = fitting.first().map(|bid| **bid) else {
                continue;
            };

            let second = fitting.get(1).map_or(*limit, |bid| bid.price);

            // The winner's budget is smaller for the tasks that follow.
            if let Some(budget) = left.get_mut(&cheapest.agent) {
                spend(budget, demand);
            }

            won.push(Bid {
                price: paid(&cheapest, second),
                ..cheapest
            });
        }

        won
    }

    /// The bids on a task whose agents have enough left for it, the cheapest first.
    fn fitting(
        &self,
        task: &TaskId,
        demand: &Amounts,
        left: &BTreeMap<PublicKey, Amounts>,
    ) -> Vec<&Bid> {
        let suffices = |bid: &&Bid| {
            let budget = left.get(&bid.agent);
            budget.is_some_and(|budget| covers(budget, demand))
        };

        let bids = self.bids.iter().filter(|bid| bid.task == *task);
        let mut fitting: Vec<&Bid> = bids.filter(suffices).collect();

        fitting.sort_by_key(|bid| (bid.price, self.key(bid)));
        fitting
    }

    /// M-13: checks that the tasks are as many as possible, then the total, then the tie rule.
    fn check_assignment(&self, won: &[Bid]) -> Result<(), String> {
        let agents: BTreeSet<PublicKey> = won.iter().map(|bid| bid.agent).collect();
        if agents.len() != won.len() || !won.iter().all(|bid| self.bids.contains(bid)) {
            return Err(format!(
                "an agent won twice, or an award has no bid: {won:?}"
            ));
        }

        let best = optimum(&self.bids);
        let found = (won.len(), won.iter().map(|bid| bid.price).sum());

        if found != best {
            return Err(format!(
                "the tasks assigned and their total are {found:?}, but {best:?} is possible"
            ));
        }

        // With more bids the tie rule would take too long here.
        if self.bids.len() > TIES {
            return Ok(());
        }

        check_awards(won, &self.first_by_keys(best))
    }

    /// The optimal assignment whose keys, sorted, come first.
    fn first_by_keys(&self, best: (usize, Price)) -> Vec<Bid> {
        let mut bids = self.bids.clone();
        bids.sort_by_key(|bid| self.key(bid));

        let mut taken = Vec::new();
        let mut rest = bids.clone();
        let mut left = best;

        // Takes, in the order of keys, each bid that can be part of an optimal assignment.
        for bid in bids {
            if !rest.contains(&bid) {
                continue;
            }

            let without = compatible(&rest, &bid);
            let (count, total) = optimum(&without);

            // The bid belongs to an optimal assignment if the others still reach the rest of the
            // optimum.
            if (count + 1, total + bid.price) == left {
                rest = without;
                left = (count, total);
                taken.push(bid);
            }
        }

        taken.sort_by_key(|bid| bid.task);
        taken
    }
}

/// Whether a budget suffices for all that a task takes.
fn covers(budget: &Amounts, demand: &Amounts) -> bool {
    demand
        .iter()
        .all(|(name, amount)| budget.get(name).is_some_and(|has| has >= amount))
}

/// Takes from a budget what a task takes.
fn spend(budget: &mut Amounts, demand: &Amounts) {
    for (name, amount) in demand {
        if let Some(left) = budget.get_mut(name) {
            *left -= amount;
        }
    }
}

/// The bids on other tasks by other agents, which may win together with this bid.
fn compatible(bids: &[Bid], bid: &Bid) -> Vec<Bid> {
    bids.iter()
        .filter(|other| other.task != bid.task && other.agent != bid.agent)
        .copied()
        .collect()
}
