//! Verification of quorum certificates, evidence and blocks, with each error of the crate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::common::*;
use proptest::prelude::*;
use quorate_crypto::{
    BlockError, KeyError, NoneKnown, QuorumError, SignatureError, Verified, merkle, verify_block,
    verify_evidence, verify_quorum,
};
use quorate_types::{
    BadBlock, Block, Conflict, Evidence, Hash, Header, Kind, PublicKey, QuorumCertificate,
    Signature, SignedStatement, Statement, SwarmId, Validator, ValidatorSet, Vote, cbor, limits,
};

fn check(certificate: QuorumCertificate, set: &ValidatorSet) -> Option<QuorumError> {
    verify_quorum(certificate, set, &|_| false).err()
}

#[test]
fn n5_more_than_two_thirds_and_not_exactly() {
    for (powers, seeds, enough) in [
        (&[1, 1, 1, 1][..], &[1, 2, 3][..], true),
        (&[1, 1, 1, 1], &[1, 2], false),
        (&[1, 1, 1], &[1, 2], false),
        (&[1, 1, 1], &[1, 2, 3], true),
        (&[2, 1], &[1], false),
        (&[3, 1], &[1], true),
        (&[1], &[1], true),
        (&[1 << 58, 1 << 58, 1 << 58], &[1, 2], false),
        (&[1 << 58, (1 << 58) + 1, 1 << 58], &[1, 2], true),
    ] {
        let set = set(powers);
        let certificate = certificate(&precommit(&set), seeds);
        let error = check(certificate, &set);
        assert_eq!(error.is_none(), enough, "{powers:?} {seeds:?}");
        assert!(matches!(error, None | Some(QuorumError::Power { .. })));
    }
}

#[test]
fn no_votes_are_no_quorum() {
    let set = set(&[1]);
    let error = check(certificate(&precommit(&set), &[]), &set);
    assert_eq!(error, Some(QuorumError::Power { power: 0, total: 1 }));
}

#[test]
fn another_validator_set_is_refused() {
    let (set, other) = (set(&[1, 1, 1]), set(&[1, 1, 2]));
    let certificate = certificate(&precommit(&other), &[1, 2, 3]);
    assert_eq!(check(certificate, &set), Some(QuorumError::ValidatorSet));
}

#[test]
fn n6_unsorted_and_repeated_votes_are_refused() {
    let set = set(&[1, 1, 1, 1]);
    let mut unsorted = certificate(&precommit(&set), &[1, 2, 3]);
    unsorted.votes.swap(0, 2);
    assert_eq!(check(unsorted, &set), Some(QuorumError::Order));
    let mut twice = certificate(&precommit(&set), &[1, 2]);
    twice.votes.insert(1, twice.votes[0]);
    assert_eq!(check(twice, &set), Some(QuorumError::Order));
}

#[test]
fn n6_a_stranger_is_refused_beyond_the_quorum_too() {
    let set = set(&[1, 1, 1, 1]);
    let certificate = certificate(&precommit(&set), &[1, 2, 3, 9]);
    assert_eq!(
        check(certificate, &set),
        Some(QuorumError::Stranger(key(9).public_key()))
    );
}

#[test]
fn n6_each_listed_signature_counts() {
    let set = set(&[1, 1, 1, 1]);
    for at in 0..4 {
        let mut certificate = certificate(&precommit(&set), &[1, 2, 3, 4]);
        certificate.votes[at].signature.0[5] ^= 1;
        let wrong = SignatureError::Wrong(certificate.votes[at].signer);
        assert_eq!(
            check(certificate, &set),
            Some(QuorumError::Signature(wrong))
        );
    }
}

#[test]
fn a_weak_member_does_not_vote() {
    let weak = PublicKey([0; 32]);
    let member = |key, power| Validator {
        key,
        power,
        operator: "op".parse().unwrap(),
    };
    let members = vec![member(weak, 10), member(key(1).public_key(), 1)];
    let set = ValidatorSet::new(members).unwrap();
    let mut certificate = certificate(&precommit(&set), &[1]);
    certificate.votes.insert(
        0,
        Vote {
            signer: weak,
            signature: Signature([0; 64]),
        },
    );
    let error = SignatureError::Key(KeyError::Weak(weak));
    assert_eq!(
        check(certificate, &set),
        Some(QuorumError::Signature(error))
    );
}

#[test]
fn known_votes_are_not_checked_again() {
    let set = set(&[1, 1, 1]);
    let mut certificate = certificate(&precommit(&set), &[1, 2, 3]);
    certificate.votes[0].signature = Signature([0; 64]);
    let known = certificate.votes[0].signer;
    let result = verify_quorum(certificate, &set, &|vote| vote.signer == known);
    assert!(result.is_ok());
}

