//! Fetching dossiers from validators that lie, are silent, or do not have them (W-15).

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{World, key, label};
use quorate_agent::{ClientAction, DossierBundle, Event, LightClient};
use quorate_certificate::Dossier;
use quorate_crypto::merkle;
use quorate_types::cose::Owned;
use quorate_types::message::{Answer, ClientRequest, DossierPart, FetchDossier, Reply, Request};
use quorate_types::outcome::{BidInput, ClearingInput, ClearingRecord};
use quorate_types::{Hash, Millis, OperationId, Outcome, PublicKey, TaskId, cbor, limits};

/// The dossier of a clearing with so many bids.
fn dossier(window: u64, bids: u64) -> Dossier {
    let task = |number| TaskId { requester: key(10).public_key(), number };
    let bid = |number| BidInput {
        task: task(number),
        agent: key(20).public_key(),
        price: Some(7),
        operation: OperationId([0; 32]),
        excluded: None,
    };
    let inputs: Vec<_> = (0..bids).map(|number| ClearingInput::Bid(bid(number))).collect();
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
    };
    Dossier { record, inputs }
}

/// A world with a block.
fn decided() -> World {
    let mut world = World::new();
    world.step();
    world
}

/// A client that fetches, and what it asked whom.
struct Fetching {
    client: LightClient,
    validators: Vec<PublicKey>,
    now: Millis,
    asked: Vec<(PublicKey, ClientRequest)>,
    answers: Vec<Option<Arc<DossierBundle>>>,
}

impl Fetching {
    fn new(world: &World) -> Self {
        let (client, validators) = (world.client(10), world.validators.clone());
        let (asked, answers) = (Vec::new(), Vec::new());
        let mut fetching = Self { client, validators, now: 1_000, asked, answers };
        for validator in fetching.validators.clone() {
            fetching.client.handle_connected(validator, fetching.now);
        }
        fetching.drain();
        fetching
    }

    fn fetch(&mut self, clearing: Hash) {
        self.client.fetch_dossier(clearing, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match action {
                ClientAction::Send { to, request }
                    if matches!(request.request, Request::Dossier(_) | Request::Clearing(_)) =>
                {
                    self.asked.push((to, request));
                }
                ClientAction::Event(Event::Dossier { found, .. }) => self.answers.push(found),
                _ => {}
            }
        }
    }

    /// The only open question.
    fn question(&mut self) -> (PublicKey, ClientRequest) {
        let (Some(question), true) = (self.asked.pop(), self.asked.is_empty()) else {
            panic!("one question")
        };
        question
    }

    fn answer(&mut self, from: PublicKey, id: u64, answer: Answer) {
        self.client.handle_reply(from, Reply { id, answer }, self.now);
        self.drain();
    }

    /// Answers the open question; gives who was asked.
    fn say(&mut self, answer: Answer) -> PublicKey {
        let (to, ClientRequest { id, .. }) = self.question();
        self.answer(to, id, answer);
        to
    }

    /// Answers every question of one validator as a correct one does.
    fn say_all(&mut self, dossier: &Dossier, certificate: &[Owned]) -> PublicKey {
        let first = self.asked[0].0;
        while !self.asked.is_empty() {
            let (to, ClientRequest { id, request }) = self.question();
            assert_eq!(to, first);
            let answer = match request {
                Request::Dossier(wanted) => Answer::Dossier(part(dossier, wanted)),
                _ => Answer::Certificates(certificate.to_vec()),
            };
            self.answer(to, id, answer);
        }
        first
    }

    fn tick(&mut self) {
        self.now = self.client.poll_timeout().unwrap();
        self.client.handle_timeout(self.now);
        self.drain();
    }
}

fn part(dossier: &Dossier, wanted: FetchDossier) -> Option<DossierPart> {
    let bytes = dossier.encode();
    let rest = bytes.get(wanted.from as usize..)?;
    let part = rest[..rest.len().min(limits::DOSSIER_PART_BYTES)].to_vec();
    (wanted.clearing == dossier.record.hash())
        .then_some(DossierPart { total: bytes.len() as u64, bytes: Owned(part) })
}

/// The certificate of a record, by the validators of the world.
fn certificate(world: &World, dossier: &Dossier) -> Owned {
    let outcome = Outcome::Clearing(dossier.record.clone());
    let certificates = world.swarm.certify(&[outcome]);
    Owned(certificates[0].encode())
}

