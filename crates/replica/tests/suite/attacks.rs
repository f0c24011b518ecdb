//! Attacks and faults of a part of the swarm. Each test is an attack that once worked, or a fault
//! that once left a node stuck.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::{Cluster, START, key};
use quorate_certificate::{Policy, TrustRoot, verify};
use quorate_crypto::SecretKey;
use quorate_replica::{Event, TimeoutConfig};
use quorate_types::cose::Owned;
use quorate_types::message::{Answer, ClientMessage, ClientRequest, PeerMessage, Reply, Request};
use quorate_types::operation::{Attest, Bid, Cancel, Offer, Submit};
use quorate_types::{
    Amounts, BlockId, Claims, Evidence, FencingToken, Kind, OperationBody, Statement, SwarmId,
    TaskId, TaskSpec, cbor, limits,
};

/// The number of blocks that an idle swarm makes in so many milliseconds, with some room.
fn idle_blocks(cluster: &Cluster, millis: u64) -> u64 {
    millis / cluster.genesis.parameters.max_block_interval_ms + 2
}

/// An admission whose attestation is not by an attester.
fn false_admission(cluster: &Cluster, agent: &SecretKey) -> quorate_types::SignedOperation {
    let forger = key(200);
    let claims = Claims {
        issuer: forger.public_key(),
        subject: agent.public_key(),
        audience: cluster.genesis.swarm_id(),
        expires: START.seconds() + 100_000,
        not_before: 0,
        issued_at: 0,
        id: vec![1],
        capabilities: quorate_types::Capabilities::new(),
    };
    let attestation = forger.sign(claims).into_inner();
    cluster.operation(agent, 0, OperationBody::Admit(Attest { attestation }))
}

/// An admission whose attestation expires after some seconds.
fn brief_admission(
    cluster: &Cluster,
    agent: &SecretKey,
    seconds: u64,
) -> quorate_types::SignedOperation {
    let claims = Claims {
        issuer: cluster.attester.public_key(),
        subject: agent.public_key(),
        audience: cluster.genesis.swarm_id(),
        expires: cluster.now.seconds() + seconds,
        not_before: 0,
        issued_at: 0,
        id: vec![1],
        capabilities: quorate_types::Capabilities::new(),
    };
    let attestation = cluster.attester.sign(claims).into_inner();
    cluster.operation(agent, 0, OperationBody::Admit(Attest { attestation }))
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
        cluster.until(50_000, |c| {
            c.ledger(3).knows_agent(&key(agent).public_key())
        });
    }
    cluster.assert_agreement();
}

#[test]
fn n34_a_false_decided_body_stops_nobody_who_catches_up() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    let admission = cluster.admission(&key(50), &[]);
    cluster.submit(0, admission);
    cluster.until(50_000, |c| c.ledger(0).knows_agent(&key(50).public_key()));
    let mut others = 0;
    cluster.bend = Box::new(move |from, to, mut message| {
        let PeerMessage::Decided(decided) = &mut message else {
            return Some(message);
        };
        if (from, to) == (1, 3) {
            decided.block.operations.clear();
            return Some(message);
        }
        others += 1;
        (others > 6).then_some(message)
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
    assert!(
        cluster.ledger(0).height() <= most,
        "{} blocks",
        cluster.ledger(0).height()
    );
    assert!(
        cluster
            .nodes
            .iter()
            .all(|node| node.replica.pool_len() == 0)
    );
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
    // Each validator drops the operation when it builds a block.
    let most = before + idle_blocks(&cluster, 30_000) + 4;
    assert!(
        cluster.ledger(0).height() <= most,
        "{} blocks",
        cluster.ledger(0).height()
    );
    assert!(
        cluster
            .nodes
            .iter()
            .all(|node| node.replica.pool_len() == 0)
    );
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
        let body = OperationBody::Submit(Submit {
            first: 0,
            tasks: tasks.to_vec(),
        });
        let signed = cluster.operation(&agent, 1, body);
        (cbor::encode(&signed.payload).len(), signed)
    };
    let size = 4080 - length(&tasks).0 / 16;
    spec.payload = Owned(vec![7; size]);
    tasks.fill(spec);
    let missing = limits::OPERATION_BYTES - length(&tasks).0;
    tasks[0].payload = Owned(vec![7; size + missing - 8]);
    let (payload, signed) = length(&tasks);
    assert!(payload <= limits::OPERATION_BYTES, "it decodes");
    assert!(
        cbor::encode(&signed).len() > limits::OPERATION_BYTES,
        "no block takes it"
    );
    let before = cluster.ledger(0).height();
    cluster.submit(0, signed);
    cluster.run_for(30_000);
    let most = before + idle_blocks(&cluster, 30_000);
    assert!(
        cluster.ledger(0).height() <= most,
        "{} blocks",
        cluster.ledger(0).height()
    );
}

