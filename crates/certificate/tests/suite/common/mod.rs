//! A small swarm with fixed keys, for the tests and for the pinned vectors.

#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use quorate_certificate::{Certificate, Handover, TrustRoot};
use quorate_crypto::{SecretKey, merkle};
use quorate_types::attestation::Claims;
use quorate_types::cose::Owned;
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::operation::{
    Attest, Bid, Cancel, Lapse, Offer, Opening, Pair, Reveal, Revoke, Seal, SealedOffer, Solve,
    Submit, Suspicion, TaskReport, Withdraw,
};
use quorate_types::outcome::{
    Assignment, BidInput, BidderInput, ClearingInput, ClearingRecord, Expiry, Receipt, Refusal,
    SolutionInput, TaskInput,
};
use quorate_types::{
    ActiveMillis, Attestation, BlockId, Capabilities, FencingToken, Genesis, Hash, Header, Kind,
    Label, Market, Nonce, Operation, OperationBody, OperationId, Outcome, PROTOCOL_VERSION, Power,
    PublicKey, QuorumCertificate, Reason, SignedOperation, SignedStatement, Statement, SwarmId,
    TaskId, TaskSpec, UnixMillis, Validator, ValidatorSet, Vote, cbor,
};

/// Unix milliseconds at which the swarm was created.
pub const CREATED: UnixMillis = UnixMillis(1_767_225_600_000);
/// Height of the certified block.
pub const HEIGHT: u64 = 7;

pub fn label(text: &str) -> Label {
    text.parse().unwrap()
}

/// The key of a validator. Those of the genesis have the seeds 1, 2 and so on; later members have
/// seeds from 33.
pub fn validator_key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub fn agent_key() -> SecretKey {
    SecretKey::from_seed(&[0x41; 32])
}

pub fn requester_key() -> SecretKey {
    SecretKey::from_seed(&[0x51; 32])
}

pub fn attester_key() -> SecretKey {
    SecretKey::from_seed(&[0x61; 32])
}

/// A set of the validators with these seeds, each of power 1 and of an operator of its own.
pub fn set_of(seeds: &[u8]) -> ValidatorSet {
    set_with_powers(&seeds.iter().map(|seed| (*seed, 1)).collect::<Vec<_>>())
}

pub fn set_with_powers(members: &[(u8, Power)]) -> ValidatorSet {
    let validators = members.iter().map(|(seed, power)| Validator {
        key: validator_key(*seed).public_key(),
        power: *power,
        operator: label(&format!("operator-{seed}")),
    });
    ValidatorSet::new(validators.collect()).unwrap()
}

pub fn genesis() -> Genesis {
    genesis_of(set_of(&[1, 2, 3, 4]))
}

pub fn genesis_of(validators: ValidatorSet) -> Genesis {
    let market = |name: &str, mechanism: &str| Market {
        name: label(name),
        reserve: None,
        trusted: false,
        attempts: 3,
        lease_ms: 30_000,
        solve_ms: None,
        mechanism: label(mechanism),
        reveal_ms: None,
        window_ms: 500,
    };
    let drones = Market {
        reserve: Some(10_000),
        ..market("drones", "assignment")
    };
    let routes = Market {
        solve_ms: Some(400),
        ..market("routes", "gap")
    };
    let parcels = Market {
        trusted: true,
        reveal_ms: Some(250),
        ..market("parcels", "first-price")
    };
    Genesis {
        name: label("vectors"),
        created: CREATED,
        markets: vec![drones, routes, parcels],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: attester_key().public_key(),
            name: label("agency"),
        }],
        parameters: Parameters::default(),
        validators,
    }
}

pub fn root() -> TrustRoot {
    TrustRoot::from_genesis(&genesis()).unwrap()
}

pub fn swarm() -> SwarmId {
    genesis().swarm_id()
}

pub fn task() -> TaskId {
    TaskId {
        requester: requester_key().public_key(),
        number: 5,
    }
}

