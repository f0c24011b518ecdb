//! How evidence is found, kept and passed on: what a correct node never signs, which members it
//! listens to, and which evidence it sends again.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::rc::Rc;

use crate::common::{Cluster, key};
use quorate_crypto::{SecretKey, merkle};
use quorate_types::message::PeerMessage;
use quorate_types::{
    Block, BlockId, Evidence, Header, Kind, PublicKey, SignedStatement, Statement, cbor,
};

/// Milliseconds for which a node does not listen to a member that said something false.
const DISTRUST: u64 = 10_000;

fn wrong_root(mut block: Block) -> Block {
    block.header.state.0[0] ^= 1;
    block
}

fn key_of(public: PublicKey) -> SecretKey {
    (1..=4)
        .map(key)
        .find(|key| key.public_key() == public)
        .unwrap()
}

fn index_of(cluster: &Cluster, public: PublicKey) -> usize {
    cluster
        .nodes
        .iter()
        .position(|node| node.key.public_key() == public)
        .unwrap()
}

fn proposal(header: &Header) -> SignedStatement {
    let statement = Statement {
        swarm: header.swarm,
        height: header.height,
        round: header.missed_turns,
        kind: Kind::Proposal,
        block: Some(header.id()),
        validators: header.validators,
        pol_round: None,
    };
    key_of(header.builder)
        .sign_statement(statement)
        .into_inner()
}

/// Evidence that accuses the builder of the block, whether or not the block is bad.
fn accusation(block: Block) -> Evidence {
    Evidence::bad_block(proposal(&block.header), block).unwrap()
}

fn precommit(
    cluster: &Cluster,
    by: &SecretKey,
    height: u64,
    block: Option<BlockId>,
) -> SignedStatement {
    let statement = Statement {
        swarm: cluster.genesis.swarm_id(),
        height,
        round: 0,
        kind: Kind::Precommit,
        block,
        validators: cluster.genesis.validators.hash(),
        pol_round: None,
    };
    by.sign_statement(statement).into_inner()
}

fn evidence(piece: &Evidence) -> PeerMessage {
    PeerMessage::Evidence(Box::new(piece.clone()))
}

/// The decided blocks, the latest first.
fn latest(cluster: &Cluster) -> Vec<Block> {
    cluster.nodes[0]
        .disk
        .blocks
        .iter()
        .rev()
        .map(|(block, _)| block.clone())
        .collect()
}

/// All evidence in the blocks that a node holds.
fn committed(cluster: &Cluster, at: usize) -> Vec<Evidence> {
    let blocks = cluster.nodes[at].disk.blocks.iter();
    blocks
        .flat_map(|(block, _)| block.evidence.clone())
        .collect()
}

fn all_at(cluster: &mut Cluster, height: u64) {
    cluster.until(400_000, |c| {
        (0..4).all(|at| c.ledger(at).height() >= height)
    });
}

#[test]
fn n8_a_builder_whose_memory_errs_does_not_propose_what_it_built() {
    let mut cluster = Cluster::new(4);
    cluster.errs = Some(0);
    all_at(&mut cluster, 6);
    let fresh = |cluster: &Cluster| {
        let said = cluster.nodes[0].spoken.values();
        said.filter(|said| said.kind == Kind::Proposal && said.pol_round.is_none())
            .count()
    };
    assert_eq!(fresh(&cluster), 0);
    assert!(
        cluster.nodes[0].replica.counters().blocks_invalid > 0,
        "it had its turns"
    );
    for at in 0..4 {
        assert!(committed(&cluster, at).is_empty());
        assert_eq!(cluster.ledger(at).next_validators().len(), 4);
        assert_eq!(cluster.nodes[at].replica.counters().evidence, 0);
    }
    cluster.errs = None;
    let me = key(1).public_key();
    cluster.until(400_000, |c| {
        latest(c).iter().any(|block| block.header.builder == me)
    });
    cluster.assert_agreement();
}

