//! The handle of a running network: sending, publishing, and steering its connections.

use std::sync::Arc;

use libp2p::Multiaddr;
use libp2p::bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::DropGuard;

use crate::command::{Command, Publication};
use crate::config::{Lane, Topic};
use crate::counters::Counters;
use crate::key::PeerKey;
use crate::shared::Shared;
use crate::streams::queue::{LaneQueue, Refusal};
use crate::streams::writer;

/// A running network. Clones share it. It stops when [`shutdown`](Self::shutdown) is called, when
/// the last clone is dropped, or when its `NetworkEvents` are dropped.
///
/// `send` and `publish` never wait. The methods that steer connections wait for room in a short
/// queue that the network empties even while nobody takes its events, so the task that takes the
/// events may call them too.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    publications: mpsc::Sender<Publication>,
    runtime: tokio::runtime::Handle,
    _stop: DropGuard,
}

impl Network {
    pub(crate) fn new(shared: Arc<Shared>, publications: mpsc::Sender<Publication>) -> Self {
        let stop = shared.stop.clone().drop_guard();
        let runtime = tokio::runtime::Handle::current();
        Self {
            inner: Arc::new(Inner {
                shared,
                publications,
                runtime,
                _stop: stop,
            }),
        }
    }

    /// Puts a frame into the queue of a peer and lane, without waiting.
    ///
    /// The peer must be connected or wanted ([`add_peer`](Self::add_peer)); for a wanted peer the
    /// queue keeps the frame until the peer is connected. One `Bytes` can go to many peers without
    /// a copy.
    ///
    /// # Errors
    /// See [`SendError`]; the frame was not taken and is counted as dropped.
    pub fn send(&self, to: &PeerKey, lane: Lane, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let shared = &self.inner.shared;
        if shared.stop.is_cancelled() {
            return Err(SendError::Stopped);
        }

        let queue = shared
            .peers
            .queue(to, lane)
            .ok_or(SendError::UnknownPeer { to: *to })?;

        let result = queue.push(bytes.into(), shared.limits.lane(lane));
        if result.is_err() {
            shared.counters.lane(lane).dropped_frames.count();
        }

        result.map_err(|refusal| send_error(refusal, *to, lane))?;
        self.start_writer(*to, lane, queue);
        Ok(())
    }

    /// Publishes to every peer of the swarm, without waiting. Publishing the same bytes twice
    /// within a minute is not an error and does nothing.
    ///
    /// # Errors
    /// [`SendError::GossipTooLarge`], [`SendError::GossipQueueFull`], [`SendError::Stopped`].
    pub fn publish(&self, topic: Topic, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let shared = &self.inner.shared;
        let bytes = bytes.into();
        let limit = shared.limits.max_gossip_bytes;

        if bytes.len() > limit {
            return Err(SendError::GossipTooLarge {
                bytes: bytes.len(),
                limit,
            });
        }

        self.inner
            .publications
            .try_send(Publication { topic, bytes })
            .map_err(|error| {
                shared.counters.gossip_unpublished.count();
                match error {
                    TrySendError::Full(_) => SendError::GossipQueueFull,
                    TrySendError::Closed(_) => SendError::Stopped,
                }
            })
    }

    /// Wants a connection with a peer: dials it at these addresses with doubling pauses, and again
    /// after a loss, until [`remove_peer`](Self::remove_peer) is called. A further call replaces
    /// the addresses, unless it gives none. A peer without addresses may still connect from its
    /// side. `send` works at once. A key that is not a point of the curve is ignored, and so is
    /// this node's own key.
    ///
    /// # Errors
    /// [`NetworkStopped`] if the network has stopped.
    pub async fn add_peer(
        &self,
        key: PeerKey,
        addresses: Vec<Multiaddr>,
    ) -> Result<(), NetworkStopped> {
        self.inner.shared.peers.want(key);
        self.command(Command::AddPeer { key, addresses }).await
    }

    /// Stops wanting a peer. A connection stays while streams or gossip use it, and ends after
    /// `NetworkLimits::idle_timeout` without use.
    ///
    /// # Errors
    /// [`NetworkStopped`] if the network has stopped.
    pub async fn remove_peer(&self, key: PeerKey) -> Result<(), NetworkStopped> {
        self.command(Command::RemovePeer(key)).await
    }

    /// Wants a connection with the peer that answers at this address: a boot node. The address may
    /// end in `/p2p/<peer id>`. It is dialed with doubling pauses until connected, and again after
    /// a loss.
    ///
    /// # Errors
    /// [`NetworkStopped`] if the network has stopped.
    pub async fn dial(&self, address: Multiaddr) -> Result<(), NetworkStopped> {
        self.command(Command::Dial(address)).await
    }

