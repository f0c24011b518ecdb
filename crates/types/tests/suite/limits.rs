//! Decoding enforces the limits (W-3) and refuses what the formats forbid.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::values;
use quorate_types::cbor::{self, CborError};
use quorate_types::cose::Owned;
use quorate_types::task::{TaskSpecError, check_price};
use quorate_types::validators::ValidatorSetError;
use quorate_types::{
    Amounts, BlockId, FencingToken, Hash, Kind, Label, Operation, OperationBody, PublicKey,
    QuorumCertificate, Reason, Sign1, Signature, Signed, Statement, SwarmId, TaskSpec, Validator,
    ValidatorSet, Vote, limits,
};

fn validator(number: u8, power: u64) -> Validator {
    Validator {
        key: PublicKey([number; 32]),
        power,
        operator: "op".parse().unwrap(),
    }
}

#[test]
fn rules_of_a_validator_set() {
    let count = limits::VALIDATORS;
    let full: Vec<_> = (0..count as u8)
        .map(|number| validator(number, 1))
        .collect();
    assert_eq!(ValidatorSet::new(full.clone()).unwrap().len(), count);
    let mut over = full.clone();
    over.push(validator(200, 1));
    assert_eq!(
        ValidatorSet::new(over),
        Err(ValidatorSetError::Count(count + 1))
    );
    assert_eq!(ValidatorSet::new(vec![]), Err(ValidatorSetError::Count(0)));
    let twice = vec![validator(1, 1), validator(1, 2)];
    assert_eq!(ValidatorSet::new(twice), Err(ValidatorSetError::Order));
    assert_eq!(
        ValidatorSet::new(vec![validator(1, 0)]),
        Err(ValidatorSetError::Power)
    );
    let most = vec![validator(1, limits::TOTAL_POWER), validator(2, 1)];
    assert_eq!(ValidatorSet::new(most), Err(ValidatorSetError::Power));
    let wrapping = vec![validator(1, u64::MAX), validator(2, 2)];
    assert_eq!(ValidatorSet::new(wrapping), Err(ValidatorSetError::Power));
}

#[test]
fn a_set_on_the_wire_is_held_to_its_rules() {
    for members in [
        vec![],
        vec![validator(2, 1), validator(1, 1)],
        vec![validator(1, 1), validator(1, 1)],
        vec![validator(1, 0)],
        vec![validator(1, limits::TOTAL_POWER), validator(2, 1)],
    ] {
        let bytes = cbor::encode(&members);
        assert!(
            cbor::decode::<ValidatorSet>(&bytes, 10_000).is_err(),
            "{members:?}"
        );
    }
    let set = ValidatorSet::new(vec![validator(2, 1), validator(1, 1)]).unwrap();
    assert_eq!(cbor::decode(&cbor::encode(&set), 10_000), Ok(set));
}

#[test]
fn n5_thresholds_are_strict() {
    let set = ValidatorSet::new((0..3).map(|n| validator(n, 1 << 58)).collect()).unwrap();
    assert!(!set.is_quorum(2 << 58));
    assert!(set.is_quorum((2 << 58) + 1));
    assert!(!set.exceeds_one_third(1 << 58));
    assert!(set.exceeds_one_third((1 << 58) + 1));
    let (member, stranger) = (PublicKey([1; 32]), PublicKey([9; 32]));
    assert_eq!(set.power_of([&member, &stranger, &member]), 1 << 58);
}

fn statement(kind: Kind, block: Option<BlockId>, pol_round: Option<u32>) -> Statement {
    let (swarm, validators) = (SwarmId([1; 32]), Hash([2; 32]));
    Statement {
        swarm,
        height: 1,
        round: 1,
        kind,
        block,
        validators,
        pol_round,
    }
}

#[test]
fn n3_statements_that_say_nothing_sensible_are_refused() {
    let block = Some(BlockId([3; 32]));
    for (statement, good) in [
        (statement(Kind::Proposal, block, None), true),
        (statement(Kind::Proposal, block, Some(0)), true),
        (statement(Kind::Proposal, None, None), false),
        (statement(Kind::Prevote, None, None), true),
        (statement(Kind::Prevote, block, Some(0)), false),
        (statement(Kind::Precommit, block, Some(0)), false),
    ] {
        let bytes = cbor::encode(&statement);
        let decoded = cbor::decode::<Statement>(&bytes, limits::STATEMENT_BYTES);
        assert_eq!(decoded.is_ok(), good, "{statement:?}");
    }
}

#[test]
fn n3_unknown_versions_and_kinds_are_refused() {
    let good = cbor::encode(&statement(Kind::Precommit, None, None));
    // The map begins with a7 00 01: key 0 holds the version 1. The kind is the value of key 4.
    let kind = good
        .windows(2)
        .rposition(|pair| pair == [0x04, 0x02])
        .unwrap()
        + 1;
    for (at, byte) in [(2, 0), (2, 2), (kind, 3)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        assert!(cbor::decode::<Statement>(&bytes, 1000).is_err());
    }
}

#[test]
fn n6_votes_ascend_and_none_is_twice() {
    let vote = |number| Vote {
        signer: PublicKey([number; 32]),
        signature: Signature([0; 64]),
    };
    let commit = |votes: &[u8]| {
        let statement = statement(Kind::Precommit, Some(BlockId([3; 32])), None);
        let votes = votes.iter().map(|number| vote(*number)).collect();
        cbor::encode(&QuorumCertificate { statement, votes })
    };
    let decodes = |bytes: &[u8]| cbor::decode::<QuorumCertificate>(bytes, 10_000).is_ok();
    assert!(decodes(&commit(&[1, 2, 3])));
    assert!(!decodes(&commit(&[1, 3, 2])));
    assert!(!decodes(&commit(&[1, 1])));
}

