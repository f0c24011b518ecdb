//! Invariant 3 (validity): an assignment is of a task that was taken in, by a live bid that the
//! bidder signed. The agent holds attestations in force for all that the task requires.

use quorate_types::outcome::Assignment;
use quorate_types::{Attestation, Hash, Label, Price, PublicKey};

use super::oracle::{Model, ModelState, OnLedger, Rule, Step, Task};
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn validity() -> OnLedger<Validity> {
    OnLedger::default()
}

/// Invariant 3, which keeps no state besides the model.
#[derive(Debug, Default)]
pub(super) struct Validity;

impl Rule for Validity {
    const NUMBER: u8 = 3;
    const NAME: &'static str = "validity";

    fn judge(&mut self, world: &World, model: &Model, step: &Step<'_>) -> Result<(), String> {
        let Step::Assigned(assignment) = step else {
            return Ok(());
        };

        let id = assignment.task;
        let task = model
            .tasks
            .get(&id)
            .ok_or(format!("task {id} was never submitted"))?;

        if task.state != ModelState::Open || task.spec.hash() != assignment.spec {
            return Err(format!(
                "task {id} is {}, or the assignment has another specification",
                task.state.name()
            ));
        }

        check_bid(world, model, assignment)?;
        check_capabilities(model, task, assignment)?;
        check_attestations(world, model, assignment)
    }
}

/// Mechanisms that pay each winner the price of its bid.
const AS_BID: [&str; 4] = ["first-price", "sequential", "assignment", "gap"];

/// Checks that the bid stood at the clearing, is of the winner, and asks for what is paid.
fn check_bid(world: &World, model: &Model, assignment: &Assignment) -> Result<(), String> {
    let id = assignment.task;
    let agent = assignment.agent;

    // The clearing took the bid, so it is no longer among the bids that stand.
    let bid = model.cleared.get(&(assignment.market.clone(), agent));
    let bid = bid.filter(|bid| bid.operation() == assignment.bid);
    let bid = bid.ok_or(format!(
        "task {id} went to {agent:?}, which has no such bid"
    ))?;

    let asked = bid.offers.get(&id).and_then(|said| said.price());

    if !asked.is_some_and(|asked| pays(world, assignment, asked)) {
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
fn pays(world: &World, assignment: &Assignment, asked: Price) -> bool {
    let market = world.genesis().market(&assignment.market);
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
fn check_attestations(world: &World, model: &Model, assignment: &Assignment) -> Result<(), String> {
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
        .find(|(_, held)| !is_good(world, &agent, held));

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
fn is_good(world: &World, agent: &PublicKey, attestation: &Attestation) -> bool {
    let claims = &attestation.payload;
    let mut attesters = world.genesis().attesters.iter();
    attesters.any(|attester| attester.key == attestation.signer)
        && claims.issuer == attestation.signer
        && claims.subject == *agent
        && claims.audience == world.genesis().swarm_id()
        && quorate_crypto::verify(attestation.clone()).is_ok()
}
