//! Counters that only grow, and the plain values that are read from them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::config::Lane;

/// The traffic since the start, as plain numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The traffic of [`Lane::Consensus`].
    pub consensus: LaneCounters,
    /// The traffic of [`Lane::Bulk`].
    pub bulk: LaneCounters,
    /// The traffic of [`Lane::Client`].
    pub client: LaneCounters,
    /// The traffic of all topics together.
    pub gossip: GossipCounters,
    /// Connections that were established, in both directions.
    pub connections: u64,
    /// Incoming connections that were refused or failed: limit, ban, failed handshake.
    pub refused_connections: u64,
    /// Attempts to dial that failed.
    pub failed_dials: u64,
    /// Peers that were disconnected because they are of another swarm or did not say of which.
    pub refused_peers: u64,
}

impl Counters {
    /// Returns the counters of one lane.
    pub const fn lane(&self, lane: Lane) -> &LaneCounters {
        match lane {
            Lane::Consensus => &self.consensus,
            Lane::Bulk => &self.bulk,
            Lane::Client => &self.client,
        }
    }
}

/// The traffic of one lane. Bytes are counted without the length prefix of each frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneCounters {
    /// Frames handed to a stream; a frame that is sent again counts again.
    pub sent_frames: u64,
    /// Bytes of the frames in `sent_frames`.
    pub sent_bytes: u64,
    /// Frames received from peers.
    pub received_frames: u64,
    /// Bytes of the frames in `received_frames`.
    pub received_bytes: u64,
    /// Frames that were refused because they were too large or the queue was full, and frames lost
    /// with the queue of a peer that left.
    pub dropped_frames: u64,
    /// Streams that this node opened.
    pub streams_opened: u64,
    /// Streams closed because their peer announced too long a frame or did not send one in time.
    pub streams_refused: u64,
}

/// The traffic of the topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GossipCounters {
    /// Messages of this node that were published.
    pub published: u64,
    /// Messages of this node that were not published: queue full, too large, duplicate, or no peer.
    pub unpublished: u64,
    /// Messages received for the first time.
    pub received: u64,
    /// Bytes of the messages in `received`.
    pub received_bytes: u64,
    /// Messages dropped because the consumer was behind.
    pub dropped: u64,
}

/// The counters in use, shared by the tasks that count.
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
    /// Returns the cells of one lane.
    pub(crate) const fn lane(&self, lane: Lane) -> &LaneCells {
        let [consensus, bulk, client] = &self.lanes;
        match lane {
            Lane::Consensus => consensus,
            Lane::Bulk => bulk,
            Lane::Client => client,
        }
    }

    /// Returns the current numbers. Each number is exact; together they are of about the same
    /// moment.
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

/// The counters of one lane in use.
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

/// One number that only grows. Its order is relaxed, because no other memory access depends on it.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// Adds one.
    pub(crate) fn count(&self) {
        self.add(1);
    }

    /// Adds a number of bytes or frames.
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
