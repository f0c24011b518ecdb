//! 18, bids: what is unsigned or late is in no block or refused there; at clearing every bid that
//! stands is among the inputs, and those that may not take part are left out for the right reason.

use std::collections::BTreeMap;

use quorate_types::operation::Opening;
use quorate_types::outcome::{BidInput, ClearingInput, Refusal};
use quorate_types::{Amounts, Body, Hash, Label, PublicKey, Reason, SignedOperation, TaskId};

use super::oracle::{Model, OnLedger, Rule, Said, State, Step, demand};
use crate::world::World;

/// No price is higher.
const HIGHEST: i64 = 1 << 40;

/// The invariant, fresh.
pub(super) fn bids() -> OnLedger<Bids> {
    OnLedger::default()
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bids;

impl Rule for Bids {
    const NUMBER: u8 = 18;
    const NAME: &'static str = "bids";

    fn judge(&mut self, world: &World, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Took(signed, _) | Step::Refused(signed) | Step::Moved(signed, _) => {
                authentic(world, signed)?;
                match step {
                    Step::Took(_, refusal) => taken(world, model, signed, *refusal),
                    _ => Ok(()),
                }
            }
            Step::Cleared(record, inputs) => {
                Docket::new(world, model, &record.market, inputs).check()
            }
            _ => Ok(()),
        }
    }
}

/// What an operation that took effect says of tasks.
fn taken(
    world: &World,
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    let agent = signed.payload.agent;
    let refused = |id: &TaskId| {
        let items = refusal.iter().flat_map(|refusal| &refusal.items);
        items.filter_map(|(task, _)| *task).any(|task| task == *id)
    };
    let (market, tasks): (&Label, Vec<TaskId>) = match &signed.payload.body {
        Body::Bid(bid) => (&bid.market, bid.offers.iter().map(|offer| offer.task).collect()),
        Body::Seal(seal) => (&seal.market, seal.offers.iter().map(|offer| offer.task).collect()),
        Body::Reveal(reveal) => {
            let mut opened = reveal.openings.iter().filter(|of| !refused(&of.task));
            return opened.try_for_each(|of| opens(world, model, (&reveal.market, agent), of));
        }
        Body::Withdraw(withdraw) => (&withdraw.market, Vec::new()),
        _ => return Ok(()),
    };
    let sealed = world.genesis().markets.iter().any(|m| m.name == *market && m.is_sealed());
    if sealed && (matches!(signed.payload.body, Body::Bid(_)) || model.has_opened(market)) {
        return Err(format!("{agent:?} bids or withdraws where others' prices can be read"));
    }
    let mut taken = tasks.iter().filter(|id| !refused(id));
    match taken.find(|id| !is_open(model, id, market)) {
        Some(id) => Err(format!("a bid on {id} was taken, which is not open")),
        None => Ok(()),
    }
}

/// M-24: the opening is of what the agent committed to.
fn opens(
    world: &World,
    model: &Model,
    (market, agent): (&Label, PublicKey),
    of: &Opening,
) -> Result<(), String> {
    let bid = model.bids.get(&(market.clone(), agent));
    let Some(Said::Sealed(commitment)) = bid.and_then(|bid| bid.offers.get(&of.task)) else {
        return Err(format!("{agent:?} opened a bid on {} that it did not make", of.task));
    };
    let swarm = world.genesis().swarm_id();
    let (number, price) = (of.task.number.to_be_bytes(), of.price.to_be_bytes());
    let parts: [&[u8]; 6] =
        [&swarm.0, &of.task.requester.0, &number, &agent.0, &price, &of.nonce.0];
    match Hash::derive("quorate 1 sealed bid", &parts) == *commitment {
        true => Ok(()),
        false => Err(format!("{agent:?} opened another bid on {} than it made", of.task)),
    }
}

/// Of this swarm, and signed by its agent.
fn authentic(world: &World, signed: &SignedOperation) -> Result<(), String> {
    let payload = &signed.payload;
    let own = payload.agent == signed.signer && payload.swarm == world.genesis().swarm_id();
    match own && quorate_crypto::verify(signed.clone()).is_ok() {
        true => Ok(()),
        false => Err(format!("an operation of {:?} that it did not sign", payload.agent)),
    }
}

fn is_open(model: &Model, id: &TaskId, market: &Label) -> bool {
    let task = model.tasks.get(id);
    task.is_some_and(|task| task.state == State::Open && task.spec.market == *market)
}

/// The inputs of a clearing against what stands.
struct Docket<'a> {
    world: &'a World,
    model: &'a Model,
    market: &'a Label,
    budgets: BTreeMap<PublicKey, &'a Amounts>,
    tasks: Vec<TaskId>,
    bids: BTreeMap<(TaskId, PublicKey), &'a BidInput>,
}