#[test]
fn a_certificate_assembles_from_equal_votes_of_members() {
    let set = set(&[1, 1, 1, 1]);
    let statement = precommit(&set);
    let votes: Vec<_> = [4, 1, 9, 3, 1].map(|seed| vote(seed, &statement)).into();
    let assembled = Verified::<QuorumCertificate>::assemble(&votes, &set).unwrap();
    assert_eq!(*assembled, certificate(&statement, &[1, 3, 4]));
    assert_eq!(assembled.verified_statements().count(), 3);
    assert!(Verified::<QuorumCertificate>::assemble(&votes[..2], &set).is_none());
    let nil = Statement {
        block: None,
        ..statement.clone()
    };
    let mixed: Vec<_> = votes.into_iter().chain([vote(2, &nil)]).collect();
    assert!(Verified::<QuorumCertificate>::assemble(&mixed, &set).is_none());
    assert!(Verified::<QuorumCertificate>::assemble(&[], &set).is_none());
    let foreign = Statement {
        validators: Hash::ZERO,
        ..statement
    };
    let votes: Vec<_> = [1, 2, 3, 4].map(|seed| vote(seed, &foreign)).into();
    assert!(Verified::<QuorumCertificate>::assemble(&votes, &set).is_none());
}

#[test]
fn n4_evidence_convicts_only_by_two_signatures_that_contradict() {
    let statement = precommit(&set(&[1]));
    let nil = Statement {
        block: None,
        ..statement.clone()
    };
    let pair = Verified::<Evidence>::from_pair(&vote(1, &statement), &vote(1, &nil)).unwrap();
    assert!(verify_evidence((*pair).clone()).is_ok());
    let later = Statement {
        round: 3,
        ..nil.clone()
    };
    assert!(Verified::<Evidence>::from_pair(&vote(1, &statement), &vote(1, &later)).is_none());
    assert!(Verified::<Evidence>::from_pair(&vote(1, &statement), &vote(2, &nil)).is_none());
    assert!(Verified::<Evidence>::from_pair(&vote(1, &nil), &vote(1, &nil)).is_none());
    let Evidence::Conflict(pair) = pair.into_inner() else {
        unreachable!()
    };
    let mut forged = pair.clone();
    forged.second.signature = forged.first.signature;
    let wrong = SignatureError::Wrong(key(1).public_key());
    assert_eq!(
        verify_evidence(Evidence::Conflict(forged)),
        Err(BlockError::Signature(wrong))
    );
    let turned = Conflict {
        first: pair.second,
        second: pair.first,
    };
    let turned = Evidence::Conflict(Box::new(turned));
    assert_eq!(verify_evidence(turned), Err(BlockError::Evidence));
}

/// A block whose header binds its body, and its builder's own proposal for it.
fn bad_block(set: &ValidatorSet) -> BadBlock {
    let block = block(set);
    let leaves: Vec<_> = block.operations.iter().map(cbor::encode).collect();
    let header = Header {
        builder: key(1).public_key(),
        previous_commit: block.previous_commit.as_ref().unwrap().hash(),
        operations: merkle::root(&leaves),
        evidence: merkle::root::<&[u8]>(&[]),
        ..block.header
    };
    let proposal = proposal_of(1, &header);
    BadBlock {
        proposal,
        block: Block { header, ..block },
    }
}

fn proposal_of(seed: u8, header: &Header) -> SignedStatement {
    let statement = Statement {
        swarm: header.swarm,
        height: header.height,
        round: header.missed_turns,
        kind: Kind::Proposal,
        block: Some(header.id()),
        validators: header.validators,
        pol_round: None,
    };
    vote(seed, &statement).into_inner()
}

