//! Several replicas in one process decide blocks: whole peers without their sockets and disks.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;
use crate::common::{Cluster, key};
use quorate_types::operation::{Bid, Offer, Submit, TaskReport};
use quorate_types::{Amounts, Capabilities, FencingToken, OperationBody, TaskId, TaskSpec};

fn slots() -> Amounts {
    Amounts::from([("slots".parse().unwrap(), 1)])
}

fn spec() -> TaskSpec {
    let mut spec = TaskSpec::new("jobs".parse().unwrap());
    spec.requires = Capabilities::new().label("printer").unwrap();
    spec
}

/// Admits a requester and two agents, and submits a task. The worker offers the better price.
fn open_market(cluster: &mut Cluster) -> TaskId {
    let (boss, worker, dear) = (key(50), key(51), key(52));
    for (agent, labels) in [
        (&boss, vec![]),
        (&worker, vec!["printer"]),
        (&dear, vec!["printer"]),
    ] {
        cluster.submit(0, cluster.admission(agent, &labels));
    }
    let submit = OperationBody::Submit(Submit {
        first: 0,
        tasks: vec![spec()],
    });
    cluster.submit(0, cluster.operation(&boss, 1, submit));
    let task = TaskId {
        requester: boss.public_key(),
        number: 0,
    };
    cluster.until(50_000, |c| c.ledger(0).task(task).is_some());
    for (agent, price) in [(&worker, 10), (&dear, 20)] {
        let market = "jobs".parse().unwrap();
        let bid = Bid {
            market,
            budget: slots(),
            offers: vec![Offer { task, price }],
        };
        cluster.submit(2, cluster.operation(agent, 1, OperationBody::Bid(bid)));
    }
    task
}

#[test]
fn a_task_is_submitted_awarded_accepted_and_completed() {
    let mut cluster = Cluster::new(4);
    let task = open_market(&mut cluster);
    let worker = key(51);
    let assignee = |c: &Cluster, at: usize| {
        let view = c.ledger(at).task(task)?;
        view.state.assignee().map(|assignee| assignee.agent)
    };
    cluster.until(50_000, |c| {
        (0..4).all(|at| assignee(c, at) == Some(worker.public_key()))
    });
    for (sequence, body) in [
        (2, OperationBody::Accept as fn(TaskReport) -> OperationBody),
        (3, OperationBody::Complete),
    ] {
        let report = TaskReport {
            task,
            token: FencingToken(1),
            detail: Default::default(),
        };
        cluster.submit(3, cluster.operation(&worker, sequence, body(report)));
    }
    let state = |c: &Cluster, at: usize| c.ledger(at).task(task).unwrap().state.name();
    cluster.until(50_000, |c| (0..4).all(|at| state(c, at) == "completed"));
    cluster.assert_agreement();
}

/// A block takes longer than a propose timeout, and one node stops and starts meanwhile.
#[test]
fn votes_and_restarts_come_between_the_order_to_execute_a_block_and_its_result() {
    let mut cluster = Cluster::new(4);
    cluster.execute_ms = 300;
    let task = open_market(&mut cluster);
    for wait in [50, 150, 250, 350] {
        cluster.crash(1);
        cluster.run_for(wait);
        cluster.restart(1);
        cluster.run_for(wait);
    }
    cluster.until(100_000, |c| {
        let is_assigned = |at| {
            let view = c.ledger(at).task(task).unwrap();
            view.state.assignee().is_some()
        };
        (0..4).all(is_assigned)
    });
    cluster.assert_agreement();
}

#[test]
fn an_idle_swarm_is_quiet() {
    let mut cluster = Cluster::new(4);
    cluster.until(50_000, |c| c.heights().contains(&3));
    let idle = cluster.genesis.parameters.max_block_interval_ms;
    assert!(
        cluster.now.saturating_since(common::START) >= 3 * idle - 1_000,
        "{}",
        cluster.now.saturating_since(common::START)
    );
}

