//! Tests of fetching dossiers from validators that lie, are silent, or do not have them (W-15).

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use crate::common::fetching::{Fetching, decided};
use crate::common::{World, key, label};
use quorate_agent::{ClientEvent, DossierBundle};
use quorate_certificate::Dossier;
use quorate_crypto::merkle;
use quorate_types::cose::Owned;
use quorate_types::message::{Answer, ClientRequest, FetchDossier, Part, Request};
use quorate_types::outcome::{BidInput, ClearingInput, ClearingRecord};
use quorate_types::{Hash, OperationId, Outcome, PublicKey, TaskId, cbor, limits};

/// The dossier of a clearing with `bids` bids.
fn dossier(window: u64, bids: u64) -> Dossier {
    let task = |number| TaskId {
        requester: key(10).public_key(),
        number,
    };
    let bid = |number| BidInput {
        task: task(number),
        agent: key(20).public_key(),
        price: Some(7),
        operation: OperationId([0; 32]),
        excluded: None,
    };
    let inputs: Vec<_> = (0..bids)
        .map(|number| ClearingInput::Bid(bid(number)))
        .collect();
    let leaves: Vec<_> = inputs.iter().map(cbor::encode).collect();
    let record = ClearingRecord {
        market: label("jobs"),
        window,
        mechanism: label("assignment"),
        version: 1,
        reserve: None,
        inputs: merkle::root(&leaves),
        input_count: leaves.len() as u64,
        assigned: 0,
        total: 0,
        solution: None,
    };
    Dossier { record, inputs }
}

/// Answers as a correct validator does until no question is open. Returns the validator, which must
/// be the same for all questions.
fn say_all(fetching: &mut Fetching, dossier: &Dossier, certificate: &[Owned]) -> PublicKey {
    let first = fetching.asked[0].0;
    while !fetching.asked.is_empty() {
        let (to, ClientRequest { id, request }) = fetching.question();
        assert_eq!(to, first);
        let answer = match request {
            Request::Dossier(wanted) => Answer::Dossier(part(dossier, wanted)),
            _ => Answer::Certificates(certificate.to_vec()),
        };
        fetching.answer(to, id, answer);
    }
    first
}

fn fetch(fetching: &mut Fetching, clearing: Hash) {
    fetching.client.fetch_dossier(clearing, fetching.now);
    fetching.drain();
}

fn answers(fetching: &Fetching) -> Vec<Option<Arc<DossierBundle>>> {
    let found = fetching.events.iter().filter_map(|event| match event {
        ClientEvent::Dossier { found, .. } => Some(found.clone()),
        _ => None,
    });
    found.collect()
}

/// The part that a correct validator sends; `None` if it was asked for another dossier.
fn part(dossier: &Dossier, wanted: FetchDossier) -> Option<Part> {
    let bytes = dossier.encode();
    let rest = bytes.get(wanted.from as usize..)?;
    let part = rest[..rest.len().min(limits::PART_BYTES)].to_vec();
    (wanted.clearing == dossier.record.hash()).then_some(Part {
        total: bytes.len() as u64,
        bytes: Owned(part),
    })
}

/// The certificate of the record, made by the validators of the world.
fn certificate(world: &World, dossier: &Dossier) -> Owned {
    let outcome = Outcome::Clearing(dossier.record.clone());
    let certificates = world.swarm.certify(&[outcome]);
    Owned(certificates[0].encode())
}

fn found(fetching: &Fetching) -> Arc<DossierBundle> {
    let answers = answers(fetching);
    let [Some(found)] = &answers[..] else {
        panic!("{answers:?}")
    };
    Arc::clone(found)
}

/// Returns the bytes of the certificate that a dossier came with.
fn certified(found: &DossierBundle) -> Option<Vec<u8>> {
    let certificate = found.certificate.as_ref()?;
    Some(certificate.bytes().to_vec())
}

#[test]
fn w15_a_long_dossier_comes_in_parts_with_its_certificate() {
    let world = decided();
    let whole = dossier(0, 4_000);
    assert!(
        whole.encode().len() > limits::PART_BYTES,
        "the dossier must need more than one part"
    );
    let certificate = certificate(&world, &whole);
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, whole.record.hash());
    fetch(&mut fetching, whole.record.hash());
    say_all(&mut fetching, &whole, std::slice::from_ref(&certificate));
    let found = found(&fetching);
    assert_eq!(
        (found.dossier.clone(), certified(&found)),
        (whole.encode(), Some(certificate.0))
    );
}