    /// Closes all connections with a peer. The peer may connect again, and a wanted one is dialed
    /// again.
    ///
    /// # Errors
    /// [`NetworkStopped`] if the network has stopped.
    pub async fn disconnect(&self, key: PeerKey) -> Result<(), NetworkStopped> {
        self.command(Command::Disconnect(key)).await
    }

    /// Closes all connections with a peer, no longer wants it, and refuses the peer and gossip that
    /// it wrote until [`unban`](Self::unban).
    ///
    /// # Errors
    /// [`NetworkStopped`] if the network has stopped.
    pub async fn ban(&self, key: PeerKey) -> Result<(), NetworkStopped> {
        self.command(Command::Ban(key)).await
    }

    /// Lets a banned peer connect again.
    ///
    /// # Errors
    /// [`NetworkStopped`] if the network has stopped.
    pub async fn unban(&self, key: PeerKey) -> Result<(), NetworkStopped> {
        self.command(Command::Unban(key)).await
    }

    /// Returns the key of this node.
    pub fn local_key(&self) -> PeerKey {
        self.inner.shared.local_key
    }

    /// Returns the addresses this node listens on, as far as the system has reported them.
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.inner.shared.listening.lock().clone()
    }

    /// Returns the peers that are connected now, in the order of their keys.
    pub fn peers(&self) -> Vec<PeerKey> {
        self.inner.shared.peers.connected()
    }

    /// Returns whether a peer is connected now.
    pub fn is_connected(&self, key: &PeerKey) -> bool {
        self.inner.shared.peers.is_connected(key)
    }

    /// Returns the traffic since the start.
    pub fn counters(&self) -> Counters {
        self.inner.shared.counters.read()
    }

    /// Stops the network and waits until its tasks have ended and its TCP sockets are closed.
    /// Connections have half a second to close; frames still queued are dropped.
    pub async fn shutdown(&self) {
        self.inner.shared.stop.cancel();
        self.inner.shared.tasks.close();
        self.inner.shared.tasks.wait().await;
    }

    async fn command(&self, command: Command) -> Result<(), NetworkStopped> {
        self.inner
            .shared
            .commands
            .send(command)
            .await
            .map_err(|_| NetworkStopped)
    }

    fn start_writer(&self, to: PeerKey, lane: Lane, queue: Arc<LaneQueue>) {
        if queue.claim_writer() {
            let writer = writer::run(Arc::clone(&self.inner.shared), to, lane, queue);
            self.inner
                .shared
                .tasks
                .spawn_on(writer, &self.inner.runtime);
        }
    }
}

const fn send_error(refusal: Refusal, to: PeerKey, lane: Lane) -> SendError {
    match refusal {
        Refusal::TooLarge { bytes, limit } => SendError::FrameTooLarge { lane, bytes, limit },
        Refusal::Full => SendError::QueueFull { to, lane },
        Refusal::Closed => SendError::UnknownPeer { to },
    }
}

/// The reason why a frame or a message was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The peer is neither connected nor wanted.
    #[error("the peer is neither connected nor wanted")]
    UnknownPeer {
        /// The key of the peer.
        to: PeerKey,
    },
    /// The queue of this peer and lane is at its limit of frames or bytes.
    #[error("the queue of lane {lane:?} is full; the peer has not yet taken what was sent")]
    QueueFull {
        /// The key of the peer.
        to: PeerKey,
        /// The lane of the queue.
        lane: Lane,
    },
    /// The frame is larger than its lane allows.
    #[error("a frame of {bytes} bytes exceeds the limit of {limit} bytes on lane {lane:?}")]
    FrameTooLarge {
        /// The lane of the frame.
        lane: Lane,
        /// The length of the frame in bytes.
        bytes: usize,
        /// The largest length that is allowed, in bytes.
        limit: u32,
    },
    /// The gossip message is larger than allowed.
    #[error("a gossip message of {bytes} bytes exceeds the limit of {limit} bytes")]
    GossipTooLarge {
        /// The length of the message in bytes.
        bytes: usize,
        /// The largest length that is allowed, in bytes.
        limit: usize,
    },
    /// Too many of this node's gossip messages wait to be published.
    #[error("the queue of this node's gossip messages is full; try again later")]
    GossipQueueFull,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// The network has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the network has stopped")]
pub struct NetworkStopped;
