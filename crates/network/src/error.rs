//! The reasons why a network does not start.

use std::io;

use libp2p::core::transport::TransportError;
use libp2p::gossipsub::{ConfigBuilderError, SubscriptionError};
use libp2p::swarm::InvalidProtocol;
use libp2p::{Multiaddr, noise};
use thiserror::Error;

/// The reason why a network did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The name of the swarm is empty, longer than 64 bytes or has characters that are not allowed.
    #[error("the swarm name of {length} bytes is not valid: use 1 to 64 of 0-9 a-z A-Z - _")]
    ProtocolName {
        /// The length of the name in bytes.
        length: usize,
    },
    /// libp2p refused a protocol name.
    #[error("libp2p refused a protocol name: {0}")]
    Protocol(#[from] InvalidProtocol),
    /// The node cannot listen on an address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address to listen on.
        address: Multiaddr,
        /// The error of the transport.
        source: TransportError<io::Error>,
    },
    /// Multicast DNS did not start.
    #[error("cannot start multicast DNS: {0}")]
    Mdns(#[source] io::Error),
    /// Noise refused the key.
    #[error("Noise refused the node's key: {0}")]
    Noise(#[source] noise::Error),
    /// gossipsub refused the limits.
    #[error("gossipsub refused its configuration: {0}")]
    GossipLimits(#[from] ConfigBuilderError),
    /// gossipsub did not start.
    #[error("cannot start gossipsub: {0}")]
    Gossip(&'static str),
    /// gossipsub refused to subscribe to a topic.
    #[error("cannot subscribe to a gossip topic: {0}")]
    GossipTopic(#[from] SubscriptionError),
}
