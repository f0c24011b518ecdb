//! The configuration of a network: identity, swarm, addresses and every limit.

use std::fmt;
use std::time::Duration;

use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};

/// Identity, swarm and addresses of one network endpoint.
#[derive(Clone)]
pub struct NetworkConfig {
    /// The Ed25519 seed of this node's key, by which its peers know it.
    pub secret: [u8; 32],
    /// The name of the swarm, 1 to 64 characters of `0-9 a-z A-Z - _`; in practice a short hex form
    /// of the swarm id. It is part of every protocol name, so swarms never mix.
    pub protocol: String,
    /// The addresses to listen on: `/ip4/../tcp/..` and `/ip4/../udp/../quic-v1`, and the same with
    /// `ip6`. Port 0 lets the system choose; the choice is reported as `NetworkEvent::Listening`.
    pub listen: Vec<Multiaddr>,
    /// Whether to look for peers by multicast DNS. Peers found in this way are only reported.
    pub mdns: bool,
    /// The bounds on memory, connections and time.
    pub limits: NetworkLimits,
}

impl NetworkConfig {
    /// Returns a configuration without addresses, without mDNS and with the default limits.
    pub fn new(secret: [u8; 32], protocol: impl Into<String>) -> Self {
        let protocol = protocol.into();
        Self {
            secret,
            protocol,
            listen: vec![],
            mdns: false,
            limits: NetworkLimits::default(),
        }
    }
}

impl fmt::Debug for NetworkConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NetworkConfig")
            .field("protocol", &self.protocol)
            .field("listen", &self.listen)
            .field("mdns", &self.mdns)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A class of frames with streams of its own, so that large frames do not hold up small ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Statements and proposals between validators: small and urgent.
    Consensus,
    /// Blocks, batches of operations and synchronisation: large.
    Bulk,
    /// Messages between agents and validators: submissions, queries, certificates.
    Client,
}

impl Lane {
    /// Every lane, in the order of [`Lane::index`].
    pub const ALL: [Self; 3] = [Self::Consensus, Self::Bulk, Self::Client];

    /// Returns the position of the lane in [`Lane::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the name of the lane in its protocol `/quorate/<swarm>/<name>/1`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consensus => "consensus",
            Self::Bulk => "bulk",
            Self::Client => "client",
        }
    }
}

/// A kind of message that is gossiped to every peer of the swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Signed announcements of the addresses at which a validator is reached.
    Announcements,
    /// Calls for bids on open tasks.
    Calls,
    /// Proofs that a validator misbehaved.
    Evidence,
}

impl Topic {
    /// Every topic, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Announcements, Self::Calls, Self::Evidence];

    /// Returns the name of the topic in gossipsub: `/quorate/<swarm>/<name>/1`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announcements => "announcements",
            Self::Calls => "calls",
            Self::Evidence => "evidence",
        }
    }
}

/// The bounds of one lane. All peers of a swarm should agree on `max_frame_bytes`: a larger frame
/// closes the stream that it came on and is reported as misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLimits {
    /// The largest frame in bytes, in both directions; checked before memory is allocated for it.
    pub max_frame_bytes: u32,
    /// The number of frames that may wait for one peer or for its acknowledgement. One more is
    /// refused with `SendError::QueueFull`.
    pub queue_frames: usize,
    /// The number of bytes that may wait for one peer or for its acknowledgement.
    pub queue_bytes: usize,
    /// The number of bytes of one incoming stream that were read and not yet taken by the consumer.
    /// At least one frame is always allowed. A frame counts as at least 1 KiB.
    pub inbound_bytes: usize,
}

/// Bounds on memory, connections and time. The defaults suit a committee of up to a hundred
/// validators and a few thousand agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkLimits {
    /// Bounds of [`Lane::Consensus`]. Default: 256 KiB frames.
    pub consensus: LaneLimits,
    /// Bounds of [`Lane::Bulk`]. Default: 8 MiB frames.
    pub bulk: LaneLimits,
    /// Bounds of [`Lane::Client`]. Default: 1 MiB frames.
    pub client: LaneLimits,
    /// The largest gossip message in bytes, its envelope included. Default: 64 KiB.
    pub max_gossip_bytes: usize,
    /// The number of this node's gossip messages that may wait to be published. Default: 256.
    pub gossip_queue: usize,
    /// The number of events that may wait for the consumer. Default: 1,024.
    pub event_queue: usize,
    /// Incoming streams per peer and lane; one more ends the oldest. Default: 2, so that the last
    /// frames of a stream are still read when its peer has opened a new one.
    pub streams_per_lane: usize,
    /// Streams of any protocol per TCP connection. Default: 64.
    pub streams_per_connection: usize,
    /// Connections in all. Default: 2,304.
    pub max_connections: u32,
    /// Connections that peers opened. Default: 2,048. Peers named by `Network::add_peer` are
    /// let in beyond it.
    pub max_incoming: u32,
    /// Connections that this node opened. Default: 512.
    pub max_outgoing: u32,
    /// Connections with one peer. Default: 4: both sides may dial at once, over TCP and QUIC.
    pub max_per_peer: u32,
    /// Incoming connections still in their handshake. Default: 128.
    pub max_pending_incoming: u32,
    /// Outgoing connections still in their handshake. Default: 128.
    pub max_pending_outgoing: u32,
    /// Time for a handshake, and again for the proof that both are of one swarm. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Time for the body of a frame once its length was read. Default: 30 s.
    pub frame_timeout: Duration,
    /// The time after which a connection is closed if no stream and no gossip uses it and nothing
    /// asked for it. Default: 120 s.
    pub idle_timeout: Duration,
    /// Time between two pings. Default: 5 s.
    pub ping_interval: Duration,
    /// Time for the answer to a ping, after which the connection is closed. Default: 10 s.
    pub ping_timeout: Duration,
    /// The first pause before dialing or opening a stream again; it doubles each time. Default: 100
    /// ms.
    pub retry_min: Duration,
    /// The longest pause before dialing or opening a stream again. Default: 5 s.
    pub retry_max: Duration,
}

impl NetworkLimits {
    /// Returns the bounds of one lane.
    pub const fn lane(&self, lane: Lane) -> &LaneLimits {
        match lane {
            Lane::Consensus => &self.consensus,
            Lane::Bulk => &self.bulk,
            Lane::Client => &self.client,
        }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Default for NetworkLimits {
    fn default() -> Self {
        Self {
            consensus: lane_limits(256 * KIB, 1024, 4 * MIB),
            bulk: lane_limits(8 * MIB, 256, 32 * MIB),
            client: lane_limits(MIB, 1024, 4 * MIB),
            max_gossip_bytes: 64 * KIB,
            gossip_queue: 256,
            event_queue: 1024,
            streams_per_lane: 2,
            streams_per_connection: 64,
            max_connections: 2304,
            max_incoming: 2048,
            max_outgoing: 512,
            max_per_peer: 4,
            max_pending_incoming: 128,
            max_pending_outgoing: 128,
            handshake_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(10),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(5),
        }
    }
}

const fn lane_limits(max_frame: usize, queue_frames: usize, queue_bytes: usize) -> LaneLimits {
    LaneLimits {
        max_frame_bytes: max_frame as u32,
        queue_frames,
        queue_bytes,
        inbound_bytes: 2 * max_frame,
    }
}
