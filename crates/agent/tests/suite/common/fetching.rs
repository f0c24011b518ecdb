//! A client that fetches dossiers or bids from four validators, with one question open at a time.

use quorate_agent::{ClientAction, ClientEvent, LightClient};
use quorate_types::message::{Answer, ClientRequest, Reply, Request};
use quorate_types::{MonotonicMillis, PublicKey};

use super::World;

/// Makes a world in which one block is decided.
pub fn decided() -> World {
    let mut world = World::new();
    world.step();
    world
}

/// A client that fetches, its open questions, and its events.
pub struct Fetching {
    pub client: LightClient,
    pub validators: Vec<PublicKey>,
    pub now: MonotonicMillis,
    /// The questions that are not answered yet, each with the validator asked.
    pub asked: Vec<(PublicKey, ClientRequest)>,
    pub events: Vec<ClientEvent>,
}

impl Fetching {
    pub fn new(world: &World) -> Self {
        let (client, validators) = (world.client(10), world.validators.clone());
        let (asked, events) = (Vec::new(), Vec::new());
        let mut fetching = Self {
            client,
            validators,
            now: MonotonicMillis(1_000),
            asked,
            events,
        };
        for validator in fetching.validators.clone() {
            fetching.client.handle_connected(validator, fetching.now);
        }
        fetching.drain();
        fetching
    }

    pub fn drain(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match action {
                ClientAction::Send { to, request } => {
                    let is_fetch = matches!(
                        request.request,
                        Request::Dossier(_) | Request::Clearing(_) | Request::Bids(_)
                    );
                    self.asked.extend(is_fetch.then_some((to, request)));
                }
                ClientAction::Event(event) => self.events.push(event),
            }
        }
    }

    /// Takes the open question; there must be exactly one.
    pub fn question(&mut self) -> (PublicKey, ClientRequest) {
        let (Some(question), true) = (self.asked.pop(), self.asked.is_empty()) else {
            panic!("exactly one question must be open")
        };
        question
    }

    pub fn answer(&mut self, from: PublicKey, id: u64, answer: Answer) {
        self.client
            .handle_reply(from, Reply { id, answer }, self.now);
        self.drain();
    }

    /// Answers the open question and returns the validator that was asked.
    pub fn say(&mut self, answer: Answer) -> PublicKey {
        let (to, ClientRequest { id, .. }) = self.question();
        self.answer(to, id, answer);
        to
    }

    /// Lets time pass until the next timeout of the client.
    pub fn tick(&mut self) {
        self.now = self.client.poll_timeout().unwrap();
        self.client.handle_timeout(self.now);
        self.drain();
    }
}
