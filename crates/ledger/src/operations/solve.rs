//! Solve: solutions by members, for a market whose mechanism does not surely find the best one
//! (M-28 to M-31).

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_market::{Clearing, Round, Score, clearing_of, mechanism};
use quorate_types::operation::{Operation, Pair, Solve};
use quorate_types::{Label, PublicKey, Reason, Stage, limits};

use crate::docket::Docket;
use crate::run::{Items, Run};
use crate::state::{Entry, Key, Solution};

impl Run<'_> {
    /// Keeps a solution if every pair of it holds and it is better than all that are kept. If pairs
    /// do not hold, they are named and nothing is kept.
    pub(super) fn solve(&mut self, operation: &Operation, solve: &Solve) -> Result<Items, Reason> {
        let market = self.market(&solve.market)?;

        // Strictly ascending, so that no task has two winners.
        let ordered = solve.pairs.is_sorted_by(|a, b| a.task < b.task);
        if !ordered || !(1..=limits::TASKS_PER_CLEARING).contains(&solve.pairs.len()) {
            return Err(Reason::BidMalformed);
        }

        // A solution is for the bids of one window, in its last stage (M-29).
        let window = self.view.window(&market.name);
        let solves = window
            .opened
            .is_some_and(|opened| opened.stage == Stage::Solutions);

        if !solves || window.number != solve.window {
            return Err(Reason::NotSolving);
        }

        // The genesis can only name mechanisms that this program has.
        let rule = mechanism(&market.mechanism).ok_or(Reason::NotSolving)?;

        // The solutions that are kept are judged again with the new one, so their bids are needed
        // too.
        let kept = self.solutions(&market.name).map(|(_, kept)| &kept.pairs);
        let pairs: BTreeSet<Pair> = kept.chain([&solve.pairs]).flatten().copied().collect();
        let docket = self.docket_of(market, rule, &pairs, &self.due_tasks(market, rule));

        // All solutions are judged on one round, so that their scores can be compared.
        let round = docket.round(self.swarm);
        let clearing = clearing_of(&round, &solve.pairs);
        let items = not_held(&docket, &clearing, &solve.pairs);

        // Only a solution whose pairs all hold is compared with the others (M-29).
        if items.is_empty() {
            let score = Score::new(&round, &clearing);
            self.make_room(&round, (&market.name, operation.agent), &score)?;

            let solution = Solution {
                operation: operation.id(),
                pairs: solve.pairs.clone(),
            };

            let key = Key::Solution(market.name.clone(), operation.agent);
            self.view.put(key, Entry::Solution(Arc::new(solution)));
        }

        Ok(items)
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
        round: &Round,
        (market, agent): (&Label, PublicKey),
        score: &Score,
    ) -> Result<(), Reason> {
        let score_of = |kept: &Solution| Score::new(round, &clearing_of(round, &kept.pairs));

        let kept = self
            .solutions(market)
            .map(|(by, kept)| (score_of(kept), by));
        let mut kept: Vec<(Score, PublicKey)> = kept.collect();

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
fn not_held(docket: &Docket<'_>, clearing: &Clearing, pairs: &[Pair]) -> Items {
    let won: BTreeSet<_> = clearing.awards.iter().map(|award| award.task).collect();
    let lost = pairs.iter().filter(|pair| !won.contains(&pair.task));
    lost.map(|pair| (Some(pair.task), docket.why_not(pair)))
        .collect()
}