#[test]
fn evidence_that_no_block_takes_makes_no_blocks_and_shields_nobody() {
    let mut cluster = Cluster::new(4);
    let (swarm, set) = (
        cluster.genesis.swarm_id(),
        cluster.genesis.validators.hash(),
    );
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
    assert!(
        cluster.ledger(0).height() <= most,
        "{} blocks",
        cluster.ledger(0).height()
    );
    let true_pair = votes(&culprit, swarm, cluster.ledger(0).height() + 1, set);
    cluster.say(3, 0, PeerMessage::Evidence(Box::new(true_pair)));
    cluster.until(50_000, |c| {
        c.ledger(0)
            .validators()
            .get(&culprit.public_key())
            .is_none()
    });
    let after = cluster.ledger(0).height();
    cluster.run_for(30_000);
    let most = after + idle_blocks(&cluster, 30_000) + 2;
    assert!(
        cluster.ledger(0).height() <= most,
        "{} blocks",
        cluster.ledger(0).height()
    );
}

#[test]
fn n33_a_node_that_was_away_catches_up_with_an_idle_swarm_in_seconds() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    cluster.until(200_000, |c| c.ledger(0).height() >= 60);
    cluster.restart(3);
    let (start, target) = (cluster.now, cluster.ledger(0).height());
    cluster.until(200_000, |c| c.ledger(3).height() >= target);
    assert!(
        cluster.now.saturating_since(start) < 10_000,
        "{} ms",
        cluster.now.saturating_since(start)
    );
    let builds = cluster.nodes[3]
        .disk
        .signed
        .keys()
        .filter(|(height, _, _)| *height <= target);
    assert_eq!(
        builds.count(),
        0,
        "no vote for a height that sync commits (N-33)"
    );
}

#[test]
fn clocks_far_apart_cost_rounds_and_no_more() {
    let pace = TimeoutConfig {
        least_ms: 50,
        most_ms: 50,
        timely_ms: 50,
        ..TimeoutConfig::default()
    };
    let mut cluster = Cluster::with_pace(4, pace);
    cluster.ahead = vec![0, 0, 2_000, 2_000];
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
    let pace = TimeoutConfig {
        least_ms: 200,
        most_ms: 200,
        ..TimeoutConfig::default()
    };
    let mut cluster = Cluster::with_pace(4, pace);
    cluster.crash(3);
    cluster.until(50_000, |c| (0..3).all(|at| c.ledger(at).height() >= 1));
    cluster.restart(3);
    cluster.until(50_000, |c| c.ledger(3).height() >= 1);
    cluster.crash(2);
    // Node 3 is needed now, but it hears nothing of the operation and of the first votes.
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
    assert!(
        cluster.now.saturating_since(start) < 5_000,
        "{} ms",
        cluster.now.saturating_since(start)
    );
}