#[test]
fn an_operation_that_was_checked_vouches_for_no_other_signature_of_it() {
    let mut cluster = Cluster::new(4);
    cluster.lost = Box::new(|_, _| true);
    let admission = cluster.admission(&key(50), &[]);
    let (first, second) = (admission.clone(), {
        let mut forged = admission.clone();
        forged.alter(|parts| parts.signature.0[0] ^= 1);
        forged
    });
    let builder = cluster.ledger(0).proposers().proposer(1, 0);
    let hearer = (0..4)
        .find(|at| cluster.nodes[*at].key.public_key() != builder)
        .unwrap();
    cluster.submit(hearer, admission);
    assert_eq!(cluster.nodes[hearer].replica.pool_len(), 1);
    let ledger = cluster.ledger(hearer);
    let operations = vec![first, second];
    let leaves: Vec<_> = operations.iter().map(cbor::encode).collect();
    let header = Header {
        version: quorate_types::PROTOCOL_VERSION,
        swarm: ledger.swarm(),
        height: 1,
        active_time: quorate_types::ActiveMillis::ZERO,
        block_time: cluster.now,
        previous: ledger.last_block(),
        previous_commit: quorate_types::Hash::ZERO,
        validators: ledger.validators().hash(),
        next_validators: ledger.next_validators().hash(),
        parameters: cluster.genesis.parameters_hash(),
        builder,
        missed_turns: 0,
        operations: merkle::root(&leaves),
        state: quorate_types::Hash::ZERO,
        outcomes: quorate_types::Hash::ZERO,
        evidence: merkle::root::<Vec<u8>>(&[]),
    };
    let block = Block {
        header,
        operations,
        evidence: vec![],
        previous_commit: None,
    };
    let teller = index_of(&cluster, builder);
    cluster.say(teller, hearer, PeerMessage::Block(Box::new(block)));
    let counters = cluster.nodes[hearer].replica.counters();
    assert_eq!(
        (counters.unauthentic, counters.blocks_dropped),
        (1, 0),
        "the forged operation makes the block unauthentic"
    );
}

/// Evidence of a spoiled block, the node that is told of it, and the node that tells it. Neither is
/// the culprit.
fn accused(cluster: &mut Cluster) -> (Evidence, usize, usize) {
    all_at(cluster, 5);
    let height = latest(cluster)[0].header.height;
    all_at(cluster, height);
    let bad = accusation(wrong_root(latest(cluster)[0].clone()));
    let builder = index_of(cluster, bad.culprit());
    let next = index_of(
        cluster,
        cluster.ledger(0).proposers().proposer(height + 1, 0),
    );
    let mut others = (0..4).filter(|at| ![builder, next].contains(at));
    (bad, others.next().unwrap(), others.next().unwrap())
}

#[test]
fn n24_a_conflict_takes_the_place_of_a_bad_block_and_no_bad_block_that_of_a_conflict() {
    let mut cluster = Cluster::new(4);
    let (bad, hearer, teller) = accused(&mut cluster);
    let culprit = key_of(bad.culprit());
    let (nil, some) = (None, Some(BlockId([1; 32])));
    let vote = |block| precommit(&cluster, &culprit, bad.height(), block);
    let pair = Evidence::new(vote(nil), vote(some)).unwrap();
    let seen = |cluster: &Cluster| cluster.nodes[hearer].replica.counters().evidence;
    cluster.lost = Box::new(|_, _| true);
    for (piece, expected) in [(&bad, 1), (&bad, 1), (&pair, 2), (&pair, 2), (&bad, 2)] {
        cluster.say(teller, hearer, evidence(piece));
        assert_eq!(seen(&cluster), expected);
    }
    cluster.lost = Box::new(|_, _| false);
    cluster.until(400_000, |c| {
        c.ledger(0).validators().get(&bad.culprit()).is_none()
    });
    assert_eq!(committed(&cluster, 0), [pair]);
}

#[test]
fn a_member_that_accused_falsely_is_heard_again_after_a_while_and_not_before() {
    let mut cluster = Cluster::new(4);
    let (bad, hearer, teller) = accused(&mut cluster);
    let valid = accusation(latest(&cluster)[0].clone());
    cluster.lost = Box::new(|_, _| true);
    let start = cluster.now;
    cluster.say(teller, hearer, evidence(&valid));
    let table = [(0, 0), (1, 0), (DISTRUST - 1, 0), (DISTRUST, 1)];
    for (after, seen) in table {
        cluster.now = start + after;
        cluster.say(teller, hearer, evidence(&bad));
        assert_eq!(
            cluster.nodes[hearer].replica.counters().evidence,
            seen,
            "after {after} ms"
        );
    }
    assert_eq!(cluster.nodes[hearer].replica.counters().evidence_dropped, 3);
}

