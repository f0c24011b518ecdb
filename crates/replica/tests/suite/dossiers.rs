//! Validators keep the dossiers of recent clearings, and have them again after a restart (W-15).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use crate::common;
use crate::common::{Cluster, key};
use quorate_certificate::{Certificate, Dossier, Policy, Replay, TrustRoot, verify};
use quorate_replica::{Event, TimeoutConfig};
use quorate_types::message::{
    Answer, ClientMessage, ClientRequest, FetchBids, FetchDossier, Reply, Request,
};
use quorate_types::operation::{Bid, Cancel, Offer, Submit};
use quorate_types::outcome::ClearingInput;
use quorate_types::{Amounts, Hash, OperationBody, Outcome, Stage, TaskId, TaskSpec, cbor};

/// A cluster that has assigned a task, and the task.
fn cleared() -> (Cluster, TaskId) {
    let (mut cluster, task) = bid_on(Cluster::new(4));
    cluster.until(100_000, |c| {
        (0..4).all(|at| {
            c.ledger(at)
                .task(task)
                .is_some_and(|task| task.state.name() != "open")
        })
    });
    (cluster, task)
}

/// A cluster in which a bid on a task is on its way, and the task.
fn bid_on(mut cluster: Cluster) -> (Cluster, TaskId) {
    let (boss, agent) = (key(50), key(51));
    for member in [&boss, &agent] {
        let admission = cluster.admission(member, &[]);
        cluster.submit(0, admission);
    }
    let task = TaskId {
        requester: boss.public_key(),
        number: 0,
    };
    let spec = TaskSpec::new("jobs".parse().unwrap());
    let submit = OperationBody::Submit(Submit {
        first: 0,
        tasks: vec![spec],
    });
    let submit = cluster.operation(&boss, 1, submit);
    cluster.submit(0, submit);
    cluster.until(50_000, |c| c.ledger(0).task(task).is_some());
    let bid = OperationBody::Bid(Bid {
        market: "jobs".parse().unwrap(),
        budget: Amounts::from([("slots".parse().unwrap(), 1)]),
        offers: vec![Offer { task, price: 7 }],
    });
    let bid = cluster.operation(&agent, 1, bid);
    cluster.submit(0, bid);
    (cluster, task)
}

/// Asks a validator. The reply repeats the number of the request (W-11).
fn ask(cluster: &mut Cluster, at: usize, request: Request) -> Answer {
    let from = key(50).public_key();
    cluster.handle(
        at,
        Event::Client {
            from,
            request: ClientRequest { id: 9, request },
        },
    );
    let (_, message) = cluster.nodes[at].replies.pop().unwrap();
    let ClientMessage::Reply(Reply { id: 9, answer }) = message else {
        panic!("{message:?}")
    };
    answer
}

#[test]
fn w15_every_validator_has_the_dossier_also_after_a_restart() {
    let (mut cluster, task) = cleared();
    cluster.crash(1);
    cluster.restart(1);
    let root = TrustRoot::from_genesis(&cluster.genesis).unwrap();
    for at in 0..4 {
        let Answer::Certificates(all) = ask(&mut cluster, at, Request::Certificates(task)) else {
            panic!("certificates were asked for")
        };
        let outcomes = all
            .iter()
            .map(|bytes| Certificate::decode(&bytes.0).unwrap().outcome);
        let assignment = outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Assignment(assignment) => Some(assignment),
            _ => None,
        });
        let assignment = assignment.unwrap();
        let clearing = assignment.clearing;
        let wanted = Request::Dossier(FetchDossier { clearing, from: 0 });
        let Answer::Dossier(Some(part)) = ask(&mut cluster, at, wanted) else {
            panic!("validator {at} has no dossier")
        };
        assert_eq!(part.total, part.bytes.0.len() as u64);
        let dossier = Dossier::decode(&part.bytes.0).unwrap();
        assert_eq!(dossier.record.hash(), clearing);
        let replay = Replay::run(&dossier, &root).unwrap();
        assert_eq!(replay.check(&assignment), Ok(()));
        let Answer::Certificates(certificates) = ask(&mut cluster, at, Request::Clearing(clearing))
        else {
            panic!("a certificate was asked for")
        };
        let [certificate] = &certificates[..] else {
            panic!("one certificate")
        };
        assert!(verify(&certificate.0, &root, &Policy::default()).is_verified());
        let outcome = Certificate::decode(&certificate.0).unwrap().outcome;
        assert_eq!(outcome, Outcome::Clearing(dossier.record));
    }
}

