//! What a hostile or unlucky part of the swarm can do to the rest: each test is an attack that once
//! worked, or a fault that once left a node stuck.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Cluster, START, key};
use quorate_crypto::SecretKey;
use quorate_types::message::PeerMessage;
use quorate_types::cose::Owned;
use quorate_types::operation::{Attest, Submit};
use quorate_types::{
    BlockId, Body, Claims, Evidence, Kind, Statement, SwarmId, TaskSpec, cbor, limits,
};

/// Blocks that an idle swarm makes in this many milliseconds, with some room.
fn idle_blocks(cluster: &Cluster, millis: u64) -> u64 {
    millis / cluster.genesis.parameters.max_block_interval_ms + 2
}

/// An admission on the word of somebody who is no attester.
fn false_admission(cluster: &Cluster, agent: &SecretKey) -> quorate_types::SignedOperation {
    let forger = key(200);
    let claims = Claims {
        issuer: forger.public_key(),
        subject: agent.public_key(),
        audience: cluster.genesis.swarm_id(),
        expires: START / 1000 + 100_000,
        not_before: 0,
        issued_at: 0,
        id: vec![1],
        capabilities: quorate_types::Capabilities::new(),
    };
    let attestation = forger.sign(claims).into_inner();
    cluster.operation(agent, 0, Body::Admit(Attest { attestation }))
}

/// An admission that is good for some milliseconds.
fn brief_admission(cluster: &Cluster, agent: &SecretKey, seconds: u64) -> quorate_types::SignedOperation {
    let claims = Claims {
        issuer: cluster.attester.public_key(),
        subject: agent.public_key(),
        audience: cluster.genesis.swarm_id(),
        expires: cluster.now / 1000 + seconds,
        not_before: 0,
        issued_at: 0,
        id: vec![1],
        capabilities: quorate_types::Capabilities::new(),
    };
    let attestation = cluster.attester.sign(claims).into_inner();
    cluster.operation(agent, 0, Body::Admit(Attest { attestation }))
}

fn votes(
    culprit: &SecretKey,
    swarm: SwarmId,
    height: u64,
    validators: quorate_types::Hash,
) -> Evidence {
    let vote = |block: u8| {
        let statement = Statement {
            swarm,
            height,
            round: 0,
            kind: Kind::Prevote,
            block: Some(BlockId([block; 32])),
            validators,
            pol_round: None,
        };
        culprit.sign_statement(statement).into_inner()
    };
    Evidence::new(vote(1), vote(2)).unwrap()
}

#[test]
fn a_body_whose_contents_are_not_those_of_its_header_stops_nobody() {
    let mut cluster = Cluster::new(4);
    cluster.bend = Box::new(|from, to, mut message| {
        if from == 1 && to == 3 {
            match &mut message {
                PeerMessage::Block(block) => block.operations.clear(),
                PeerMessage::Decided(decided) => decided.block.operations.clear(),
                _ => {}
            }
        }
        Some(message)
    });
    for agent in 50..62 {
        let admission = cluster.admission(&key(agent), &[]);
        cluster.submit(0, admission);
        cluster.until(50_000, |c| c.ledger(3).knows_agent(&key(agent).public_key()));
    }
    cluster.assert_agreement();
}

#[test]
fn a_false_decided_body_stops_nobody_who_catches_up() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    let admission = cluster.admission(&key(50), &[]);
    cluster.submit(0, admission);
    cluster.until(50_000, |c| c.ledger(0).knows_agent(&key(50).public_key()));
    cluster.bend = Box::new(|from, to, mut message| {
        if let (1, 3, PeerMessage::Decided(decided)) = (from, to, &mut message) {
            decided.block.operations.clear();
        }
        Some(message)
    });
    cluster.restart(3);
    cluster.until(50_000, |c| c.ledger(3).knows_agent(&key(50).public_key()));
}

#[test]
fn an_admission_that_no_attester_signed_makes_no_blocks_and_takes_no_room() {
    let mut cluster = Cluster::new(4);
    for seed in 0..20 {
        let operation = false_admission(&cluster, &key(seed + 60));
        cluster.submit(0, operation);
    }
    cluster.run_for(30_000);
    let most = idle_blocks(&cluster, 30_000);
    assert!(cluster.ledger(0).height() <= most, "{} blocks", cluster.ledger(0).height());
    assert!(cluster.nodes.iter().all(|node| node.replica.pool_len() == 0));
}

#[test]
fn an_admission_that_expires_while_it_waits_makes_no_blocks_for_ever() {
    let mut cluster = Cluster::new(4);
    cluster.crash(2);
    cluster.crash(3);
    let operation = brief_admission(&cluster, &key(60), 1);
    cluster.submit(0, operation);
    cluster.run_for(5_000);
    cluster.restart(2);
    cluster.restart(3);
    cluster.run_for(5_000);
    let before = cluster.ledger(0).height();
    cluster.run_for(30_000);
    let most = before + idle_blocks(&cluster, 30_000);
    assert!(cluster.ledger(0).height() <= most, "{} blocks", cluster.ledger(0).height());
    assert!(cluster.nodes.iter().all(|node| node.replica.pool_len() == 0));
}

