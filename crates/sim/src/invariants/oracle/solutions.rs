//! Solutions by M-29 to M-31: which pairs of a solution hold, which solution is the better one, and
//! which solutions are kept.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::SolutionInput;
use quorate_types::{
    Amounts, Hash, Label, Market, OperationId, Price, PublicKey, Reason, SignedOperation, Stage,
    TaskId,
};

use super::{Bid, Model, ModelAuction};
use crate::world::World;

/// The most pairs that a solution may have.
const PAIRS: usize = 1024;
/// The most solutions that are kept for a window.
const KEPT: usize = 4;

/// The worth of a clearing, in the order of M-30: the number of tasks, the sum of prices, and the
/// tie keys in ascending order. The least value is the best clearing.
pub(super) type Worth = (Reverse<usize>, Price, Vec<Hash>);

impl ModelAuction<'_> {
    /// The pairs of a solution that hold, as the bids that they name, ascending by task.
    pub(in crate::invariants) fn holding(&self, pairs: &[Pair]) -> Vec<Bid> {
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
    pub(in crate::invariants) fn worth(&self, won: &[Bid]) -> Worth {
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
    pub(super) fn bettered(&self, found: Vec<Bid>) -> (Vec<Bid>, Option<OperationId>) {
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

impl Model {
    /// The solutions kept in a market, ascending by agent.
    pub(in crate::invariants) fn kept(
        &self,
        market: &Label,
    ) -> impl Iterator<Item = &SolutionInput> {
        self.kept.get(market).into_iter().flatten()
    }

    /// The reasons for which a solution must be refused now; empty if it must be kept.
    pub(in crate::invariants) fn refusal(
        &self,
        world: &World,
        solve: &Solve,
    ) -> Vec<(Option<TaskId>, Reason)> {
        let Some(market) = world.genesis().market(&solve.market) else {
            return vec![(None, Reason::UnknownMarket)];
        };

        if !is_well_formed(&solve.pairs) {
            return vec![(None, Reason::BidMalformed)];
        }

        if self.window(&market.name) != (solve.window, Some(Stage::Solutions)) {
            return vec![(None, Reason::NotSolving)];
        }

        let auction = self.auction(world, market);
        let held = auction.holding(&solve.pairs);

        let items = self.lost(market, &solve.pairs, &held);

        // Whether a solution is better is asked only if all of its pairs hold.
        if items.is_empty() && !self.betters_kept(&auction, &held) {
            return vec![(None, Reason::NotBetter)];
        }

        items
    }

    /// The pairs that are not among those held, each with the reason why it does not hold.
    fn lost(&self, market: &Market, pairs: &[Pair], held: &[Bid]) -> Vec<(Option<TaskId>, Reason)> {
        let holds = |pair: &Pair| held.iter().any(|bid| bid.task == pair.task);
        let lost = pairs.iter().filter(|pair| !holds(pair));

        lost.map(|pair| (Some(pair.task), self.why_lost(market, pair)))
            .collect()
    }

    /// The reason why a pair of a solution does not hold.
    fn why_lost(&self, market: &Market, pair: &Pair) -> Reason {
        let mut live = self.live(&market.name);
        let bid = live.find(|offer| (offer.task, offer.agent) == (pair.task, pair.agent));

        let Some(offer) = bid else {
            return Reason::NoBid;
        };

        // The bid stands. If it is not excluded either, only the budget can be the reason.
        let budget = self.cut(&market.name, &offer.agent);
        self.excluded(market, offer, &budget)
            .unwrap_or(Reason::OverBudget)
    }

    /// Whether a clearing in which these bids win is better than each solution that is kept.
    fn betters_kept(&self, auction: &ModelAuction<'_>, won: &[Bid]) -> bool {
        let worth = auction.worth(won);

        self.kept(auction.market)
            .all(|kept| auction.worth(&auction.holding(&kept.pairs)) > worth)
    }

    /// Keeps a solution, in place of the earlier one of its agent. If four are kept, it takes the
    /// place of the worst of them.
    pub(super) fn keep(&mut self, world: &World, signed: &SignedOperation, solve: &Solve) {
        let Some(market) = world.genesis().market(&solve.market) else {
            return;
        };

        let agent = signed.payload.agent;
        let auction = self.auction(world, market);

        let kept = self.kept.entry(market.name.clone()).or_default();
        kept.retain(|solution| solution.agent != agent);

        if kept.len() >= KEPT {
            drop_worst(&auction, kept);
        }

        kept.push(SolutionInput {
            agent,
            operation: signed.id(),
            pairs: solve.pairs.clone(),
        });

        kept.sort_by_key(|solution| solution.agent);
    }
}

/// Removes the worst of the solutions; of equally bad ones, the one of the greater agent.
fn drop_worst(auction: &ModelAuction<'_>, kept: &mut Vec<SolutionInput>) {
    let worth = |solution: &SolutionInput| auction.worth(&auction.holding(&solution.pairs));

    // `max` compares agents last.
    let worst = kept.iter().map(|one| (worth(one), one.agent)).max();
    let agent = worst.map(|(_, agent)| agent);

    kept.retain(|solution| Some(solution.agent) != agent);
}

/// Whether a solution has pairs, no more than it may have, and ascending by task.
fn is_well_formed(pairs: &[Pair]) -> bool {
    let ascends = pairs.windows(2).all(|two| two[0].task < two[1].task);
    ascends && !pairs.is_empty() && pairs.len() <= PAIRS
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