#[test]
fn a_lapse_refused_for_coming_too_early_is_brought_again() {
    let mut cluster = Cluster::new(4);
    let (boss, worker) = (key(50), key(51));
    for agent in [&boss, &worker] {
        let admission = cluster.admission(agent, &["printer"]);
        cluster.submit(0, admission);
    }
    let spec = TaskSpec::new("jobs".parse().unwrap());
    let submit = cluster.operation(
        &boss,
        1,
        OperationBody::Submit(Submit {
            first: 0,
            tasks: vec![spec],
        }),
    );
    cluster.submit(0, submit);
    let task = TaskId {
        requester: boss.public_key(),
        number: 0,
    };
    cluster.until(50_000, |c| c.ledger(0).task(task).is_some());
    let bid = OperationBody::Bid(Bid {
        market: "jobs".parse().unwrap(),
        budget: Amounts::from([("slots".parse().unwrap(), 1)]),
        offers: vec![Offer { task, price: 10 }],
    });
    let bid = cluster.operation(&worker, 1, bid);
    cluster.submit(0, bid);
    cluster.until(50_000, |c| {
        c.ledger(0).task(task).unwrap().token == FencingToken(1)
    });
    // The lease is over by the clocks of nodes 1 to 3, but not by that of node 0 when it builds.
    cluster.ahead = vec![0, 1_500, 1_500, 1_500];
    let before = cluster.now;
    cluster.until(100_000, |c| {
        c.ledger(0).task(task).unwrap().state.name() == "open"
    });
    assert!(
        cluster.now.saturating_since(before) < 10_000,
        "{} ms",
        cluster.now.saturating_since(before)
    );
}

#[test]
fn n34_a_member_that_offers_false_blocks_ahead_does_not_slow_down_who_catches_up() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    cluster.until(200_000, |c| c.ledger(0).height() >= 60);
    cluster.bend = Box::new(|from, to, mut message| {
        if let (0, 3, PeerMessage::Decided(decided)) = (from, to, &mut message) {
            decided.commit.votes[0].signature.0[0] ^= 1;
        }
        Some(message)
    });
    cluster.restart(3);
    let (start, target) = (cluster.now, cluster.ledger(0).height());
    cluster.until(200_000, |c| c.ledger(3).height() >= target);
    assert!(
        cluster.now.saturating_since(start) < 10_000,
        "{} ms",
        cluster.now.saturating_since(start)
    );
}

#[test]
fn tasks_that_nobody_can_do_hide_no_others_and_a_call_fits_a_frame() {
    let mut cluster = Cluster::new(1);
    let boss = key(50);
    let admission = cluster.admission(&boss, &[]);
    cluster.submit(0, admission);
    let mut spec = TaskSpec::new("jobs".parse().unwrap());
    spec.payload = Owned(vec![7; 4_000]);
    for batch in 0..40 {
        let tasks = vec![spec.clone(); 15];
        let body = OperationBody::Submit(Submit {
            first: batch * 15,
            tasks,
        });
        let submit = cluster.operation(&boss, 1 + batch, body);
        cluster.submit(0, submit);
    }
    let last = TaskId {
        requester: boss.public_key(),
        number: 599,
    };
    cluster.until(50_000, |c| c.ledger(0).task(last).is_some());
    let agent = key(51).public_key();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let request = Request::Open("jobs".parse().unwrap());
        cluster.handle(
            0,
            Event::Client {
                from: agent,
                request: ClientRequest { id: 1, request },
            },
        );
        let (_, message) = cluster.nodes[0].replies.pop().unwrap();
        assert!(cbor::encode(&message).len() < limits::FRAME_BYTES + 1024);
        let ClientMessage::Reply(Reply {
            answer: Answer::Open(call),
            ..
        }) = message
        else {
            unreachable!("the answer to what was asked")
        };
        seen.extend(call.tasks.into_iter().map(|(task, _)| task));
        let height = cluster.ledger(0).height();
        cluster.until(50_000, |c| c.ledger(0).height() > height);
    }
    assert!(seen.len() > 500, "{} of 600 tasks were called", seen.len());
}

