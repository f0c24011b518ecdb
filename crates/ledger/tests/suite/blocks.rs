//! The rules of blocks. Each test breaks one at a time, and each has its own error.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use crate::common::*;
use quorate_crypto::{Verified, merkle};
use quorate_ledger::{EvidenceError, InvalidBlock, Key, Ledger, Proposal};
use quorate_types::operation::{Attest, OperationBody, Withdraw};
use quorate_types::*;

/// An operation whose meaning does not matter.
fn nothing() -> OperationBody {
    OperationBody::Withdraw(Withdraw {
        market: label("spot"),
    })
}

/// A world whose next block holds operations of two agents, and that block.
fn world_and_block() -> (World, Verified<Block>) {
    let mut world = World::with_drones([1, 2]);
    world.submit(vec![spec("spot")]);
    for by in [1, 2, 1] {
        world.say(&key(by), nothing());
    }
    let (block, _) = world.propose_at(world.ledger.block_time() + STEP, 0);
    (world, block)
}

/// A block of this header and these operations, which are all well signed.
fn rebuilt(
    operations: Vec<Verified<SignedOperation>>,
    header: Header,
    commit: Option<Verified<CommitProof>>,
) -> Verified<Block> {
    Verified::<Block>::assemble(header, operations, vec![], commit)
}

/// L-1: the header binds operations, outcomes, evidence and state by their roots. L-2 and L-3: each
/// other field is checked too.
#[test]
fn l2_each_field_of_the_header_is_checked() {
    let (world, block) = world_and_block();
    let operations = world.waiting.clone();
    let mut sorted = operations;
    sorted.sort_by_key(|operation| operation.payload.order());
    type Change = fn(&mut Header);
    type Verdict = fn(&InvalidBlock) -> bool;
    let table: [(&str, Change, Verdict); 13] = [
        (
            "version",
            |h| h.version = 2,
            |e| *e == InvalidBlock::Version(2),
        ),
        (
            "swarm",
            |h| h.swarm.0[0] ^= 1,
            |e| *e == InvalidBlock::Swarm,
        ),
        (
            "height",
            |h| h.height += 1,
            |e| matches!(e, InvalidBlock::Height { .. }),
        ),
        (
            "previous",
            |h| h.previous.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::Previous(_)),
        ),
        (
            "time",
            |h| h.block_time = h.block_time.saturating_sub(STEP),
            |e| matches!(e, InvalidBlock::BlockTime { .. }),
        ),
        (
            "active",
            |h| h.active_time += 1,
            |e| matches!(e, InvalidBlock::ActiveTime { .. }),
        ),
        (
            "set",
            |h| h.validators.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::Validators(_)),
        ),
        (
            "next",
            |h| h.next_validators.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::NextValidators(_)),
        ),
        (
            "parameters",
            |h| h.parameters.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::Parameters(_)),
        ),
        (
            "commit",
            |h| h.previous_commit.0[0] ^= 1,
            |e| *e == InvalidBlock::PreviousCommitHash,
        ),
        (
            "operations",
            |h| h.operations.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::OperationsRoot(_)),
        ),
        (
            "outcomes",
            |h| h.outcomes.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::OutcomesRoot { .. }),
        ),
        (
            "state",
            |h| h.state.0[0] ^= 1,
            |e| matches!(e, InvalidBlock::StateRoot { .. }),
        ),
    ];
    let commit = world.last_commit.clone();
    for (name, change, verdict) in table {
        let mut header = block.header.clone();
        change(&mut header);
        let other = rebuilt(sorted.clone(), header, commit.clone());
        let error = world.ledger.execute(&other).unwrap_err();
        assert!(verdict(&error), "{name}: {error:?}");
    }
    let mut header = block.header.clone();
    header.evidence.0[0] ^= 1;
    let other = rebuilt(sorted, header, commit);
    let error = world.ledger.execute(&other).unwrap_err();
    assert!(matches!(error, InvalidBlock::EvidenceRoot(_)));
    assert!(world.ledger.execute(&block).is_ok());
}