pub fn task_spec() -> TaskSpec {
    TaskSpec {
        requires: capabilities(),
        demand: BTreeMap::from([(label("slots"), 1), (label("payload_g"), 300)]),
        max_price: Some(900),
        deadline: Some(CREATED + 3_600_000),
        payload: Owned(b"48.1374,11.5755".to_vec()),
        ..TaskSpec::new(label("drones"))
    }
}

pub fn capabilities() -> Capabilities {
    let capabilities = Capabilities::new()
        .label("drone")
        .unwrap()
        .label("camera")
        .unwrap();
    capabilities
        .amount("payload_g", 500)
        .unwrap()
        .amount("range_m", 12_000)
        .unwrap()
}

pub fn attestation() -> Attestation {
    let claims = Claims {
        issuer: attester_key().public_key(),
        subject: agent_key().public_key(),
        audience: swarm(),
        expires: CREATED.seconds() + 86_400,
        not_before: CREATED.seconds(),
        issued_at: CREATED.seconds(),
        id: vec![1, 2, 3, 4],
        capabilities: capabilities(),
    };
    attester_key().sign(claims).into_inner()
}

pub fn operation(key: &SecretKey, sequence: u64, body: OperationBody) -> SignedOperation {
    let agent = key.public_key();
    key.sign(Operation {
        swarm: swarm(),
        agent,
        sequence,
        body,
    })
    .into_inner()
}

pub fn report() -> TaskReport {
    TaskReport {
        task: task(),
        token: FencingToken(2),
        detail: Owned(b"done".to_vec()),
    }
}

pub fn suspicion(seed: u8) -> quorate_types::Sign1<Suspicion> {
    let suspicion = Suspicion {
        swarm: swarm(),
        task: task(),
        token: FencingToken(2),
        height: HEIGHT - 1,
    };
    validator_key(seed).sign(suspicion).into_inner()
}

/// A lapse with the suspicions of these validators, ascending by key.
pub fn lapse(seeds: &[u8]) -> Lapse {
    let mut suspicions: Vec<_> = seeds.iter().map(|seed| suspicion(*seed)).collect();
    suspicions.sort_by_key(|signed| signed.signer);
    Lapse {
        task: task(),
        token: FencingToken(2),
        suspicions,
    }
}

/// One body of each kind, in the order of the enum.
pub fn bodies() -> Vec<OperationBody> {
    let attest = Attest {
        attestation: attestation(),
    };
    let offers = vec![Offer {
        task: task(),
        price: 420,
    }];
    let budget = BTreeMap::from([(label("slots"), 1)]);
    vec![
        OperationBody::Admit(attest.clone()),
        OperationBody::Attest(attest),
        OperationBody::Revoke(Revoke {
            subject: agent_key().public_key(),
            attestation: attestation().id(),
        }),
        OperationBody::Cancel(Cancel { task: task() }),
        OperationBody::Withdraw(Withdraw {
            market: label("drones"),
        }),
        OperationBody::Submit(Submit {
            first: 5,
            tasks: vec![task_spec()],
        }),
        OperationBody::Bid(Bid {
            market: label("drones"),
            budget: budget.clone(),
            offers,
        }),
        OperationBody::Seal(Seal {
            market: label("parcels"),
            window: 3,
            budget,
            offers: vec![SealedOffer {
                task: task(),
                commitment: opening().commitment(&genesis().swarm_id(), &agent_key().public_key()),
            }],
        }),
        OperationBody::Reveal(Reveal {
            market: label("parcels"),
            window: 3,
            openings: vec![opening()],
        }),
        OperationBody::Solve(Solve {
            market: label("routes"),
            window: 3,
            pairs: vec![pair()],
        }),
        OperationBody::Accept(report()),
        OperationBody::Decline(report()),
        OperationBody::Complete(report()),
        OperationBody::Fail(report()),
        OperationBody::Lapse(lapse(&[1, 2, 3])),
    ]
}

pub fn pair() -> Pair {
    Pair {
        task: task(),
        agent: agent_key().public_key(),
    }
}

