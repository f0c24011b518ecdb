//! Frames to and from peers, and the addresses at which peers can be reached.

use quorate_network::{Bytes, Lane, Multiaddr, NetworkEvent, Topic};
use quorate_replica::{Event, QUICK_SIGNATURES, Recipients};
use quorate_types::message::{Announcement, ClientRequest, PeerMessage};
use quorate_types::{Evidence, PublicKey, Sign1, cbor, limits};

use super::event_loop::EventLoop;

use crate::clock::unix_millis;

/// The size in bytes up to which a block goes on the lane of the proposals. A larger block must not
/// delay votes.
const INLINE_BLOCK_BYTES: usize = limits::FRAME_BYTES / 2;

impl EventLoop {
    pub(super) async fn on_network(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Listening(address) => {
                tracing::info!(%address, "listening");
                self.announce().await;
            }

            NetworkEvent::Connected(key) => self.on_connected(PublicKey(key)),
            NetworkEvent::Disconnected(key) => self.on_disconnected(PublicKey(key)),

            NetworkEvent::Frame { from, lane, bytes } => {
                self.on_frame(PublicKey(from), lane, &bytes).await;
            }
            NetworkEvent::Gossip { topic, bytes, .. } => self.on_gossip(topic, &bytes).await,

            NetworkEvent::Discovered { key, addresses } if self.is_member(&PublicKey(key)) => {
                self.want(PublicKey(key), addresses).await;
            }

            NetworkEvent::Misbehaviour { from, kind } => {
                tracing::warn!(from = %PublicKey(from).short(), ?kind, "misbehaviour on a link");
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PublicKey) {
        tracing::debug!(peer = %peer.short(), "connected");
        self.connected.insert(peer);
        // Knowing one peer must be enough (W-14), so a new one is told all addresses.
        let known = self.book.all();
        if !known.is_empty() {
            self.send_to(&peer, &PeerMessage::Announcements(known));
        }
        self.handle(Event::Connected(peer));
    }

    fn on_disconnected(&mut self, peer: PublicKey) {
        tracing::debug!(peer = %peer.short(), "disconnected");
        self.connected.remove(&peer);
        self.handle(Event::Disconnected(peer));
    }

    async fn on_frame(&mut self, from: PublicKey, lane: Lane, bytes: &[u8]) {
        if lane == Lane::Client {
            match cbor::decode::<ClientRequest>(bytes, limits::FRAME_BYTES) {
                Ok(request) => self.handle(Event::Client { from, request }),
                Err(error) => self.on_garbage(&from, &error),
            }
            return;
        }

        match cbor::decode::<PeerMessage>(bytes, limits::BULK_FRAME_BYTES) {
            Ok(message) => self.on_message(from, message).await,
            Err(error) => self.on_garbage(&from, &error),
        }
    }

    async fn on_message(&mut self, from: PublicKey, message: PeerMessage) {
        match message {
            PeerMessage::Announcements(all) => {
                // New announcements of members are gossiped on. The ones that came by gossip are
                // not, because gossip takes them to everybody.
                for news in self.learn(all).await {
                    self.publish(Topic::Announcements, news);
                }
            }

            message => {
                if let PeerMessage::Block(block) = &message {
                    self.note_proposal(block.header.height);
                }
                self.handle(Event::Peer { from, message });
            }
        }
    }

    fn on_garbage(&mut self, from: &PublicKey, error: &cbor::CborError) {
        self.undecodable += 1;
        tracing::debug!(from = %from.short(), %error, "dropped a frame that does not decode");
    }

    async fn on_gossip(&mut self, topic: Topic, bytes: &[u8]) {
        match topic {
            Topic::Announcements => {
                if let Ok(announcement) = cbor::decode::<Sign1<Announcement>>(bytes, 8192) {
                    self.learn(vec![announcement]).await;
                }
            }

            Topic::Evidence => {
                // Two conflicting statements prove themselves, whoever brings them, so they are
                // handled as this node's own message. A bad block takes an execution to judge, so
                // it is taken only from a member on a lane, which is not listened to for a while if
                // its claim is false.
                if let Ok(evidence @ Evidence::Conflict(_)) = cbor::decode(bytes, 8192) {
                    let message = PeerMessage::Evidence(Box::new(evidence));
                    self.handle(Event::Peer {
                        from: self.me,
                        message,
                    });
                }
            }
            Topic::Calls => {}
        }
    }

    /// Takes announcements in. Returns, encoded, the ones that say something new about a member.
    async fn learn(&mut self, announcements: Vec<Sign1<Announcement>>) -> Vec<Vec<u8>> {
        let mut news = Vec::new();
        for announcement in announcements.into_iter().take(limits::ANNOUNCEMENTS) {
            let validators = self.durable.replica().ledger().validators().clone();
            let bytes = cbor::encode(&announcement);

            if let Some((key, addresses)) = self.book.learn(announcement, &validators)
                && self.is_member(&key)
            {
                self.want(key, addresses).await;
                news.push(bytes);
            }
        }

        news
    }

    /// Keeps a connection with a member.
    async fn want(&mut self, key: PublicKey, addresses: Vec<Multiaddr>) {
        if key != self.me && self.network.add_peer(key.0, addresses).await.is_err() {
            tracing::warn!("the network has stopped");
        }
    }

    fn is_member(&self, key: &PublicKey) -> bool {
        self.durable
            .replica()
            .ledger()
            .validators()
            .get(key)
            .is_some()
    }

    /// Announces this node's addresses: once it listens somewhere, and again from time to time.
    pub(super) async fn announce(&mut self) {
        let addresses = match self.config.announce.is_empty() {
            true => self.network.listen_addresses(),
            false => self.config.announce.clone(),
        };

        if addresses.is_empty() {
            return;
        }

        self.book
            .announce(self.durable.key(), &addresses, unix_millis());

        if let Some(own) = self.book.own() {
            let bytes = cbor::encode(own);
            let message = PeerMessage::Announcements(vec![own.clone()]);
            let frame = Frame::of(&message);
            for peer in &self.connected {
                self.send_frame(peer, &frame);
            }
            self.publish(Topic::Announcements, bytes);
        }
    }

    pub(super) fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        if let Err(error) = self.network.publish(topic, bytes) {
            tracing::debug!(%error, ?topic, "a message was not gossiped");
        }
    }

