//! The bids that stand and take part at a moment (M-9, M-10).

use quorate_types::{Amounts, Capabilities, Genesis, Label, Market, PublicKey, Reason, TaskId};

use crate::model::Model;
use crate::offer::LiveOffer;
use crate::round::{Bid, Bidder, ModelAuction};
use crate::task::{ModelState, amount_of, demand};

/// The highest price that the protocol allows.
const HIGHEST: i64 = 1 << 40;

impl Model {
    /// The offers of the live bids of a market.
    pub(crate) fn live(&self, market: &Label) -> impl Iterator<Item = LiveOffer> {
        let bids = self.bids().iter().filter(move |((of, _), _)| of == market);

        let offers = bids.flat_map(|((_, agent), bid)| {
            bid.offers.iter().map(|(task, said)| LiveOffer {
                task: *task,
                agent: *agent,
                said: *said,
            })
        });

        offers.filter(move |offer| self.is_open(&offer.task, market))
    }

    /// Whether a task of the market is open.
    pub(crate) fn is_open(&self, id: &TaskId, market: &Label) -> bool {
        let task = self.task(id);
        task.is_some_and(|task| task.state == ModelState::Open && task.spec.market == *market)
    }

    /// The reason why an offer under this budget takes no part; `None` if it takes part. The
    /// reasons are those of M-9, in the same order.
    pub(crate) fn excluded(
        &self,
        market: &Market,
        offer: LiveOffer,
        budget: &Amounts,
    ) -> Option<Reason> {
        let Some(price) = offer.said.price() else {
            return Some(Reason::Unopened);
        };

        let task = self.task(&offer.task)?;

        if task.excluded.contains(&offer.agent) {
            return Some(Reason::ExcludedAfterFailure);
        }

        if task.spec.deadline.is_some_and(|at| at <= self.now().wall) {
            return Some(Reason::DeadlinePassed);
        }

        let attested = self.capabilities(&offer.agent);
        if let Some(reason) = unmet(&task.spec.requires, &attested) {
            return Some(reason);
        }

        if price > self.limit(market, &offer.task) {
            return Some(Reason::PriceTooHigh);
        }

        unaffordable(&demand(&task.spec), &attested, budget)
    }

    /// M-10: the budget of an agent's bid, cut to what the agent has free.
    pub(crate) fn cut(&self, market: &Label, agent: &PublicKey) -> Amounts {
        let bid = self.bid(market, agent);
        let mut budget = bid.map(|bid| bid.budget.clone()).unwrap_or_default();
        for (name, amount) in &mut budget {
            *amount = (*amount).min(self.free(market, agent, name));
        }
        budget
    }

    /// The round that a clearing of all open tasks would run now, without solutions.
    pub(crate) fn auction<'a>(&self, genesis: &Genesis, market: &'a Market) -> ModelAuction<'a> {
        let tasks = self.tasks().iter();
        let open = tasks.filter(|(id, _)| self.is_open(id, &market.name));
        let tasks = open.map(|(id, task)| (*id, (demand(&task.spec), self.limit(market, id))));

        let bidders = self.bidders(&market.name);
        let bids = self.taking_part(market, &bidders);

        ModelAuction {
            swarm: genesis.swarm_id(),
            market: &market.name,
            tasks: tasks.collect(),
            bidders,
            bids,
            solutions: Vec::new(),
        }
    }

    /// The agents with a bid in a market, each with its budget as it is cut now.
    fn bidders(&self, market: &Label) -> Vec<Bidder> {
        let agents = self.bids().keys().filter(|(of, _)| of == market);

        agents
            .map(|(_, agent)| Bidder {
                agent: *agent,
                budget: self.cut(market, agent),
            })
            .collect()
    }

    /// The offers of these bidders that are not excluded, ascending by task and agent.
    fn taking_part(&self, market: &Market, bidders: &[Bidder]) -> Vec<Bid> {
        let bid_of = |offer: LiveOffer| {
            let mut bidders = bidders.iter();
            let bidder = bidders.find(|bidder| bidder.agent == offer.agent)?;

            // An excluded bid takes no part, as in a clearing.
            let excluded = self.excluded(market, offer, &bidder.budget);
            let price = offer.said.price().filter(|_| excluded.is_none())?;

            Some(Bid {
                task: offer.task,
                agent: offer.agent,
                price,
            })
        };

        let live = self.live(&market.name);
        let mut bids: Vec<Bid> = live.filter_map(bid_of).collect();

        bids.sort_by_key(|bid| (bid.task, bid.agent));
        bids
    }

    /// The highest price that is paid for a task: the least of the limits of the task, the market
    /// and the protocol.
    fn limit(&self, market: &Market, id: &TaskId) -> i64 {
        let own = self.task(id).and_then(|task| task.spec.max_price);
        let limits = [own, market.reserve, Some(HIGHEST)];
        limits.into_iter().flatten().min().unwrap_or(HIGHEST)
    }

    /// The amount of an agent that is neither taken by assignments nor reserved in other markets.
    fn free(&self, market: &Label, agent: &PublicKey, name: &Label) -> i64 {
        let attested = amount_of(&self.capabilities(agent).amounts, name);
        let committed = amount_of(&self.committed(agent), name);

        let others = self
            .bids()
            .iter()
            .filter(|((of, by), _)| of != market && by == agent);

        let reserved: i64 = others.map(|(_, bid)| amount_of(&bid.budget, name)).sum();

        (attested - committed - reserved).max(0)
    }
}

/// The reason of M-9 why an agent with these capabilities may not do a task; `None` if it may.
fn unmet(needs: &Capabilities, attested: &Capabilities) -> Option<Reason> {
    if !needs.labels.is_subset(&attested.labels) || !names_all(&attested.amounts, &needs.amounts) {
        return Some(Reason::CapabilityNotAttested);
    }

    (!is_enough(&attested.amounts, &needs.amounts)).then_some(Reason::AmountTooLow)
}

/// The reason of M-9 why an agent cannot give the amounts that a task takes; `None` if it can.
fn unaffordable(takes: &Amounts, attested: &Capabilities, budget: &Amounts) -> Option<Reason> {
    if !names_all(&attested.amounts, takes) {
        return Some(Reason::CapabilityNotAttested);
    }

    (!is_enough(budget, takes)).then_some(Reason::OverBudget)
}

/// Whether each of the amounts needed has an entry, however little, in what there is.
fn names_all(has: &Amounts, needs: &Amounts) -> bool {
    needs.keys().all(|name| has.contains_key(name))
}

/// Whether what there is suffices for each of the amounts needed.
fn is_enough(has: &Amounts, needs: &Amounts) -> bool {
    needs
        .iter()
        .all(|(name, least)| amount_of(has, name) >= *least)
}
