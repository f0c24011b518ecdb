//! Solutions by M-29 and M-30: which of them are refused, and which are kept.

use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::SolutionInput;
use quorate_types::{Genesis, Market, Reason, SignedOperation, Stage, TaskId};

use crate::model::Model;
use crate::round::{Bid, ModelAuction};

/// The most pairs that a solution may have.
const PAIRS: usize = 1024;
/// The most solutions that are kept for a window.
const KEPT: usize = 4;

impl Model {
    /// The reasons for which a solution must be refused now; empty if it must be kept.
    pub(crate) fn refusal(
        &self,
        genesis: &Genesis,
        solve: &Solve,
    ) -> Vec<(Option<TaskId>, Reason)> {
        let Some(market) = genesis.market(&solve.market) else {
            return vec![(None, Reason::UnknownMarket)];
        };

        if !is_well_formed(&solve.pairs) {
            return vec![(None, Reason::BidMalformed)];
        }

        if self.window(&market.name) != (solve.window, Some(Stage::Solutions)) {
            return vec![(None, Reason::NotSolving)];
        }

        let auction = self.auction(genesis, market);
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
    pub(crate) fn keep(&mut self, genesis: &Genesis, signed: &SignedOperation, solve: &Solve) {
        let Some(market) = genesis.market(&solve.market) else {
            return;
        };

        let agent = signed.payload.agent;
        let auction = self.auction(genesis, market);

        let others = self.kept(&market.name);
        let mut kept: Vec<SolutionInput> = others
            .filter(|solution| solution.agent != agent)
            .cloned()
            .collect();

        if kept.len() >= KEPT {
            drop_worst(&auction, &mut kept);
        }

        kept.push(SolutionInput {
            agent,
            operation: signed.id(),
            pairs: solve.pairs.clone(),
        });

        kept.sort_by_key(|solution| solution.agent);
        self.set_kept(market.name.clone(), kept);
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