fn found(fetching: &Fetching) -> &DossierBundle {
    let [Some(found)] = &fetching.answers[..] else { panic!("{:?}", fetching.answers) };
    found
}

#[test]
fn w15_a_long_dossier_comes_in_parts_with_its_certificate() {
    let world = decided();
    let whole = dossier(0, 4_000);
    assert!(whole.encode().len() > limits::DOSSIER_PART_BYTES, "more than one part");
    let certificate = certificate(&world, &whole);
    let mut fetching = Fetching::new(&world);
    fetching.fetch(whole.record.hash());
    fetching.fetch(whole.record.hash());
    fetching.say_all(&whole, std::slice::from_ref(&certificate));
    let found = found(&fetching);
    assert_eq!((&found.dossier, &found.certificate), (&whole.encode(), &Some(certificate.0)));
}

/// Each lie costs the liar's turn, no more.
#[test]
fn w15_a_lie_is_seen_and_the_next_is_asked() {
    let (world, whole) = (decided(), dossier(0, 3));
    let (encoded, other) = (whole.encode(), dossier(1, 3).encode());
    let mut short = whole.clone();
    short.inputs.pop();
    let lie = |total: usize, bytes: &[u8]| {
        Some(DossierPart { total: total as u64, bytes: Owned(bytes.to_vec()) })
    };
    let table = [
        ("it has none", None),
        ("bytes that are no dossier", lie(3, &[1, 2, 3])),
        ("nothing", lie(encoded.len(), &[])),
        ("more than it says", lie(encoded.len() - 1, &encoded)),
        ("more than there may be", lie(limits::DOSSIER_BYTES + 1, &encoded)),
        ("another clearing's", lie(other.len(), &other)),
        ("one with a bid left out", lie(short.encode().len(), &short.encode())),
    ];
    let certificate = certificate(&world, &whole);
    for (what, lie) in table {
        let mut fetching = Fetching::new(&world);
        fetching.fetch(whole.record.hash());
        let liar = fetching.say(Answer::Dossier(lie));
        assert!(fetching.answers.is_empty(), "{what}");
        let correct = fetching.say_all(&whole, std::slice::from_ref(&certificate));
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
        fetching.fetch(whole.record.hash());
        let liar = fetching.say(Answer::Dossier(part(
            &whole,
            FetchDossier { clearing: whole.record.hash(), from: 0 },
        )));
        assert_eq!(fetching.say(Answer::Certificates(vec![wrong])), liar);
        let right = certificate(&world, &whole);
        let correct = fetching.say_all(&whole, std::slice::from_ref(&right));
        assert_ne!(correct, liar);
        assert_eq!(found(&fetching).certificate, Some(right.0));
    }
}

#[test]
fn w15_who_is_silent_is_passed_over() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut fetching = Fetching::new(&world);
    fetching.fetch(whole.record.hash());
    let (silent, ClientRequest { id, .. }) = fetching.question();
    while fetching.asked.is_empty() {
        fetching.tick();
    }
    assert_ne!(fetching.asked[0].0, silent);
    // What comes late is not mixed with what the next one sends.
    fetching.answer(silent, id, Answer::Dossier(None));
    fetching.say_all(&whole, &[certificate(&world, &whole)]);
    assert_eq!(found(&fetching).dossier, whole.encode());
}

#[test]
fn w15_in_the_end_there_is_an_answer() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut fetching = Fetching::new(&world);
    fetching.fetch(whole.record.hash());
    let mut asked = Vec::new();
    while fetching.answers.is_empty() {
        match fetching.asked.is_empty() {
            true => fetching.tick(),
            false => asked.push(fetching.say(Answer::Dossier(None))),
        }
    }
    assert_eq!(fetching.answers, [None]);
    for validator in &fetching.validators {
        let times = asked.iter().filter(|key| *key == validator).count();
        assert_eq!(times, 3, "a block may still be on its way to it");
    }
}

#[test]
fn w15_a_dossier_comes_without_a_certificate_where_nobody_has_one() {
    let (world, whole) = (decided(), dossier(0, 3));
    let mut fetching = Fetching::new(&world);
    fetching.fetch(whole.record.hash());
    while fetching.answers.is_empty() {
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
    assert_eq!((&found.dossier, &found.certificate), (&whole.encode(), &None));
}
