//! Counters that only grow, and the plain values read from them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::config::Lane;

/// Traffic since the start, as plain numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Traffic of [`Lane::Consensus`].
    pub consensus: LaneCounters,
    /// Traffic of [`Lane::Bulk`].
    pub bulk: LaneCounters,
    /// Traffic of [`Lane::Client`].
    pub client: LaneCounters,
    /// Traffic of all topics.
    pub gossip: GossipCounters,
    /// Connections established.
    pub connections: u64,
    /// Connections refused: limit, ban, failed handshake.
    pub refused_connections: u64,
    /// Attempts to dial that failed.
    pub failed_dials: u64,
    /// Peers of another swarm, or that did not say of which, disconnected.
    pub refused_peers: u64,
}

impl Counters {
    /// The counters of one lane.
    pub const fn lane(&self, lane: Lane) -> &LaneCounters {
        match lane {
            Lane::Consensus => &self.consensus,
            Lane::Bulk => &self.bulk,
            Lane::Client => &self.client,
        }
    }
}

/// Traffic of one lane. Bytes are those of frames without their length prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneCounters {
    /// Frames handed to a stream; one sent again counts again.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames received.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames refused because they were too large or the queue full, and those lost with the queue
    /// of a peer that left.
    pub dropped_frames: u64,
    /// Streams opened by us.
    pub streams_opened: u64,
    /// Streams closed because their peer announced too long a frame or sent none in time.
    pub streams_refused: u64,
}

/// Traffic of the topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GossipCounters {
    /// Messages of our own that were published.
    pub published: u64,
    /// Messages of our own that were not: queue full, too large, duplicate, or no peer.
    pub unpublished: u64,
    /// Messages received for the first time.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Messages dropped because the consumer was behind.
    pub dropped: u64,
}

/// The counters while they count.
#[derive(Debug, Default)]
pub(crate) struct CounterCells {
    lanes: [LaneCells; Lane::ALL.len()],
    pub(crate) gossip_published: Cell,
    pub(crate) gossip_unpublished: Cell,
    pub(crate) gossip_received: Cell,
    pub(crate) gossip_received_bytes: Cell,
    pub(crate) gossip_dropped: Cell,
    pub(crate) connections: Cell,
    pub(crate) refused_connections: Cell,
    pub(crate) failed_dials: Cell,
    pub(crate) refused_peers: Cell,
}

impl CounterCells {
    /// The cells of one lane.
    pub(crate) const fn lane(&self, lane: Lane) -> &LaneCells {
        let [consensus, bulk, client] = &self.lanes;
        match lane {
            Lane::Consensus => consensus,
            Lane::Bulk => bulk,
            Lane::Client => client,
        }
    }

    /// The numbers now; each is exact, together they are of about the same moment.
    pub(crate) fn read(&self) -> Counters {
        Counters {
            consensus: self.lane(Lane::Consensus).read(),
            bulk: self.lane(Lane::Bulk).read(),
            client: self.lane(Lane::Client).read(),
            gossip: GossipCounters {
                published: self.gossip_published.get(),
                unpublished: self.gossip_unpublished.get(),
                received: self.gossip_received.get(),
                received_bytes: self.gossip_received_bytes.get(),
                dropped: self.gossip_dropped.get(),
            },
            connections: self.connections.get(),
            refused_connections: self.refused_connections.get(),
            failed_dials: self.failed_dials.get(),
            refused_peers: self.refused_peers.get(),
        }
    }
}

/// The counters of one lane while they count.
#[derive(Debug, Default)]
pub(crate) struct LaneCells {
    pub(crate) sent_frames: Cell,
    pub(crate) sent_bytes: Cell,
    pub(crate) received_frames: Cell,
    pub(crate) received_bytes: Cell,
    pub(crate) dropped_frames: Cell,
    pub(crate) streams_opened: Cell,
    pub(crate) streams_refused: Cell,
}

impl LaneCells {
    fn read(&self) -> LaneCounters {
        LaneCounters {
            sent_frames: self.sent_frames.get(),
            sent_bytes: self.sent_bytes.get(),
            received_frames: self.received_frames.get(),
            received_bytes: self.received_bytes.get(),
            dropped_frames: self.dropped_frames.get(),
            streams_opened: self.streams_opened.get(),
            streams_refused: self.streams_refused.get(),
        }
    }
}

/// One number that only grows. Relaxed order: counters order nothing else.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// Counts one.
    pub(crate) fn count(&self) {
        self.add(1);
    }

    /// Counts as many as there are bytes or frames.
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
