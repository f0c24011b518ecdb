//! The events that a network reports to its consumer.

use libp2p::Multiaddr;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::config::{Lane, Topic};
use crate::key::PeerKey;

/// Something that happened on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// This node can be reached at this address, which is given without its own `/p2p/` part.
    Listening(Multiaddr),
    /// A peer of this swarm has its first connection. The network does not know the peer's role.
    /// While the consumer is behind, frames of the peer may come first.
    Connected(PeerKey),
    /// The last connection with a peer is gone.
    Disconnected(PeerKey),
    /// A frame arrived. The handshake proves the key that sent it; nothing proves its bytes.
    Frame {
        /// The peer that sent it.
        from: PeerKey,
        /// The lane it came on.
        lane: Lane,
        /// The content of the frame, at most `LaneLimits::max_frame_bytes`.
        bytes: Vec<u8>,
    },
    /// A gossip message arrived for the first time.
    Gossip {
        /// The peer that passed it on, not its author.
        from: PeerKey,
        /// The topic it was published on.
        topic: Topic,
        /// The content of the message, at most `NetworkLimits::max_gossip_bytes`.
        bytes: Vec<u8>,
    },
    /// Addresses at which a peer says it can be reached: found by multicast DNS (unauthenticated),
    /// or told by the peer itself once connected. At most [`MAX_ADDRESSES`](Self::MAX_ADDRESSES).
    Discovered {
        /// The key of the peer.
        key: PeerKey,
        /// The addresses of the peer, which may be tried but are not proven.
        addresses: Vec<Multiaddr>,
    },
    /// A peer broke a rule of the links. The link concerned is closed already; the consumer decides
    /// whether the peer is banned.
    Misbehaviour {
        /// The peer; the handshake proved its key.
        from: PeerKey,
        /// The rule that it broke.
        kind: MisbehaviourKind,
    },
}

impl NetworkEvent {
    /// The number of addresses reported in one `Discovered`; further ones are left out.
    pub const MAX_ADDRESSES: usize = 16;
}

/// A rule of the links that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MisbehaviourKind {
    /// It announced a frame longer than its lane allows; the stream was closed.
    OversizedFrame {
        /// The lane of the stream.
        lane: Lane,
        /// The length that was announced, in bytes.
        bytes: u32,
    },
    /// It announced a frame and did not send it in time; the stream was closed.
    StalledFrame {
        /// The lane of the stream.
        lane: Lane,
    },
    /// It is of another swarm, or of no swarm; it was disconnected.
    OtherSwarm,
    /// It did not say in time of which swarm it is; the connection was closed.
    Silent,
}

/// The consumer's end of the bounded queue of events.
///
/// While nobody takes events, flow control holds the peers back, so the consumer should take them
/// promptly. Dropping it stops the network.
#[derive(Debug)]
pub struct NetworkEvents {
    receiver: mpsc::Receiver<Queued>,
}

impl NetworkEvents {
    pub(crate) const fn new(receiver: mpsc::Receiver<Queued>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event; returns `None` once the network has stopped. Cancel safe.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        self.receiver.recv().await.map(|queued| queued.event)
    }

    /// Returns the next event if one is waiting.
    pub fn try_recv(&mut self) -> Option<NetworkEvent> {
        self.receiver.try_recv().ok().map(|queued| queued.event)
    }
}

/// An event, with the share of its stream's budget that it holds until the consumer takes it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) event: NetworkEvent,
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl From<NetworkEvent> for Queued {
    fn from(event: NetworkEvent) -> Self {
        Self {
            event,
            _permit: None,
        }
    }
}
