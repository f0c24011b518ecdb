//! Invariant 11 (quorums): what it takes to decide a block, and that every validator goes on after
//! healing.
//!
//! - A block is decided by precommits of more than two thirds of the power. Each of them is signed,
//!   and a correct validator really sent its own.
//! - The builder of a block proposed it in the round in which it was built.
//! - At the end of a run that was healed, every correct validator votes, and all stand at about the
//!   same height, without help from outside.

use std::collections::BTreeSet;

use quorate_oracle::{Committee, Voices, is_quorum};
use quorate_replica::VotingStatus;
use quorate_types::{Block, Height, Kind, PublicKey, QuorumCertificate, SignedStatement};

use super::invariant::Invariant;
use super::observed::{decided, is_correct, statements};
use crate::seen::Seen;
use crate::world::World;

/// The number of heights that one validator may be behind another while both go on.
const APART: Height = 2;

/// Invariant 11, with the committees and all statements seen so far.
#[derive(Debug, Default)]
pub(super) struct Quorum {
    committee: Committee,
    voices: Voices,
}

impl Invariant for Quorum {
    fn number(&self) -> u8 {
        11
    }

    fn name(&self) -> &'static str {
        "quorum"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.committee.take(world.genesis(), decided(world, seen));

        match seen {
            Seen::Committed {
                validator,
                block,
                commit,
                ..
            } => {
                if world.validators()[*validator].is_correct() {
                    self.check(world, block, commit)?;
                }
            }
            _ => drop(self.voices.hear(statements(seen))),
        }

        Ok(())
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        let plan = world.plan();
        // A run ends before its patience is over only if all of this holds already.
        if world.now() < plan.heal_at.saturating_add(plan.patience) {
            return Ok(());
        }

        let heights = heights_of_voters(world)?;
        let (Some(low), Some(high)) = (heights.first(), heights.last()) else {
            return Ok(());
        };

        if low + APART < *high || *low < plan.min_heights {
            return Err(format!(
                "the correct validators stand at heights {low} to {high} at the end: they may be \
                 at most {APART} apart, and not below the least height of the plan"
            ));
        }

        Ok(())
    }
}

/// The heights at which the correct validators stand, each of which must vote.
fn heights_of_voters(world: &World) -> Result<BTreeSet<Height>, String> {
    let hosts = world.validators().iter().enumerate();
    let mut heights = BTreeSet::new();

    for (at, host) in hosts.filter(|(_, host)| host.is_correct()) {
        let Some(replica) = host.replica() else {
            return Err(format!("validator {at} is down at the end"));
        };

        if replica.standing() != VotingStatus::Votes {
            return Err(format!("validator {at} does not vote at the end"));
        }

        heights.insert(replica.ledger().height());
    }

    Ok(heights)
}

impl Quorum {
    /// Checks the commit and the builder of a decided block.
    fn check(
        &self,
        world: &World,
        block: &Block,
        commit: &QuorumCertificate,
    ) -> Result<(), String> {
        let height = block.header.height;
        let said = &commit.statement;

        if said.kind != Kind::Precommit
            || (said.height, said.block) != (height, Some(block.header.id()))
            || said.swarm != world.genesis().swarm_id()
        {
            return Err(format!(
                "height {height}: the commit is not for the decided block, it says {said:?}"
            ));
        }

        let signers: Vec<PublicKey> = commit.votes.iter().map(|vote| vote.signer).collect();
        if !is_quorum(self.committee.at(world.genesis(), height), &signers) {
            return Err(format!(
                "height {height}: the {} votes of the commit are not a quorum",
                signers.len()
            ));
        }

        for signed in commit.signed_statements() {
            self.check_vote(world, signed)?;
        }

        self.check_builder(block)
    }

    /// Checks that a vote in a commit is signed, and that a correct validator really sent its own.
    fn check_vote(&self, world: &World, signed: SignedStatement) -> Result<(), String> {
        let height = signed.statement.height;
        let signer = signed.signer;

        if is_correct(world, &signer) && !self.voices.has(&signed) {
            return Err(format!(
                "height {height}: the commit holds a vote of {signer:?} that it never sent"
            ));
        }

        if quorate_crypto::verify_statement(signed).is_err() {
            return Err(format!(
                "height {height}: the vote of {signer:?} in the commit is not signed by it"
            ));
        }

        Ok(())
    }

    /// N-9: checks that the builder proposed the block in its build round. A later re-proposal
    /// rests on a polka, and that polka on the builder's proposal.
    fn check_builder(&self, block: &Block) -> Result<(), String> {
        let header = &block.header;

        let proposals = self
            .voices
            .said(header.height, (header.missed_turns, Kind::Proposal));
        let fresh = proposals.and_then(|said| said.get(&(Some(header.id()), None)));

        match fresh.is_some_and(|signers| signers.contains(&header.builder)) {
            true => Ok(()),
            false => Err(format!(
                "height {}: the builder {:?} never proposed the block in round {}",
                header.height, header.builder, header.missed_turns
            )),
        }
    }
}
