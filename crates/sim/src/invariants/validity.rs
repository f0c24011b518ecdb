//! Invariant 3 (validity): an assignment is of a task that was taken in, by a live bid that the
//! bidder signed. The agent holds attestations in force for all that the task requires.

use quorate_types::outcome::Assignment;
use quorate_types::{Attestation, Hash, PublicKey};

use super::oracle::{Model, OnLedger, Rule, State, Step};
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

        let (id, agent) = (assignment.task, assignment.agent);
        let task = model
            .tasks
            .get(&id)
            .ok_or(format!("task {id} was never submitted"))?;

        if task.state != State::Open || task.spec.hash() != assignment.spec {
            return Err(format!(
                "task {id} is {}, or the assignment has another specification",
                task.state.name()
            ));
        }

        check_bid(world, model, assignment)?;

        let attested = model.capabilities(&agent);
        let (required, can) = (&task.spec.requires, &attested.amounts);
        let enough = required
            .amounts
            .iter()
            .all(|(n, least)| can.get(n).is_some_and(|c| c >= least));

        if !required.labels.is_subset(&attested.labels) || !enough {
            return Err(format!(
                "task {id} went to {agent:?}, to which only {attested:?} is attested"
            ));
        }

        check_attestations(world, model, assignment)
    }
}

/// Mechanisms that pay each winner the price of its bid.
const AS_BID: [&str; 4] = ["first-price", "sequential", "assignment", "gap"];

/// Checks that the bid stood at the clearing, is of the winner, and asks for what is paid.
fn check_bid(world: &World, model: &Model, assignment: &Assignment) -> Result<(), String> {
    let (id, agent) = (assignment.task, assignment.agent);

    // The clearing took the bid, so it is no longer among the bids that stand.
    let bid = model.cleared.get(&(assignment.market.clone(), agent));
    let bid = bid.filter(|bid| bid.operation() == assignment.bid);
    let bid = bid.ok_or(format!(
        "task {id} went to {agent:?}, which has no such bid"
    ))?;

    // Other mechanisms may pay more than the bid asks for; invariant 15 checks how much.
    let market = world
        .genesis()
        .markets
        .iter()
        .find(|market| market.name == assignment.market);
    let as_bid = market.is_some_and(|market| AS_BID.contains(&market.mechanism.as_str()));

    let asked = bid.offers.get(&id).and_then(|said| said.price());
    let pays = |asked| asked == assignment.price || (!as_bid && asked < assignment.price);

    if !asked.is_some_and(pays) {
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

/// Checks that the assignment names the attestations in force, and that each of them is valid.
fn check_attestations(world: &World, model: &Model, assignment: &Assignment) -> Result<(), String> {
    let agent = assignment.agent;
    let in_force: Vec<(&Hash, &Attestation)> = model.in_force(&agent).collect();

    // All of them must be named, in ascending order.
    if !in_force
        .iter()
        .map(|(name, _)| **name)
        .eq(assignment.attestations.iter().copied())
    {
        return Err(format!(
            "task {}: the attestations named are not the attestations in force",
            assignment.task
        ));
    }

    match in_force
        .iter()
        .find(|(_, held)| !is_good(world, &agent, held))
    {
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
