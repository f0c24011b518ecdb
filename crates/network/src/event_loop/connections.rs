//! Follows the connections: which peers are connected, of which swarm they are, and which are
//! dialed.

use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, identify};
use tokio::time::Instant;

use super::EventLoop;
use crate::admission::Admitted;
use crate::event::{MisbehaviourKind, NetworkEvent};
use crate::key::{PeerKey, peer_key};

impl EventLoop {
    pub(super) fn on_established(&mut self, peer: PeerId, connection: ConnectionId, count: u32) {
        self.shared.counters.connections.count();
        self.dialer.on_established(connection, peer);

        if self.dialer.wants(&peer) {
            self.swarm.behaviour_mut().lanes.keep(peer);
        }

        self.admission
            .on_established(connection, peer, Instant::now());

        // A peer without an Ed25519 key, or with too many connections, is not let in.
        match peer_key(&peer) {
            // `connection_limits` lets wanted peers pass uncounted, so they are counted here.
            Some(key) if count <= self.shared.limits.max_per_peer => self.renew(&key, count),
            _ => {
                self.swarm.close_connection(connection);
            }
        }
    }

    /// Moves the streams of a peer to its newest connection. A peer that was killed and comes back
    /// has a new connection long before the old one is known to be dead.
    fn renew(&self, key: &PeerKey, count: u32) {
        if count > 1 {
            self.shared.peers.renew(key);
        }
    }

    pub(super) fn on_closed(&mut self, peer: PeerId, connection: ConnectionId, remaining: u32) {
        self.admission.on_closed(connection);
        if remaining == 0 {
            self.on_lost(peer);
        }
    }

    fn on_lost(&mut self, peer: PeerId) {
        self.dialer.on_lost(peer, Instant::now());
        let Some(key) = peer_key(&peer) else { return };
        self.readers.forget(key);

        // The consumer hears of the loss only if it heard of the connection.
        if self.admission.on_lost(&peer) {
            self.shared.peers.disconnect(&key, &self.shared.counters);
            self.outbox.push(NetworkEvent::Disconnected(key));
        }

        if !self.shared.peers.is_wanted(&key) {
            self.swarm.behaviour_mut().lanes.release(peer);
        }
    }

    /// Notes that a connection is of this swarm. Returns the key of its peer.
    pub(super) fn admit(&mut self, connection: ConnectionId, peer: PeerId) -> Option<PeerKey> {
        let key = peer_key(&peer)?;
        if self.admission.admit(connection, peer) == Admitted::Now {
            self.dialer.on_admitted(peer);
            self.shared.peers.connect(key);
            self.outbox.push(NetworkEvent::Connected(key));
        }
        Some(key)
    }

    pub(super) fn on_identified(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        info: identify::Info,
    ) {
        if info.protocol_version != self.swarm_prefix {
            return self.refuse(peer, MisbehaviourKind::OtherSwarm);
        }
        if let Some(key) = self.admit(connection, peer) {
            self.discovered(key, info.listen_addrs);
        }
    }

    /// Closes the connections that have not said in time of which swarm they are.
    pub(super) fn close_silent(&mut self, now: Instant) {
        for (connection, peer) in self.admission.take_overdue(now) {
            self.swarm.close_connection(connection);
            self.report(peer, MisbehaviourKind::Silent);
        }
    }

    fn refuse(&mut self, peer: PeerId, kind: MisbehaviourKind) {
        self.disconnect_peer(peer);
        self.report(peer, kind);
    }

    fn report(&mut self, peer: PeerId, kind: MisbehaviourKind) {
        self.shared.counters.refused_peers.count();
        if let Some(from) = peer_key(&peer) {
            self.outbox.push(NetworkEvent::Misbehaviour { from, kind });
        }
    }

    pub(super) fn dial_due(&mut self, now: Instant) {
        for options in self.dialer.take_due(now) {
            let attempt = options.connection_id();
            if let Err(error) = self.swarm.dial(options) {
                self.on_dial_failed(attempt, &error);
            }
        }
    }

    pub(super) fn on_dial_failed(&mut self, attempt: ConnectionId, error: &DialError) {
        tracing::debug!(%error, "cannot dial a peer");
        self.shared.counters.failed_dials.count();
        match error {
            DialError::LocalPeerId { .. } => self.dialer.on_own_address(attempt),
            _ => self.dialer.on_failed(attempt, Instant::now()),
        }
    }

    pub(super) fn on_listening(&mut self, address: Multiaddr) {
        self.shared.listening.lock().push(address.clone());
        self.outbox.push(NetworkEvent::Listening(address));
    }

    pub(super) fn on_expired(&self, address: &Multiaddr) {
        self.shared
            .listening
            .lock()
            .retain(|other| other != address);
    }
}
