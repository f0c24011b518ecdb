//! A client that fetches from four validators, one question at a time.

use quorate_agent::{ClientAction, Event, LightClient};
use quorate_types::message::{Answer, ClientRequest, Reply, Request};
use quorate_types::{Millis, PublicKey};

use super::World;

/// A world with a block.
pub fn decided() -> World {
    let mut world = World::new();
    world.step();
    world
}

/// The client, what it asked whom, and what it learned.
pub struct Fetching {
    pub client: LightClient,
    pub validators: Vec<PublicKey>,
    pub now: Millis,
    pub asked: Vec<(PublicKey, ClientRequest)>,
    pub events: Vec<Event>,
}

impl Fetching {
    pub fn new(world: &World) -> Self {
        let (client, validators) = (world.client(10), world.validators.clone());
        let (asked, events) = (Vec::new(), Vec::new());
        let mut fetching = Self {
            client,
            validators,
            now: 1_000,
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

    /// The only open question.
    pub fn question(&mut self) -> (PublicKey, ClientRequest) {
        let (Some(question), true) = (self.asked.pop(), self.asked.is_empty()) else {
            panic!("one question")
        };
        question
    }

    pub fn answer(&mut self, from: PublicKey, id: u64, answer: Answer) {
        self.client
            .handle_reply(from, Reply { id, answer }, self.now);
        self.drain();
    }

    /// Answers the open question; gives who was asked.
    pub fn say(&mut self, answer: Answer) -> PublicKey {
        let (to, ClientRequest { id, .. }) = self.question();
        self.answer(to, id, answer);
        to
    }

    pub fn tick(&mut self) {
        self.now = self.client.poll_timeout().unwrap();
        self.client.handle_timeout(self.now);
        self.drain();
    }
}