/// A lie costs its sender the turn: the client asks another validator and gets the dossier. C-16: a
/// dossier belongs to its record by the number and the root of its inputs, and its size is bounded.
#[test]
fn w15_a_lie_is_seen_and_the_next_is_asked() {
    let (world, whole) = (decided(), dossier(0, 3));
    let (encoded, other) = (whole.encode(), dossier(1, 3).encode());
    let mut short = whole.clone();
    short.inputs.pop();
    let lie = |total: usize, bytes: &[u8]| {
        Some(Part {
            total: total as u64,
            bytes: Owned(bytes.to_vec()),
        })
    };
    let table = [
        ("no dossier", None),
        ("bytes that are no dossier", lie(3, &[1, 2, 3])),
        ("nothing", lie(encoded.len(), &[])),
        ("more than it says", lie(encoded.len() - 1, &encoded)),
        (
            "more than there may be",
            lie(limits::DOSSIER_BYTES + 1, &encoded),
        ),
        ("another clearing's", lie(other.len(), &other)),
        (
            "one with a bid left out",
            lie(short.encode().len(), &short.encode()),
        ),
    ];
    let certificate = certificate(&world, &whole);
    for (what, lie) in table {
        let mut fetching = Fetching::new(&world);
        fetch(&mut fetching, whole.record.hash());
        let liar = fetching.say(Answer::Dossier(lie));
        assert!(answers(&fetching).is_empty(), "{what}");
        let correct = say_all(&mut fetching, &whole, std::slice::from_ref(&certificate));
        assert_ne!(correct, liar, "{what}");
        assert_eq!(found(&fetching).dossier, encoded, "{what}");
    }
}

#[test]
fn w15_a_certificate_of_something_else_is_none() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut forged = certificate(&world, &whole);
    *forged.0.last_mut().unwrap() ^= 1;
    let other = certificate(&world, &dossier(1, 3));
    for wrong in [forged, other] {
        let mut fetching = Fetching::new(&world);
        fetch(&mut fetching, whole.record.hash());
        let liar = fetching.say(Answer::Dossier(part(
            &whole,
            FetchDossier {
                clearing: whole.record.hash(),
                from: 0,
            },
        )));
        assert_eq!(fetching.say(Answer::Certificates(vec![wrong])), liar);
        let right = certificate(&world, &whole);
        let correct = say_all(&mut fetching, &whole, std::slice::from_ref(&right));
        assert_ne!(correct, liar);
        assert_eq!(certified(&found(&fetching)), Some(right.0));
    }
}

#[test]
fn w15_who_is_silent_is_passed_over() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, whole.record.hash());
    let (silent, ClientRequest { id, .. }) = fetching.question();
    while fetching.asked.is_empty() {
        fetching.tick();
    }
    assert_ne!(fetching.asked[0].0, silent);
    // A late answer must not be mixed with the answers of the next validator.
    fetching.answer(silent, id, Answer::Dossier(None));
    say_all(&mut fetching, &whole, &[certificate(&world, &whole)]);
    assert_eq!(found(&fetching).dossier, whole.encode());
}

#[test]
fn w15_in_the_end_there_is_an_answer() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, whole.record.hash());
    let mut asked = Vec::new();
    while answers(&fetching).is_empty() {
        match fetching.asked.is_empty() {
            true => fetching.tick(),
            false => asked.push(fetching.say(Answer::Dossier(None))),
        }
    }
    assert_eq!(answers(&fetching), [None]);
    for validator in &fetching.validators {
        let times = asked.iter().filter(|key| *key == validator).count();
        assert_eq!(times, 3, "the block may not have reached the validator yet");
    }
}

#[test]
fn w15_a_dossier_comes_without_a_certificate_where_nobody_has_one() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, whole.record.hash());
    while answers(&fetching).is_empty() {
        match fetching.asked.is_empty() {
            true => fetching.tick(),
            false => {
                let (to, ClientRequest { id, request }) = fetching.question();
                let answer = match request {
                    Request::Dossier(wanted) => Answer::Dossier(part(&whole, wanted)),
                    _ => Answer::Certificates(Vec::new()),
                };
                fetching.answer(to, id, answer);
            }
        }
    }
    let found = found(&fetching);
    assert_eq!(
        (&found.dossier, &found.certificate),
        (&whole.encode(), &None)
    );
}
