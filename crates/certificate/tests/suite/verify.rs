//! Certificates that verify, their verdicts and explanations, and the trust root.

use crate::common;
use crate::common::*;
use quorate_certificate::{
    Certificate, Dossier, DossierError, Judgement, Policy, Refused, TrustRoot, TrustRootError,
    VerifiedCertificate, example, explain, verify,
};
use quorate_types::{Header, Outcome, PublicKey, Validator, ValidatorSet, cbor};

#[test]
fn c2_each_kind_of_outcome_verifies() {
    for (index, outcome) in outcomes().iter().enumerate() {
        let verdict = verify(&certificate(index).encode(), &root(), &Policy::default());
        assert!(verdict.is_verified(), "{:?}", verdict.reason);
        let summary = verdict.summary.unwrap();
        assert_eq!(
            (summary.task, summary.agent),
            (outcome.task(), outcome.agent())
        );
        assert_eq!(
            (summary.signers, summary.power, summary.total_power),
            (3, 3, 4)
        );
        // C-13: seven things are always left open.
        assert!(verdict.not_checked.len() >= 7);
    }
}

#[test]
fn a_verified_certificate_says_what_its_parts_say() {
    for (index, outcome) in outcomes().iter().enumerate() {
        let certificate = certificate(index);
        let bytes = certificate.encode();
        let policy = Policy::default();
        let verified = VerifiedCertificate::verify(&bytes, &root(), &policy).unwrap();
        assert_eq!(verified.bytes(), bytes);
        assert_eq!(verified.certificate(), &certificate);
        assert_eq!(verified.outcome(), outcome);
        let summary = verify(&bytes, &root(), &policy).summary.unwrap();
        assert_eq!(verified.summary(), &summary);
        assert_eq!(
            (verified.height(), verified.round(), verified.block_time()),
            (summary.height, summary.round, summary.block_time)
        );
        assert_eq!(
            (verified.task(), verified.token(), verified.agent()),
            (summary.task, summary.token, summary.agent)
        );
        let price = match outcome {
            Outcome::Assignment(assignment) => Some(assignment.price),
            _ => None,
        };
        assert_eq!(verified.price(), price);
        assert_eq!(verified.assignment().is_some(), price.is_some());
        assert_eq!(
            verified.receipt().is_some(),
            verified.operation_name().is_some()
        );
        let is_refusal = matches!(outcome, Outcome::Refusal(_));
        assert_eq!(verified.refused().is_empty(), !is_refusal);
        // Digests of runs hold this text.
        assert_eq!(format!("{verified:?}"), format!("{bytes:?}"));
        assert_eq!(format!("{verified:#?}"), format!("{bytes:#?}"));
    }
}

#[test]
fn what_is_not_verified_is_no_value_but_a_verdict() {
    let bytes = certificate(1).encode();
    let strict = Policy {
        min_operators: 5,
        ..Policy::default()
    };
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    for (bytes, policy) in [(&bytes, strict), (&forged, Policy::default())] {
        let verdict = verify(bytes, &root(), &policy);
        assert!(!verdict.is_verified());
        let refused = VerifiedCertificate::verify(bytes, &root(), &policy).unwrap_err();
        assert_eq!(*refused, verdict);
    }
}

#[test]
fn the_example_for_tests_of_agents_is_an_assignment() {
    let example = example().unwrap();
    assert_eq!(example.bytes(), certificate(1).encode());
    assert_eq!(example.assignment(), Some(&assignment()));
}

#[test]
fn c7_hand_overs_lead_to_a_later_set() {
    let verdict = verify(&handed_over().encode(), &root(), &Policy::default());
    assert!(verdict.is_verified(), "{:?}", verdict.reason);
    assert_eq!(verdict.summary.unwrap().handovers, 2);
}

#[test]
fn c6_identity_is_of_the_outcome_not_of_the_quorum() {
    let one = certificate(1);
    let mut other = one.clone();
    other.commit = commit(&other.header, &[2, 3, 4]);
    assert_ne!(one.encode(), other.encode());
    assert_eq!(one.identity(), other.identity());
    assert_ne!(one.identity(), certificate(2).identity());
}

#[test]
fn all_certificates_of_a_block_at_once_are_those_one_by_one() {
    let one = certificate(0);
    let all = Certificate::assemble_all(&one.header, &one.commit, &outcomes(), &[]).unwrap();
    assert_eq!(
        all,
        (0..outcomes().len()).map(certificate).collect::<Vec<_>>()
    );
    let other = Header {
        outcomes: quorate_types::Hash::ZERO,
        ..one.header.clone()
    };
    assert_eq!(
        Certificate::assemble_all(&other, &one.commit, &outcomes(), &[]),
        None
    );
    assert_eq!(
        Certificate::assemble(one.header, one.commit, &outcomes(), 99, vec![]),
        None
    );
}

