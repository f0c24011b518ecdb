//! The lanes of one connection: negotiates incoming and outgoing streams.
//!
//! It takes the place of `libp2p-stream`, which keeps a channel for every connection there ever
//! was, drops an incoming stream when another one has just arrived, and picks a connection at
//! random.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use libp2p::core::upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::oneshot;

use super::LaneProtocols;
use crate::config::Lane;

/// The number of incoming streams of one connection that may wait to be reported; further ones are
/// reset.
const MAX_WAITING: usize = 8;

/// The channel that receives a stream once it is open; it is dropped if the stream cannot be
/// opened.
pub(crate) type Reply = oneshot::Sender<Stream>;

/// A command to the handler of a connection.
#[derive(Debug)]
pub(crate) enum HandlerCommand {
    /// Open a stream of this lane.
    Open { lane: Lane, reply: Reply },
    /// Keep the connection even without streams, or no longer.
    KeepAlive(bool),
}

/// A stream that the peer opened, and its lane.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) lane: Lane,
    pub(crate) stream: Stream,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Handler {
    protocols: LaneProtocols,
    keep_alive: bool,
    opening: VecDeque<(Lane, Reply)>,
    incoming: VecDeque<Incoming>,
}

impl Handler {
    pub(crate) const fn new(protocols: LaneProtocols, keep_alive: bool) -> Self {
        Self {
            protocols,
            keep_alive,
            opening: VecDeque::new(),
            incoming: VecDeque::new(),
        }
    }

    fn accept(&mut self, incoming: Incoming) {
        if self.incoming.len() < MAX_WAITING {
            self.incoming.push_back(incoming);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = HandlerCommand;
    type ToBehaviour = Incoming;
    type InboundProtocol = AcceptLane;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<AcceptLane> {
        SubstreamProtocol::new(AcceptLane(self.protocols.clone()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep_alive
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Reply, Incoming>> {
        // One event per call: libp2p polls again until nothing is left.
        if let Some((lane, reply)) = self.opening.pop_front() {
            let upgrade = ReadyUpgrade::new(self.protocols.protocol(lane));
            let protocol = SubstreamProtocol::new(upgrade, reply);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }

        match self.incoming.pop_front() {
            Some(incoming) => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(incoming)),
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, command: HandlerCommand) {
        match command {
            HandlerCommand::Open { lane, reply } => self.opening.push_back((lane, reply)),
            HandlerCommand::KeepAlive(keep_alive) => self.keep_alive = keep_alive,
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, AcceptLane, ReadyUpgrade<StreamProtocol>, (), Reply>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => self.accept(protocol),

            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: reply,
            }) => {
                // A writer that does not wait any more has ended; the stream is closed by dropping
                // it.
                let _ = reply.send(stream);
            }

            // A failed negotiation drops the reply, which tells the writer.
            _ => {}
        }
    }
}

/// Accepts a stream of any lane.
#[derive(Clone, Debug)]
pub(crate) struct AcceptLane(LaneProtocols);

/// A protocol name with the lane it stands for.
#[derive(Clone, Debug)]
pub(crate) struct LaneName(Lane, StreamProtocol);

impl AsRef<str> for LaneName {
    fn as_ref(&self) -> &str {
        self.1.as_ref()
    }
}

impl UpgradeInfo for AcceptLane {
    type Info = LaneName;
    type InfoIter = std::vec::IntoIter<LaneName>;

    fn protocol_info(&self) -> Self::InfoIter {
        let names: Vec<_> = self
            .0
            .iter()
            .map(|(lane, name)| LaneName(lane, name))
            .collect();

        names.into_iter()
    }
}

impl InboundUpgrade<Stream> for AcceptLane {
    type Output = Incoming;
    type Error = Infallible;
    type Future = Ready<Result<Incoming, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, LaneName(lane, _): LaneName) -> Self::Future {
        ready(Ok(Incoming { lane, stream }))
    }
}
