//! libp2p links: bounded bytes in and out between known Ed25519 keys.
//!
//! [`start()`] spawns one task that owns the libp2p swarm. The consumer reads incoming events from
//! [`NetworkEvents`] and sends through [`Network`], a handle that is cheap to clone.
//!
//! # Two ways to carry bytes
//! - **Lanes** ([`Lane`]) go to one peer over long-lived streams, one per lane and direction, as
//!   frames of a `u32` big-endian length and that many bytes. A frame costs no handshake and passes
//!   no task but the writer of its stream, the connection and the reader of its stream.
//! - **Topics** ([`Topic`]) go to everybody by gossipsub. They are slow under load, so only
//!   messages that may arrive late belong there.
//!
//! # Guarantees
//! - Frames of one lane arrive in order while one connection lives. A frame stays in the bounded
//!   queue of its peer until that peer's consumer queue has taken it; otherwise it is sent again on
//!   the next stream. So frames may arrive twice after a reconnect. A frame is lost only if its
//!   peer loses its memory, or is neither connected nor wanted any more.
//! - Peers of another swarm are refused: the swarm is part of every protocol name.
//! - Everything is bounded by [`NetworkLimits`]: frame sizes before allocation, queues in frames
//!   and bytes, connections, streams, negotiations, and the time each may take.
//! - A slow consumer of [`NetworkEvents`] slows its senders down (backpressure). A peer that sends
//!   a lot fills its own budget and not the queue of others.
//!
//! # Not bounded
//! libp2p 0.57 has no setting for the receive window of a Yamux connection. The window is 256 KiB
//! per stream; a peer that sends fast to a consumer that takes fast may grow it to 1 GiB per
//! connection. Connections are limited per key and in all, but not per address, so one host may
//! hold all pending handshakes; dialing out is not affected. Gossip has no peer scores: the
//! consumer has to notice messages that are not worth passing on, and to ban their sender.
//!
//! # Absent here
//! This crate does not look into the bytes, and knows no blocks, votes, ledgers or certificates.
//! The Noise or TLS handshake proves the key that a frame comes from; whether that key belongs to a
//! member of the swarm is the consumer's question.

mod admission;
mod behaviour;
mod command;
mod config;
mod counters;
mod dialer;
mod error;
mod event;
mod event_loop;
mod gossip;
mod handle;
mod key;
mod outbox;
mod peers;
mod shared;
mod start;
mod streams;
mod transport;

pub use config::{Lane, LaneLimits, NetworkConfig, NetworkLimits, Topic};
pub use counters::{Counters, GossipCounters, LaneCounters};
pub use error::NetworkError;
pub use event::{MisbehaviourKind, NetworkEvent, NetworkEvents};
pub use handle::{Network, NetworkStopped, SendError};
pub use key::{PeerKey, key_of_secret, peer_id, peer_key, with_peer_id};
pub use libp2p::{Multiaddr, PeerId, bytes::Bytes};
pub use start::start;
