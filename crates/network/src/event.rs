//! What the network tells its consumer.

use libp2p::Multiaddr;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::config::{Lane, Topic};
use crate::key::PeerKey;

/// Something that happened on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// This node can be reached here, its own `/p2p/` part left out.
    Listening(Multiaddr),
    /// A peer of this swarm has its first connection. Its role is not known here. While the
    /// consumer is behind, frames of the peer may come first.
    Connected(PeerKey),
    /// The last connection with a peer is gone.
    Disconnected(PeerKey),
    /// A frame arrived. Its key is proven by the handshake, its bytes by nothing.
    Frame {
        /// The peer that sent it.
        from: PeerKey,
        /// The lane it came on.
        lane: Lane,
        /// Its bytes, at most `LaneLimits::max_frame_bytes`.
        bytes: Vec<u8>,
    },
    /// A gossip message arrived for the first time.
    Gossip {
        /// The peer that passed it on, not its author.
        from: PeerKey,
        /// The topic it was published on.
        topic: Topic,
        /// Its bytes, at most `NetworkLimits::max_gossip_bytes`.
        bytes: Vec<u8>,
    },
    /// Where a peer says it can be reached: by multicast DNS (unauthenticated), or told by the
    /// peer itself once connected. At most [`MAX_ADDRESSES`](Self::MAX_ADDRESSES) addresses.
    Discovered {
        /// The peer.
        key: PeerKey,
        /// Its addresses, to be tried and not to be believed.
        addresses: Vec<Multiaddr>,
    },
    /// A peer broke a rule of the links. The link concerned is closed already; whether the peer
    /// is banned is the consumer's question.
    Misbehaviour {
        /// The peer, proven by the handshake.
        from: PeerKey,
        /// The rule.
        kind: MisbehaviourKind,
    },
}

impl NetworkEvent {
    /// Addresses reported in one `Discovered`; further ones are left out.
    pub const MAX_ADDRESSES: usize = 16;
}

/// A rule of the links that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MisbehaviourKind {
    /// It announced a frame longer than its lane allows; the stream was closed.
    OversizedFrame {
        /// The lane.
        lane: Lane,
        /// The length announced, in bytes.
        bytes: u32,
    },
    /// It announced a frame and did not send it in time; the stream was closed.
    StalledFrame {
        /// The lane.
        lane: Lane,
    },
    /// It is of another swarm or none; it was disconnected.
    OtherSwarm,
    /// It did not say in time which swarm it is of; the connection was closed.
    Silent,
}

/// The consumer's end of the bounded queue of events.
///
/// While nobody takes events, peers are held back by flow control, so it wants to be drained.
/// Dropping it stops the network.
#[derive(Debug)]
pub struct NetworkEvents {
    receiver: mpsc::Receiver<Queued>,
}

impl NetworkEvents {
    pub(crate) const fn new(receiver: mpsc::Receiver<Queued>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event; `None` once the network has stopped. Cancel safe.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        self.receiver.recv().await.map(|queued| queued.event)
    }

    /// The next event if one is waiting.
    pub fn try_recv(&mut self) -> Option<NetworkEvent> {
        self.receiver.try_recv().ok().map(|queued| queued.event)
    }
}

/// An event with the share of its stream's budget that it holds until it is taken.
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
