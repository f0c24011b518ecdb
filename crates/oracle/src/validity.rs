//! Invariant 3 (validity): an assignment is of a task that was taken in, by a live bid that the
//! bidder signed. The agent holds attestations in force for all that the task requires.

use quorate_types::outcome::Assignment;
use quorate_types::{Attestation, Genesis, Hash, Label, Price, PublicKey};

use crate::model::Model;
use crate::rule::Rule;
use crate::steps::Step;
use crate::task::{ModelState, Task};

/// Invariant 3, which keeps no state besides the model.
#[derive(Debug, Default)]
pub struct Validity;

impl Rule for Validity {
    const NUMBER: u8 = 3;
    const NAME: &'static str = "validity";

    fn judge(&mut self, genesis: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String> {
        let Step::Assigned(assignment) = step else {
            return Ok(());
        };

        let id = assignment.task;
        let task = model
            .task(&id)
            .ok_or(format!("task {id} was never submitted"))?;

        if task.state != ModelState::Open || task.spec.hash() != assignment.spec {
            return Err(format!(
                "task {id} is {}, or the assignment has another specification",
                task.state.name()
            ));
        }

        check_bid(genesis, model, assignment)?;
        check_capabilities(model, task, assignment)?;
        check_attestations(genesis, model, assignment)
    }
}

/// Mechanisms that pay each winner the price of its bid.
const AS_BID: [&str; 4] = ["first-price", "sequential", "assignment", "gap"];

/// Checks that the bid stood at the clearing, is of the winner, and asks for what is paid.
fn check_bid(genesis: &Genesis, model: &Model, assignment: &Assignment) -> Result<(), String> {
    let id = assignment.task;
    let agent = assignment.agent;

    // The clearing took the bid, so it is no longer among the bids that stand.
    let bid = model.cleared(&assignment.market, &agent);
    let bid = bid.filter(|bid| bid.operation() == assignment.bid);
    let bid = bid.ok_or(format!(
        "task {id} went to {agent:?}, which has no such bid"
    ))?;

    let asked = bid.offers.get(&id).and_then(|said| said.price());

    if !asked.is_some_and(|asked| pays(genesis, assignment, asked)) {
        return Err(format!(
            "task {id}: the bid does not offer it at {}",
            assignment.price
        ));
    }

    if bid.signed.signer != agent || quorate_crypto::verify(bid.signed.clone()).is_err() {
        return Err(format!("task {id}: the bid is not signed by {agent:?}"));
    }

    Ok(())
}

/// Whether an assignment may pay its price for a bid that asks for this one. Mechanisms other than
/// [`AS_BID`] may pay more than the bid asks for; invariant 15 checks how much.
fn pays(genesis: &Genesis, assignment: &Assignment, asked: Price) -> bool {
    let market = genesis.market(&assignment.market);
    let as_bid = market.is_some_and(|market| AS_BID.contains(&market.mechanism.as_str()));

    asked == assignment.price || (!as_bid && asked < assignment.price)
}

/// Checks that all that the task requires is attested to the winner.
fn check_capabilities(model: &Model, task: &Task, assignment: &Assignment) -> Result<(), String> {
    let id = assignment.task;
    let agent = assignment.agent;
    let attested = model.capabilities(&agent);
    let required = &task.spec.requires;

    let has =
        |name: &Label, least: &i64| attested.amounts.get(name).is_some_and(|has| has >= least);
    let enough = required
        .amounts
        .iter()
        .all(|(name, least)| has(name, least));

    if !required.labels.is_subset(&attested.labels) || !enough {
        return Err(format!(
            "task {id} went to {agent:?}, to which only {attested:?} is attested"
        ));
    }

    Ok(())
}

/// Checks that the assignment names the attestations in force, and that each of them is valid.
fn check_attestations(
    genesis: &Genesis,
    model: &Model,
    assignment: &Assignment,
) -> Result<(), String> {
    let agent = assignment.agent;
    let in_force: Vec<(&Hash, &Attestation)> = model.in_force(&agent).collect();

    // All of them must be named, in ascending order.
    let names = in_force.iter().map(|(name, _)| *name);
    if !names.eq(&assignment.attestations) {
        return Err(format!(
            "task {}: the attestations named are not the attestations in force",
            assignment.task
        ));
    }

    let bad = in_force
        .iter()
        .find(|(_, held)| !is_good(genesis, &agent, held));

    match bad {
        Some((name, _)) => Err(format!(
            "task {}: attestation {name:?} is not valid",
            assignment.task
        )),
        None => Ok(()),
    }
}

/// Checks that an attestation is for this agent and swarm, and signed by an attester of the
/// genesis.
fn is_good(genesis: &Genesis, agent: &PublicKey, attestation: &Attestation) -> bool {
    let claims = &attestation.payload;
    let mut attesters = genesis.attesters.iter();
    attesters.any(|attester| attester.key == attestation.signer)
        && claims.issuer == attestation.signer
        && claims.subject == *agent
        && claims.audience == genesis.swarm_id()
        && quorate_crypto::verify(attestation.clone()).is_ok()
}