#[test]
fn c10_four_validators_of_one_operator_are_one_opinion() {
    let same = |v: &Validator| Validator {
        operator: label("monopoly"),
        ..v.clone()
    };
    let set = ValidatorSet::new(set_of(&[1, 2, 3, 4]).iter().map(same).collect()).unwrap();
    let genesis = genesis_of(set.clone());
    let root = TrustRoot::from_genesis(&genesis).unwrap();
    let outcomes = [Outcome::Clearing(clearing())];
    let header = Header {
        swarm: genesis.swarm_id(),
        ..header(1, &set, &set, &outcomes)
    };
    let commit = commit(&header, &[1, 2, 3, 4]);
    let bytes = Certificate::assemble(header, commit, &outcomes, 0, vec![])
        .unwrap()
        .encode();
    assert!(verify(&bytes, &root, &Policy::default()).is_verified());
    let strict = Policy {
        min_operators: 2,
        ..Policy::default()
    };
    let verdict = verify(&bytes, &root, &strict);
    assert_eq!(verdict.verdict, Judgement::PolicyFailed);
    assert_eq!(verdict.reason.unwrap().reason, Refused::PolicyOperators);
    assert!(verdict.summary.is_some());
}

#[test]
fn c10_a_policy_may_limit_hand_overs() {
    let strict = Policy {
        max_handovers: 1,
        ..Policy::default()
    };
    let verdict = verify(&handed_over().encode(), &root(), &strict);
    assert_eq!(verdict.verdict, Judgement::PolicyFailed);
    assert_eq!(verdict.reason.unwrap().reason, Refused::PolicyHandovers);
}

#[test]
fn explain_says_that_it_verifies_nothing() {
    let texts = (0..outcomes().len()).map(|index| explain(&certificate(index)));
    for text in texts.chain([explain(&handed_over())]) {
        assert!(
            text.lines()
                .next()
                .unwrap()
                .contains("NOTHING HERE WAS VERIFIED"),
            "{text}"
        );
        assert!(text.contains(&swarm().to_string()));
    }
}

#[test]
fn c8_the_trust_root_is_the_genesis_file() {
    let text = toml::to_string(&genesis()).unwrap();
    let root = TrustRoot::parse(&text).unwrap();
    assert_eq!(root, common::root());
    assert_eq!(root.operators().len(), 4);
    assert!(matches!(
        TrustRoot::parse("name = 3"),
        Err(TrustRootError::Syntax(_))
    ));
    let other = text.replace("version = 1", "version = 2");
    assert!(matches!(
        TrustRoot::parse(&other),
        Err(TrustRootError::Genesis(_))
    ));
}

#[test]
fn c8_weak_keys_are_refused_in_a_trust_root() {
    let mut members: Vec<_> = set_of(&[1]).iter().cloned().collect();
    members.push(Validator {
        key: PublicKey([0; 32]),
        power: 1,
        operator: label("mallory"),
    });
    let genesis = genesis_of(ValidatorSet::new(members).unwrap());
    assert!(matches!(
        TrustRoot::from_genesis(&genesis),
        Err(TrustRootError::Key(_))
    ));
}

#[test]
fn c9_a_fingerprint_can_be_read_over_a_telephone() {
    let root = root();
    let fingerprint = root.fingerprint();
    let groups: Vec<_> = fingerprint.split('-').collect();
    assert_eq!(groups.len(), 8);
    assert!(groups.iter().all(|group| group.len() == 4));
    assert!(!fingerprint.contains(['I', 'L', 'O', 'U']));
    let heard = fingerprint
        .to_lowercase()
        .replace('-', " ")
        .replace('0', "o")
        .replace('1', "l");
    assert!(root.has_fingerprint(&heard));
    assert!(!root.has_fingerprint(&fingerprint[..38]));
    assert!(!root.has_fingerprint(""));
    let other = quorate_types::Genesis {
        created: CREATED + 1,
        ..genesis()
    };
    assert!(
        !TrustRoot::from_genesis(&other)
            .unwrap()
            .has_fingerprint(&fingerprint)
    );
}

#[test]
fn c16_a_dossier_with_one_bid_left_out_is_not_its_records() {
    let dossier = Dossier {
        record: clearing(),
        inputs: clearing_inputs(),
    };
    assert_eq!(Dossier::decode(&dossier.encode()), Ok(dossier.clone()));
    assert_eq!(dossier.check_root(), Ok(()));
    let mut short = dossier.clone();
    short.inputs.remove(4);
    assert_eq!(
        short.check_root(),
        Err(DossierError::Count {
            found: 5,
            recorded: 6
        })
    );
    let mut swapped = dossier.clone();
    swapped.inputs.swap(2, 3);
    assert_eq!(swapped.check_root(), Err(DossierError::Root));
    assert!(matches!(
        Dossier::decode(&cbor::encode(&0)),
        Err(DossierError::Encoding(_))
    ));
}
