//! Frames between hosts, and the connections that hosts know of.

use std::sync::Arc;

use quorate_replica::Event;
use quorate_types::{Millis, PublicKey};

use super::network::is_client;
use super::{QueuedEvent, World};
use crate::host::HostId;

/// Milliseconds after which a host notices a new connection.
const CONNECT_MS: Millis = 20;
/// Milliseconds after which a host notices that the network no longer carries a connection.
const BREAK_MS: Millis = 1_500;
/// Milliseconds after which a host notices that the process at the other end is gone.
const RESET_MS: Millis = 5;

impl World {
    /// The hosts with this validator's key: two if it has a twin.
    pub(super) fn places_of(&self, key: &PublicKey) -> Vec<HostId> {
        let hosts = self
            .validators
            .iter()
            .enumerate()
            .filter(|(_, host)| host.me == *key);
        hosts.map(|(at, _)| HostId::Validator(at)).collect()
    }

    /// Sends a frame from a validator to all hosts with a key, except itself.
    pub(super) fn send_to_key(&mut self, at: usize, to: PublicKey, frame: &Arc<[u8]>) {
        let me = HostId::Validator(at);

        for place in self.places_of(&to) {
            if place != me {
                self.send((me, place), frame);
            }
        }
    }

    /// Puts a frame on a link. It is lost if no process runs at the other end.
    pub(super) fn send(&mut self, link: (HostId, HostId), frame: &Arc<[u8]>) {
        let (from, to) = link;

        // The digest also takes in frames that nobody receives.
        self.note(b'>', from, to, frame);

        let Some(life) = self.life_of(to) else {
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

        for delivery in fate.deliveries {
            // The frame is meant for the process that runs now, not for a later one.
            let frame = QueuedEvent::Frame {
                from,
                to,
                life,
                bytes: delivery.bytes,
                mangled: delivery.mangled,
            };

            self.push(delivery.at, frame);
        }
    }

    /// Delivers a frame, unless the process that it was sent to has ended.
    pub(super) fn arrive(
        &mut self,
        (from, to): (HostId, HostId),
        life: u64,
        bytes: &[u8],
        mangled: bool,
    ) {
        if self.life_of(to) != Some(life) {
            return;
        }

        self.note(b'<', from, to, bytes);

        match (from, to) {
            (_, HostId::Validator(at)) => self.take_frame(at, from, bytes, mangled),
            (HostId::Validator(from), HostId::Client(at)) => {
                self.take_client_frame(at, from, bytes)
            }
            (HostId::Client(_), HostId::Client(_)) => {}
        }
    }

    /// Takes a frame, or something else between two hosts, into the digest.
    pub(super) fn note(&mut self, kind: u8, from: HostId, to: HostId, bytes: &[u8]) {
        self.digest
            .note(kind, self.now, [number(from), number(to)], bytes);
    }

    /// Takes something that is about one host, or about none, into the digest.
    pub(super) fn note_of(&mut self, kind: u8, place: Option<HostId>, bytes: &[u8]) {
        self.digest
            .note(kind, self.now, [place.map_or(u64::MAX, number), 0], bytes);
    }

    /// Schedules that a client's connection breaks because a frame on its stream was lost. It comes
    /// back when it can.
    fn reset(&mut self, (from, to): (HostId, HostId)) {
        let pair = ordered(from, to);
        if self.breaking.insert(pair) {
            self.push(self.now + RESET_MS, QueuedEvent::Reset { pair });
        }
    }

    /// Breaks a connection of two hosts that are both up, and lets them try again.
    pub(super) fn break_link(&mut self, pair: (HostId, HostId)) {
        self.breaking.remove(&pair);
        self.link(pair, false);
        self.push(self.now + CONNECT_MS, QueuedEvent::Link { pair, up: true });
    }

    /// Compares all connections with what hosts know of them, and lets hosts notice changes.
    pub(super) fn relink_all(&mut self) {
        for at in 0..self.validators.len() {
            self.relink(HostId::Validator(at));
        }
    }

    /// As [`Self::relink_all`], but for the connections of one host.
    pub(super) fn relink(&mut self, place: HostId) {
        for other in self.possible_peers(place) {
            let pair = ordered(place, other);
            let alive = self.are_alive(pair);
            let up = alive && self.is_connectable(pair);

            // A process that ended is noticed at once, a cut only by the silence.
            let wait = match (up, alive) {
                (true, _) => CONNECT_MS,
                (false, true) => BREAK_MS,
                (false, false) => RESET_MS,
            };

            self.push(self.now + wait, QueuedEvent::Link { pair, up });
        }
    }

    /// The hosts that a host may have connections with. Clients have none with each other.
    fn possible_peers(&self, place: HostId) -> Vec<HostId> {
        let validators = (0..self.validators.len()).map(HostId::Validator);
        let clients = (0..self.clients.len()).map(HostId::Client);

        match place {
            HostId::Client(_) => validators.collect(),

            HostId::Validator(_) => validators
                .chain(clients)
                .filter(|other| *other != place)
                .collect(),
        }
    }

    /// Whether processes run at both hosts.
    fn are_alive(&self, (a, b): (HostId, HostId)) -> bool {
        self.life_of(a).is_some() && self.life_of(b).is_some()
    }

    /// Whether frames pass in one of the directions: a connection stays up as long as they do.
    fn is_connectable(&self, (a, b): (HostId, HostId)) -> bool {
        self.network.is_open(a, b) || self.network.is_open(b, a)
    }

    /// Tells two hosts what there is to notice, unless it has changed back meanwhile.
    pub(super) fn notice_link(&mut self, pair: (HostId, HostId), up: bool) {
        if up == (self.are_alive(pair) && self.is_connectable(pair)) {
            self.link(pair, up);
        }
    }

    /// Sets whether two hosts know that they are connected, and tells them if that is new.
    fn link(&mut self, pair: (HostId, HostId), up: bool) {
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
    fn tell_link(&mut self, place: HostId, other: HostId, up: bool) {
        self.note(b'L', place, other, &[u8::from(up)]);

        match (place, other) {
            (HostId::Validator(at), HostId::Client(client)) => {
                let key = self.clients[client].public_key();
                let connected = &mut self.validators[at].clients;

                // Validators answer only clients that are connected.
                match up {
                    true => connected.insert(key, client),
                    false => connected.remove(&key),
                };

                self.tell_validator(at, key, up);
            }

            (HostId::Validator(at), HostId::Validator(peer)) => {
                self.tell_validator(at, self.validators[peer].me, up);
            }

            (HostId::Client(at), HostId::Validator(peer)) => {
                self.client_link(at, self.validators[peer].me, up);
            }

            (HostId::Client(_), HostId::Client(_)) => {}
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
    fn life_of(&self, place: HostId) -> Option<u64> {
        match place {
            HostId::Validator(at) => {
                let host = self.validators.get(at)?;
                host.process.is_some().then_some(host.life)
            }

            HostId::Client(at) => {
                let host = self.clients.get(at)?;
                host.process.is_some().then_some(host.life)
            }
        }
    }
}

/// A pair of hosts, the lesser first.
fn ordered(a: HostId, b: HostId) -> (HostId, HostId) {
    if a < b { (a, b) } else { (b, a) }
}

/// The number of a host in the digest.
fn number(place: HostId) -> u64 {
    match place {
        HostId::Validator(at) => at as u64,
        HostId::Client(at) => (1 << 32) | at as u64,
    }
}
