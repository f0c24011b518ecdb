//! Solutions as the book has them: what of one holds, which is the better, which are kept (M-29 to
//! M-31).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::SolutionInput;
use quorate_types::{
    Amounts, Hash, Label, OperationId, Price, PublicKey, Reason, SignedOperation, Stage, TaskId,
};

use super::{Bid, Model, Round};
use crate::world::World;

/// Pairs of a solution at most.
const PAIRS: usize = 1024;
/// Solutions that are kept.
const KEPT: usize = 4;

/// How good a clearing is, the least the best: tasks, sum of prices, keys in ascending order.
pub(super) type Worth = (Reverse<usize>, Price, Vec<Hash>);

impl Round<'_> {
    /// What of a solution holds, ascending by task.
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
            let Some(bid) = bids.get(&(pair.task, pair.agent)) else {
                continue;
            };
            let Some((takes, _)) = self.tasks.get(&pair.task) else {
                continue;
            };
            let Some(budget) = left.get_mut(&pair.agent) else {
                continue;
            };
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

    /// M-30.
    pub(in crate::invariants) fn worth(&self, won: &[Bid]) -> Worth {
        let mut keys: Vec<Hash> = won.iter().map(|bid| self.key(bid)).collect();
        keys.sort();
        (
            Reverse(won.len()),
            won.iter().map(|bid| bid.price).sum(),
            keys,
        )
    }

    /// M-31: what is won where the mechanism finds `found` by itself, and the operation whose
    /// solution that is.
    pub(super) fn bettered(&self, found: Vec<Bid>) -> (Vec<Bid>, Option<OperationId>) {
        let given = self
            .solutions
            .iter()
            .map(|solution| (self.holding(&solution.pairs), Some(solution.operation)));
        let all: Vec<_> = std::iter::once((found, None)).chain(given).collect();
        // The first of equals: `min_by_key` takes it.
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

    /// What a solution must be refused with now: nothing where it must be kept.
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
            let budget = self.cut(&market.name, &agent);
            self.excluded(market, (&id, &agent, said), &budget)
                .unwrap_or(Reason::OverBudget)
        };
        let lost = solve.pairs.iter().filter(lost);
        let mut items: Vec<_> = lost.map(|pair| (Some(pair.task), why(pair))).collect();
        let worth = round.worth(&held);
        let as_good = |kept: &SolutionInput| round.worth(&round.holding(&kept.pairs)) <= worth;
        if items.is_empty() && self.kept(&market.name).any(as_good) {
            items.push((None, Reason::NotBetter));
        }
        items
    }

    /// A solution was kept: in the place of its agent's, else of the worst, where there are four.
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