    pub(super) fn send(&mut self, to: Recipients, message: &PeerMessage) {
        match to {
            Recipients::One(peer) => self.send_to(&peer, message),
            Recipients::All => self.send_to_all(message),
        }
    }

    fn send_to_all(&mut self, message: &PeerMessage) {
        let frame = Frame::of(message);
        let validators = self.durable.replica().ledger().validators().clone();

        for validator in &*validators {
            if validator.key != self.me && self.connected.contains(&validator.key) {
                self.send_frame(&validator.key, &frame);
            }
        }

        // A validator that is not connected hears of evidence by gossip.
        if let PeerMessage::Evidence(evidence) = message {
            self.publish(Topic::Evidence, cbor::encode(&**evidence));
        }
    }

    /// Passes on the operations that came in since the last time. Each frame holds at most as many
    /// as are verified at once, so that they are known when another peer sends the same ones.
    pub(super) fn pass_on(&mut self) {
        let mut passing = std::mem::take(&mut self.passing);
        while !passing.is_empty() {
            let rest = passing.split_off(passing.len().min(QUICK_SIGNATURES));
            self.send(Recipients::All, &PeerMessage::Operations(passing));
            passing = rest;
        }
    }

    fn send_to(&mut self, to: &PublicKey, message: &PeerMessage) {
        self.send_frame(to, &Frame::of(message));
    }

    fn send_frame(&self, to: &PublicKey, frame: &Frame) {
        self.send_bytes(to, frame.lane, frame.bytes.clone());
    }

    /// Sends a frame. If the queue is full, the frame is lost; messages that matter are sent again
    /// (N-23).
    pub(super) fn send_bytes(&self, to: &PublicKey, lane: Lane, bytes: impl Into<Bytes>) {
        if let Err(error) = self.network.send(&to.0, lane, bytes) {
            tracing::debug!(to = %to.short(), ?lane, %error, "a frame was not sent");
        }
    }
}

/// A message in the form in which it is sent. Peers share its bytes, so it is encoded once however
/// many it goes to.
struct Frame {
    lane: Lane,
    bytes: Bytes,
}

impl Frame {
    fn of(message: &PeerMessage) -> Self {
        let bytes = Bytes::from(cbor::encode(message));
        Self {
            lane: lane_of(message, bytes.len()),
            bytes,
        }
    }
}

fn lane_of(message: &PeerMessage, bytes: usize) -> Lane {
    match message {
        PeerMessage::Block(_) | PeerMessage::Evidence(_) if bytes <= INLINE_BLOCK_BYTES => {
            Lane::Consensus
        }
        PeerMessage::Block(_)
        | PeerMessage::Evidence(_)
        | PeerMessage::Operations(_)
        | PeerMessage::Decided(_)
        | PeerMessage::Announcements(_) => Lane::Bulk,
        _ => Lane::Consensus,
    }
}
