//! N-27 to N-30: a validator whose signing guard is lost comes back and never signs twice. Each
//! signature is asserted to be the only one of its key for its slot, over all lives of the process,
//! and to be one that the guard permits; see [`common`].
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::{Cluster, Disk, key};
use quorate_replica::{Event, VotingStatus};
use quorate_types::message::{Located, PeerMessage};
use quorate_types::operation::{Bid, Offer, Submit};
use quorate_types::{FencingToken, Height, Kind, OperationBody, TaskId, TaskSpec};

const MOST: usize = 200_000;

/// A cluster of `count` validators that has decided a few blocks.
fn running(count: u8) -> Cluster {
    let mut cluster = Cluster::new(count);
    cluster.until(MOST, |c| c.heights().contains(&3));
    cluster
}

fn standing(cluster: &Cluster, at: usize) -> VotingStatus {
    cluster.nodes[at].replica.standing()
}

fn last_spoken(cluster: &Cluster, at: usize) -> Height {
    cluster.nodes[at]
        .spoken
        .keys()
        .next_back()
        .map_or(0, |(height, ..)| *height)
}

/// Runs until a node has a guard again and has signed under it. Returns the height from which it
/// votes.
fn come_back(cluster: &mut Cluster, at: usize) -> Height {
    cluster.until(MOST, |c| c.nodes[at].disk.guard.is_some());
    let from = cluster.nodes[at].disk.guard.unwrap();
    cluster.until(MOST, |c| last_spoken(c, at) >= from);
    assert_eq!(standing(cluster, at), VotingStatus::Votes);
    cluster.assert_agreement();
    from
}

#[test]
fn n29_a_wiped_validator_votes_from_two_heights_after_what_others_prove() {
    for moment in (0..400).step_by(11) {
        let mut cluster = Cluster::new(4);
        (0..moment).for_each(|_| assert!(cluster.step()));
        let before = last_spoken(&cluster, 3);
        cluster.wipe(3);
        (0..moment % 31).for_each(|_| assert!(cluster.step()));
        cluster.restart(3);
        assert_eq!(
            standing(&cluster, 3),
            VotingStatus::Rejoins { heard: 0, total: 4 }
        );
        let from = come_back(&mut cluster, 3);
        assert!(
            from > before,
            "it signed at {before} once, and votes from {from}"
        );
    }
}

#[test]
fn n30_its_former_life_may_have_voted_one_height_beyond_what_others_report() {
    let mut cluster = Cluster::new(4);
    // Only node 3 learns that height 3 is decided, so it alone votes at height 4.
    cluster.bend = Box::new(|from, to, message| match &message {
        PeerMessage::Statement(vote) => {
            let hidden = to != 3 && vote.statement.kind == Kind::Precommit;
            (!hidden || vote.statement.height != 3).then_some(message)
        }
        PeerMessage::Decided(_) | PeerMessage::Certificate(_) if from == 3 => None,
        _ => Some(message),
    });
    cluster.until(MOST, |c| last_spoken(c, 3) == 4);
    assert!((0..3).all(|at| cluster.nodes[at].replica.height() == 3));
    cluster.wipe(3);
    cluster.bend = Box::new(|_, _, message| Some(message));
    cluster.restart(3);
    assert_eq!(come_back(&mut cluster, 3), 5);
}

#[test]
fn whatever_is_left_beside_a_lost_guard() {
    type Loss = fn(&mut Disk);
    let losses: [(&str, Loss); 4] = [
        ("all but the guard", |disk| disk.guard = None),
        ("blocks without log", |disk| {
            (disk.log, disk.guard) = (Vec::new(), None)
        }),
        ("log without blocks", |disk| {
            (disk.blocks, disk.guard) = (Vec::new(), None)
        }),
        ("an older state", |disk| {
            disk.blocks.pop();
            let last = disk.blocks.len() as Height;
            disk.log.retain(|(height, _)| *height <= last);
            disk.guard = None;
        }),
    ];
    for (name, lose) in losses {
        for moment in (100..330).step_by(23) {
            let mut cluster = Cluster::new(4);
            (0..moment).for_each(|_| assert!(cluster.step()));
            let before = last_spoken(&cluster, 3);
            cluster.crash(3);
            lose(&mut cluster.nodes[3].disk);
            cluster.nodes[3].disk.signed.clear();
            cluster.restart(3);
            assert!(come_back(&mut cluster, 3) > before, "{name}, {moment}");
        }
    }
}

#[test]
fn a_height_that_nothing_proves_does_not_stop_it() {
    let mut cluster = running(7);
    cluster.wipe(6);
    cluster.bend = Box::new(|from, to, message| match message {
        PeerMessage::Located(answer) if (from, to) == (0, 6) => {
            Some(PeerMessage::Located(Located {
                height: 1 << 60,
                ..answer
            }))
        }
        message => Some(message),
    });
    cluster.restart(6);
    assert!(come_back(&mut cluster, 6) < 1 << 60);
}

#[test]
fn n29_with_too_few_others_it_waits() {
    let mut cluster = running(4);
    cluster.crash(2);
    cluster.wipe(3);
    cluster.restart(3);
    let before = last_spoken(&cluster, 3);
    (0..20_000).for_each(|_| assert!(cluster.step()));
    assert_eq!(
        standing(&cluster, 3),
        VotingStatus::Rejoins { heard: 2, total: 4 }
    );
    assert_eq!(last_spoken(&cluster, 3), before);
    cluster.restart(2);
    come_back(&mut cluster, 3);
}

