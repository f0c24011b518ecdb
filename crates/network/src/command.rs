//! The requests to the event loop, and the queues in which they wait.

use libp2p::Multiaddr;
use libp2p::bytes::Bytes;
use tokio::sync::mpsc;

use crate::config::{Lane, Topic};
use crate::key::PeerKey;
use crate::streams::handler::Reply;

/// A request of the handle or of a writer to the event loop.
#[derive(Debug)]
pub(crate) enum Command {
    AddPeer {
        key: PeerKey,
        addresses: Vec<Multiaddr>,
    },
    RemovePeer(PeerKey),
    Dial(Multiaddr),
    Disconnect(PeerKey),
    Ban(PeerKey),
    Unban(PeerKey),
    OpenStream {
        to: PeerKey,
        lane: Lane,
        reply: Reply,
    },
}

/// A message that waits to be gossiped.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) topic: Topic,
    pub(crate) bytes: Bytes,
}

/// The queues from which the event loop receives.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) publications: mpsc::Receiver<Publication>,
}
