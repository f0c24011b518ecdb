//! Fixed keys and values for the tests.

#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate_crypto::{SecretKey, Verified};
use quorate_types::operation::Withdraw;
use quorate_types::{
    BlockId, Hash, Header, Kind, Operation, OperationBody, Power, QuorumCertificate,
    SignedOperation, SignedStatement, Statement, SwarmId, Validator, ValidatorSet, Vote,
};

pub const SWARM: SwarmId = SwarmId([0x5a; 32]);

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// A set of validators with these powers. Their keys have the seeds 1, 2, and so on.
pub fn set(powers: &[Power]) -> ValidatorSet {
    let validators = powers.iter().zip(1..).map(|(power, seed)| Validator {
        key: key(seed).public_key(),
        power: *power,
        operator: "operator".parse().unwrap(),
    });
    ValidatorSet::new(validators.collect()).unwrap()
}

pub fn precommit(set: &ValidatorSet) -> Statement {
    Statement {
        swarm: SWARM,
        height: 9,
        round: 2,
        kind: Kind::Precommit,
        block: Some(BlockId([0xb1; 32])),
        validators: set.hash(),
        pol_round: None,
    }
}

pub fn vote(seed: u8, statement: &Statement) -> Verified<SignedStatement> {
    key(seed).sign_statement(statement.clone())
}

/// A quorum certificate with the votes of the keys of these seeds, sorted by key.
pub fn certificate(statement: &Statement, seeds: &[u8]) -> QuorumCertificate {
    let votes = seeds.iter().map(|seed| vote(*seed, statement).into_inner());
    let mut votes: Vec<_> = votes
        .map(|s| Vote {
            signer: s.signer,
            signature: s.signature,
        })
        .collect();
    votes.sort();
    QuorumCertificate {
        statement: statement.clone(),
        votes,
    }
}

pub fn operation(seed: u8, swarm: SwarmId) -> SignedOperation {
    let body = OperationBody::Withdraw(Withdraw {
        market: "drones".parse().unwrap(),
    });
    let agent = key(seed).public_key();
    key(seed)
        .sign(Operation {
            swarm,
            agent,
            sequence: 3,
            body,
        })
        .into_inner()
}

pub fn header(set: &ValidatorSet) -> Header {
    Header {
        version: 1,
        swarm: SWARM,
        height: 10,
        active_time: quorate_types::ActiveMillis::ZERO,
        block_time: quorate_types::UnixMillis(1),
        previous: BlockId([0xb1; 32]),
        previous_commit: Hash::ZERO,
        validators: set.hash(),
        next_validators: set.hash(),
        parameters: Hash::ZERO,
        builder: key(1).public_key(),
        missed_turns: 0,
        operations: Hash::ZERO,
        state: Hash::ZERO,
        outcomes: Hash::ZERO,
        evidence: Hash::ZERO,
    }
}
