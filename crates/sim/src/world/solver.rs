//! Solving by simulated agents: when solutions are wanted, an agent asks for the standing bids, and
//! proposes a solution if it finds a better one than those that are kept.

use quorate_agent::Event;
use quorate_market::TieSeed;

use super::World;
use crate::solver::{improved, round};

impl World {
    /// Does what a solver does upon an event. Does nothing if the agent of the host does not solve.
    pub(super) fn solve(&mut self, at: usize, event: &Event) {
        let (now, swarm) = (self.now, self.genesis.swarm_id());
        let host = &mut self.clients[at];
        if host.plan.as_ref().is_none_or(|plan| !plan.solves) {
            return;
        }

        match event {
            Event::Solve { market, window } => {
                if let Some(client) = host.light_client() {
                    client.fetch_bids(market.clone(), *window, now);
                }
            }

            Event::StandingBids {
                market,
                window,
                found: Some(found),
            } => {
                // Ties are broken as in the clearing, where they decide what is better.
                let ties = TieSeed {
                    swarm,
                    market: market.clone(),
                };

                let better = improved(&round(found, ties), &mut host.dice);

                if let (Some(pairs), Some(client)) = (better, host.light_client()) {
                    // An error means that the agent is not a member yet. Another window will come.
                    let _ = client.solve(market.clone(), *window, pairs, now);
                }
            }

            _ => {}
        }
    }
}