#[test]
fn an_operation_too_long_for_any_block_is_not_taken() {
    let mut cluster = Cluster::new(4);
    let agent = key(60);
    let admission = cluster.admission(&agent, &[]);
    cluster.submit(0, admission);
    cluster.until(50_000, |c| c.ledger(0).knows_agent(&agent.public_key()));
    let mut spec = TaskSpec::new("jobs".parse().unwrap());
    let mut tasks = vec![spec.clone(); 16];
    let length = |tasks: &[TaskSpec]| {
        let body = Body::Submit(Submit { first: 0, tasks: tasks.to_vec() });
        let signed = cluster.operation(&agent, 1, body);
        (cbor::encode(&signed.payload).len(), signed)
    };
    let size = 4096 - length(&tasks).0 / 16;
    spec.payload = Owned(vec![7; size]);
    tasks.fill(spec);
    let missing = limits::OPERATION_BYTES - length(&tasks).0;
    tasks[0].payload = Owned(vec![7; size + missing - 8]);
    let (payload, signed) = length(&tasks);
    assert!(payload <= limits::OPERATION_BYTES, "it decodes");
    assert!(cbor::encode(&signed).len() > limits::OPERATION_BYTES, "no block takes it");
    let before = cluster.ledger(0).height();
    cluster.submit(0, signed);
    cluster.run_for(30_000);
    let most = before + idle_blocks(&cluster, 30_000);
    assert!(cluster.ledger(0).height() <= most, "{} blocks", cluster.ledger(0).height());
}

#[test]
fn evidence_that_no_block_takes_makes_no_blocks_and_shields_nobody() {
    let mut cluster = Cluster::new(4);
    let (swarm, set) = (cluster.genesis.swarm_id(), cluster.genesis.validators.hash());
    let culprit = key(4);
    let useless = [
        votes(&culprit, SwarmId([9; 32]), 1, set),
        votes(&culprit, swarm, u64::MAX, set),
        votes(&culprit, swarm, 1, quorate_types::Hash([3; 32])),
    ];
    for evidence in useless {
        for to in 0..3 {
            cluster.say(3, to, PeerMessage::Evidence(Box::new(evidence.clone())));
        }
    }
    cluster.run_for(30_000);
    let most = idle_blocks(&cluster, 30_000);
    assert!(cluster.ledger(0).height() <= most, "{} blocks", cluster.ledger(0).height());
    let true_pair = votes(&culprit, swarm, cluster.ledger(0).height() + 1, set);
    cluster.say(3, 0, PeerMessage::Evidence(Box::new(true_pair)));
    cluster.until(50_000, |c| c.ledger(0).validators().get(&culprit.public_key()).is_none());
    let after = cluster.ledger(0).height();
    cluster.run_for(30_000);
    let most = after + idle_blocks(&cluster, 30_000) + 2;
    assert!(cluster.ledger(0).height() <= most, "{} blocks", cluster.ledger(0).height());
}

#[test]
fn a_node_that_was_away_catches_up_with_an_idle_swarm_in_seconds() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    cluster.until(200_000, |c| c.ledger(0).height() >= 60);
    cluster.restart(3);
    let (start, target) = (cluster.now, cluster.ledger(0).height());
    cluster.until(200_000, |c| c.ledger(3).height() >= target);
    assert!(cluster.now - start < 10_000, "{} ms", cluster.now - start);
    let builds = cluster.nodes[3].disk.signed.keys().filter(|(height, _, _)| *height <= target);
    assert_eq!(builds.count(), 0, "no vote for a height that sync commits (rule 17)");
}

#[test]
fn clocks_far_apart_cost_rounds_and_no_more() {
    let mut cluster = Cluster::new(4);
    cluster.ahead = vec![0, 0, 150_000, 150_000];
    cluster.until(400_000, |c| (0..4).all(|at| c.ledger(at).height() >= 1));
    cluster.assert_agreement();
}

#[test]
fn a_body_whose_signatures_are_being_checked_is_not_asked_for_again() {
    let mut cluster = Cluster::new(4);
    cluster.verify_ms = 400;
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = asked.clone();
    cluster.bend = Box::new(move |_, _, message| {
        if let PeerMessage::FetchBlock(_) = &message {
            count.set(count.get() + 1);
        }
        Some(message)
    });
    cluster.until(100_000, |c| (0..4).all(|at| c.ledger(at).height() >= 3));
    assert_eq!(asked.get(), 0, "every body was under way or here");
}

#[test]
fn a_node_that_missed_the_start_of_a_height_joins_in_soon() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    cluster.until(50_000, |c| (0..3).all(|at| c.ledger(at).height() >= 1));
    cluster.restart(3);
    cluster.until(50_000, |c| c.ledger(3).height() >= 1);
    cluster.crash(2);
    // Node 3 is needed now, and hears nothing of the operation and the first votes.
    let deaf_until = cluster.now + 300;
    let clock = std::rc::Rc::new(std::cell::Cell::new(cluster.now));
    let seen = clock.clone();
    cluster.lost = Box::new(move |_, to| to == 3 && seen.get() < deaf_until);
    let admission = cluster.admission(&key(50), &[]);
    cluster.submit(0, admission);
    let start = cluster.now;
    for _ in 0..50_000 {
        clock.set(cluster.now);
        if cluster.ledger(0).knows_agent(&key(50).public_key()) {
            break;
        }
        cluster.step();
    }
    assert!(cluster.now - start < 5_000, "{} ms", cluster.now - start);
}
