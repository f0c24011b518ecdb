//! Frames between hosts, and the connections that hosts know of.

use std::sync::Arc;

use quorate_replica::Event;
use quorate_types::{Millis, PublicKey};

use super::network::is_client;
use super::{Happening, Place, World};

/// Milliseconds after which a host notices a new connection.
const CONNECT_MS: Millis = 20;
/// Milliseconds after which a host notices that the network no longer carries a connection.
const BREAK_MS: Millis = 1_500;
/// Milliseconds after which a host notices that the process at the other end is gone.
const RESET_MS: Millis = 5;

impl World {
    /// The hosts with this validator's key: two if it has a twin.
    pub(super) fn places_of(&self, key: &PublicKey) -> Vec<Place> {
        let hosts = self
            .validators
            .iter()
            .enumerate()
            .filter(|(_, host)| host.me == *key);
        hosts.map(|(at, _)| Place::Validator(at)).collect()
    }

    /// Sends a frame from a validator to all hosts with a key, except itself.
    pub(super) fn send_to_key(&mut self, at: usize, to: PublicKey, frame: &Arc<[u8]>) {
        for place in self
            .places_of(&to)
            .into_iter()
            .filter(|place| *place != Place::Validator(at))
        {
            self.send((Place::Validator(at), place), frame);
        }
    }

    /// Puts a frame on a link. It is lost if no process runs at the other end.
    pub(super) fn send(&mut self, link: (Place, Place), frame: &Arc<[u8]>) {
        // The digest also takes in frames that nobody receives.
        self.note(b'>', link.0, link.1, frame);
        let Some(life) = self.life_of(link.1) else {
            return;
        };

        let fate = self.network.route(link, self.now, frame);

        for fault in fate.faults {
            self.count(fault);

            // A client has a stream, on which no frame can be lost while it lasts.
            if is_client(link) && ["lost", "cut-off"].contains(&fault) {
                self.reset(link);
            }
        }

        // The frame is meant for the process that runs now, not for a later one.
        let (from, to) = link;
        for delivery in fate.deliveries {
            let (bytes, mangled) = (delivery.bytes, delivery.mangled);
            self.push(
                delivery.at,
                Happening::Frame {
                    from,
                    to,
                    life,
                    bytes,
                    mangled,
                },
            );
        }
    }

    /// Delivers a frame, unless the process that it was sent to has ended.
    pub(super) fn arrive(
        &mut self,
        (from, to): (Place, Place),
        life: u64,
        bytes: &[u8],
        mangled: bool,
    ) {
        if self.life_of(to) != Some(life) {
            return;
        }

        self.note(b'<', from, to, bytes);

        match (from, to) {
            (_, Place::Validator(at)) => self.take_frame(at, from, bytes, mangled),
            (Place::Validator(from), Place::Client(at)) => self.take_client_frame(at, from, bytes),
            (Place::Client(_), Place::Client(_)) => {}
        }
    }

    /// Takes a frame, or something else between two hosts, into the digest.
    pub(super) fn note(&mut self, kind: u8, from: Place, to: Place, bytes: &[u8]) {
        self.digest
            .note(kind, self.now, [number(from), number(to)], bytes);
    }

    /// Takes something that is about one host, or about none, into the digest.
    pub(super) fn note_of(&mut self, kind: u8, place: Option<Place>, bytes: &[u8]) {
        self.digest
            .note(kind, self.now, [place.map_or(u64::MAX, number), 0], bytes);
    }

    /// Schedules that a client's connection breaks because a frame on its stream was lost. It comes
    /// back when it can.
    fn reset(&mut self, (from, to): (Place, Place)) {
        let pair = ordered(from, to);
        if self.breaking.insert(pair) {
            self.push(self.now + RESET_MS, Happening::Reset { pair });
        }
    }

    /// Breaks a connection of two hosts that are both up, and lets them try again.
    pub(super) fn break_link(&mut self, pair: (Place, Place)) {
        self.breaking.remove(&pair);
        self.link(pair, false);
        self.push(self.now + CONNECT_MS, Happening::Link { pair, up: true });
    }