/// L-1: there is no commit at height 1. L-2: later it is one for the previous block.
#[test]
fn l2_the_commit_is_that_of_the_previous_block() {
    let (mut world, block) = world_and_block();
    let operations = || {
        let mut sorted = world.waiting.clone();
        sorted.sort_by_key(|operation| operation.payload.order());
        sorted
    };
    let header = |commit: &Option<Verified<CommitProof>>| Header {
        previous_commit: commit.as_ref().map_or(Hash::ZERO, |commit| commit.hash()),
        ..block.header.clone()
    };
    let of_this = Some(world.commit_of(&block));
    for commit in [None, of_this.clone()] {
        let other = rebuilt(operations(), header(&commit), commit);
        assert_eq!(
            world.ledger.execute(&other).unwrap_err(),
            InvalidBlock::PreviousCommit
        );
    }
    let first = World::new();
    let (block, _) = first.propose_at(START + 1, 0);
    let other = Verified::<Block>::assemble(block.header.clone(), vec![], vec![], of_this);
    assert_eq!(
        first.ledger.execute(&other).unwrap_err(),
        InvalidBlock::PreviousCommit
    );
    world.waiting.clear();
}

/// L-4: the order of operations. L-5: the sequence of an agent, the swarm (W-5) and the signer.
#[test]
fn l4_operations_stand_in_canonical_order_and_continue_the_sequences() {
    let (mut world, block) = world_and_block();
    let commit = world.last_commit.clone();
    let mut sorted = world.waiting.clone();
    sorted.sort_by_key(|operation| operation.payload.order());
    let skipped = world.sign(&key(1), nothing());
    let ahead = world.sign(&key(1), nothing());
    let verdict = |operations: Vec<Verified<SignedOperation>>| {
        let leaves: Vec<_> = operations
            .iter()
            .map(|operation| cbor::encode(&**operation))
            .collect();
        let header = Header {
            operations: merkle::root(&leaves),
            ..block.header.clone()
        };
        world
            .ledger
            .execute(&rebuilt(operations, header, commit.clone()))
            .unwrap_err()
    };
    let reordered = |change: &dyn Fn(&mut Vec<Verified<SignedOperation>>)| {
        let mut operations = sorted.clone();
        change(&mut operations);
        operations
    };
    let swapped = verdict(reordered(&|operations| operations.swap(0, 1)));
    assert!(matches!(swapped, InvalidBlock::OperationOrder(_)));
    let doubled = verdict(reordered(&|operations| {
        operations.insert(0, operations[0].clone())
    }));
    assert_eq!(doubled, InvalidBlock::OperationOrder(1));
    let gap = verdict(reordered(&|operations| {
        operations.push(ahead.clone());
        operations.sort_by_key(|operation| operation.payload.order());
    }));
    let agent = key(1).public_key();
    let expected = skipped.payload.sequence;
    assert_eq!(
        gap,
        InvalidBlock::Sequence {
            agent,
            expected,
            found: expected + 1
        }
    );
    let replayed = key(1).sign(Operation {
        sequence: 0,
        ..ahead.payload.clone()
    });
    let replay = verdict(vec![replayed]);
    assert_eq!(
        replay,
        InvalidBlock::Sequence {
            agent,
            expected: 1,
            found: 0
        }
    );
    let foreign = Operation {
        swarm: SwarmId([5; 32]),
        ..ahead.payload.clone()
    };
    assert_eq!(
        verdict(vec![key(1).sign(foreign)]),
        InvalidBlock::OperationSwarm(0)
    );
    let borrowed = key(2).sign(ahead.payload.clone());
    assert_eq!(verdict(vec![borrowed]), InvalidBlock::OperationSwarm(0));
}

#[test]
fn l10_a_stranger_enters_only_by_an_attestation_that_admits_it() {
    let mut world = World::with_drones([]);
    let nine = key(9);
    let good = world.attestation(nine.public_key(), drone(1));
    let foreign = world.attestation(key(8).public_key(), drone(1));
    let mut forged = good.clone();
    forged.alter(|parts| parts.payload.capabilities = drone(7));
    let admit = |attestation: &Attestation| {
        OperationBody::Admit(Attest {
            attestation: attestation.clone(),
        })
    };
    let table = [
        (nothing(), false),
        (
            OperationBody::Attest(Attest {
                attestation: good.clone(),
            }),
            false,
        ),
        (admit(&foreign), false),
        (admit(&forged), false),
        (admit(&good), true),
    ];
    for (body, enters) in table {
        let operation = Operation {
            swarm: world.ledger.swarm(),
            agent: nine.public_key(),
            sequence: 0,
            body,
        };
        world.waiting = vec![nine.sign(operation)];
        let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
        assert_eq!(block.operations.len(), usize::from(enters));
        let leaves: Vec<_> = world
            .waiting
            .iter()
            .map(|one| cbor::encode(&**one))
            .collect();
        let header = Header {
            operations: merkle::root(&leaves),
            ..block.header.clone()
        };
        let forced = rebuilt(world.waiting.clone(), header, world.last_commit.clone());
        let expected = InvalidBlock::Stranger(nine.public_key());
        match world.ledger.execute(&forced) {
            Ok(_) => assert!(enters),
            Err(error) => assert_eq!((error, enters), (expected, false)),
        }
    }
    let mut closed = genesis();
    closed.admission = genesis::Admission::Closed;
    let mut world = World::with(closed);
    world.admit(9, drone(1));
    assert!(world.propose_at(START + 1, 0).0.operations.is_empty());
}