pub fn opening() -> Opening {
    Opening {
        task: task(),
        price: 420,
        nonce: Nonce([0xd1; 32]),
    }
}

pub fn assignment() -> Assignment {
    Assignment {
        task: task(),
        token: FencingToken(2),
        agent: agent_key().public_key(),
        market: label("drones"),
        price: 420,
        charge: 430,
        bid: OperationId([0xb1; 32]),
        spec: task_spec().hash(),
        attestations: vec![attestation().id()],
        assigned_at: ACTIVE,
        lease: 30_000,
        clearing: clearing().hash(),
    }
}

/// Active time of the certified block, in milliseconds.
pub const ACTIVE: ActiveMillis = ActiveMillis(3_100);

pub fn clearing_inputs() -> Vec<ClearingInput> {
    let agent = agent_key().public_key();
    let bid = |agent, price, excluded| {
        let operation = OperationId([0xb1; 32]);
        ClearingInput::Bid(BidInput {
            task: task(),
            agent,
            price,
            operation,
            excluded,
        })
    };
    let demand = task_spec().demand;
    let budget = BTreeMap::from([(label("slots"), 1)]);
    vec![
        ClearingInput::Task(TaskInput {
            task: task(),
            spec: task_spec().hash(),
            demand,
            limit: 10_000,
        }),
        ClearingInput::Bidder(BidderInput { agent, budget }),
        bid(agent, Some(420), None),
        bid(PublicKey([0xfd; 32]), None, Some(Reason::Unopened)),
        bid(
            PublicKey([0xfe; 32]),
            Some(410),
            Some(Reason::CapabilityNotAttested),
        ),
        ClearingInput::Solution(SolutionInput {
            agent: PublicKey([0xfd; 32]),
            operation: OperationId([0xb2; 32]),
            pairs: vec![pair()],
        }),
    ]
}

pub fn clearing() -> ClearingRecord {
    let leaves: Vec<_> = clearing_inputs().iter().map(cbor::encode).collect();
    ClearingRecord {
        market: label("drones"),
        window: 3,
        mechanism: label("assignment"),
        version: 1,
        reserve: Some(10_000),
        inputs: merkle::root(&leaves),
        input_count: leaves.len() as u64,
        assigned: 1,
        total: 420,
        solution: None,
    }
}

pub fn receipt(key: &SecretKey, body: OperationBody) -> Receipt {
    let agent = Some(agent_key().public_key());
    Receipt {
        task: task(),
        token: FencingToken(2),
        agent,
        operation: operation(key, 3, body),
    }
}

/// One outcome of each kind. The receipts are of an acceptance, a lapse and a cancellation.
pub fn outcomes() -> Vec<Outcome> {
    let lapse = OperationBody::Lapse(lapse(&[1, 2, 4]));
    let cancel = OperationBody::Cancel(Cancel { task: task() });
    vec![
        Outcome::Clearing(clearing()),
        Outcome::Assignment(assignment()),
        Outcome::Receipt(Box::new(receipt(
            &agent_key(),
            OperationBody::Accept(report()),
        ))),
        Outcome::Receipt(Box::new(receipt(&validator_key(1), lapse))),
        Outcome::Receipt(Box::new(receipt(&requester_key(), cancel))),
        Outcome::Refusal(Refusal {
            operation: OperationId([0x0f; 32]),
            agent: agent_key().public_key(),
            items: vec![
                (None, Reason::LateBid),
                (Some(task()), Reason::PriceTooHigh),
            ],
        }),
        Outcome::Expiry(Expiry {
            task: task(),
            token: FencingToken(3),
            reason: Reason::DeadlinePassed,
        }),
    ]
}