    /// Compares all connections with what hosts know of them, and lets hosts notice changes.
    pub(super) fn relink_all(&mut self) {
        for at in 0..self.validators.len() {
            self.relink(Place::Validator(at));
        }
    }

    /// As [`Self::relink_all`], but for the connections of one host.
    pub(super) fn relink(&mut self, place: Place) {
        let validators = (0..self.validators.len()).map(Place::Validator);
        let clients = (0..self.clients.len()).map(Place::Client);
        let others: Vec<Place> = match place {
            Place::Validator(_) => validators.chain(clients).collect(),
            Place::Client(_) => validators.collect(),
        };

        for other in others.into_iter().filter(|other| *other != place) {
            let pair = ordered(place, other);
            let alive = self.life_of(place).is_some() && self.life_of(other).is_some();

            // A connection stays up as long as frames pass in one of the directions.
            let open = self.network.is_open(place, other) || self.network.is_open(other, place);

            // A process that ended is noticed at once, a cut only by the silence.
            let wait = match (alive && open, alive) {
                (true, _) => CONNECT_MS,
                (false, true) => BREAK_MS,
                (false, false) => RESET_MS,
            };

            self.push(
                self.now + wait,
                Happening::Link {
                    pair,
                    up: alive && open,
                },
            );
        }
    }

    /// Tells two hosts what there is to notice, unless it has changed back meanwhile.
    pub(super) fn notice_link(&mut self, pair: (Place, Place), up: bool) {
        let alive = self.life_of(pair.0).is_some() && self.life_of(pair.1).is_some();
        let open = self.network.is_open(pair.0, pair.1) || self.network.is_open(pair.1, pair.0);
        if up != (alive && open) {
            return;
        }
        self.link(pair, up);
    }

    /// Sets whether two hosts know that they are connected, and tells them if that is new.
    fn link(&mut self, pair: (Place, Place), up: bool) {
        let changed = match up {
            true => self.linked.insert(pair),
            false => self.linked.remove(&pair),
        };

        if changed {
            self.tell_link(pair.0, pair.1, up);
            self.tell_link(pair.1, pair.0, up);
        }
    }

    /// Tells a host that its connection with another came or went.
    fn tell_link(&mut self, place: Place, other: Place, up: bool) {
        self.note(b'L', place, other, &[u8::from(up)]);

        match (place, other) {
            (Place::Validator(at), Place::Client(client)) => {
                let key = self.clients[client].public_key();

                // Validators answer only clients that are connected.
                match up {
                    true => self.validators[at].clients.insert(key, client),
                    false => self.validators[at].clients.remove(&key),
                };

                self.tell_validator(at, key, up);
            }

            (Place::Validator(at), Place::Validator(peer)) => {
                let key = self.validators[peer].me;
                self.tell_validator(at, key, up);
            }

            (Place::Client(at), Place::Validator(peer)) => {
                let key = self.validators[peer].me;
                self.client_link(at, key, up);
            }

            (Place::Client(_), Place::Client(_)) => {}
        }
    }

    /// Hands the replica of a validator the news of a connection.
    fn tell_validator(&mut self, at: usize, key: PublicKey, up: bool) {
        let event = if up {
            Event::Connected(key)
        } else {
            Event::Disconnected(key)
        };

        self.handle(at, event);
        self.drain(at);
    }

    /// The life that the process of a host is in; `None` while no process runs.
    fn life_of(&self, place: Place) -> Option<u64> {
        match place {
            Place::Validator(at) => {
                let host = self.validators.get(at)?;
                host.process.is_some().then_some(host.life)
            }
            Place::Client(at) => {
                let host = self.clients.get(at)?;
                host.process.is_some().then_some(host.life)
            }
        }
    }
}

/// A pair of hosts, the lesser first.
fn ordered(a: Place, b: Place) -> (Place, Place) {
    if a < b { (a, b) } else { (b, a) }
}

/// The number of a host in the digest.
fn number(place: Place) -> u64 {
    match place {
        Place::Validator(at) => at as u64,
        Place::Client(at) => (1 << 32) | at as u64,
    }
}