#[test]
fn a_stranger_may_say_more_in_the_block_that_admits_it() {
    let mut world = World::new();
    world.admit(50, Capabilities::new());
    let task = world.submit(vec![spec("spot")])[0];
    world.step();
    assert_eq!(world.state_of(task), "open");
    assert_eq!(world.ledger.next_sequence(&key(50).public_key()), 2);
}

/// Evidence against a validator: two prevotes at `height` that conflict.
fn evidence(ledger: &Ledger, by: u8, height: Height) -> Verified<Evidence> {
    let statement = |block| Statement {
        swarm: ledger.swarm(),
        height,
        round: 3,
        kind: Kind::Prevote,
        block,
        validators: ledger.validators().hash(),
        pol_round: None,
    };
    let signed = |block| validator(by).sign_statement(statement(block));
    Verified::<Evidence>::from_pair(&signed(None), &signed(Some(BlockId([1; 32])))).unwrap()
}

fn propose_with(world: &World, evidence: Vec<Verified<Evidence>>) -> Verified<Block> {
    let height = world.ledger.height() + 1;
    let proposal = Proposal {
        block_time: world.ledger.block_time() + STEP,
        builder: world.ledger.proposers().proposer(height, 0),
        missed_turns: 0,
        previous_commit: world.last_commit.clone(),
        operations: vec![],
        evidence,
    };
    world.ledger.propose(proposal).0
}

#[test]
fn l20_equivocation_costs_the_power_two_heights_later_and_once() {
    let mut world = World::new();
    world.step();
    let culprit = validator(1).public_key();
    let pair = evidence(&world.ledger, 1, 1);
    let block = propose_with(&world, vec![pair.clone(), pair.clone()]);
    assert_eq!(block.evidence.len(), 1);
    let committed = world.decide(block);
    let decided = committed.validators.unwrap();
    assert!(decided.get(&culprit).is_none() && decided.len() == 3);
    // N-25: it is decided at height 2, so the culprit still votes on height 3, but not on 4.
    assert!(world.ledger.validators().get(&culprit).is_some());
    assert_eq!(world.ledger.next_validators(), &decided);
    assert!(propose_with(&world, vec![pair.clone()]).evidence.is_empty());
    let leaves = [cbor::encode(&*pair)];
    let header = propose_with(&world, vec![]).header.clone();
    let header = Header {
        evidence: merkle::root(&leaves),
        ..header
    };
    let commit = world.last_commit.clone();
    let again = Verified::<Block>::assemble(header, vec![], vec![pair], commit);
    let error = EvidenceError::Convicted(culprit);
    let expected = InvalidBlock::Evidence { index: 0, error };
    assert_eq!(world.ledger.execute(&again).unwrap_err(), expected);
    world.step();
    assert_eq!(world.ledger.validators(), &decided);
    assert!(world.ledger.previous_validators().get(&culprit).is_some());
}

#[test]
fn evidence_of_the_future_of_strangers_and_of_other_sets_is_left_out() {
    let world = World::new();
    assert_eq!(
        propose_with(&world, vec![evidence(&world.ledger, 0, 1)])
            .evidence
            .len(),
        1
    );
    assert!(
        propose_with(&world, vec![evidence(&world.ledger, 0, 2)])
            .evidence
            .is_empty()
    );
    assert!(
        propose_with(&world, vec![evidence(&world.ledger, 9, 1)])
            .evidence
            .is_empty()
    );
    let mut other = genesis();
    other.name = label("other");
    let other = Ledger::genesis(other).unwrap();
    assert!(
        propose_with(&world, vec![evidence(&other, 0, 1)])
            .evidence
            .is_empty()
    );
}

#[test]
fn l20_the_last_validator_is_convicted_but_never_removed() {
    let mut genesis = genesis();
    let one = genesis.validators.iter().next().unwrap().clone();
    let number = (0..4)
        .find(|number| validator(*number).public_key() == one.key)
        .unwrap();
    genesis.validators = ValidatorSet::new(vec![one]).unwrap();
    let mut world = World::with(genesis);
    let block = propose_with(&world, vec![evidence(&world.ledger, number, 1)]);
    assert_eq!(block.evidence.len(), 1);
    let execution = world.ledger.execute(&block).unwrap();
    assert!(world.ledger.commit(execution).unwrap().validators.is_none());
    assert_eq!(world.ledger.next_validators().len(), 1);
}

