//! Invariant 18 (bids): which bids, openings, withdrawals and solutions count, and when windows
//! clear.
//!
//! - Every operation in a block is signed by its agent. An operation that comes too late is
//!   refused, and so is a solution that does not hold or is no better than one that is kept.
//! - A window clears when it is over, and not before.
//! - The inputs of a clearing are all bids that stand and all solutions that are kept. A bid that
//!   may not take part is excluded for the right reason.

use std::collections::BTreeMap;

use quorate_types::operation::{Opening, Reveal, Withdraw};
use quorate_types::outcome::{BidInput, ClearingInput, ClearingRecord, Refusal, SolutionInput};
use quorate_types::{
    Amounts, Genesis, Hash, Label, Market, OperationBody, PublicKey, Reason, SignedOperation,
    Stage, TaskId,
};

use crate::model::Model;
use crate::offer::{LiveOffer, Offered};
use crate::rule::Rule;
use crate::steps::{Step, refuses};

/// Invariant 18, which keeps no state besides the model.
#[derive(Debug, Default)]
pub struct Bids;

impl Rule for Bids {
    const NUMBER: u8 = 18;
    const NAME: &'static str = "bids";

    fn judge(&mut self, genesis: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Took(signed, refusal) => {
                check_answer(genesis, model, signed, None)?;
                taken(genesis, model, signed, *refusal)
            }

            Step::Refused(signed, refusal) => check_answer(genesis, model, signed, Some(refusal)),

            // Invariant 17 judges whether the operation may change the task.
            Step::Moved(signed, _) => authentic(genesis, signed),

            // `due` still holds the markets of the block before: those that did not clear in it.
            Step::Windows(_) => match model.due().first() {
                Some(market) => Err(format!("a window of {market} was over and did not clear")),
                None => Ok(()),
            },

            Step::Cleared(record, inputs) => {
                check_window(model, record)?;
                let case = CaseInputs::new(genesis, model, record, inputs)?;
                case.check()
            }

            _ => Ok(()),
        }
    }
}

/// Checks an operation that took effect or was refused as a whole; then `refusal` says why.
fn check_answer(
    genesis: &Genesis,
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    authentic(genesis, signed)?;
    timely(model, signed, refusal)?;
    check_reasons(genesis, model, signed, refusal)
}

