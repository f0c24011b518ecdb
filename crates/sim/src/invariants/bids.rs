//! 18, bids: what is unsigned or late is in no block or refused there, as are solutions that do not
//! hold or are no better; a window clears when it is over; at clearing every bid that stands and
//! every solution kept is among the inputs, and what may not take part is left out for the right
//! reason.

use std::collections::BTreeMap;

use quorate_types::operation::{Opening, Withdraw};
use quorate_types::outcome::{BidInput, ClearingInput, ClearingRecord, Refusal, SolutionInput};
use quorate_types::{
    Amounts, Body, Hash, Label, Market, PublicKey, Reason, SignedOperation, Stage, TaskId,
};

use super::oracle::{Model, OnLedger, Rule, Said, Step};
use crate::world::World;

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
            Step::Took(signed, refusal) => {
                authentic(world, signed)?;
                timely(model, signed, None)?;
                check_reasons(world, model, signed, None)?;
                taken(world, model, signed, *refusal)
            }
            Step::Refused(signed, refusal) => {
                authentic(world, signed)?;
                timely(model, signed, Some(refusal))?;
                check_reasons(world, model, signed, Some(refusal))
            }
            Step::Moved(signed, _) => authentic(world, signed),
            Step::Windows(_) => match model.due.first() {
                Some(market) => Err(format!("a window of {market} was over and did not clear")),
                None => Ok(()),
            },
            Step::Cleared(record, inputs) => {
                check_window(model, record)?;
                Docket::new(world, model, record, inputs)?.check()
            }
            _ => Ok(()),
        }
    }
}

/// M-6, M-25, M-28: a window clears when it is over, and under its number.
fn check_window(model: &Model, record: &ClearingRecord) -> Result<(), String> {
    let (market, (number, stage)) = (&record.market, model.window(&record.market));
    if !model.due.contains(market) || record.window != number {
        let found = record.window;
        return Err(format!(
            "window {found} of {market} cleared, in {stage:?} of {number}"
        ));
    }
    Ok(())
}

/// M-4, M-23, M-25, M-28: what a window takes when; `refusal` is of the whole operation.
fn timely(
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    let body = &signed.payload.body;
    let (in_time, reason) = match body {
        Body::Bid(bid) => (
            model.window(&bid.market).1 <= Some(Stage::Bids),
            Reason::LateBid,
        ),
        Body::Seal(seal) => (
            model.window(&seal.market) == (seal.window, Some(Stage::Bids)),
            Reason::LateBid,
        ),
        Body::Reveal(reveal) => {
            let now = (reveal.window, Some(Stage::Openings));
            (model.window(&reveal.market) == now, Reason::NotOpening)
        }
        _ => return Ok(()),
    };
    let refused = refusal.is_some_and(|refusal| refusal.items.contains(&(None, reason)));
    match (in_time, refusal) {
        (false, None) => Err(format!("a {} was taken out of its time", body.name())),
        (true, Some(_)) if refused => {
            Err(format!("a {} was refused as out of its time", body.name()))
        }
        _ => Ok(()),
    }
}

/// M-5, M-29, M-30: a withdrawal or solution is refused for these reasons, or not at all.
fn check_reasons(
    world: &World,
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    let (agent, body) = (signed.payload.agent, &signed.payload.body);
    let expected = match body {
        Body::Solve(solve) => model.refusal(world, solve),
        Body::Withdraw(withdraw) => not_withdrawn(world, model, (agent, withdraw)),
        _ => return Ok(()),
    };
    let found = refusal
        .map(|refusal| &refusal.items[..])
        .unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    let what = body.name();
    Err(format!(
        "a {what} of {agent:?} is refused with {found:?}, should be with {expected:?}"
    ))
}

fn not_withdrawn(
    world: &World,
    model: &Model,
    (agent, withdraw): (PublicKey, &Withdraw),
) -> Vec<(Option<TaskId>, Reason)> {
    let market = &withdraw.market;
    let late = model.window(market).1 > Some(Stage::Bids);
    let rules = [
        (market_of(world, market).is_none(), Reason::UnknownMarket),
        (
            !model.live(market).any(|(_, by, _)| by == agent),
            Reason::NoBid,
        ),
        (late, Reason::WithdrawLate),
    ];
    let broken = rules.into_iter().find(|(broken, _)| *broken);
    broken
        .map(|(_, reason)| (None, reason))
        .into_iter()
        .collect()
}

