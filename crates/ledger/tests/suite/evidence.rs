//! Bad blocks as evidence (L-22): what convicts a builder, and that nothing convicts a correct one.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use crate::common::*;
use quorate_crypto::{SecretKey, Verified, merkle, verify_evidence};
use quorate_ledger::{EvidenceError, InvalidBlock, Ledger, Proposal};
use quorate_types::operation::{OperationBody, Withdraw};
use quorate_types::*;

/// An operation whose meaning does not matter.
fn nothing() -> OperationBody {
    OperationBody::Withdraw(Withdraw {
        market: label("spot"),
    })
}

fn secret_of(public: PublicKey) -> SecretKey {
    (0..4)
        .map(validator)
        .find(|secret| secret.public_key() == public)
        .unwrap()
}

/// The proposal that the builder of a block signs.
fn proposal_of(header: &Header) -> Statement {
    Statement {
        swarm: header.swarm,
        height: header.height,
        round: header.missed_turns,
        kind: Kind::Proposal,
        block: Some(header.id()),
        validators: header.validators,
        pol_round: None,
    }
}

/// The block with a header that binds its operations, its evidence and its commit.
fn bound(mut block: Block) -> Block {
    let operations: Vec<_> = block.operations.iter().map(cbor::encode).collect();
    let evidence: Vec<_> = block.evidence.iter().map(cbor::encode).collect();
    block.header.operations = merkle::root(&operations);
    block.header.evidence = merkle::root(&evidence);
    let commit = block.previous_commit.as_ref();
    block.header.previous_commit = commit.map_or(Hash::ZERO, CommitProof::hash);
    block
}

/// Changes the certificate that is the block's commit of the block before.
fn change_commit(block: &mut Block, change: impl FnOnce(&mut QuorumCertificate)) {
    let mut certificate = block.previous_commit.take().unwrap().into_certificate();
    change(&mut certificate);
    block.previous_commit = Some(certificate.into());
}

/// Evidence that accuses the builder of the block, whether or not the block is bad.
fn accusation(block: Block) -> Verified<Evidence> {
    let signed = secret_of(block.header.builder).sign_statement(proposal_of(&block.header));
    let evidence = Evidence::bad_block(signed.into_inner(), block).unwrap();
    verify_evidence(evidence).unwrap()
}

/// A world whose next block holds operations of two agents, and that block.
fn world_and_block() -> (World, Block) {
    let mut world = World::with_drones([1, 2]);
    world.submit(vec![spec("spot")]);
    world.step();
    for by in [1, 2, 1] {
        world.say(&key(by), nothing());
    }
    let (block, _) = world.propose_at(world.ledger.block_time() + STEP, 0);
    (world, block.into_inner())
}

fn wrong_root(mut block: Block) -> Block {
    block.header.state.0[0] ^= 1;
    block
}

fn propose_with(world: &World, evidence: Vec<Verified<Evidence>>) -> Verified<Block> {
    let height = world.ledger.height() + 1;
    let proposal = Proposal {
        block_time: world.ledger.block_time() + STEP,
        builder: world.ledger.proposers().proposer(height, 0),
        missed_turns: 0,
        previous_commit: world.last_commit.clone(),
        operations: world.waiting.clone(),
        evidence,
    };
    world.ledger.propose(proposal).0
}

/// Forces this evidence into the next block, with all operations that wait. Returns the error.
fn forced(world: &World, evidence: Vec<Verified<Evidence>>) -> InvalidBlock {
    let header = propose_with(world, vec![]).header.clone();
    let leaves: Vec<_> = evidence
        .iter()
        .map(|evidence| cbor::encode(&**evidence))
        .collect();
    let header = Header {
        evidence: merkle::root(&leaves),
        ..header
    };
    let mut operations = world.waiting.clone();
    operations.sort_by_key(|operation| operation.payload.order());
    let commit = world.last_commit.clone();
    let block = Verified::<Block>::assemble(header, operations, evidence, commit);
    world.ledger.execute(&block).unwrap_err()
}