/// M-6, M-25, M-28: checks that a window clears when it is over, under its own number.
fn check_window(model: &Model, record: &ClearingRecord) -> Result<(), String> {
    let market = &record.market;
    let (number, stage) = model.window(market);

    if !model.due().contains(market) || record.window != number {
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

    let Some((in_time, reason)) = timing(model, body) else {
        return Ok(());
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

/// Whether the window takes an operation of this kind now, and the reason for a refusal if it does
/// not; `None` if the operation is neither a bid, a commitment nor an opening.
fn timing(model: &Model, body: &OperationBody) -> Option<(bool, Reason)> {
    match body {
        OperationBody::Bid(bid) => {
            // If no window is open, the stage is `None`, which is less than `Some(Stage::Bids)`.
            let (_, stage) = model.window(&bid.market);
            Some((stage <= Some(Stage::Bids), Reason::LateBid))
        }

        OperationBody::Seal(seal) => {
            let takes = (seal.window, Some(Stage::Bids));
            Some((model.window(&seal.market) == takes, Reason::LateBid))
        }

        OperationBody::Reveal(reveal) => {
            let takes = (reveal.window, Some(Stage::Openings));
            Some((model.window(&reveal.market) == takes, Reason::NotOpening))
        }

        _ => None,
    }
}

/// M-5, M-29, M-30: checks that a withdrawal or solution is refused for exactly the reasons that
/// the rules give, or not at all.
fn check_reasons(
    genesis: &Genesis,
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    let agent = signed.payload.agent;
    let body = &signed.payload.body;

    let expected = match body {
        OperationBody::Solve(solve) => model.refusal(genesis, solve),
        OperationBody::Withdraw(withdraw) => {
            let reason = not_withdrawn(genesis, model, agent, withdraw);
            reason.map(|reason| (None, reason)).into_iter().collect()
        }
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

/// M-5: the reason for which a withdrawal must be refused; `None` if it must take effect.
fn not_withdrawn(
    genesis: &Genesis,
    model: &Model,
    agent: PublicKey,
    withdraw: &Withdraw,
) -> Option<Reason> {
    let market = &withdraw.market;

    if genesis.market(market).is_none() {
        return Some(Reason::UnknownMarket);
    }

    if !model.live(market).any(|offer| offer.agent == agent) {
        return Some(Reason::NoBid);
    }

    let (_, stage) = model.window(market);
    (stage > Some(Stage::Bids)).then_some(Reason::WithdrawLate)
}

/// Checks the offers, commitments or openings of an operation that took effect. `refusal` names the
/// tasks for which they were refused.
fn taken(
    genesis: &Genesis,
    model: &Model,
    signed: &SignedOperation,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    if let OperationBody::Reveal(reveal) = &signed.payload.body {
        return check_openings(genesis, model, signed.payload.agent, reveal, refusal);
    }

    let Some((market, tasks)) = bid_on(&signed.payload.body) else {
        return Ok(());
    };

    check_form(genesis, market, signed)?;

    let mut taken = tasks.iter().filter(|id| !refuses(refusal, id));
    match taken.find(|id| !model.is_open(id, market)) {
        Some(id) => Err(format!(
            "a bid on task {id} was accepted, but the task is not open"
        )),
        None => Ok(()),
    }
}

/// The market of a bid, and the tasks that it is for; `None` if the operation is not a bid.
fn bid_on(body: &OperationBody) -> Option<(&Label, Vec<TaskId>)> {
    match body {
        OperationBody::Bid(bid) => {
            let tasks = bid.offers.iter().map(|offer| offer.task);
            Some((&bid.market, tasks.collect()))
        }

        OperationBody::Seal(seal) => {
            let tasks = seal.offers.iter().map(|offer| offer.task);
            Some((&seal.market, tasks.collect()))
        }

        _ => None,
    }
}

/// M-23: checks that a sealed market takes commitments only, and any other market open bids only.
fn check_form(genesis: &Genesis, market: &Label, signed: &SignedOperation) -> Result<(), String> {
    let is_sealed = genesis.market(market).is_some_and(Market::is_sealed);

    if is_sealed == matches!(signed.payload.body, OperationBody::Bid(_)) {
        return Err(format!(
            "{:?} bids in a form that market {market} does not take",
            signed.payload.agent
        ));
    }

    Ok(())
}

/// Checks the openings that were not refused.
fn check_openings(
    genesis: &Genesis,
    model: &Model,
    agent: PublicKey,
    reveal: &Reveal,
    refusal: Option<&Refusal>,
) -> Result<(), String> {
    let openings = reveal.openings.iter();
    let mut opened = openings.filter(|of| !refuses(refusal, &of.task));

    opened.try_for_each(|of| opens(genesis, model, &reveal.market, agent, of))
}

/// M-24: checks that an opening matches the commitment of the agent.
fn opens(
    genesis: &Genesis,
    model: &Model,
    market: &Label,
    agent: PublicKey,
    of: &Opening,
) -> Result<(), String> {
    let bid = model.bid(market, &agent);
    let Some(Offered::Sealed(commitment)) = bid.and_then(|bid| bid.offers.get(&of.task)) else {
        return Err(format!(
            "{agent:?} opened a sealed bid on {} that it did not make",
            of.task
        ));
    };

    match commitment_to(genesis, agent, of) == *commitment {
        true => Ok(()),
        false => Err(format!(
            "the opening of {agent:?} for {} does not match its commitment",
            of.task
        )),
    }
}

/// M-24: the commitment that an opening of the agent opens.
fn commitment_to(genesis: &Genesis, agent: PublicKey, of: &Opening) -> Hash {
    let swarm = genesis.swarm_id();
    let number = of.task.number.to_be_bytes();
    let price = of.price.to_be_bytes();

    let parts: [&[u8]; 6] = [
        &swarm.0,
        &of.task.requester.0,
        &number,
        &agent.0,
        &price,
        &of.nonce.0,
    ];

    Hash::derive("quorate 1 sealed bid", &parts)
}

/// Checks that an operation is of this swarm and signed by its agent.
fn authentic(genesis: &Genesis, signed: &SignedOperation) -> Result<(), String> {
    let payload = &signed.payload;
    let own = payload.agent == signed.signer && payload.swarm == genesis.swarm_id();

    match own && quorate_crypto::verify(signed.clone()).is_ok() {
        true => Ok(()),
        false => Err(format!(
            "an operation of {:?} is not signed by it, or not for this swarm",
            payload.agent
        )),
    }
}

/// The inputs of a clearing, parted by kind, and the model that they are compared with.
struct CaseInputs<'a> {
    model: &'a Model,
    market: &'a Market,
    budgets: BTreeMap<PublicKey, &'a Amounts>,
    tasks: Vec<TaskId>,
    bids: BTreeMap<(TaskId, PublicKey), &'a BidInput>,
    solutions: Vec<&'a SolutionInput>,
}

impl<'a> CaseInputs<'a> {
    fn new(
        genesis: &'a Genesis,
        model: &'a Model,
        record: &ClearingRecord,
        inputs: &'a [ClearingInput],
    ) -> Result<Self, String> {
        let market = genesis
            .market(&record.market)
            .ok_or("the clearing is of a market that is not in the genesis")?;

        let mut case = Self {
            model,
            market,
            budgets: BTreeMap::new(),
            tasks: Vec::new(),
            bids: BTreeMap::new(),
            solutions: Vec::new(),
        };

        for input in inputs {
            case.add(input);
        }

        Ok(case)
    }

    /// Adds an input to those of its kind.
    fn add(&mut self, input: &'a ClearingInput) {
        match input {
            ClearingInput::Task(task) => self.tasks.push(task.task),
            ClearingInput::Bidder(bidder) => {
                self.budgets.insert(bidder.agent, &bidder.budget);
            }
            ClearingInput::Bid(bid) => {
                self.bids.insert((bid.task, bid.agent), bid);
            }
            ClearingInput::Solution(solution) => self.solutions.push(solution),
        }
    }

    /// Checks that the inputs are the tasks, bids and solutions that stand.
    fn check(&self) -> Result<(), String> {
        let name = &self.market.name;
        if let Some(id) = self.tasks.iter().find(|id| !self.model.is_open(id, name)) {
            return Err(format!("task {id} was cleared, but is not open"));
        }

        self.check_bids()?;

        if !self.model.kept(name).eq(self.solutions.iter().copied()) {
            let kept: Vec<&SolutionInput> = self.model.kept(name).collect();
            return Err(format!(
                "the solutions kept are {kept:?}, but the inputs hold {:?}",
                self.solutions
            ));
        }

        self.check_budgets()
    }

    /// Checks that the bids among the inputs are those that stand.
    fn check_bids(&self) -> Result<(), String> {
        let live = self.model.live(&self.market.name);

        // Every standing bid must be an input. Equal numbers then show that no other bid is one.
        let mut standing = 0;
        for offer in live.filter(|offer| self.tasks.contains(&offer.task)) {
            standing += 1;
            self.check_bid(offer)?;
        }

        if standing != self.bids.len() {
            return Err(format!(
                "the inputs hold {} bids, but {standing} bids stand",
                self.bids.len()
            ));
        }

        Ok(())
    }

    /// Checks that a bid that stands is among the inputs, and is excluded only by M-9.
    fn check_bid(&self, offer: LiveOffer) -> Result<(), String> {
        let id = offer.task;
        let agent = offer.agent;

        let input = self.input_of(offer);
        let (Some(input), Some(budget)) = (input, self.budgets.get(&agent)) else {
            return Err(format!(
                "the bid of {agent:?} on {id} was left out of the inputs, or changed"
            ));
        };

        let expected = self.model.excluded(self.market, offer, budget);
        if input.excluded == expected {
            return Ok(());
        }

        let found = input.excluded;
        Err(format!(
            "the bid of {agent:?} on {id} is excluded for {found:?}, but should be for {expected:?}"
        ))
    }

    /// The input that is this very bid, at the same price.
    fn input_of(&self, offer: LiveOffer) -> Option<&BidInput> {
        let bid = self.model.bid(&self.market.name, &offer.agent);
        let operation = bid.map(|bid| bid.operation());

        let input = self.bids.get(&(offer.task, offer.agent)).copied()?;
        let same = input.price == offer.said.price() && Some(input.operation) == operation;

        same.then_some(input)
    }

    /// M-10: checks that each budget is the one in the bid, cut to what the agent has free.
    fn check_budgets(&self) -> Result<(), String> {
        for (agent, found) in &self.budgets {
            let name = &self.market.name;
            if self.model.bid(name, agent).is_none() {
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