#[test]
fn three_of_four_go_on_and_the_fourth_catches_up() {
    let mut cluster = Cluster::new(4);
    cluster.crash(3);
    let task = open_market(&mut cluster);
    cluster.until(50_000, |c| {
        c.ledger(0).task(task).unwrap().token == FencingToken(1)
    });
    cluster.until(50_000, |c| c.heights().len() == 1);
    cluster.restart(3);
    let height = cluster.ledger(0).height();
    cluster.until(50_000, |c| c.ledger(3).height() >= height);
    assert_eq!(cluster.ledger(3).task(task).unwrap().token, FencingToken(1));
    cluster.assert_agreement();
    let before = cluster.ledger(3).height();
    cluster.until(50_000, |c| c.ledger(3).height() > before + 1);
    let own = key(4).public_key();
    let voted = cluster.nodes[3]
        .disk
        .signed
        .keys()
        .any(|(height, _, _)| *height > before);
    assert!(voted, "{own:?} takes part again");
}

#[test]
fn two_of_four_stall_safely_and_resume_unaided() {
    let mut cluster = Cluster::new(4);
    cluster.crash(2);
    cluster.crash(3);
    for _ in 0..20_000 {
        cluster.step();
    }
    assert_eq!(cluster.ledger(0).height(), 0);
    cluster.restart(2);
    cluster.until(100_000, |c| {
        c.ledger(0).height() >= 1 && c.ledger(2).height() >= 1
    });
    cluster.assert_agreement();
}

#[test]
fn an_assignee_that_falls_silent_loses_its_task_to_another_under_a_higher_token() {
    let mut cluster = Cluster::new(4);
    let task = open_market(&mut cluster);
    cluster.until(50_000, |c| {
        c.ledger(0).task(task).unwrap().token == FencingToken(1)
    });
    cluster.until(50_000, |c| {
        c.ledger(0).task(task).unwrap().state.name() == "open"
    });
    let view = cluster.ledger(0).task(task).unwrap();
    assert_eq!(view.excluded, vec![key(51).public_key()]);
    let market = "jobs".parse().unwrap();
    let offers = vec![Offer { task, price: 20 }];
    let bid = OperationBody::Bid(Bid {
        market,
        budget: slots(),
        offers,
    });
    cluster.submit(0, cluster.operation(&key(52), 2, bid));
    cluster.until(50_000, |c| {
        c.ledger(0).task(task).unwrap().token == FencingToken(2)
    });
    let state = cluster.ledger(0).task(task).unwrap().state;
    assert_eq!(state.assignee().unwrap().agent, key(52).public_key());
    cluster.assert_agreement();
}

#[test]
fn a_lossy_network_delays_and_nothing_else() {
    for seed in 0..8u64 {
        let mut cluster = Cluster::new(4);
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        cluster.lost = Box::new(move |_, _| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 10 < 3
        });
        let task = open_market(&mut cluster);
        cluster.until(400_000, |c| {
            c.ledger(0).task(task).unwrap().token == FencingToken(1)
        });
        cluster.until(400_000, |c| (0..4).all(|at| c.ledger(at).height() > 4));
        cluster.assert_agreement();
    }
}

#[test]
fn a_crash_at_any_moment_neither_signs_twice_nor_loses_a_decision() {
    for victim in 0..4 {
        for moment in (0..400).step_by(13) {
            let mut cluster = Cluster::new(4);
            let task = open_market(&mut cluster);
            for _ in 0..moment {
                cluster.step();
            }
            let decided = cluster.nodes[victim].disk.blocks.len();
            cluster.crash(victim);
            for _ in 0..moment % 29 {
                cluster.step();
            }
            cluster.restart(victim);
            assert!(cluster.ledger(victim).height() as usize >= decided);
            cluster.until(100_000, |c| {
                (0..4).all(|at| {
                    c.ledger(at)
                        .task(task)
                        .is_some_and(|view| view.token >= FencingToken(1))
                })
            });
            cluster.assert_agreement();
        }
    }
}