#[test]
fn n34_a_member_that_brought_a_false_decided_block_is_heard_again_after_a_while_and_not_before() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    cluster.until(400_000, |c| (0..3).all(|at| c.ledger(at).height() >= 2));
    cluster.lost = Box::new(|_, to| to == 3);
    cluster.restart(3);
    let (block, commit) = cluster.nodes[0].disk.blocks[0].clone();
    let good = quorate_types::message::Decided { block, commit };
    let mut bad = good.clone();
    bad.commit.votes[0].signature.0[0] ^= 1;
    let start = cluster.now;
    let decided = |of: &quorate_types::message::Decided| PeerMessage::Decided(Box::new(of.clone()));
    cluster.say(0, 3, decided(&bad));
    for (after, height) in [(0, 0), (DISTRUST - 1, 0), (DISTRUST, 1)] {
        cluster.now = start + after;
        cluster.say(0, 3, decided(&good));
        assert_eq!(cluster.ledger(3).height(), height, "after {after} ms");
    }
}

#[test]
fn one_bad_block_is_tried_at_a_time_whoever_accuses() {
    let mut cluster = Cluster::new(4);
    let (bad, hearer, teller) = accused(&mut cluster);
    let other = latest(&cluster)
        .into_iter()
        .find(|of| of.header.builder != bad.culprit());
    let other = accusation(wrong_root(other.unwrap()));
    let second = index_of(&cluster, bad.culprit());
    cluster.verify_ms = 20;
    let counts = |cluster: &Cluster| {
        let counters = cluster.nodes[hearer].replica.counters();
        (counters.evidence, counters.evidence_dropped)
    };
    cluster.lost = Box::new(|_, _| true);
    cluster.say(teller, hearer, evidence(&bad));
    cluster.say(second, hearer, evidence(&other));
    cluster.say(teller, hearer, evidence(&other));
    assert_eq!(counts(&cluster), (0, 2));
    cluster.until(1_000, |c| counts(c).0 == 1);
    cluster.say(second, hearer, evidence(&other));
    cluster.until(1_000, |c| counts(c) == (2, 2));
}

#[test]
fn n23_evidence_that_was_lost_on_its_way_is_brought_again_to_later_builders() {
    let mut cluster = Cluster::new(4);
    let (bad, hearer, teller) = accused(&mut cluster);
    let (culprit, accused_at) = (bad.culprit(), bad.height());
    let own = cluster.nodes[hearer].key.public_key();
    let said = Rc::new(Cell::new(0));
    let count = Rc::clone(&said);
    // The hearer keeps the evidence for a block of its own, and the blocks that it builds do not
    // arrive.
    cluster.bend = Box::new(move |from, _, message| {
        let is_own = matches!(&message, PeerMessage::Block(of) if of.header.builder == own);
        if matches!(message, PeerMessage::Evidence(_)) {
            count.set(count.get() + 1);
        }
        (from != hearer || !is_own).then_some(message)
    });
    cluster.say(teller, hearer, evidence(&bad));
    assert_eq!(
        said.get(),
        0,
        "a node that was told leaves it to the teller to tell the others"
    );
    cluster.until(20_000, |c| c.ledger(0).validators().get(&culprit).is_none());
    assert_eq!(committed(&cluster, 0), [bad]);
    let heights = cluster.ledger(0).height() - accused_at;
    assert!(
        said.get() <= heights,
        "{} messages in {heights} heights",
        said.get()
    );
}

#[test]
fn n24_who_votes_otherwise_to_one_than_to_all_others_is_convicted_by_the_next_commit() {
    let mut cluster = Cluster::new(4);
    let next = index_of(&cluster, cluster.ledger(0).proposers().proposer(2, 0));
    let mut others = (0..4).filter(|at| *at != next);
    let (culprit, witness) = (others.next().unwrap(), others.next().unwrap());
    let who = cluster.nodes[culprit].key.public_key();
    // The others decide the first height with the vote of the culprit. The witness has another vote
    // of the culprit, and decides with the votes of the others.
    cluster.bend = Box::new(move |from, to, message| {
        let is_lost = matches!(&message, PeerMessage::Statement(signed)
            if signed.statement.height == 1
                && signed.statement.kind == Kind::Precommit
                && (from == witness || (from, to) == (culprit, witness)));
        (!is_lost).then_some(message)
    });
    let nil = precommit(&cluster, &key_of(who), 1, None);
    let admission = cluster.admission(&key(50), &[]);
    cluster.submit(next, admission);
    cluster.say(culprit, witness, PeerMessage::Statement(nil.clone()));
    cluster.until(10_000, |c| {
        (0..4).all(|at| c.ledger(at).validators().get(&who).is_none())
    });
    let all = committed(&cluster, next);
    assert_eq!(all.len(), 1);
    assert!(all[0].statements().any(|said| *said == nil));
    let (_, commit) = &cluster.nodes[next].disk.blocks[0];
    assert!(
        commit.votes.iter().any(|vote| vote.signer == who),
        "the culprit is among those that decided"
    );
    cluster.assert_agreement();
}
