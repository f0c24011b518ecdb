//! The judgement on what proves a fault, with each of its errors.

use crate::common::*;
use quorate_crypto::{FaultError, judge_fault};
use quorate_types::{BadBlock, Block, Evidence, Hash, Kind, Statement, SwarmId, ValidatorSet};

/// Evidence of two prevotes of a key that conflict, each changed in the same way.
fn conflict(seed: u8, set: &ValidatorSet, change: fn(&mut Statement)) -> Evidence {
    let signed = |is_nil: bool| {
        let mut said = Statement {
            kind: Kind::Prevote,
            ..precommit(set)
        };
        said.block = said.block.filter(|_| !is_nil);
        change(&mut said);
        vote(seed, &said).into_inner()
    };

    Evidence::new(signed(true), signed(false)).unwrap()
}

#[test]
fn n24_a_conflict_proves_a_fault_by_itself() {
    let set = set(&[1, 1, 1]);
    let evidence = conflict(2, &set, |_| ());
    let fault = judge_fault(&evidence, &SWARM, |_| Some(&set)).unwrap();

    assert_eq!(fault.culprit, key(2).public_key());
    assert_eq!(fault.height, 9);
    assert_eq!(fault.accused, None);
}

#[test]
fn n24_a_bad_block_proves_a_fault_only_with_the_block_that_it_accuses() {
    let set = set(&[1, 1, 1]);
    let block = Block {
        header: header(&set),
        operations: Vec::new(),
        evidence: Vec::new(),
        previous_commit: None,
    };
    let statement = Statement {
        kind: Kind::Proposal,
        height: block.header.height,
        round: 0,
        block: Some(block.header.id()),
        ..precommit(&set)
    };
    let proposal = vote(1, &statement).into_inner();

    let evidence = Evidence::bad_block(proposal.clone(), block.clone()).unwrap();
    let fault = judge_fault(&evidence, &SWARM, |_| Some(&set)).unwrap();
    assert_eq!(fault.culprit, block.header.builder);
    assert_eq!(fault.height, block.header.height);
    assert_eq!(fault.accused, Some(&block));

    // A proposal that rests on a polka is not the builder's own judgement.
    let mut again = statement;
    again.pol_round = Some(0);
    let proposal = vote(1, &again).into_inner();
    let formless = Evidence::BadBlock(Box::new(BadBlock { proposal, block }));
    let error = judge_fault(&formless, &SWARM, |_| Some(&set)).unwrap_err();
    assert_eq!(error, FaultError::Form);
}

#[test]
fn n24_each_reason_that_proves_nothing_has_its_error() {
    let set = set(&[1, 1, 1]);
    let error = |evidence: &Evidence| judge_fault(evidence, &SWARM, |_| Some(&set)).unwrap_err();

    let foreign = conflict(2, &set, |said| said.swarm = SwarmId([1; 32]));
    assert_eq!(error(&foreign), FaultError::Swarm);

    let outdated = conflict(2, &set, |said| said.validators = Hash::ZERO);
    assert_eq!(error(&outdated), FaultError::Validators);

    let stranger = conflict(9, &set, |_| ());
    assert_eq!(error(&stranger), FaultError::Stranger(key(9).public_key()));

    let sound = conflict(2, &set, |_| ());
    let unknown = judge_fault(&sound, &SWARM, |height| {
        assert_eq!(height, 9);
        None
    });
    assert_eq!(unknown, Err(FaultError::Height(9)));
}
