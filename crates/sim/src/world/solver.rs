//! Solving by simulated agents: when solutions are wanted, an agent asks for the standing bids, and
//! proposes a solution if it finds a better one than those that are kept.

use quorate_agent::{ClientEvent, StandingBids};
use quorate_market::TieSeed;
use quorate_types::Label;

use super::World;
use crate::solver::{auction, improved};

impl World {
    /// Does what a solver does upon an event. Does nothing if the agent of the host does not solve.
    pub(super) fn solve(&mut self, at: usize, event: &ClientEvent) {
        let plan = self.clients[at].plan.as_ref();
        if plan.is_none_or(|plan| !plan.solves) {
            return;
        }

        match event {
            ClientEvent::Solve { market, window } => {
                let now = self.client_now();

                if let Some(client) = self.clients[at].light_client() {
                    client.fetch_bids(market.clone(), *window, now);
                }
            }

            ClientEvent::StandingBids {
                market,
                window,
                found: Some(found),
            } => self.propose_solution(at, market, *window, found),

            _ => {}
        }
    }

    /// Proposes a solution of a window, if the solver finds a better one than those that are kept.
    fn propose_solution(&mut self, at: usize, market: &Label, window: u64, found: &StandingBids) {
        let now = self.client_now();

        // Ties are broken as in the clearing, where they decide what is better.
        let ties = TieSeed {
            swarm: self.genesis.swarm_id(),
            market: market.clone(),
        };

        let host = &mut self.clients[at];
        let better = improved(&auction(found, ties), &mut host.dice);

        if let (Some(pairs), Some(client)) = (better, host.light_client()) {
            // An error means that the agent is not a member yet. Another window will come.
            let _ = client.solve(market.clone(), window, pairs, now);
        }
    }
}
