//! An agent that solves: when solutions are wanted it asks what there is to solve, and proposes
//! what is better than all that is kept.

use quorate_agent::Event;
use quorate_market::TieSeed;

use super::World;
use crate::solver::{improved, round};

impl World {
    /// Lets the agent at a host do what an event asks of solvers.
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
                let ties = TieSeed {
                    swarm,
                    market: market.clone(),
                };
                let better = improved(&round(found, ties), &mut host.dice);
                if let (Some(pairs), Some(client)) = (better, host.light_client()) {
                    // Not ready, it is no member yet: another window will come.
                    let _ = client.solve(market.clone(), *window, pairs, now);
                }
            }
            _ => {}
        }
    }
}