/// A small pseudo-random generator, which gives the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Any number of nodes crash between any two actions. Frames are lost, and some of the records that
/// were not synced are on the disk all the same. Then the faults end, and the swarm must go on.
#[test]
fn crashes_between_any_two_actions_sign_nothing_twice_and_leave_nobody_stuck() {
    for seed in 1..=8u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let pace = TimeoutConfig {
            least_ms: 100,
            most_ms: 400,
            ..TimeoutConfig::default()
        };
        let mut cluster = Cluster::with_pace(4, pace);
        let mut loss = Dice(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1);
        cluster.lost = Box::new(move |_, _| loss.roll(10) < 2);
        for turn in 0..60u64 {
            let at = dice.roll(4) as usize;
            if cluster.nodes[at].up {
                cluster.fuses.insert(at, dice.roll(40) as u32);
            } else {
                cluster.restart(at);
            }
            if turn.is_multiple_of(6) {
                let admission = cluster.admission(&key(50 + turn as u8 / 6), &[]);
                cluster.submit(dice.roll(4) as usize, admission);
            }
            for _ in 0..dice.roll(120) {
                cluster.step();
            }
            let node = &mut cluster.nodes[at];
            if !node.up && dice.roll(2) == 0 {
                let kept = dice.roll(node.disk.lost.len() as u64 + 1) as usize;
                let part: Vec<_> = node.disk.lost.drain(..).take(kept).collect();
                node.disk.log.extend(part);
            }
        }
        cluster.fuses.clear();
        cluster.lost = Box::new(|_, _| false);
        for at in 0..4 {
            if !cluster.nodes[at].up {
                cluster.restart(at);
            }
        }
        let target = cluster.heights().into_iter().max().unwrap() + 3;
        let healed = cluster.now;
        cluster.until(200_000, |c| {
            (0..4).all(|at| c.ledger(at).height() >= target)
        });
        assert!(
            cluster.now.saturating_since(healed) < 90_000,
            "seed {seed}: {} ms",
            cluster.now.saturating_since(healed)
        );
        cluster.assert_agreement();
    }
}

#[test]
fn a_certificate_from_after_an_equivocator_was_removed_verifies_from_the_genesis() {
    let mut cluster = Cluster::new(4);
    let (swarm, set) = (
        cluster.genesis.swarm_id(),
        cluster.genesis.validators.hash(),
    );
    let culprit = key(4);
    let evidence = votes(&culprit, swarm, 1, set);
    cluster.say(3, 0, PeerMessage::Evidence(Box::new(evidence)));
    cluster.until(50_000, |c| {
        c.ledger(0)
            .validators()
            .get(&culprit.public_key())
            .is_none()
    });
    let boss = key(50);
    let admission = cluster.admission(&boss, &[]);
    cluster.submit(0, admission);
    let spec = TaskSpec::new("jobs".parse().unwrap());
    let task = TaskId {
        requester: boss.public_key(),
        number: 0,
    };
    let submit = OperationBody::Submit(Submit {
        first: 0,
        tasks: vec![spec],
    });
    for (sequence, body) in [(1, submit), (2, OperationBody::Cancel(Cancel { task }))] {
        let operation = cluster.operation(&boss, sequence, body);
        cluster.submit(0, operation);
        cluster.until(50_000, |c| {
            c.ledger(1).next_sequence(&boss.public_key()) > sequence
        });
    }
    cluster.crash(1);
    cluster.restart(1);
    let request = ClientRequest {
        id: 1,
        request: Request::Certificates(task),
    };
    cluster.handle(
        1,
        Event::Client {
            from: boss.public_key(),
            request,
        },
    );
    let (_, message) = cluster.nodes[1].replies.pop().unwrap();
    let ClientMessage::Reply(Reply {
        answer: Answer::Certificates(all),
        ..
    }) = message
    else {
        unreachable!("the answer to what was asked")
    };
    let root = TrustRoot::from_genesis(&cluster.genesis).unwrap();
    assert!(!all.is_empty());
    for certificate in all {
        let verdict = verify(&certificate.0, &root, &Policy::default());
        assert!(verdict.is_verified(), "{verdict:?}");
    }
}
