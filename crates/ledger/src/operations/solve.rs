//! Solve: what members propose for a market whose mechanism cannot promise the best there is
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
    /// Keeps a solution of which every pair holds, and that is better than all there are. Where
    /// pairs do not hold, they are named and nothing is kept.
    pub(super) fn solve(&mut self, operation: &Operation, solve: &Solve) -> Result<Items, Reason> {
        let market = self.market(&solve.market)?;
        let ordered = solve.pairs.is_sorted_by(|a, b| a.task < b.task);
        if !ordered || !(1..=limits::TASKS_PER_CLEARING).contains(&solve.pairs.len()) {
            return Err(Reason::BidMalformed);
        }
        let window = self.view.window(&market.name);
        let solves = window
            .opened
            .is_some_and(|opened| opened.stage == Stage::Solutions);
        if !solves || window.number != solve.window {
            return Err(Reason::NotSolving);
        }
        // A ledger begins with mechanisms that there are.
        let rule = mechanism(&market.mechanism).ok_or(Reason::NotSolving)?;
        let kept = self.solutions(&market.name).map(|(_, kept)| &kept.pairs);
        let pairs: BTreeSet<Pair> = kept.chain([&solve.pairs]).flatten().copied().collect();
        let docket = self.docket_of(market, rule, &pairs, &self.due_tasks(market, rule));
        let round = docket.round(self.swarm);
        let clearing = clearing_of(&round, &solve.pairs);
        let items = not_held(&docket, &clearing, &solve.pairs);
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

    /// Drops the worst of as many solutions of others as are kept at most. What they are worth is
    /// judged again, by what of them holds now: a solution that lost its best pair since must not
    /// keep out what is better.
    ///
    /// # Errors
    /// [`Reason::NotBetter`] where one of them, or the agent's own, is as good as `score`.
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
        if kept.iter().any(|(least, _)| least <= score) {
            return Err(Reason::NotBetter);
        }
        kept.retain(|(_, by)| *by != agent);
        if kept.len() >= limits::SOLUTIONS_PER_WINDOW
            && let Some((_, worst)) = kept.into_iter().max()
        {
            self.view.remove(Key::Solution(market.clone(), worst));
        }
        Ok(())
    }

    /// The solutions kept in a market, ascending by agent.
    pub(crate) fn solutions(&self, market: &Label) -> impl Iterator<Item = (PublicKey, &Solution)> {
        self.view
            .entries(Key::solutions(market))
            .filter_map(|(key, entry)| match (key, entry) {
                (Key::Solution(_, agent), Entry::Solution(found)) => Some((*agent, &**found)),
                _ => None,
            })
    }

    /// The window of the market is over, and what was proposed for it.
    pub(crate) fn drop_solutions(&mut self, market: &Label) {
        let agents: Vec<PublicKey> = self.solutions(market).map(|(agent, _)| agent).collect();
        for agent in agents {
            self.view.remove(Key::Solution(market.clone(), agent));
        }
    }
}

/// The pairs that are not in the clearing, each with the reason.
fn not_held(docket: &Docket<'_>, clearing: &Clearing, pairs: &[Pair]) -> Items {
    let won: BTreeSet<_> = clearing.awards.iter().map(|award| award.task).collect();
    let lost = pairs.iter().filter(|pair| !won.contains(&pair.task));
    lost.map(|pair| (Some(pair.task), docket.why_not(pair)))
        .collect()
}
