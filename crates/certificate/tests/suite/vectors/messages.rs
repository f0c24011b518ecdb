//! The pinned messages of `protocols/wire.md`.

use quorate_certificate::Dossier;
use quorate_types::cose::Owned;
use quorate_types::message::*;
use quorate_types::{
    Block, BlockId, Evidence, FencingToken, Kind, OperationId, Stage, Statement, cbor,
};

use super::Vector;
use super::list::bad_block;
use crate::common::*;

pub fn vectors() -> Vec<Vector> {
    let announcement = Announcement {
        swarm: swarm(),
        sequence: CREATED.0,
        addresses: vec!["/ip4/192.0.2.7/udp/4001/quic-v1".to_owned()],
    };
    let announcement = validator_key(1).sign(announcement).into_inner();
    let mut vectors = vec![Vector::new("announcement", "announcement", &announcement)];
    vectors.extend(peer());
    vectors.extend(requests());
    vectors.extend(answers());
    vectors
}

fn peer() -> Vec<Vector> {
    let header = certificate(1).header;
    let commit = commit(&header, &[1, 2, 3]);
    let said = commit.statement.clone();
    let prevote = Statement {
        kind: Kind::Prevote,
        ..said.clone()
    };
    let nil = Statement {
        block: None,
        ..prevote.clone()
    };
    let evidence = Evidence::new(signed(1, &prevote), signed(1, &nil)).unwrap();
    let (id, height) = (header.id(), header.height);
    let block = Block {
        header,
        operations: vec![],
        evidence: vec![],
        previous_commit: Some(commit.clone().into()),
    };
    let operations = vec![operation(&agent_key(), 7, bodies().remove(7))];
    let decided = Decided {
        block: block.clone(),
        commit: commit.clone(),
    };
    let bad = bad_block(Block {
        operations: operations.clone(),
        ..block.clone()
    });
    let conflicting = Block {
        evidence: vec![evidence.clone()],
        ..block.clone()
    };
    let accusing = Block {
        evidence: vec![bad_block(conflicting)],
        ..block.clone()
    };
    let deepest = Decided {
        block: accusing,
        commit: commit.clone(),
    };
    let messages = [
        PeerMessage::Statement(signed(1, &said)),
        PeerMessage::Certificate(commit),
        PeerMessage::Status(PeerStatus { height, round: 0 }),
        PeerMessage::Block(Box::new(block)),
        PeerMessage::FetchBlock(FetchBlock { height, block: id }),
        PeerMessage::Operations(operations),
        PeerMessage::FetchDecided(FetchDecided { from: 3 }),
        PeerMessage::Decided(Box::new(decided)),
        PeerMessage::Evidence(Box::new(evidence)),
        PeerMessage::Suspicion(suspicion(1)),
        PeerMessage::Evidence(Box::new(bad)),
        // The deepest message: a decided block with evidence of a bad block that holds a conflict.
        PeerMessage::Decided(Box::new(deepest)),
        PeerMessage::Locate(Locate {
            challenge: u64::MAX,
        }),
        PeerMessage::Located(Located {
            challenge: u64::MAX,
            height,
        }),
    ];
    numbered("peer message", "peer-message", &messages)
}

fn requests() -> Vec<Vector> {
    let block = BlockId([0x0b; 32]);
    let requests = [
        Request::Submit(Box::new(operation(&agent_key(), 7, bodies().remove(7)))),
        Request::Heartbeat(Heartbeat {
            height: HEIGHT,
            block,
        }),
        Request::Follow(Follow { from: 1 }),
        Request::Account(agent_key().public_key()),
        Request::Task(task()),
        Request::Open(label("drones")),
        Request::Certificates(task()),
        Request::Status(StatusRequest::Summary),
        Request::Dossier(FetchDossier {
            clearing: clearing().hash(),
            from: 262_144,
        }),
        Request::Clearing(clearing().hash()),
        Request::Bids(FetchBids {
            market: label("routes"),
            window: 3,
            from: 262_144,
        }),
    ];
    let requests = requests.map(|request| ClientRequest { id: 7, request });
    numbered("request", "client-request", &requests)
}

fn call() -> Call {
    let tasks = vec![(task(), task_spec())];
    Call {
        market: label("drones"),
        window: 3,
        height: HEIGHT,
        stage: Stage::Bids,
        tasks,
    }
}

fn later(stage: Stage) -> Call {
    Call {
        stage,
        tasks: Vec::new(),
        ..call()
    }
}

fn answers() -> Vec<Vector> {
    let (block, agent) = (BlockId([0x0b; 32]), Some(agent_key().public_key()));
    let account = AccountSummary {
        next_sequence: 4,
        next_task: 0,
        assigned: vec![(task(), FencingToken(2))],
    };
    let task_summary = TaskSummary {
        state: label("working"),
        token: FencingToken(2),
        agent,
        price: Some(420),
    };
    let summary = Summary {
        swarm: swarm(),
        height: HEIGHT,
        block,
        active_time: ACTIVE,
        open_tasks: 1,
        pool: 0,
    };
    let certificate = Owned(certificate(1).encode());
    let dossier = Dossier {
        record: clearing(),
        inputs: clearing_inputs(),
    }
    .encode();
    let part = Part {
        total: dossier.len() as u64,
        bytes: Owned(dossier),
    };
    let inputs = cbor::encode(&clearing_inputs());
    let standing = Part {
        total: inputs.len() as u64,
        bytes: Owned(inputs),
    };
    let answers = [
        Answer::Accepted(OperationId([0xb1; 32])),
        Answer::Rejected(Rejection::Unauthentic),
        Answer::Rejected(Rejection::Unknown),
        Answer::Rejected(Rejection::Sequence),
        Answer::Rejected(Rejection::Gap),
        Answer::Rejected(Rejection::Full),
        Answer::Account(Some(account)),
        Answer::Account(None),
        Answer::Task(Some(task_summary)),
        Answer::Task(None),
        Answer::Open(call()),
        Answer::Certificates(vec![certificate.clone()]),
        Answer::Status(summary),
        Answer::Dossier(Some(part)),
        Answer::Dossier(None),
        Answer::Bids(Some(standing)),
        Answer::Bids(None),
    ];
    let replies = answers.map(|answer| ClientMessage::Reply(Reply { id: 7, answer }));
    let notices = [
        Notice::Block(BlockNotice {
            height: HEIGHT,
            block,
            active_time: ACTIVE,
        }),
        Notice::Certificate(certificate),
        Notice::Call(call()),
        Notice::Call(later(Stage::Openings)),
        Notice::Call(later(Stage::Solutions)),
    ];
    let messages: Vec<_> = replies
        .into_iter()
        .chain(notices.map(ClientMessage::Notice))
        .collect();
    numbered("client message", "client-message", &messages)
}

fn numbered<T: serde::Serialize + serde::de::DeserializeOwned>(
    name: &str,
    rule: &'static str,
    values: &[T],
) -> Vec<Vector> {
    let values = values.iter().enumerate();
    values
        .map(|(at, value)| Vector::new(format!("{name} {at}"), rule, value))
        .collect()
}
