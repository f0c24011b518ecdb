//! Solutions by M-29 to M-31: which pairs of a solution hold, which solution is the better one, and
//! which solutions are kept.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::SolutionInput;
use quorate_types::{
    Amounts, Hash, Label, OperationId, Price, PublicKey, Reason, SignedOperation, Stage, TaskId,
};

use super::{Bid, Model, Round};
use crate::world::World;

/// The most pairs that a solution may have.
const PAIRS: usize = 1024;
/// The most solutions that are kept for a window.
const KEPT: usize = 4;

/// The worth of a clearing, in the order of M-30: the number of tasks, the sum of prices, and the
/// tie keys in ascending order. The least value is the best clearing.
pub(super) type Worth = (Reverse<usize>, Price, Vec<Hash>);

impl Round<'_> {
    /// The pairs of a solution that hold, as the bids that they name, ascending by task.
    pub(in crate::invariants) fn holding(&self, pairs: &[Pair]) -> Vec<Bid> {
        let bids: BTreeMap<(TaskId, PublicKey), &Bid> = self
            .bids
            .iter()
            .map(|bid| ((bid.task, bid.agent), bid))
            .collect();

        let mut left: BTreeMap<PublicKey, Amounts> = self
            .bidders
            .iter()
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect();

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
            let mut rest = budget.clone();
            let fits = takes.iter().all(|(name, amount)| {
                let of = rest.entry(name.clone()).or_insert(0);
                *of -= amount;
                *of >= 0
            });

            if fits {
                *budget = rest;
                won.push(**bid);
            }
        }

        won
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
        let mut markets = world.genesis().markets.iter();
        let Some(market) = markets.find(|market| market.name == solve.market) else {
            return vec![(None, Reason::UnknownMarket)];
        };

        let ascends = solve.pairs.windows(2).all(|two| two[0].task < two[1].task);
        if !ascends || solve.pairs.is_empty() || solve.pairs.len() > PAIRS {
            return vec![(None, Reason::BidMalformed)];
        }

        if self.window(&market.name) != (solve.window, Some(Stage::Solutions)) {
            return vec![(None, Reason::NotSolving)];
        }

        let round = self.round(world, market);
        let held = round.holding(&solve.pairs);

        let lost = |pair: &&Pair| !held.iter().any(|bid| bid.task == pair.task);

        let why = |pair: &Pair| {
            let mut live = self.live(&market.name);
            let bid = live.find(|(id, agent, _)| (*id, *agent) == (pair.task, pair.agent));

            let Some((id, agent, said)) = bid else {
                return Reason::NoBid;
            };

            // The bid stands. If it is not excluded either, only the budget can be the reason.
            let budget = self.cut(&market.name, &agent);
            self.excluded(market, (&id, &agent, said), &budget)
                .unwrap_or(Reason::OverBudget)
        };

        let lost = solve.pairs.iter().filter(lost);
        let mut items: Vec<_> = lost.map(|pair| (Some(pair.task), why(pair))).collect();

        // Whether a solution is better is asked only if all of its pairs hold.
        let worth = round.worth(&held);
        let as_good = |kept: &SolutionInput| round.worth(&round.holding(&kept.pairs)) <= worth;
        if items.is_empty() && self.kept(&market.name).any(as_good) {
            items.push((None, Reason::NotBetter));
        }

        items
    }

    /// Keeps a solution, in place of the earlier one of its agent. If four are kept, it takes the
    /// place of the worst of them.
    pub(super) fn keep(&mut self, world: &World, signed: &SignedOperation, solve: &Solve) {
        let agent = signed.payload.agent;

        let mut markets = world.genesis().markets.iter();
        let Some(market) = markets.find(|market| market.name == solve.market) else {
            return;
        };

        let round = self.round(world, market);

        let kept = self.kept.entry(market.name.clone()).or_default();
        kept.retain(|solution| solution.agent != agent);

        if kept.len() >= KEPT {
            let worth = |solution: &SolutionInput| round.worth(&round.holding(&solution.pairs));
            // Of equally bad solutions the one of the greater agent goes: `max` compares agents
            // last.
            let worst = kept.iter().map(|one| (worth(one), one.agent)).max();
            kept.retain(|solution| Some(solution.agent) != worst.as_ref().map(|(_, of)| *of));
        }

        let (operation, pairs) = (signed.payload.id(), solve.pairs.clone());
        kept.push(SolutionInput {
            agent,
            operation,
            pairs,
        });

        kept.sort_by_key(|solution| solution.agent);
    }
}