/// A header of `height` with these sets and outcomes. The other hashes in it are made up.
pub fn header(
    height: u64,
    set: &ValidatorSet,
    next: &ValidatorSet,
    outcomes: &[Outcome],
) -> Header {
    let leaves: Vec<_> = outcomes.iter().map(cbor::encode).collect();
    Header {
        version: PROTOCOL_VERSION,
        swarm: swarm(),
        height,
        active_time: ACTIVE,
        block_time: CREATED + 10_000 * height,
        previous: BlockId([0x0b; 32]),
        previous_commit: Hash([0x0c; 32]),
        validators: set.hash(),
        next_validators: next.hash(),
        parameters: genesis().parameters_hash(),
        builder: set.iter().next().unwrap().key,
        missed_turns: 0,
        operations: Hash([0x01; 32]),
        state: Hash([0x02; 32]),
        outcomes: merkle::root(&leaves),
        evidence: merkle::root::<&[u8]>(&[]),
    }
}

/// The precommit for a header.
pub fn precommit(header: &Header) -> Statement {
    Statement {
        swarm: header.swarm,
        height: header.height,
        round: 1,
        kind: Kind::Precommit,
        block: Some(header.id()),
        validators: header.validators,
        pol_round: None,
    }
}

pub fn signed(seed: u8, statement: &Statement) -> SignedStatement {
    validator_key(seed)
        .sign_statement(statement.clone())
        .into_inner()
}

/// A quorum certificate over `statement` with the votes of these validators, sorted.
pub fn votes_of(statement: Statement, seeds: &[u8]) -> QuorumCertificate {
    let mut votes: Vec<_> = seeds.iter().map(|seed| signed(*seed, &statement)).collect();
    votes.sort_by_key(|vote| vote.signer);
    let votes = votes.into_iter().map(|s| Vote {
        signer: s.signer,
        signature: s.signature,
    });
    QuorumCertificate {
        statement,
        votes: votes.collect(),
    }
}

pub fn commit(header: &Header, seeds: &[u8]) -> QuorumCertificate {
    votes_of(precommit(header), seeds)
}

/// A certificate of `outcomes()[index]` by the set of the genesis.
pub fn certificate(index: usize) -> Certificate {
    let set = set_of(&[1, 2, 3, 4]);
    let header = header(HEIGHT, &set, &set, &outcomes());
    let commit = commit(&header, &[1, 2, 3]);
    Certificate::assemble(header, commit, &outcomes(), index, Vec::new()).unwrap()
}

/// A certificate of a single outcome, whatever it says, signed by three of four.
pub fn certify(outcome: Outcome) -> Certificate {
    let set = set_of(&[1, 2, 3, 4]);
    let outcomes = [outcome];
    let header = header(HEIGHT, &set, &set, &outcomes);
    let commit = commit(&header, &[1, 2, 3]);
    Certificate::assemble(header, commit, &outcomes, 0, Vec::new()).unwrap()
}

/// The hand-over at `height` from one set to another, signed by all of the first.
pub fn handover(height: u64, from: &[u8], to: &[u8]) -> Handover {
    let validators = set_of(to);
    let header = header(height, &set_of(from), &validators, &[]);
    let commit = commit(&header, from);
    Handover {
        header,
        commit,
        validators,
    }
}

/// A certificate of a lapse after two hand-overs. The sets are 1 2 3 4, then 2 3 4 33, then 3 4 33
/// 34.
pub fn handed_over() -> Certificate {
    let sets: [&[u8]; 3] = [&[1, 2, 3, 4], &[2, 3, 4, 33], &[3, 4, 33, 34]];
    let last = set_of(sets[2]);
    let lapse = OperationBody::Lapse(lapse(&[3, 33, 34]));
    let outcomes = [
        Outcome::Assignment(assignment()),
        Outcome::Receipt(Box::new(receipt(&validator_key(3), lapse))),
        Outcome::Clearing(clearing()),
    ];
    let header = header(HEIGHT, &last, &last, &outcomes);
    let commit = commit(&header, &[3, 33, 34]);
    let handovers = vec![handover(2, sets[0], sets[1]), handover(4, sets[1], sets[2])];
    Certificate::assemble(header, commit, &outcomes, 1, handovers).unwrap()
}
