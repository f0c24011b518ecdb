//! The lanes of all connections: on which connection a stream is opened, and which writers wait for
//! one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::{Context, Poll};

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::LaneProtocols;
use super::handler::{Handler, HandlerCommand, Incoming, Reply};
use crate::config::Lane;

/// An incoming stream, and the connection that it came on.
#[derive(Debug)]
pub(crate) struct LaneEvent {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) incoming: Incoming,
}

/// Opens and accepts the streams of the lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    protocols: LaneProtocols,
    /// The connections of each peer, oldest first.
    connections: BTreeMap<PeerId, Vec<ConnectionId>>,
    kept: BTreeSet<PeerId>,
    /// The writers that wait for a peer to connect: at most one per peer and lane.
    waiting: BTreeMap<(PeerId, Lane), Reply>,
    actions: VecDeque<ToSwarm<LaneEvent, HandlerCommand>>,
}

impl Lanes {
    pub(crate) const fn new(protocols: LaneProtocols) -> Self {
        Self {
            protocols,
            connections: BTreeMap::new(),
            kept: BTreeSet::new(),
            waiting: BTreeMap::new(),
            actions: VecDeque::new(),
        }
    }

    /// Opens a stream on the newest connection, or as soon as there is one. It takes the newest
    /// because after a restart of the peer the older ones are dead, which nobody may have noticed
    /// yet.
    pub(crate) fn open(&mut self, peer: PeerId, lane: Lane, reply: Reply) {
        match self
            .connections
            .get(&peer)
            .and_then(|connections| connections.last())
        {
            Some(&connection) => self.tell(peer, connection, HandlerCommand::Open { lane, reply }),
            None => {
                self.waiting.insert((peer, lane), reply);
            }
        }
    }

    /// Keeps the connections of a peer even if they have no streams.
    pub(crate) fn keep(&mut self, peer: PeerId) {
        if self.kept.insert(peer) {
            self.tell_all(peer, true);
        }
    }

    /// Undoes [`keep`](Self::keep), and drops the replies of the writers that wait for the peer.
    pub(crate) fn release(&mut self, peer: PeerId) {
        for lane in Lane::ALL {
            self.waiting.remove(&(peer, lane));
        }
        if self.kept.remove(&peer) {
            self.tell_all(peer, false);
        }
    }

    fn tell_all(&mut self, peer: PeerId, keep_alive: bool) {
        for connection in self.connections.get(&peer).cloned().unwrap_or_default() {
            self.tell(peer, connection, HandlerCommand::KeepAlive(keep_alive));
        }
    }

    fn tell(&mut self, peer_id: PeerId, connection: ConnectionId, event: HandlerCommand) {
        let handler = NotifyHandler::One(connection);
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler,
            event,
        });
    }

    fn handler(&self, peer: &PeerId) -> Handler {
        Handler::new(self.protocols.clone(), self.kept.contains(peer))
    }

    fn on_established(&mut self, peer: PeerId, connection: ConnectionId) {
        self.connections.entry(peer).or_default().push(connection);
        for lane in Lane::ALL {
            if let Some(reply) = self.waiting.remove(&(peer, lane)) {
                self.tell(peer, connection, HandlerCommand::Open { lane, reply });
            }
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(connections) = self.connections.get_mut(&peer) else {
            return;
        };

        connections.retain(|other| *other != connection);
        if connections.is_empty() {
            self.connections.remove(&peer);
        }
    }
}

impl NetworkBehaviour for Lanes {
    type ConnectionHandler = Handler;
    type ToSwarm = LaneEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(&peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(&peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            }) => self.on_established(peer_id, connection_id),

            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => {
                self.on_closed(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        incoming: Incoming,
    ) {
        let event = LaneEvent {
            peer,
            connection,
            incoming,
        };
        self.actions.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<LaneEvent, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