#[test]
fn n24_a_bad_block_is_held_against_its_builder_alone_and_with_its_own_body() {
    let good = bad_block(&set(&[1, 1, 1, 1]));
    let verdict = |bad: BadBlock| verify_evidence(Evidence::BadBlock(Box::new(bad))).err();
    assert_eq!(verdict(good.clone()), None);
    let refused = |change: &dyn Fn(&mut BadBlock)| {
        let mut bad = good.clone();
        change(&mut bad);
        verdict(bad)
    };
    let says = |bad: &mut BadBlock, change: &dyn Fn(&mut Statement)| {
        let mut statement = bad.proposal.statement.clone();
        change(&mut statement);
        bad.proposal = vote(1, &statement).into_inner();
    };
    let form = Some(BlockError::Evidence);
    type Change<'a> = &'a dyn Fn(&mut BadBlock);
    let cases: [(&str, Change<'_>); 10] = [
        ("another signer", &|bad| {
            bad.proposal = proposal_of(2, &bad.block.header)
        }),
        ("a header changed by another", &|bad| {
            bad.block.header.state.0[0] ^= 1;
            bad.proposal = proposal_of(2, &bad.block.header);
        }),
        ("a vote", &|bad| {
            says(bad, &|statement| statement.kind = Kind::Prevote)
        }),
        ("a proposal on a polka", &|bad| {
            says(bad, &|statement| statement.pol_round = Some(0))
        }),
        ("another round", &|bad| {
            says(bad, &|statement| statement.round += 1)
        }),
        ("another height", &|bad| {
            says(bad, &|statement| statement.height += 1)
        }),
        ("another swarm", &|bad| {
            says(bad, &|statement| statement.swarm.0[0] ^= 1)
        }),
        ("another set", &|bad| {
            says(bad, &|statement| statement.validators.0[0] ^= 1)
        }),
        ("another body", &|bad| bad.block.operations.truncate(1)),
        ("another commit", &|bad| bad.block.previous_commit = None),
    ];
    for (name, change) in cases {
        assert_eq!(refused(change), form, "{name}");
    }
    let wrong = SignatureError::Wrong(key(1).public_key());
    let error = refused(&|bad| bad.proposal.signature.0[0] ^= 1);
    assert_eq!(error, Some(BlockError::Signature(wrong)));
    // A forged signature inside the block is the builder's fault: its header binds it. The ledger
    // judges that (L-22).
    let mut forged = good.clone();
    forged.block.operations[0].alter(|parts| parts.signature.0[0] ^= 1);
    let leaves: Vec<_> = forged.block.operations.iter().map(cbor::encode).collect();
    forged.block.header.operations = merkle::root(&leaves);
    forged.proposal = proposal_of(1, &forged.block.header);
    assert_eq!(verdict(forged), None);
}

#[test]
fn n4_proposals_contradict_by_their_pol_round_too() {
    let statement = Statement {
        kind: Kind::Proposal,
        ..precommit(&set(&[1]))
    };
    let again = Statement {
        pol_round: Some(0),
        ..statement.clone()
    };
    assert!(Verified::<Evidence>::from_pair(&vote(1, &statement), &vote(1, &again)).is_some());
}

fn block(set: &ValidatorSet) -> Block {
    Block {
        header: header(set),
        operations: vec![operation(1, SWARM), operation(2, SWARM)],
        evidence: Vec::new(),
        previous_commit: Some(certificate(&precommit(set), &[1, 2, 3]).into()),
    }
}

#[test]
fn each_part_of_a_block_is_authentic_or_the_block_is_not() {
    let set = set(&[1, 1, 1, 1]);
    let good = block(&set);
    assert!(verify_block(good.clone(), &set, &NoneKnown).is_ok());
    let refused = |change: &dyn Fn(&mut Block)| {
        let mut block = good.clone();
        change(&mut block);
        verify_block(block, &set, &NoneKnown).err()
    };
    let id = good.operations[0].id();
    let signer = good.operations[0].signer;
    let error = refused(&|block| block.operations[0].alter(|parts| parts.signature.0[0] ^= 1));
    assert_eq!(
        error,
        Some(BlockError::Signature(SignatureError::Wrong(signer)))
    );
    let error =
        refused(&|block| block.operations[0].alter(|parts| parts.signer = key(2).public_key()));
    assert_eq!(error, Some(BlockError::Foreign(id)));
    // W-5: it is well signed, but for another swarm.
    let error = refused(&|block| block.operations[0] = operation(1, SwarmId([1; 32])));
    assert!(matches!(error, Some(BlockError::Foreign(_))));
    let error = refused(&|block| {
        block.operations = vec![operation(1, SWARM); limits::OPERATIONS_PER_BLOCK + 1]
    });
    assert_eq!(error, Some(BlockError::TooMany));
    let error = refused(&|block| {
        let few = certificate(&precommit(&set), &[1, 2]);
        block.previous_commit = Some(few.into());
    });
    assert!(matches!(
        error,
        Some(BlockError::PreviousCommit(QuorumError::Power { .. }))
    ));
    let error = refused(&|block| {
        let said = vote(1, &precommit(&set)).into_inner();
        let twice = Conflict {
            first: said.clone(),
            second: said,
        };
        block.evidence.push(Evidence::Conflict(Box::new(twice)));
    });
    assert_eq!(error, Some(BlockError::Evidence));
}

proptest! {
    /// The signature of the builder binds every part of the evidence, so nobody else can change it.
    #[test]
    fn a_changed_bit_of_an_accusation_is_no_accusation(at: prop::sample::Index, bit in 0u8..8) {
        let good = Evidence::BadBlock(Box::new(bad_block(&set(&[1, 1, 1, 1]))));
        let mut bytes = cbor::encode(&good);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = cbor::decode::<Evidence>(&bytes, limits::BLOCK_BYTES) {
            prop_assert!(verify_evidence(changed).is_err());
        }
    }

    /// The summed power decides whether a subset is a quorum, not the number of its members.
    #[test]
    fn a_quorum_is_what_its_power_says(
        powers in prop::collection::vec(1u64..1000, 1..7),
        chosen: u8,
    ) {
        let set = set(&powers);
        let seeds: Vec<u8> =
            (0..powers.len() as u8).filter(|at| chosen >> at & 1 == 1).map(|at| at + 1).collect();
        let sum: u64 = seeds.iter().map(|seed| powers[*seed as usize - 1]).sum();
        let total: u64 = powers.iter().sum();
        let certificate = certificate(&precommit(&set), &seeds);
        let expected = (3 * sum <= 2 * total)
            .then_some(QuorumError::Power { power: sum, total });
        prop_assert_eq!(check(certificate, &set), expected);
    }
}
