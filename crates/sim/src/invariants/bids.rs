//! Invariant 18 (bids): which bids, openings, withdrawals and solutions count, and when windows
//! clear.
//!
//! - Every operation in a block is signed by its agent. An operation that comes too late is
//!   refused, and so is a solution that does not hold or is no better than one that is kept.
//! - A window clears when it is over, and not before.
//! - The inputs of a clearing are all bids that stand and all solutions that are kept. A bid that
//!   may not take part is excluded for the right reason.

use std::collections::BTreeMap;

use quorate_types::operation::{Opening, Withdraw};
use quorate_types::outcome::{BidInput, ClearingInput, ClearingRecord, Refusal, SolutionInput};
use quorate_types::{
    Amounts, Body, Hash, Label, Market, PublicKey, Reason, SignedOperation, Stage, TaskId,
};

use super::oracle::{Model, OnLedger, Rule, Said, Step};
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn bids() -> OnLedger<Bids> {
    OnLedger::default()
}

/// Invariant 18, which keeps no state besides the model.
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

            // `due` still holds the markets of the block before: those that did not clear in it.
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

/// M-6, M-25, M-28: checks that a window clears when it is over, under its own number.
fn check_window(model: &Model, record: &ClearingRecord) -> Result<(), String> {
    let (market, (number, stage)) = (&record.market, model.window(&record.market));

    if !model.due.contains(market) || record.window != number {
        let found = record.window;
        return Err(format!(
            "window {found} of {market} cleared, but window {number} is in stage {stage:?}"
        ));
    }

    Ok(())
}

/// M-4, M-23, M-25, M-28: checks that a bid, commitment or opening is accepted only while its
/// window takes it, and is not refused as late or early then. `refusal` is of the whole operation.
fn timely(
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    let body = &signed.payload.body;

    // If no window is open, the stage is `None`, which is less than `Some(Stage::Bids)`.
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
        (false, None) => Err(format!("a {} was accepted at the wrong time", body.name())),
        (true, Some(_)) if refused => {
            Err(format!("a {} in time was refused as untimely", body.name()))
        }
        _ => Ok(()),
    }
}

/// M-5, M-29, M-30: checks that a withdrawal or solution is refused for exactly the reasons that
/// the rules give, or not at all.
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
        "a {what} of {agent:?} is refused with {found:?}, but should be refused with {expected:?}"
    ))
}

/// M-5: the reason for which a withdrawal must be refused; empty if it must take effect.
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

/// The market of that name in the genesis.
fn market_of<'a>(world: &'a World, name: &Label) -> Option<&'a Market> {
    world
        .genesis()
        .markets
        .iter()
        .find(|market| market.name == *name)
}

/// Checks the offers, commitments or openings of an operation that took effect. `refusal` names the
/// tasks for which they were refused.
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
    // A sealed market takes commitments only, any other market open bids only (M-23).
    if sealed == matches!(signed.payload.body, Body::Bid(_)) {
        return Err(format!(
            "{agent:?} bids in a form that market {market} does not take"
        ));
    }

    let mut taken = tasks.iter().filter(|id| !refused(id));
    match taken.find(|id| !model.is_open(id, market)) {
        Some(id) => Err(format!(
            "a bid on task {id} was accepted, but the task is not open"
        )),
        None => Ok(()),
    }
}

/// M-24: checks that an opening matches the commitment of the agent.
fn opens(
    world: &World,
    model: &Model,
    (market, agent): (&Label, PublicKey),
    of: &Opening,
) -> Result<(), String> {
    let bid = model.bids.get(&(market.clone(), agent));
    let Some(Said::Sealed(commitment)) = bid.and_then(|bid| bid.offers.get(&of.task)) else {
        return Err(format!(
            "{agent:?} opened a sealed bid on {} that it did not make",
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
            "the opening of {agent:?} for {} does not match its commitment",
            of.task
        )),
    }
}

/// Checks that an operation is of this swarm and signed by its agent.
fn authentic(world: &World, signed: &SignedOperation) -> Result<(), String> {
    let payload = &signed.payload;
    let own = payload.agent == signed.signer && payload.swarm == world.genesis().swarm_id();

    match own && quorate_crypto::verify(signed.clone()).is_ok() {
        true => Ok(()),
        false => Err(format!(
            "an operation of {:?} is not signed by it, or not for this swarm",
            payload.agent
        )),
    }
}

/// The inputs of a clearing, parted by kind, and the model that they are compared with.
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
        let market = market_of(world, &record.market)
            .ok_or("the clearing is of a market that is not in the genesis")?;
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

    /// Checks that the inputs are the tasks, bids and solutions that stand.
    fn check(&self) -> Result<(), String> {
        let name = &self.market.name;
        if let Some(id) = self.tasks.iter().find(|id| !self.model.is_open(id, name)) {
            return Err(format!("task {id} was cleared, but is not open"));
        }

        // Every standing bid must be an input. Equal numbers then show that no other bid is one.
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
                "the inputs hold {} bids, but {standing} bids stand",
                self.bids.len()
            ));
        }

        if !self.model.kept(name).eq(self.solutions.iter().copied()) {
            let kept: Vec<&SolutionInput> = self.model.kept(name).collect();
            return Err(format!(
                "the solutions kept are {kept:?}, but the inputs hold {:?}",
                self.solutions
            ));
        }

        self.check_budgets()
    }

    /// Checks that a bid that stands is among the inputs, and is excluded only by M-9.
    fn check_bid(&self, id: &TaskId, agent: &PublicKey, said: Said) -> Result<(), String> {
        let bid = self.model.bids.get(&(self.market.name.clone(), *agent));
        let stands = (said.price(), bid.map(|bid| bid.operation()));
        let input = self.bids.get(&(*id, *agent));

        // The input must be this very bid, at the same price.
        let same = |input: &&&BidInput| (input.price, Some(input.operation)) == stands;
        let (Some(input), Some(budget)) = (input.filter(same), self.budgets.get(agent)) else {
            return Err(format!(
                "the bid of {agent:?} on {id} was left out of the inputs, or changed"
            ));
        };

        let expected = self.model.excluded(self.market, (id, agent, said), budget);
        if input.excluded == expected {
            return Ok(());
        }

        let found = input.excluded;
        Err(format!(
            "the bid of {agent:?} on {id} is excluded for {found:?}, but should be for {expected:?}"
        ))
    }

    /// M-10: checks that each budget is the one in the bid, cut to what the agent has free.
    fn check_budgets(&self) -> Result<(), String> {
        for (agent, found) in &self.budgets {
            let name = &self.market.name;
            if !self.model.bids.contains_key(&(name.clone(), *agent)) {
                return Err(format!("{agent:?} takes part without a bid"));
            }

            let expected = self.model.cut(name, agent);
            if **found != expected {
                return Err(format!(
                    "the budget of {agent:?} is {found:?}, but should be {expected:?}"
                ));
            }
        }

        Ok(())
    }
}