#[test]
fn n28_who_lost_its_own_guard_is_no_witness() {
    let mut cluster = running(7);
    cluster.crash(4);
    cluster.wipe(5);
    cluster.wipe(6);
    cluster.restart(5);
    cluster.restart(6);
    // Four of seven cannot decide anything.
    (0..20_000).for_each(|_| assert!(cluster.step()));
    for at in [5, 6] {
        assert_eq!(
            standing(&cluster, at),
            VotingStatus::Rejoins { heard: 4, total: 7 }
        );
    }
    cluster.restart(4);
    come_back(&mut cluster, 5);
    come_back(&mut cluster, 6);
}

#[test]
fn a_crash_on_the_way_back_loses_nothing_but_time() {
    let mut stood = [0; 3];
    for actions in (0..500).step_by(11) {
        let mut cluster = running(4);
        cluster.wipe(3);
        cluster.restart(3);
        cluster.fuses.insert(3, actions);
        cluster.until(MOST, |c| !c.nodes[3].up);
        let guard = cluster.nodes[3].disk.guard;
        cluster.restart(3);
        match (guard, standing(&cluster, 3)) {
            (None, VotingStatus::Rejoins { .. }) => stood[0] += 1,
            (Some(from), VotingStatus::Waits(until)) if from == until => stood[1] += 1,
            (Some(_), VotingStatus::Votes) => stood[2] += 1,
            (guard, standing) => panic!("{standing:?} with guard {guard:?}"),
        }
        come_back(&mut cluster, 3);
    }
    assert!(
        stood.iter().all(|count| *count > 1),
        "rejoining, waiting, voting: {stood:?}"
    );
}

#[test]
fn n27_it_suspects_nobody_and_brings_no_lapse() {
    let mut cluster = Cluster::new(4);
    let (boss, worker) = (key(50), key(51));
    cluster.submit(0, cluster.admission(&boss, &[]));
    cluster.submit(0, cluster.admission(&worker, &[]));
    let spec = TaskSpec::new("jobs".parse().unwrap());
    let submit = OperationBody::Submit(Submit {
        first: 0,
        tasks: vec![spec],
    });
    cluster.submit(0, cluster.operation(&boss, 1, submit));
    let task = TaskId {
        requester: boss.public_key(),
        number: 0,
    };
    cluster.until(MOST, |c| c.ledger(0).task(task).is_some());
    let (market, budget) = (
        "jobs".parse().unwrap(),
        [("slots".parse().unwrap(), 1)].into(),
    );
    let bid = Bid {
        market,
        budget,
        offers: vec![Offer { task, price: 10 }],
    };
    cluster.submit(0, cluster.operation(&worker, 1, OperationBody::Bid(bid)));
    cluster.until(MOST, |c| {
        c.ledger(0).task(task).unwrap().token == FencingToken(1)
    });
    // The assignee falls silent. The suspicions reach only the validator whose turn it is to bring
    // the lapse. They are enough, but that validator has lost its guard.
    let mut keys: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| node.key.public_key())
        .collect();
    keys.sort();
    let first = (task.number + 1) as usize;
    let lost = cluster
        .nodes
        .iter()
        .position(|node| node.key.public_key() == keys[first])
        .unwrap();
    cluster.wipe(lost);
    cluster.bend = Box::new(move |_, to, message| match message {
        PeerMessage::Located(_) if to == lost => None,
        PeerMessage::Suspicion(_) if to != lost => None,
        message => Some(message),
    });
    cluster.restart(lost);
    cluster.run_for(20_000);
    assert_eq!(
        standing(&cluster, lost),
        VotingStatus::Rejoins { heard: 0, total: 4 }
    );
    assert_eq!(
        cluster.ledger(lost).task(task).unwrap().state.name(),
        "assigned"
    );
}

#[test]
fn n28_only_answers_of_others_to_this_life_that_commits_prove_count() {
    let mut cluster = running(4);
    cluster.lost = Box::new(|_, to| to == 3);
    cluster.wipe(3);
    let challenge = cluster.now.0;
    cluster.restart(3);
    let stale = challenge - 1;
    let located = |challenge, height| PeerMessage::Located(Located { challenge, height });
    let (other, own, stranger) = (key(1), key(4), key(77));
    for (name, from, message, heard) in [
        ("itself", &own, located(challenge, 1), 0),
        ("a stranger", &stranger, located(challenge, 1), 0),
        ("an answer to an earlier life", &other, located(stale, 1), 0),
        (
            "a height that nothing proves",
            &other,
            located(challenge, 2),
            0,
        ),
        ("a height in progress", &other, located(challenge, 1), 1),
    ] {
        let from = from.public_key();
        cluster.handle(3, Event::Peer { from, message });
        assert_eq!(
            standing(&cluster, 3),
            VotingStatus::Rejoins { heard, total: 4 },
            "{name}"
        );
    }
}

#[test]
fn what_was_said_to_its_former_life_may_come_late() {
    let mut cluster = Cluster::new(4);
    let mut late = Vec::new();
    cluster.until(MOST, |c| c.queue.iter().any(|(to, ..)| *to == 3));
    // Links keep the frames that were not taken, and bring them to the next life first.
    while cluster.nodes[3].replica.height() < 5 {
        late.extend(cluster.queue.iter().filter(|(to, ..)| *to == 3).cloned());
        assert!(cluster.step());
    }
    cluster.wipe(3);
    cluster.restart(3);
    late.into_iter()
        .rev()
        .for_each(|frame| cluster.queue.push_front(frame));
    assert!(come_back(&mut cluster, 3) > 5);
}
