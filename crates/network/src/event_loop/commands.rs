//! Carries out the commands of the consumer and of the writers.

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::EventLoop;
use crate::command::Publication;
use crate::config::Lane;
use crate::key::{PeerKey, peer_id};
use crate::streams::handler::Reply;

impl EventLoop {
    /// Wants a peer. A key that is not a point of the curve has no peer id, and nobody can ever
    /// prove to hold it, so it is forgotten.
    pub(super) fn add_peer(&mut self, key: PeerKey, addresses: Vec<Multiaddr>) {
        let Some(peer) = peer_id(&key).filter(|peer| peer != self.swarm.local_peer_id()) else {
            return self.shared.peers.unwant(&key, &self.shared.counters);
        };

        self.shared.peers.want(key);
        self.dialer.want(peer, addresses, Instant::now());

        if self.swarm.is_connected(&peer) {
            self.dialer.on_connected(peer);
        }

        // A wanted peer is let in beyond the limits, and its connections stay without streams.
        self.swarm.behaviour_mut().limits.bypass_peer_id(&peer);
        self.swarm.behaviour_mut().lanes.keep(peer);
    }

    pub(super) fn remove_peer(&mut self, key: PeerKey) {
        self.shared.peers.unwant(&key, &self.shared.counters);
        let Some(peer) = peer_id(&key) else { return };
        self.dialer.forget(&peer);
        self.swarm.behaviour_mut().limits.remove_peer_id(&peer);
        self.swarm.behaviour_mut().lanes.release(peer);
    }

    pub(super) fn disconnect(&mut self, key: PeerKey) {
        if let Some(peer) = peer_id(&key) {
            self.disconnect_peer(peer);
        }
    }

    pub(super) fn disconnect_peer(&mut self, peer: PeerId) {
        // An error says that the peer is not connected.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    pub(super) fn ban(&mut self, key: PeerKey) {
        self.remove_peer(key);
        if let Some(peer) = peer_id(&key) {
            self.swarm.behaviour_mut().blocked.block_peer(peer);
            self.swarm.behaviour_mut().gossip.blacklist_peer(&peer);
        }
    }

    pub(super) fn unban(&mut self, key: PeerKey) {
        if let Some(peer) = peer_id(&key) {
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
            self.swarm
                .behaviour_mut()
                .gossip
                .remove_blacklisted_peer(&peer);
        }
    }

    /// Asks for a stream to a peer. If there cannot be one, the reply is dropped, which tells the
    /// writer so.
    pub(super) fn open_stream(&mut self, to: PeerKey, lane: Lane, reply: Reply) {
        if self.shared.peers.queue(&to, lane).is_none() {
            return;
        }
        if let Some(peer) = peer_id(&to) {
            self.swarm.behaviour_mut().lanes.open(peer, lane, reply);
        }
    }

    pub(super) fn on_publication(&mut self, publication: Publication) {
        let topic = self.topics.hash(publication.topic);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        match gossip.publish(topic, publication.bytes) {
            Ok(_) => self.shared.counters.gossip_published.count(),
            Err(error) => {
                tracing::debug!(topic = publication.topic.name(), %error, "gossip not published");
                self.shared.counters.gossip_unpublished.count();
            }
        }
    }
}