#[test]
fn w15_of_a_clearing_that_never_was_there_is_nothing() {
    let (mut cluster, _) = cleared();
    let wanted = FetchDossier {
        clearing: Hash::ZERO,
        from: 0,
    };
    assert_eq!(
        ask(&mut cluster, 0, Request::Dossier(wanted)),
        Answer::Dossier(None)
    );
    let none = Answer::Certificates(Vec::new());
    assert_eq!(ask(&mut cluster, 0, Request::Clearing(Hash::ZERO)), none);
}

#[test]
fn w16_what_is_to_be_solved_is_told_while_solutions_are_taken() {
    let mut genesis = common::genesis(4, "gap");
    genesis.markets[0].solve_ms = Some(60_000);
    let (mut cluster, task) = bid_on(Cluster::with_genesis(genesis, TimeoutConfig::default()));
    let wanted = |window, from| {
        Request::Bids(FetchBids {
            market: "jobs".parse().unwrap(),
            window,
            from,
        })
    };
    assert_eq!(
        ask(&mut cluster, 0, wanted(0, 0)),
        Answer::Bids(None),
        "bids are still taken"
    );
    cluster.until(100_000, |c| {
        (0..4).all(|at| c.ledger(at).windows()[0].stage == Stage::Solutions)
    });
    for at in 0..4 {
        let Answer::Bids(Some(part)) = ask(&mut cluster, at, wanted(0, 0)) else {
            panic!("validator {at} tells nothing")
        };
        assert_eq!(part.total, part.bytes.0.len() as u64);
        let inputs: Vec<ClearingInput> = cbor::decode(&part.bytes.0, 10_000).unwrap();
        let [
            ClearingInput::Task(of),
            ClearingInput::Bidder(_),
            ClearingInput::Bid(bid),
        ] = &inputs[..]
        else {
            panic!("a task, a bidder and a bid: {inputs:?}")
        };
        assert_eq!(
            (of.task, bid.task, bid.price, bid.excluded),
            (task, task, Some(7), None)
        );
        assert_eq!(
            ask(&mut cluster, at, wanted(0, part.total)),
            Answer::Bids(None)
        );
        assert_eq!(
            ask(&mut cluster, at, wanted(1, 0)),
            Answer::Bids(None),
            "another window"
        );
    }
    // Another task comes. A client that began to fetch goes on with the same bytes, whatever others
    // ask for.
    let before = ask(&mut cluster, 0, wanted(0, 0));
    let more = TaskSpec::new("jobs".parse().unwrap());
    let more = OperationBody::Submit(Submit {
        first: 1,
        tasks: vec![more],
    });
    let more = cluster.operation(&key(50), 2, more);
    cluster.submit(0, more);
    cluster.until(100_000, |c| {
        c.ledger(0).task(TaskId { number: 1, ..task }).is_some()
    });
    assert_eq!(ask(&mut cluster, 0, wanted(1, 0)), Answer::Bids(None));
    assert_eq!(ask(&mut cluster, 0, wanted(0, 0)), before);
    // The task of the only bid ends, and the window ends with it.
    let cancel = cluster.operation(&key(50), 3, OperationBody::Cancel(Cancel { task }));
    cluster.submit(0, cancel);
    cluster.until(100_000, |c| c.ledger(0).windows()[0].number == 1);
    assert_eq!(
        ask(&mut cluster, 0, wanted(0, 0)),
        Answer::Bids(None),
        "no bid is left"
    );
}
