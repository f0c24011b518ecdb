//! Handles the messages of peers: incoming streams, gossip, addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use libp2p::{Multiaddr, PeerId, gossipsub};

use super::EventLoop;
use crate::event::NetworkEvent;
use crate::key::{PeerKey, peer_key};
use crate::streams::lanes::LaneEvent;
use crate::streams::reader::Reader;

impl EventLoop {
    /// Starts a reader for a stream of a lane. The stream's protocol names the swarm, so it admits
    /// its connection too.
    pub(super) fn on_incoming_stream(&mut self, event: LaneEvent) {
        let Some(from) = self.admit(event.connection, event.peer) else {
            return;
        };

        let reader = Reader {
            shared: Arc::clone(&self.shared),
            events: self.outbox.events(),
            from,
            lane: event.incoming.lane,
        };

        self.readers.start(reader, event.incoming.stream);
    }

    pub(super) fn on_gossip(&mut self, source: &PeerId, message: gossipsub::Message) {
        let Some(topic) = self.topics.topic(&message.topic) else {
            return;
        };
        let Some(from) = peer_key(source) else { return };

        let counters = &self.shared.counters;
        // Counted whether or not the consumer has room for it.
        counters.gossip_received.count();
        counters.gossip_received_bytes.add(message.data.len());

        let event = NetworkEvent::Gossip {
            from,
            topic,
            bytes: message.data,
        };

        if !self.outbox.offer(event) {
            counters.gossip_dropped.count();
        }
    }

    /// Reports the peers that multicast DNS found, one event per peer.
    pub(super) fn on_discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let mut by_peer = BTreeMap::<PeerKey, Vec<Multiaddr>>::new();
        for (peer, address) in found {
            if let Some(key) = peer_key(&peer) {
                by_peer.entry(key).or_default().push(address);
            }
        }

        for (key, addresses) in by_peer {
            self.discovered(key, addresses);
        }
    }

    /// Reports the addresses of a peer. Peers tell their addresses again, so this report may be
    /// dropped while the consumer is behind.
    pub(super) fn discovered(&mut self, key: PeerKey, mut addresses: Vec<Multiaddr>) {
        addresses.truncate(NetworkEvent::MAX_ADDRESSES);
        if !addresses.is_empty()
            && !self
                .outbox
                .offer(NetworkEvent::Discovered { key, addresses })
        {
            tracing::debug!("a peer's addresses were dropped: the consumer is behind");
        }
    }
}