fn market_of<'a>(world: &'a World, name: &Label) -> Option<&'a Market> {
    world
        .genesis()
        .markets
        .iter()
        .find(|market| market.name == *name)
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
        Body::Bid(bid) => (
            &bid.market,
            bid.offers.iter().map(|offer| offer.task).collect(),
        ),
        Body::Seal(seal) => (
            &seal.market,
            seal.offers.iter().map(|offer| offer.task).collect(),
        ),
        Body::Reveal(reveal) => {
            let mut opened = reveal.openings.iter().filter(|of| !refused(&of.task));
            return opened.try_for_each(|of| opens(world, model, (&reveal.market, agent), of));
        }
        _ => return Ok(()),
    };
    let sealed = market_of(world, market).is_some_and(Market::is_sealed);
    if sealed == matches!(signed.payload.body, Body::Bid(_)) {
        return Err(format!(
            "{agent:?} bids in another form than {market} takes"
        ));
    }
    let mut taken = tasks.iter().filter(|id| !refused(id));
    match taken.find(|id| !model.is_open(id, market)) {
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
        return Err(format!(
            "{agent:?} opened a bid on {} that it did not make",
            of.task
        ));
    };
    let swarm = world.genesis().swarm_id();
    let (number, price) = (of.task.number.to_be_bytes(), of.price.to_be_bytes());
    let parts: [&[u8]; 6] = [
        &swarm.0,
        &of.task.requester.0,
        &number,
        &agent.0,
        &price,
        &of.nonce.0,
    ];
    match Hash::derive("quorate 1 sealed bid", &parts) == *commitment {
        true => Ok(()),
        false => Err(format!(
            "{agent:?} opened another bid on {} than it made",
            of.task
        )),
    }
}

/// Of this swarm, and signed by its agent.
fn authentic(world: &World, signed: &SignedOperation) -> Result<(), String> {
    let payload = &signed.payload;
    let own = payload.agent == signed.signer && payload.swarm == world.genesis().swarm_id();
    match own && quorate_crypto::verify(signed.clone()).is_ok() {
        true => Ok(()),
        false => Err(format!(
            "an operation of {:?} that it did not sign",
            payload.agent
        )),
    }
}

/// The inputs of a clearing against what stands.
struct Docket<'a> {
    model: &'a Model,
    market: &'a Market,
    budgets: BTreeMap<PublicKey, &'a Amounts>,
    tasks: Vec<TaskId>,
    bids: BTreeMap<(TaskId, PublicKey), &'a BidInput>,
    solutions: Vec<&'a SolutionInput>,
}

impl<'a> Docket<'a> {
    fn new(
        world: &'a World,
        model: &'a Model,
        record: &ClearingRecord,
        inputs: &'a [ClearingInput],
    ) -> Result<Self, String> {
        let market = market_of(world, &record.market).ok_or("there is no such market")?;
        let (budgets, tasks, bids) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut docket = Self {
            model,
            market,
            budgets,
            tasks,
            bids,
            solutions: Vec::new(),
        };
        for input in inputs {
            match input {
                ClearingInput::Task(task) => docket.tasks.push(task.task),
                ClearingInput::Bidder(bidder) => {
                    docket.budgets.insert(bidder.agent, &bidder.budget);
                }
                ClearingInput::Bid(bid) => {
                    docket.bids.insert((bid.task, bid.agent), bid);
                }
                ClearingInput::Solution(solution) => docket.solutions.push(solution),
            }
        }
        Ok(docket)
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.market.name;
        if let Some(id) = self.tasks.iter().find(|id| !self.model.is_open(id, name)) {
            return Err(format!("{id} was cleared and is not open"));
        }
        let mut standing = 0;
        for (id, agent, said) in self
            .model
            .live(name)
            .filter(|bid| self.tasks.contains(&bid.0))
        {
            standing += 1;
            self.check_bid(&id, &agent, said)?;
        }
        if standing != self.bids.len() {
            return Err(format!(
                "{} bids took part, {standing} stand",
                self.bids.len()
            ));
        }
        if !self.model.kept(name).eq(self.solutions.iter().copied()) {
            let kept: Vec<&SolutionInput> = self.model.kept(name).collect();
            return Err(format!(
                "the solutions kept are {kept:?}, not {:?}",
                self.solutions
            ));
        }
        self.check_budgets()
    }

    /// It is among the inputs, and takes part by M-9.
    fn check_bid(&self, id: &TaskId, agent: &PublicKey, said: Said) -> Result<(), String> {
        let bid = self.model.bids.get(&(self.market.name.clone(), *agent));
        let stands = (said.price(), bid.map(|bid| bid.operation()));
        let input = self.bids.get(&(*id, *agent));
        let same = |input: &&&BidInput| (input.price, Some(input.operation)) == stands;
        let (Some(input), Some(budget)) = (input.filter(same), self.budgets.get(agent)) else {
            return Err(format!("the bid of {agent:?} on {id} was left out"));
        };
        let expected = self.model.excluded(self.market, (id, agent, said), budget);
        if input.excluded == expected {
            return Ok(());
        }
        let found = input.excluded;
        Err(format!(
            "the bid of {agent:?} on {id} is excluded for {found:?}, not {expected:?}"
        ))
    }

    /// M-10: what the bid says, and no more than the agent has free.
    fn check_budgets(&self) -> Result<(), String> {
        for (agent, found) in &self.budgets {
            let name = &self.market.name;
            if !self.model.bids.contains_key(&(name.clone(), *agent)) {
                return Err(format!("{agent:?} takes part without a bid"));
            }
            let expected = self.model.cut(name, agent);
            if **found != expected {
                return Err(format!(
                    "{agent:?} may spend {found:?}, should {expected:?}"
                ));
            }
        }
        Ok(())
    }
}