impl<'a> Docket<'a> {
    fn new(
        world: &'a World,
        model: &'a Model,
        market: &'a Label,
        inputs: &'a [ClearingInput],
    ) -> Self {
        let (budgets, tasks, bids) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut docket = Self { world, model, market, budgets, tasks, bids };
        for input in inputs {
            match input {
                ClearingInput::Task(task) => docket.tasks.push(task.task),
                ClearingInput::Bidder(bidder) => {
                    docket.budgets.insert(bidder.agent, &bidder.budget);
                }
                ClearingInput::Bid(bid) => {
                    docket.bids.insert((bid.task, bid.agent), bid);
                }
            }
        }
        docket
    }

    fn check(&self) -> Result<(), String> {
        let mut standing = 0;
        for id in &self.tasks {
            if !is_open(self.model, id, self.market) {
                return Err(format!("{id} was cleared and is not open"));
            }
            for ((market, agent), bid) in &self.model.bids {
                let Some(said) = bid.offers.get(id).filter(|_| market == self.market) else {
                    continue;
                };
                standing += 1;
                let input = self.bids.get(&(*id, *agent));
                let same = |input: &&BidInput| {
                    (input.price, input.operation) == (said.price(), bid.operation())
                };
                let Some(input) = input.copied().filter(same) else {
                    return Err(format!("the bid of {agent:?} on {id} was left out"));
                };
                let expected = self.excluded(id, agent, said.price());
                if input.excluded != expected {
                    let found = input.excluded;
                    return Err(format!(
                        "the bid of {agent:?} on {id} is excluded for {found:?}, not {expected:?}"
                    ));
                }
            }
        }
        if standing != self.bids.len() {
            return Err(format!("{} bids took part, {standing} stand", self.bids.len()));
        }
        self.check_budgets()
    }

    /// M-9, in its order.
    fn excluded(&self, id: &TaskId, agent: &PublicKey, price: Option<i64>) -> Option<Reason> {
        let Some(price) = price else { return Some(Reason::Unopened) };
        let task = self.model.tasks.get(id)?;
        let attested = self.model.capabilities(agent);
        let (spec, can) = (&task.spec, &attested.amounts);
        let takes = demand(spec);
        let market = self.world.genesis().markets.iter().find(|market| market.name == *self.market);
        let reserve = market.and_then(|market| market.reserve).unwrap_or(HIGHEST);
        let limit = spec.max_price.unwrap_or(HIGHEST).min(reserve).min(HIGHEST);
        let needs = &spec.requires;
        let budget = self.budgets.get(agent)?;
        let has = |amounts: &Amounts, name: &Label, least: i64| {
            amounts.get(name).copied().unwrap_or(0) >= least
        };
        let rules = [
            (task.excluded.contains(agent), Reason::ExcludedAfterFailure),
            (spec.deadline.is_some_and(|at| at <= self.model.now.wall), Reason::DeadlinePassed),
            (!needs.labels.is_subset(&attested.labels), Reason::CapabilityNotAttested),
            (needs.amounts.keys().any(|n| !can.contains_key(n)), Reason::CapabilityNotAttested),
            (needs.amounts.iter().any(|(n, least)| !has(can, n, *least)), Reason::AmountTooLow),
            (price > limit, Reason::PriceTooHigh),
            (takes.keys().any(|name| !can.contains_key(name)), Reason::CapabilityNotAttested),
            (takes.iter().any(|(name, n)| !has(budget, name, *n)), Reason::OverBudget),
        ];
        rules.into_iter().find(|(broken, _)| *broken).map(|(_, reason)| reason)
    }

    /// M-10: what the bid says, and no more than the agent has free.
    fn check_budgets(&self) -> Result<(), String> {
        for (agent, found) in &self.budgets {
            let Some(bid) = self.model.bids.get(&(self.market.clone(), *agent)) else {
                return Err(format!("{agent:?} takes part without a bid"));
            };
            let mut expected = bid.budget.clone();
            for (name, amount) in &mut expected {
                *amount = (*amount).min(self.free(agent, name));
            }
            if **found != expected {
                return Err(format!("{agent:?} may spend {found:?}, should {expected:?}"));
            }
        }
        Ok(())
    }

    fn free(&self, agent: &PublicKey, name: &Label) -> i64 {
        let attested = self.model.capabilities(agent).amounts.get(name).copied().unwrap_or(0);
        let committed = self.model.committed(agent).get(name).copied().unwrap_or(0);
        let others = self
            .model
            .bids
            .iter()
            .filter(|((market, bidder), _)| market != self.market && bidder == agent);
        let reserved: i64 = others.map(|(_, bid)| bid.budget.get(name).copied().unwrap_or(0)).sum();
        (attested - committed - reserved).max(0)
    }
}