#[test]
fn w3_the_largest_certificate_fits_its_limit() {
    let vote = |number| Vote {
        signer: PublicKey([number; 32]),
        signature: Signature([9; 64]),
    };
    let mut said = statement(Kind::Precommit, Some(BlockId([3; 32])), None);
    (said.height, said.round) = (u64::MAX, u32::MAX);
    let votes = (0..limits::VALIDATORS as u8).map(vote).collect();
    let bytes = cbor::encode(&QuorumCertificate {
        statement: said,
        votes,
    });
    assert!(bytes.len() <= limits::CERTIFICATE_BYTES, "{}", bytes.len());
}

#[test]
fn w3_an_operation_beyond_its_limit_is_refused() {
    let detail = Owned(vec![0; limits::OPERATION_BYTES]);
    let task = quorate_types::TaskId {
        requester: PublicKey([1; 32]),
        number: 0,
    };
    let report = quorate_types::operation::TaskReport {
        task,
        token: FencingToken(1),
        detail,
    };
    let payload = Operation {
        swarm: SwarmId([1; 32]),
        agent: PublicKey([2; 32]),
        sequence: 0,
        body: OperationBody::Complete(report),
    };
    let signed = Sign1::from(Signed {
        signer: payload.agent,
        payload,
        signature: Signature([0; 64]),
    });
    let bytes = cbor::encode(&signed);
    let refused = cbor::decode::<quorate_types::SignedOperation>(&bytes, 1 << 20);
    assert!(matches!(refused, Err(CborError::Shape(_))));
}

#[test]
fn w4_one_type_is_not_read_as_another() {
    let task = quorate_types::TaskId {
        requester: PublicKey([1; 32]),
        number: 0,
    };
    let payload = quorate_types::operation::Suspicion {
        swarm: SwarmId([1; 32]),
        task,
        token: FencingToken(1),
        height: 1,
    };
    let signed = Sign1::from(Signed {
        signer: PublicKey([2; 32]),
        payload,
        signature: Signature([0; 64]),
    });
    let bytes = cbor::encode(&signed);
    assert!(cbor::decode::<quorate_types::SignedOperation>(&bytes, 1 << 20).is_err());
    assert!(cbor::decode::<quorate_types::Attestation>(&bytes, 1 << 20).is_err());
}

#[test]
fn rules_of_a_task() {
    let good = TaskSpec::new("drones".parse().unwrap());
    assert_eq!(good.check(), Ok(()));
    let broken = |change: &dyn Fn(&mut TaskSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        spec.check().err()
    };
    let slots: Label = "slots".parse().unwrap();
    for value in [-1, limits::AMOUNT + 1] {
        let amount = TaskSpecError::Amount {
            dimension: slots.clone(),
            value,
        };
        let demand = Amounts::from([(slots.clone(), value)]);
        assert_eq!(
            broken(&|spec| spec.demand = demand.clone()),
            Some(amount.clone())
        );
        assert_eq!(
            broken(&|spec| spec.requires.amounts = demand.clone()),
            Some(amount)
        );
    }
    let many: Amounts = (0..17)
        .map(|n| (format!("d{n}").parse().unwrap(), 1))
        .collect();
    assert_eq!(
        broken(&|spec| spec.demand = many.clone()),
        Some(TaskSpecError::Entries)
    );
    let labels = many
        .keys()
        .cloned()
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(
        broken(&|spec| spec.requires.labels = labels.clone()),
        Some(TaskSpecError::Entries)
    );
    assert_eq!(
        broken(&|spec| spec.max_price = Some(-1)),
        Some(TaskSpecError::Price(-1))
    );
    assert_eq!(check_price(limits::PRICE), Ok(()));
    let payload = Owned(vec![0; limits::TASK_PAYLOAD_BYTES + 1]);
    let error = TaskSpecError::Payload(limits::TASK_PAYLOAD_BYTES + 1);
    assert_eq!(broken(&|spec| spec.payload = payload.clone()), Some(error));
}

#[test]
fn rules_of_a_label() {
    let long = "a".repeat(32);
    for good in ["a", "0", "payload_g", "venue.xetra", "a-b", &long] {
        assert_eq!(good.parse::<Label>().unwrap().as_str(), good);
    }
    for bad in ["", "A", "ä", "a b", "a/b", "a\0", &"a".repeat(33)] {
        assert!(bad.parse::<Label>().is_err(), "{bad}");
    }
    // Labels ascend as their encodings do on the wire: a shorter one comes first.
    let labels: Vec<_> = values::labels(&["b", "aa", "a", "ab"])
        .into_iter()
        .collect();
    assert_eq!(
        labels.iter().map(Label::as_str).collect::<Vec<_>>(),
        ["a", "b", "aa", "ab"]
    );
}

#[test]
fn r1_reasons_are_distinct_ascending_and_refuse_strangers() {
    assert!(Reason::ALL.is_sorted_by(|a, b| a.code() < b.code()));
    let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    for reason in Reason::ALL {
        assert_eq!(cbor::decode(&cbor::encode(reason), 10), Ok(*reason));
    }
    assert!(cbor::decode::<Reason>(&cbor::encode(&9999u16), 10).is_err());
    let text = serde_json::to_string(&Reason::LateBid).unwrap();
    assert_eq!(text, "300");
}
