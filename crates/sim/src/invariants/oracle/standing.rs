//! The bids that stand and take part at a moment (M-9, M-10).

use quorate_types::{Amounts, Label, Market, PublicKey, Reason, TaskId};

use super::{Bid, Bidder, Model, Round, Said, State, demand};
use crate::world::World;

/// The highest price that the protocol allows.
const HIGHEST: i64 = 1 << 40;

impl Model {
    /// The live bids of a market: task, agent and offer.
    pub(in crate::invariants) fn live(
        &self,
        market: &Label,
    ) -> impl Iterator<Item = (TaskId, PublicKey, Said)> {
        let bids = self.bids.iter().filter(move |((of, _), _)| of == market);
        let offers = bids
            .flat_map(|((_, agent), bid)| bid.offers.iter().map(|(id, said)| (*id, *agent, *said)));
        offers.filter(move |(id, ..)| self.is_open(id, market))
    }

    /// Whether a task of the market is open.
    pub(in crate::invariants) fn is_open(&self, id: &TaskId, market: &Label) -> bool {
        let task = self.tasks.get(id);
        task.is_some_and(|task| task.state == State::Open && task.spec.market == *market)
    }

    /// The reason why a bid under this budget takes no part; `None` if it takes part. The reasons
    /// are those of M-9, in the same order.
    pub(in crate::invariants) fn excluded(
        &self,
        market: &Market,
        (id, agent, said): (&TaskId, &PublicKey, Said),
        budget: &Amounts,
    ) -> Option<Reason> {
        let Some(price) = said.price() else {
            return Some(Reason::Unopened);
        };

        let task = self.tasks.get(id)?;
        let attested = self.capabilities(agent);
        let (spec, can, takes) = (&task.spec, &attested.amounts, demand(&task.spec));
        let needs = &spec.requires;

        let has = |amounts: &Amounts, name: &Label, least: i64| {
            amounts.get(name).copied().unwrap_or(0) >= least
        };

        // The first rule that is broken gives the reason.
        let rules = [
            (task.excluded.contains(agent), Reason::ExcludedAfterFailure),
            (
                spec.deadline.is_some_and(|at| at <= self.now.wall),
                Reason::DeadlinePassed,
            ),
            (
                !needs.labels.is_subset(&attested.labels),
                Reason::CapabilityNotAttested,
            ),
            (
                needs.amounts.keys().any(|n| !can.contains_key(n)),
                Reason::CapabilityNotAttested,
            ),
            (
                needs.amounts.iter().any(|(n, least)| !has(can, n, *least)),
                Reason::AmountTooLow,
            ),
            (price > self.limit(market, id), Reason::PriceTooHigh),
            (
                takes.keys().any(|name| !can.contains_key(name)),
                Reason::CapabilityNotAttested,
            ),
            (
                takes.iter().any(|(name, n)| !has(budget, name, *n)),
                Reason::OverBudget,
            ),
        ];

        rules
            .into_iter()
            .find(|(broken, _)| *broken)
            .map(|(_, reason)| reason)
    }

    /// M-10: the budget of an agent's bid, cut to what the agent has free.
    pub(in crate::invariants) fn cut(&self, market: &Label, agent: &PublicKey) -> Amounts {
        let bid = self.bids.get(&(market.clone(), *agent));
        let mut budget = bid.map(|bid| bid.budget.clone()).unwrap_or_default();
        for (name, amount) in &mut budget {
            *amount = (*amount).min(self.free(market, agent, name));
        }
        budget
    }

    /// The round that a clearing of all open tasks would run now, without solutions.
    pub(in crate::invariants) fn round<'a>(&self, world: &World, market: &'a Market) -> Round<'a> {
        let open = self
            .tasks
            .keys()
            .filter(|id| self.is_open(id, &market.name));

        let tasks = open.filter_map(|id| {
            Some((
                *id,
                (demand(&self.tasks.get(id)?.spec), self.limit(market, id)),
            ))
        });

        let agents = self.bids.keys().filter(|(of, _)| *of == market.name);

        let bidders: Vec<Bidder> = agents
            .map(|(of, agent)| Bidder {
                agent: *agent,
                budget: self.cut(of, agent),
            })
            .collect();

        // An excluded bid takes no part, as in a clearing.
        let takes_part = |(id, agent, said): (TaskId, PublicKey, Said)| {
            let bidder = bidders.iter().find(|bidder| bidder.agent == agent)?;
            let excluded = self.excluded(market, (&id, &agent, said), &bidder.budget);

            let price = said.price().filter(|_| excluded.is_none())?;

            Some(Bid {
                task: id,
                agent,
                price,
            })
        };

        let mut bids: Vec<Bid> = self.live(&market.name).filter_map(takes_part).collect();
        bids.sort_by_key(|bid| (bid.task, bid.agent));

        Round {
            swarm: world.genesis().swarm_id(),
            market: &market.name,
            tasks: tasks.collect(),
            bidders,
            bids,
            solutions: Vec::new(),
        }
    }

    /// The highest price that is paid for a task: the least of the limits of the task, the market
    /// and the protocol.
    fn limit(&self, market: &Market, id: &TaskId) -> i64 {
        let own = self.tasks.get(id).and_then(|task| task.spec.max_price);
        let limits = [own, market.reserve, Some(HIGHEST)];
        limits.into_iter().flatten().min().unwrap_or(HIGHEST)
    }

    /// The amount of an agent that is neither taken by assignments nor reserved in other markets.
    fn free(&self, market: &Label, agent: &PublicKey, name: &Label) -> i64 {
        let attested = self
            .capabilities(agent)
            .amounts
            .get(name)
            .copied()
            .unwrap_or(0);

        let committed = self.committed(agent).get(name).copied().unwrap_or(0);

        let others = self
            .bids
            .iter()
            .filter(|((of, by), _)| of != market && by == agent);

        let reserved: i64 = others
            .map(|(_, bid)| bid.budget.get(name).copied().unwrap_or(0))
            .sum();

        (attested - committed - reserved).max(0)
    }
}
