//! Validators keep the dossiers of recent clearings, and have them again after a restart (W-15).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Cluster, key};
use quorate_certificate::{Certificate, Dossier, Policy, Replay, TrustRoot, verify};
use quorate_replica::Event;
use quorate_types::message::{Answer, ClientMessage, ClientRequest, FetchDossier, Reply, Request};
use quorate_types::operation::{Bid, Offer, Submit};
use quorate_types::{Amounts, Body, Hash, Outcome, TaskId, TaskSpec};

/// A cluster that has assigned a task; the task.
fn cleared() -> (Cluster, TaskId) {
    let mut cluster = Cluster::new(4);
    let (boss, agent) = (key(50), key(51));
    for member in [&boss, &agent] {
        let admission = cluster.admission(member, &[]);
        cluster.submit(0, admission);
    }
    let task = TaskId { requester: boss.public_key(), number: 0 };
    let spec = TaskSpec::new("jobs".parse().unwrap());
    let submit = Body::Submit(Submit { first: 0, tasks: vec![spec] });
    let submit = cluster.operation(&boss, 1, submit);
    cluster.submit(0, submit);
    cluster.until(50_000, |c| c.ledger(0).task(task).is_some());
    let bid = Body::Bid(Bid {
        market: "jobs".parse().unwrap(),
        budget: Amounts::from([("slots".parse().unwrap(), 1)]),
        offers: vec![Offer { task, price: 7 }],
    });
    let bid = cluster.operation(&agent, 1, bid);
    cluster.submit(0, bid);
    cluster.until(100_000, |c| {
        (0..4).all(|at| c.ledger(at).task(task).is_some_and(|task| task.state.name() != "open"))
    });
    (cluster, task)
}

fn ask(cluster: &mut Cluster, at: usize, request: Request) -> Answer {
    let from = key(50).public_key();
    cluster.handle(at, Event::Client { from, request: ClientRequest { id: 9, request } });
    let (_, message) = cluster.nodes[at].replies.pop().unwrap();
    let ClientMessage::Reply(Reply { id: 9, answer }) = message else { panic!("{message:?}") };
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
        let outcomes = all.iter().map(|bytes| Certificate::decode(&bytes.0).unwrap().outcome);
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
        let replay = Replay::run(&dossier, root.swarm()).unwrap();
        assert_eq!(replay.check(&assignment), Ok(()));
        let Answer::Certificates(certificates) = ask(&mut cluster, at, Request::Clearing(clearing))
        else {
            panic!("a certificate was asked for")
        };
        let [certificate] = &certificates[..] else { panic!("one certificate") };
        assert!(verify(&certificate.0, &root, &Policy::default()).is_verified());
        let outcome = Certificate::decode(&certificate.0).unwrap().outcome;
        assert_eq!(outcome, Outcome::Clearing(dossier.record));
    }
}

#[test]
fn w15_of_a_clearing_that_never_was_there_is_nothing() {
    let (mut cluster, _) = cleared();
    let wanted = FetchDossier { clearing: Hash::ZERO, from: 0 };
    assert_eq!(ask(&mut cluster, 0, Request::Dossier(wanted)), Answer::Dossier(None));
    let none = Answer::Certificates(Vec::new());
    assert_eq!(ask(&mut cluster, 0, Request::Clearing(Hash::ZERO)), none);
}
