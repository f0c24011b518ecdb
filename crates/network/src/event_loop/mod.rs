//! The event loop, the task that owns the swarm: commands in, events out.
//!
//! Every arm is one call. The calls are in [`commands`] (requests of the consumer and of the
//! writers), [`connections`] (connecting, admitting and losing peers) and [`messages`] (streams,
//! gossip and addresses of peers).

mod commands;
mod connections;
mod messages;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{PeerId, gossipsub, identify, mdns, ping};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::admission::Admission;
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::command::{Command, Inputs};
use crate::dialer::Dialer;
use crate::gossip::Topics;
use crate::key;
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::streams::reader::Readers;

/// The time that connections may take to close when the network stops.
const GOODBYE: Duration = Duration::from_millis(500);

/// The owner of the swarm.
pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    shared: Arc<Shared>,
    outbox: Outbox,
    swarm_prefix: String,
    topics: Topics,
    dialer: Dialer,
    admission: Admission,
    readers: Readers,
}

impl EventLoop {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        shared: Arc<Shared>,
        outbox: Outbox,
        swarm_prefix: String,
    ) -> Self {
        Self {
            swarm,
            outbox,
            topics: Topics::new(&swarm_prefix),
            swarm_prefix,
            dialer: Dialer::new(shared.limits.clone()),
            admission: Admission::new(shared.limits.handshake_timeout),
            readers: Readers::default(),
            shared,
        }
    }

    /// Runs until the network is stopped or its consumer is gone.
    pub(crate) async fn run(mut self, mut inputs: Inputs) {
        let stop = self.shared.stop.clone();
        while !stop.is_cancelled() {
            self.step(&mut inputs, &stop).await;
        }
        self.say_goodbye().await;
    }

    /// Handles one input. The swarm is not polled while the consumer is behind; commands are always
    /// taken.
    async fn step(&mut self, inputs: &mut Inputs, stop: &CancellationToken) {
        let timer = self.next_timer();
        // A swarm that is not polled reads nothing, so flow control holds the peers back.
        let has_room = self.outbox.has_room();

        tokio::select! {
            () = stop.cancelled() => {}
            consumer_there = self.outbox.flush() => if !consumer_there { stop.cancel() },
            Some(command) = inputs.commands.recv() => self.on_command(command),
            Some(publication) = inputs.publications.recv() => self.on_publication(publication),
            event = self.swarm.select_next_some(), if has_room => {
                span_of(&event).in_scope(|| self.on_swarm_event(event));
            }
            () = sleep_until(timer) => self.on_timer(),
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::AddPeer { key, addresses } => self.add_peer(key, addresses),
            Command::RemovePeer(key) => self.remove_peer(key),
            Command::Dial(address) => self.dialer.want_boot(address, Instant::now()),
            Command::Disconnect(key) => self.disconnect(key),
            Command::Ban(key) => self.ban(key),
            Command::Unban(key) => self.unban(key),
            Command::OpenStream { to, lane, reply } => self.open_stream(to, lane, reply),
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),

            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                num_established,
                ..
            } => {
                self.on_established(peer_id, connection_id, num_established.get());
            }

            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                ..
            } => {
                self.on_closed(peer_id, connection_id, num_established);
            }

            SwarmEvent::IncomingConnectionError { .. } => {
                self.shared.counters.refused_connections.count();
            }

            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                self.on_dial_failed(connection_id, &error);
            }

            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.on_expired(&address),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),

            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::warn!(?addresses, ?reason, "a listener was closed");
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Lanes(event) => self.on_incoming_stream(event),

            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message,
                ..
            }) => self.on_gossip(&propagation_source, message),

            BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            }) => self.on_identified(connection_id, peer_id, info),

            BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(error),
                ..
            }) => {
                tracing::debug!(%error, "a ping failed; its connection is closed");
                self.swarm.close_connection(connection);
            }

            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_discovered(found),
            _ => {}
        }
    }
}

impl EventLoop {
    /// Returns the time of the next work that no input announces.
    fn next_timer(&self) -> Instant {
        let due = [self.dialer.next_due(), self.admission.next_due()];
        let idle = || Instant::now() + self.shared.limits.idle_timeout;
        due.into_iter().flatten().min().unwrap_or_else(idle)
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        self.close_silent(now);
        self.dial_due(now);
    }

    /// Closes all connections and waits a moment so that their peers are told.
    async fn say_goodbye(mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error says that the peer is not connected any more.
            let _ = self.swarm.disconnect_peer_id(peer);
        }

        let all_closed = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };

        if timeout(GOODBYE, all_closed).await.is_err() {
            tracing::debug!("some connections did not close in time and were cut");
        }
    }
}

/// Returns a span that says which peer an event is about, so that the lines that are logged for it
/// do; the empty span for an event of this node.
fn span_of(event: &SwarmEvent<BehaviourEvent>) -> Span {
    let peer = match event {
        SwarmEvent::ConnectionEstablished { peer_id, .. }
        | SwarmEvent::ConnectionClosed { peer_id, .. } => Some(peer_id),
        SwarmEvent::OutgoingConnectionError { peer_id, .. } => peer_id.as_ref(),
        SwarmEvent::Behaviour(event) => peer_of(event),
        _ => None,
    };

    peer.map_or_else(
        Span::none,
        |peer| tracing::debug_span!("peer", key = %key::short_of(peer)),
    )
}

/// Returns the peer that an event of a protocol is about.
fn peer_of(event: &BehaviourEvent) -> Option<&PeerId> {
    match event {
        BehaviourEvent::Lanes(event) => Some(&event.peer),
        BehaviourEvent::Ping(event) => Some(&event.peer),
        BehaviourEvent::Identify(identify::Event::Received { peer_id, .. }) => Some(peer_id),
        BehaviourEvent::Gossip(gossipsub::Event::Message {
            propagation_source, ..
        }) => Some(propagation_source),
        _ => None,
    }
}