#[test]
fn l21_who_misses_three_turns_in_a_row_is_benched_with_back_off_and_never_a_third() {
    let mut world = World::new();
    let silent = validator(0).public_key();
    let round_without = |world: &World, silent: &[PublicKey]| {
        let height = world.ledger.height() + 1;
        let proposer = |round| world.ledger.proposers().proposer(height, round);
        (0..20)
            .find(|round| !silent.contains(&proposer(*round)))
            .unwrap()
    };
    let mut misses = 0;
    let mut benched_at = 0;
    for _ in 0..16 {
        let height = world.ledger.height() + 1;
        misses += u32::from(world.ledger.proposers().proposer(height, 0) == silent);
        let round = round_without(&world, &[silent]);
        let (block, _) = world.propose_at(world.ledger.block_time() + STEP, round);
        world.decide(block);
        if world.ledger.benched().contains(&silent) {
            benched_at = world.ledger.height();
            break;
        }
    }
    assert_eq!(misses, 3);
    // A second silent validator is not benched: two of four would be more than a third.
    let other = validator(1).public_key();
    while world.ledger.benched().contains(&silent) {
        let round = round_without(&world, &[silent, other]);
        let (block, _) = world.propose_at(world.ledger.block_time() + STEP, round);
        world.decide(block);
        assert!(world.ledger.benched().len() <= 1);
    }
    assert_eq!(world.ledger.height(), benched_at + 16);
    for _ in 0..4 {
        world.step();
    }
    assert!(world.ledger.benched().is_empty());
}

#[test]
fn an_execution_of_another_parent_is_not_committed() {
    let mut world = World::new();
    let (block, early) = world.propose_at(START + 1, 0);
    let (_, rival) = world.propose_at(START + 2, 0);
    world.decide(block);
    let before = world.ledger.state_root();
    assert!(world.ledger.commit(early).is_err() && world.ledger.commit(rival).is_err());
    assert_eq!(world.ledger.state_root(), before);
}

/// L-6: the ledger refuses a block that costs too much, so what it proposes here costs less.
#[test]
fn l6_a_proposal_stays_within_bytes_cost_and_count_and_keeps_sequences_whole() {
    let mut world = World::with_drones([1]);
    let mut large = spec("spot");
    large.payload = cose::Owned(vec![7; limits::TASK_PAYLOAD_BYTES]);
    let requester = key(50).public_key();
    let first = world.ledger.account(&requester).unwrap().next_task;
    for number in 0..90 {
        let tasks = vec![large.clone(); 15];
        let submit = operation::Submit {
            first: first + number * 15,
            tasks,
        };
        world.say(&key(50), OperationBody::Submit(submit));
    }
    world.say(&key(1), nothing());
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
    assert!(cbor::encode(&*block).len() <= limits::BLOCK_BYTES);
    let of = |agent| {
        block
            .operations
            .iter()
            .filter(|one| one.signer == agent)
            .count()
    };
    assert_eq!(of(key(1).public_key()), 1);
    assert!((60..90).contains(&of(requester)), "{}", of(requester));
    world.decide(block);
    for _ in 0..5000 {
        world.say(&key(1), nothing());
    }
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
    assert!(block.operations.len() > 2000);
    world.decide(block);
}

#[test]
fn c15_state_proofs_show_what_stands_and_what_does_not() {
    let mut world = World::with_drones([1]);
    let (task, _) = world.assigned(1);
    let root = world.ledger.state_root();
    for known in [
        Key::Task(task),
        Key::Account(key(1).public_key()),
        Key::Committee,
    ] {
        let (value, proof) = (world.ledger.entry_bytes(&known), world.ledger.prove(&known));
        assert!(value.is_some());
        let name = cbor::encode(&known);
        assert!(quorate_crypto::map::verify(
            &root,
            &name,
            value.as_deref(),
            &proof
        ));
    }
    let unknown = Key::Task(TaskId { number: 77, ..task });
    let proof = world.ledger.prove(&unknown);
    assert!(world.ledger.entry_bytes(&unknown).is_none());
    assert!(quorate_crypto::map::verify(
        &root,
        &cbor::encode(&unknown),
        None,
        &proof
    ));
}