#[test]
fn l22_each_rule_that_a_builder_breaks_by_himself_convicts_him() {
    let (mut world, block) = world_and_block();
    let gap = {
        let _ = world.sign(&key(2), nothing());
        world.sign(&key(2), nothing()).into_inner()
    };
    let stranger = world.sign(&key(9), nothing()).into_inner();
    let said = key(1).sign(Operation {
        swarm: SwarmId([5; 32]),
        ..gap.payload.clone()
    });
    let statement = Statement {
        kind: Kind::Prevote,
        ..proposal_of(&block.header)
    };
    let pair = |by: u8| {
        let other = Statement {
            block: None,
            ..statement.clone()
        };
        let sign = |statement| validator(by).sign_statement(statement).into_inner();
        Evidence::new(sign(statement.clone()), sign(other)).unwrap()
    };
    type Change<'a> = &'a dyn Fn(&mut Block);
    let table: [(&str, Change<'_>); 19] = [
        ("block time", &|b| {
            b.header.block_time = b.header.block_time.saturating_sub(STEP)
        }),
        ("active time", &|b| b.header.active_time += 1),
        ("next set", &|b| b.header.next_validators.0[0] ^= 1),
        ("parameters", &|b| b.header.parameters.0[0] ^= 1),
        ("outcomes", &|b| b.header.outcomes.0[0] ^= 1),
        ("state", &|b| b.header.state.0[0] ^= 1),
        ("no commit", &|b| b.previous_commit = None),
        ("commit of another round's statement", &|b| {
            change_commit(b, |commit| commit.statement.round += 1);
        }),
        ("commit of too few", &|b| {
            change_commit(b, |commit| commit.votes.truncate(2))
        }),
        ("order", &|b| b.operations.swap(0, 1)),
        ("a gap", &|b| b.operations.push(gap.clone())),
        ("a stranger", &|b| b.operations.push(stranger.clone())),
        ("another swarm's operation", &|b| {
            b.operations.push((*said).clone())
        }),
        ("an operation left out", &|b| drop(b.operations.pop())),
        ("a forged operation", &|b| {
            b.operations[0].alter(|parts| parts.signature.0[0] ^= 1)
        }),
        ("another's operation", &|b| {
            b.operations[0].alter(|parts| parts.signer = key(7).public_key())
        }),
        ("evidence against a stranger", &|b| b.evidence.push(pair(9))),
        ("evidence twice", &|b| b.evidence = vec![pair(1), pair(1)]),
        ("evidence with a forged vote", &|b| {
            let Evidence::Conflict(mut forged) = pair(1) else {
                return;
            };
            forged.first.signature = forged.second.signature;
            b.evidence.push(Evidence::Conflict(forged));
        }),
    ];
    for (name, change) in table {
        let mut bad = block.clone();
        change(&mut bad);
        assert_eq!(
            world.ledger.judge(&accusation(bound(bad))),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn l22_a_correct_builder_is_convicted_by_nothing() {
    let (world, block) = world_and_block();
    let id = block.header.id();
    let valid = accusation(block.clone());
    assert_eq!(world.ledger.admits_evidence(&valid), Ok(()));
    assert_eq!(world.ledger.judge(&valid), Err(EvidenceError::Valid(id)));
    // A block is valid on its own parent, and not judged if another parent was decided.
    let (rival, _) = world.propose_at(world.ledger.block_time() + 2 * STEP, 0);
    let (mut fork, mut other) = (world.clone(), world.clone());
    fork.decide(rival);
    other.decide(propose_with(&world, vec![]));
    let (child, _) = other.propose_at(other.ledger.block_time() + STEP, 0);
    let (parent, child_id) = (child.header.previous, child.header.id());
    let child = accusation(child.into_inner());
    assert_eq!(
        other.ledger.judge(&child),
        Err(EvidenceError::Valid(child_id))
    );
    assert_eq!(
        fork.ledger.judge(&child),
        Err(EvidenceError::Parent(parent))
    );
    // The block that lost to the rival is valid too.
    assert_eq!(fork.ledger.judge(&valid), Err(EvidenceError::Valid(id)));
    let index = 0;
    let expected = InvalidBlock::Evidence {
        index,
        error: EvidenceError::Valid(id),
    };
    assert_eq!(forced(&world, vec![valid.clone()]), expected);
    assert!(propose_with(&world, vec![valid]).evidence.is_empty());
}

/// The accusation that the block would be if a key outside the committee had built it.
fn built_by_a_stranger(bad: &Block) -> Evidence {
    let header = Header {
        builder: key(9).public_key(),
        ..bad.header.clone()
    };
    let signed = key(9).sign_statement(Statement {
        block: Some(header.id()),
        ..proposal_of(&bad.header)
    });
    let block = Block {
        header,
        ..bad.clone()
    };
    Evidence::bad_block(signed.into_inner(), block).unwrap()
}

#[test]
fn l22_each_reason_to_convict_nobody_has_its_error() {
    let (mut world, block) = world_and_block();
    let bad = wrong_root(block.clone());
    let culprit = bad.header.builder;
    let true_one = accusation(bad.clone());
    assert_eq!(world.ledger.judge(&true_one), Ok(()));
    let verdict = |block: Block| world.ledger.judge(&accusation(block)).unwrap_err();
    let with = |change: &dyn Fn(&mut Block)| {
        let mut block = bad.clone();
        change(&mut block);
        bound(block)
    };
    let Evidence::BadBlock(mut formless) = (*true_one).clone() else {
        unreachable!()
    };
    formless.proposal.statement.pol_round = Some(0);
    let formless = Evidence::BadBlock(formless);
    assert_eq!(world.ledger.judge(&formless), Err(EvidenceError::Form));
    let error = verdict(with(&|b| b.header.swarm.0[0] ^= 1));
    assert_eq!(error, EvidenceError::Swarm);
    let height = bad.header.height;
    assert_eq!(
        verdict(with(&|b| b.header.height += 1)),
        EvidenceError::Height(height + 1)
    );
    assert_eq!(
        verdict(with(&|b| b.header.height = 0)),
        EvidenceError::Height(0)
    );
    let error = verdict(with(&|b| b.header.validators.0[0] ^= 1));
    assert_eq!(error, EvidenceError::Validators);
    assert_eq!(
        verdict(with(&|b| b.header.version = 2)),
        EvidenceError::Version(2)
    );
    // L-23: another version has other rules, so a signature that does not hold by the rules of this
    // version convicts nobody.
    let error = verdict(with(&|b| {
        b.header.version = 0;
        b.operations[0].alter(|parts| parts.signature.0[0] ^= 1);
    }));
    assert_eq!(error, EvidenceError::Version(0));
    let error = verdict(with(&|b| b.header.previous.0[0] ^= 1));
    assert!(matches!(error, EvidenceError::Parent(_)));
    let inner = (*true_one).clone();
    assert_eq!(
        verdict(with(&|b| b.evidence.push(inner.clone()))),
        EvidenceError::Nested
    );
    let filler = key(1).sign(Operation {
        swarm: world.ledger.swarm(),
        agent: key(1).public_key(),
        sequence: 1 << 40,
        body: OperationBody::Submit(operation::Submit {
            first: 0,
            tasks: vec![large_task(); 15],
        }),
    });
    let error = verdict(with(&|b| b.operations = vec![(*filler).clone(); 20]));
    assert!(matches!(error, EvidenceError::TooLong(bytes) if bytes > limits::BAD_BLOCK_BYTES));
    let small = key(1).sign(Operation {
        body: nothing(),
        ..filler.payload.clone()
    });
    let error = verdict(with(&|b| b.operations = vec![(*small).clone(); 3000]));
    assert!(matches!(error, EvidenceError::Cost(cost) if cost > limits::BLOCK_COST / 2));
    let stranger = built_by_a_stranger(&bad);
    let error = EvidenceError::Stranger(key(9).public_key());
    assert_eq!(world.ledger.judge(&stranger), Err(error));
    let second = with(&|b| b.header.builder = another(culprit));
    let mut both = vec![true_one.clone(), accusation(second)];
    both.sort_by(|a, b| Evidence::cmp(a, b));
    assert_eq!(propose_with(&world, both.clone()).evidence.len(), 1);
    let expected = InvalidBlock::Evidence {
        index: 1,
        error: EvidenceError::Second,
    };
    assert_eq!(forced(&world, both), expected);
    world.decide(propose_with(&world, vec![true_one.clone()]));
    let error = EvidenceError::Convicted(culprit);
    assert_eq!(world.ledger.judge(&true_one), Err(error));
}

fn large_task() -> TaskSpec {
    let mut large = spec("spot");
    large.payload = cose::Owned(vec![7; limits::TASK_PAYLOAD_BYTES]);
    large
}

fn another(than: PublicKey) -> PublicKey {
    (0..4)
        .map(|number| validator(number).public_key())
        .find(|key| *key != than)
        .unwrap()
}

#[test]
fn l20_a_bad_block_costs_the_power_two_heights_later_and_once() {
    let (mut world, block) = world_and_block();
    let culprit = block.header.builder;
    let bad = accusation(wrong_root(block));
    let carrier = propose_with(&world, vec![bad.clone(), bad.clone()]);
    assert_eq!(carrier.evidence.len(), 1);
    let committed = world.decide(carrier);
    let decided = committed.validators.unwrap();
    assert!(decided.get(&culprit).is_none() && decided.len() == 3);
    assert!(world.ledger.validators().get(&culprit).is_some());
    assert_eq!(world.ledger.next_validators(), &decided);
    assert!(propose_with(&world, vec![bad.clone()]).evidence.is_empty());
    let error = EvidenceError::Convicted(culprit);
    assert_eq!(
        forced(&world, vec![bad]),
        InvalidBlock::Evidence { index: 0, error }
    );
    world.step();
    assert_eq!(world.ledger.validators(), &decided);
}

/// The blocks hold tasks, bids, clearings, expiries and a conviction. Each block, and a bad variant
/// of it, gets the same verdict at every height at which it may be judged.
#[test]
fn l22_a_verdict_is_the_same_as_long_as_it_may_be_asked_for() {
    let mut world = World::with_drones([1, 2]);
    let mut blocks: Vec<Block> = Vec::new();
    let mut ledgers: Vec<Ledger> = Vec::new();
    for round in 0..24 {
        let task = world.submit(vec![
            spec("spot"),
            TaskSpec {
                deadline: Some(world.ledger.block_time() + 3 * STEP),
                ..spec("drones")
            },
        ])[0];
        if round % 3 == 1 {
            world.bid(
                1,
                "spot",
                &[(
                    TaskId {
                        number: task.number - 2,
                        ..task
                    },
                    5 + round,
                )],
            );
        }
        let evidence = match round {
            12 => vec![accusation(wrong_root(
                propose_with(&world, vec![]).into_inner(),
            ))],
            _ => vec![],
        };
        let block = propose_with(&world, evidence);
        blocks.push((*block).clone());
        world.decide(block);
        ledgers.push(world.ledger.clone());
        for (at, block) in blocks.iter().enumerate() {
            check_verdicts(&world.ledger, block, blocks.len() - at);
        }
    }
    // A ledger that is held as a snapshot still gives the same verdicts.
    for (at, ledger) in ledgers.iter().enumerate() {
        check_verdicts(ledger, &blocks[at], 1);
        assert!(ledger.index_is_consistent());
    }
}

/// Checks the verdicts on a decided block and a bad variant of it, `ago` heights before the next.
fn check_verdicts(ledger: &Ledger, block: &Block, ago: usize) {
    let header = &block.header;
    let (good, bad) = (
        accusation(block.clone()),
        accusation(wrong_root(block.clone())),
    );
    let convicted = !ledger
        .validators()
        .iter()
        .any(|one| one.key == header.builder)
        || !ledger
            .next_validators()
            .iter()
            .any(|one| one.key == header.builder);
    let expected = if convicted {
        [Err(EvidenceError::Convicted(header.builder)); 2]
    } else if carries_accusation(block) {
        [Err(EvidenceError::Nested); 2]
    } else if ago as u64 > limits::BAD_BLOCK_HEIGHTS {
        [Err(EvidenceError::Expired(header.height)); 2]
    } else {
        [Err(EvidenceError::Valid(header.id())), Ok(())]
    };
    assert_eq!(
        [ledger.judge(&good), ledger.judge(&bad)],
        expected,
        "{} {ago}",
        header.height
    );
}

fn carries_accusation(block: &Block) -> bool {
    block
        .evidence
        .iter()
        .any(|evidence| matches!(evidence, Evidence::BadBlock(_)))
}

#[test]
fn l6_an_accused_block_takes_the_room_of_the_one_that_carries_it() {
    let mut world = World::with_drones([1]);
    let task = world.submit(vec![spec("spot")])[0];
    world.step();
    world.bid(1, "spot", &[(task, 5)]);
    world.step();
    let clears = |block: &Verified<Block>, world: &World| {
        world.ledger.execute(block).unwrap().outcomes().len() > 1
    };
    while !clears(&propose_with(&world, vec![]), &world) {
        world.step();
    }
    for _ in 0..1300 {
        world.say(&key(50), nothing());
    }
    let bad = accusation(wrong_root(propose_with(&world, vec![]).into_inner()));
    assert!(matches!(
        forced(&world, vec![bad.clone()]),
        InvalidBlock::Cost(_)
    ));
    let carrier = propose_with(&world, vec![bad]);
    assert_eq!(carrier.evidence.len(), 1);
    assert!(
        (1100..1300).contains(&carrier.operations.len()),
        "{}",
        carrier.operations.len()
    );
    // Nothing is cleared beside the bad block. The window clears in the next block.
    let committed = world.decide(carrier);
    assert!(committed.dossiers.is_empty());
    assert_eq!(world.step().dossiers.len(), 1);
}
