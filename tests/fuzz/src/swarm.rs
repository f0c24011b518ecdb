//! A small swarm with known keys: four validators, an attester and three agents.

use std::sync::LazyLock;

use quorate_certificate::Certificate;
use quorate_crypto::{SecretKey, Verified, merkle};
use quorate_types::attestation::Claims;
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::operation::Attest;
use quorate_types::{
    ActiveMillis, Attestation, BlockId, Capabilities, Genesis, Hash, Header, Kind, Label, Market,
    Operation, OperationBody, Outcome, PROTOCOL_VERSION, PublicKey, QuorumCertificate,
    SignedOperation, Statement, UnixMillis, Validator, ValidatorSet, cbor,
};

/// The Unix time in milliseconds at which runs begin.
pub(crate) const START: UnixMillis = UnixMillis(1_800_000_000_000);
/// The lease of the market, in milliseconds of active time.
pub(crate) const LEASE: u64 = 20_000;
/// The seed of the attester's key, which is the highest seed in use.
const ATTESTER: u8 = 100;
/// The seeds of the agents' keys.
pub(crate) const AGENTS: [u8; 3] = [50, 51, 52];

/// The key from a seed of one repeated byte. The validators have the seeds 1 to 4.
pub(crate) fn key(seed: u8) -> &'static SecretKey {
    static KEYS: LazyLock<Vec<SecretKey>> = LazyLock::new(|| {
        (0..=ATTESTER)
            .map(|seed| SecretKey::from_seed(&[seed; 32]))
            .collect()
    });
    &KEYS[usize::from(seed)]
}

pub(crate) fn public(seed: u8) -> PublicKey {
    static KEYS: LazyLock<Vec<PublicKey>> =
        LazyLock::new(|| (0..=ATTESTER).map(|seed| key(seed).public_key()).collect());
    KEYS[usize::from(seed)]
}

pub(crate) fn jobs() -> Label {
    "jobs".parse().unwrap()
}

pub(crate) fn genesis() -> &'static Genesis {
    static GENESIS: LazyLock<Genesis> = LazyLock::new(make_genesis);
    &GENESIS
}

fn make_genesis() -> Genesis {
    let validators = (1..=4).map(|seed| Validator {
        key: public(seed),
        power: 1,
        operator: format!("operator-{seed}").parse().unwrap(),
    });
    Genesis {
        name: "fuzz".parse().unwrap(),
        created: START.saturating_sub(1),
        markets: vec![Market {
            name: jobs(),
            reserve: None,
            trusted: false,
            attempts: 3,
            lease_ms: LEASE,
            solve_ms: None,
            mechanism: "assignment".parse().unwrap(),
            reveal_ms: None,
            window_ms: 100,
        }],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: public(ATTESTER),
            name: "office".parse().unwrap(),
        }],
        parameters: Parameters::default(),
        validators: ValidatorSet::new(validators.collect()).unwrap(),
    }
}

/// Makes an operation that is signed by its agent.
pub(crate) fn operation(
    agent: u8,
    sequence: u64,
    body: OperationBody,
) -> Verified<SignedOperation> {
    let operation = Operation {
        swarm: genesis().swarm_id(),
        agent: public(agent),
        sequence,
        body,
    };
    key(agent).sign(operation)
}

/// The first operation of an agent, which admits it with the label `printer` and 4 slots.
pub(crate) fn admission(agent: u8) -> Verified<SignedOperation> {
    static ADMISSIONS: LazyLock<Vec<Verified<SignedOperation>>> =
        LazyLock::new(|| AGENTS.map(admit).into());
    let known = AGENTS.iter().position(|seed| *seed == agent);
    known.map_or_else(|| admit(agent), |at| ADMISSIONS[at].clone())
}

fn admit(agent: u8) -> Verified<SignedOperation> {
    let body = OperationBody::Admit(Attest {
        attestation: attestation(agent),
    });
    operation(agent, 0, body)
}

/// The attestation of an agent.
pub(crate) fn attestation(agent: u8) -> Attestation {
    let capabilities = Capabilities::new()
        .label("printer")
        .unwrap()
        .amount("slots", 4)
        .unwrap();
    let claims = Claims {
        issuer: public(ATTESTER),
        subject: public(agent),
        audience: genesis().swarm_id(),
        expires: START.seconds() + 100_000,
        not_before: 0,
        issued_at: 0,
        id: vec![1],
        capabilities,
    };
    key(ATTESTER).sign(claims).into_inner()
}

/// A precommit of this swarm in round 0.
pub(crate) fn precommit(height: u64, block: BlockId) -> Statement {
    Statement {
        swarm: genesis().swarm_id(),
        height,
        round: 0,
        kind: Kind::Precommit,
        block: Some(block),
        validators: genesis().validators.hash(),
        pol_round: None,
    }
}

/// Makes the certificates of outcomes of a height, signed by validators 1, 2 and 3.
pub(crate) fn certify(height: u64, outcomes: &[Outcome]) -> Vec<Certificate> {
    let (genesis, set) = (genesis(), &genesis().validators);
    let leaves: Vec<_> = outcomes.iter().map(cbor::encode).collect();
    let header = Header {
        version: PROTOCOL_VERSION,
        swarm: genesis.swarm_id(),
        height,
        active_time: ActiveMillis(height * 100),
        block_time: START + height * 100,
        previous: BlockId::GENESIS,
        previous_commit: Hash::ZERO,
        validators: set.hash(),
        next_validators: set.hash(),
        parameters: genesis.parameters_hash(),
        builder: public(1),
        missed_turns: 0,
        operations: Hash::ZERO,
        state: Hash::ZERO,
        outcomes: merkle::root(&leaves),
        evidence: Hash::ZERO,
    };
    let said = precommit(height, header.id());
    let votes: Vec<_> = (1..=3)
        .map(|seed| key(seed).sign_statement(said.clone()))
        .collect();
    let commit = Verified::<QuorumCertificate>::assemble(&votes, set).unwrap();
    Certificate::assemble_all(&header, &commit, outcomes, &[]).unwrap()
}
