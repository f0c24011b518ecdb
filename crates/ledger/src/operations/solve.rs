//! Solve: solutions by members, for a market whose mechanism does not surely find the best one
//! (M-28 to M-31).

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_market::{Auction, Clearing, Mechanism, Score, clearing_of, mechanism};
use quorate_types::operation::{Pair, Solve};
use quorate_types::{Label, Market, PublicKey, Reason, SignedOperation, Stage, limits};

use crate::clearing_inputs::ClearingInputs;
use crate::cost;
use crate::run::{Items, Run};
use crate::state::{Entry, Key, Solution};

use super::is_valid_list;
use super::perform::Perform;

/// The cost of a new solution besides its own pairs: to find the tasks that are due, and to judge
/// all solutions that the window keeps, at their longest, with what each of their bidders has left.
const KEPT: u64 = 5_000
    + cost::PAIR * cost::KEPT_PAIRS as u64
    + cost::PARTY * limits::BIDDERS_PER_CLEARING as u64;

impl Perform for Solve {
    fn cost(&self) -> u64 {
        cost::times(self.pairs.len(), cost::PAIR).saturating_add(KEPT)
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        run.solve(signed, self)
    }
}

impl Run<'_> {
    /// Keeps a solution if every pair of it holds and it is better than all that are kept. If pairs
    /// do not hold, they are named and nothing is kept.
    fn solve(&mut self, signed: &SignedOperation, solve: &Solve) -> Result<Items, Reason> {
        let market = self.market(&solve.market)?;
        self.check_solve(solve)?;

        // The genesis can only name mechanisms that this program has.
        let rule = mechanism(&market.mechanism).ok_or(Reason::NotSolving)?;
        let clearing_inputs = self.inputs_for(market, rule, &solve.pairs);

        // All solutions are judged on one auction, so that their scores can be compared.
        let auction = clearing_inputs.auction(self.swarm);

        let clearing = clearing_of(&auction, &solve.pairs);
        let items = not_held(&clearing_inputs, &clearing, &solve.pairs);

        // Only a solution whose pairs all hold is compared with the others (M-29).
        if items.is_empty() {
            let score = Score::new(&auction, &clearing);

            self.make_room(&market.name, signed.payload.agent, &auction, &score)?;
            self.keep_solution(signed, solve);
        }

        Ok(items)
    }

    /// Checks everything about a solution that does not depend on the bids.
    fn check_solve(&self, solve: &Solve) -> Result<(), Reason> {
        // Strictly ascending, so that no task has two winners.
        if !is_valid_list(&solve.pairs, limits::TASKS_PER_CLEARING, |pair| pair.task) {
            return Err(Reason::BidMalformed);
        }

        // A solution is for the bids of one window, in its last stage (M-29).
        if !self.is_at(&solve.market, solve.window, Stage::Solutions) {
            return Err(Reason::NotSolving);
        }

        Ok(())
    }

    /// Returns the inputs on which a new solution is judged. The solutions that are kept are judged
    /// again with it, so their bids are needed too.
    fn inputs_for<'a>(
        &self,
        market: &'a Market,
        rule: &'static dyn Mechanism,
        pairs: &[Pair],
    ) -> ClearingInputs<'a> {
        let kept = self.solutions(&market.name).map(|(_, kept)| &kept.pairs);

        // A pair of several solutions is judged once.
        let pairs: BTreeSet<Pair> = kept.flatten().chain(pairs).copied().collect();

        let due = self.due_tasks(market, rule);
        self.clearing_inputs_of(market, rule, &pairs, &due)
    }

    /// Drops the worst solution of another agent if as many are kept as there may be. Each kept
    /// solution is judged again by the pairs that hold now: one that has lost its best pair must
    /// not keep out a better one (M-30).
    ///
    /// # Errors
    /// [`Reason::NotBetter`] if a kept solution, the agent's own included, is as good as `score` or
    /// better.
    fn make_room(
        &mut self,
        market: &Label,
        agent: PublicKey,
        auction: &Auction,
        score: &Score,
    ) -> Result<(), Reason> {
        let mut kept = self.scores(market, auction);

        // The lesser score is the better one.
        if kept.iter().any(|(least, _)| least <= score) {
            return Err(Reason::NotBetter);
        }

        // The agent's own solution would be replaced, and takes no other place.
        kept.retain(|(_, by)| *by != agent);

        if kept.len() >= limits::SOLUTIONS_PER_WINDOW
            && let Some((_, worst)) = kept.into_iter().max()
        {
            self.view.remove(Key::Solution(market.clone(), worst));
        }

        Ok(())
    }

    /// Returns the scores on this auction of the solutions that a market keeps, each with its
    /// agent.
    fn scores(&self, market: &Label, auction: &Auction) -> Vec<(Score, PublicKey)> {
        let score_of = |kept: &Solution| Score::new(auction, &clearing_of(auction, &kept.pairs));

        self.solutions(market)
            .map(|(agent, kept)| (score_of(kept), agent))
            .collect()
    }

    /// Keeps a solution, in the place of its agent's earlier one.
    fn keep_solution(&mut self, signed: &SignedOperation, solve: &Solve) {
        let solution = Solution {
            operation: signed.id(),
            pairs: solve.pairs.clone(),
        };

        let key = Key::Solution(solve.market.clone(), signed.payload.agent);
        self.view.put(key, Entry::Solution(Arc::new(solution)));
    }

    /// Returns the solutions kept in a market, ascending by agent.
    pub(crate) fn solutions(&self, market: &Label) -> impl Iterator<Item = (PublicKey, &Solution)> {
        self.view
            .entries(Key::solutions(market))
            .filter_map(|(key, entry)| match (key, entry) {
                (Key::Solution(_, agent), Entry::Solution(found)) => Some((*agent, &**found)),
                _ => None,
            })
    }

    /// Drops the solutions of a market, whose window is over.
    pub(crate) fn drop_solutions(&mut self, market: &Label) {
        let agents: Vec<PublicKey> = self.solutions(market).map(|(agent, _)| agent).collect();
        for agent in agents {
            self.view.remove(Key::Solution(market.clone(), agent));
        }
    }
}

/// Returns the pairs that are not in the clearing, each with the reason.
fn not_held(clearing_inputs: &ClearingInputs<'_>, clearing: &Clearing, pairs: &[Pair]) -> Items {
    let won: BTreeSet<_> = clearing.winners.iter().map(|award| award.task).collect();
    let lost = pairs.iter().filter(|pair| !won.contains(&pair.task));
    lost.map(|pair| (Some(pair.task), clearing_inputs.why_not(pair)))
        .collect()
}
