//! The table of peers that frames can be sent to, shared by the handle and the event loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Lane;
use crate::counters::CounterCells;
use crate::key::PeerKey;
use crate::streams::queue::{LaneQueue, Lock};

/// Peers that are connected or wanted, with one queue per lane. Entries are created by the
/// consumer's `add_peer` and by connections, so their number is bounded by both.
#[derive(Debug, Default)]
pub(crate) struct PeerTable {
    peers: Lock<BTreeMap<PeerKey, Peer>>,
}

#[derive(Debug, Default)]
struct Peer {
    connected: bool,
    wanted: bool,
    queues: [Arc<LaneQueue>; Lane::ALL.len()],
}

impl PeerTable {
    /// Returns the queue of a peer and lane, or `None` if the peer is not known.
    pub(crate) fn queue(&self, key: &PeerKey, lane: Lane) -> Option<Arc<LaneQueue>> {
        self.peers
            .lock()
            .get(key)?
            .queues
            .get(lane.index())
            .cloned()
    }

    /// Keeps queues for a peer, connected or not.
    pub(crate) fn want(&self, key: PeerKey) {
        self.peers.lock().entry(key).or_default().wanted = true;
    }

    /// Undoes [`want`](Self::want).
    pub(crate) fn unwant(&self, key: &PeerKey, counters: &CounterCells) {
        self.change(key, counters, |peer| peer.wanted = false);
    }

    /// Notes that a peer is connected.
    pub(crate) fn connect(&self, key: PeerKey) {
        self.peers.lock().entry(key).or_default().connected = true;
    }

    /// Notes that a peer has no connection any more.
    pub(crate) fn disconnect(&self, key: &PeerKey, counters: &CounterCells) {
        self.change(key, counters, |peer| peer.connected = false);
    }

    /// Tells the writers of a peer that it has a newer connection.
    pub(crate) fn renew(&self, key: &PeerKey) {
        if let Some(peer) = self.peers.lock().get(key) {
            peer.queues.iter().for_each(|queue| queue.renew());
        }
    }

    /// Returns the connected peers in the order of their keys.
    pub(crate) fn connected(&self) -> Vec<PeerKey> {
        let peers = self.peers.lock();
        peers
            .iter()
            .filter(|(_, peer)| peer.connected)
            .map(|(key, _)| *key)
            .collect()
    }

    /// Returns whether a peer is connected.
    pub(crate) fn is_connected(&self, key: &PeerKey) -> bool {
        self.peers
            .lock()
            .get(key)
            .is_some_and(|peer| peer.connected)
    }

    /// Returns whether queues are kept for a peer even while it is not connected.
    pub(crate) fn is_wanted(&self, key: &PeerKey) -> bool {
        self.peers.lock().get(key).is_some_and(|peer| peer.wanted)
    }

    /// Changes an entry, and removes it if the peer is neither connected nor wanted any more. The
    /// frames left in its queues count as dropped.
    fn change(&self, key: &PeerKey, counters: &CounterCells, change: impl FnOnce(&mut Peer)) {
        let mut peers = self.peers.lock();
        let Some(peer) = peers.get_mut(key) else {
            return;
        };

        change(peer);
        if peer.connected || peer.wanted {
            return;
        }

        // Nothing can reach the queues from here on, so their frames are lost.
        for (lane, queue) in Lane::ALL.into_iter().zip(&peer.queues) {
            counters.lane(lane).dropped_frames.add(queue.close());
        }
        peers.remove(key);
    }
}
