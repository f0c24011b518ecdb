//! The judgement on what proves a commit, with each of its errors.

use crate::common::*;
use quorate_crypto::{CommitError, Decision, QuorumError, check_commit, verify_commit};
use quorate_types::{
    BlockId, CommitProof, Hash, Kind, QuorumCertificate, Statement, SwarmId, ValidatorSet,
};

/// The decision that [`precommit`] is for.
fn decision(set: &ValidatorSet) -> Decision {
    Decision {
        swarm: SWARM,
        height: 9,
        block: BlockId([0xb1; 32]),
        validators: set.hash(),
    }
}

#[test]
fn l2_a_commit_is_precommits_of_the_set_for_the_block_in_any_round() {
    let set = set(&[1, 1, 1, 1]);

    for round in [0, 2, u32::MAX] {
        let said = Statement {
            round,
            ..precommit(&set)
        };
        let commit = certificate(&said, &[1, 2, 3]);
        assert_eq!(check_commit(&commit, &decision(&set)), Ok(()));
        assert!(decision(&set).is_proved_by(&commit.into()));
    }
}

#[test]
fn l2_each_difference_from_the_decision_has_its_error() {
    let set = set(&[1, 1, 1, 1]);
    type Change = fn(&mut Statement);

    let cases: [(Change, CommitError); 7] = [
        (|said| said.kind = Kind::Prevote, CommitError::Kind),
        (|said| said.kind = Kind::Proposal, CommitError::Kind),
        (|said| said.block = None, CommitError::Nil),
        (|said| said.swarm = SwarmId([1; 32]), CommitError::Swarm),
        (|said| said.height = 8, CommitError::Height(8)),
        (
            |said| said.block = Some(BlockId([2; 32])),
            CommitError::Block(BlockId([2; 32])),
        ),
        (|said| said.validators = Hash::ZERO, CommitError::Validators),
    ];

    for (change, error) in cases {
        let mut said = precommit(&set);
        change(&mut said);
        let commit: QuorumCertificate = certificate(&said, &[1, 2, 3]);

        assert_eq!(check_commit(&commit, &decision(&set)), Err(error));
        assert!(!decision(&set).is_proved_by(&commit.into()), "{error}");
    }
}

#[test]
fn n6_a_commit_proof_needs_its_quorum_too() {
    let set = set(&[1, 1, 1, 1]);
    let proof = |seeds: &[u8]| CommitProof::from(certificate(&precommit(&set), seeds));

    let whole = verify_commit(proof(&[1, 2, 3]), &set, &|_| false);
    assert_eq!(whole.map(|proof| proof.signatures()), Ok(3));

    let error = verify_commit(proof(&[1, 2]), &set, &|_| false).err();
    assert_eq!(error, Some(QuorumError::Power { power: 2, total: 4 }));
}
