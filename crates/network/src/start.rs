//! Starting a network: checks the configuration, binds the addresses, spawns the event loop.

use std::io;
use std::sync::Arc;

use libp2p::core::transport::TransportError;
use libp2p::gossipsub::{ConfigBuilderError, SubscriptionError};
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, InvalidProtocol, Swarm};
use libp2p::{Multiaddr, noise};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::behaviour::Behaviour;
use crate::config::NetworkConfig;
use crate::event::NetworkEvents;
use crate::event_loop::{EventLoop, Inputs, Shared};
use crate::handle::Network;
use crate::outbox::Outbox;
use crate::{key, transport};

/// Commands that may wait for the event loop.
const COMMAND_QUEUE: usize = 256;

/// Longest name of a swarm in characters.
const MAX_PROTOCOL_LENGTH: usize = 64;

/// Starts a network on the current tokio runtime and listens on all addresses of `config`.
///
/// # Errors
/// See [`NetworkError`]; nothing is left running then.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn start(config: NetworkConfig) -> Result<(Network, NetworkEvents), NetworkError> {
    let swarm_prefix = swarm_prefix(&config.protocol)?;
    let keypair = key::keypair(config.secret);
    let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (publications, publication_receiver) = mpsc::channel(config.limits.gossip_queue.max(1));
    let (events, event_receiver) = mpsc::channel(config.limits.event_queue.max(1));

    let local_key = key::key_of_secret(config.secret);
    let shared = Arc::new(Shared::new(local_key, config.limits.clone(), commands));
    let connections_stop = CancellationToken::new();
    let swarm = swarm(&config, &keypair, &swarm_prefix, &shared, &connections_stop)?;
    let inputs = Inputs {
        commands: command_receiver,
        publications: publication_receiver,
    };
    let event_loop = EventLoop::new(
        swarm,
        Arc::clone(&shared),
        Outbox::new(events),
        swarm_prefix,
    );
    shared.tasks.spawn(async move {
        event_loop.run(inputs).await;
        connections_stop.cancel();
    });
    Ok((
        Network::new(shared, publications),
        NetworkEvents::new(event_receiver),
    ))
}

/// `/quorate/<swarm>`, the beginning of every protocol name.
fn swarm_prefix(protocol: &str) -> Result<String, NetworkError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let length_allowed = (1..=MAX_PROTOCOL_LENGTH).contains(&protocol.len());
    if !length_allowed || !protocol.bytes().all(allowed) {
        return Err(NetworkError::ProtocolName {
            length: protocol.len(),
        });
    }
    Ok(format!("/quorate/{protocol}"))
}

/// A swarm that listens. Its connections run as tasks that `shutdown` waits for, and that end
/// at the latest when `stop` is cancelled.
fn swarm(
    config: &NetworkConfig,
    keypair: &Keypair,
    swarm_prefix: &str,
    shared: &Shared,
    stop: &CancellationToken,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let transport = transport::build(keypair, &config.limits)?;
    let behaviour = Behaviour::new(config, keypair, swarm_prefix)?;
    let (tasks, stop) = (shared.tasks.clone(), stop.clone());
    let swarm_config = Config::with_executor(move |task| {
        tasks.spawn(stop.clone().run_until_cancelled_owned(task));
    })
    .with_idle_connection_timeout(config.limits.idle_timeout)
    .with_max_negotiating_inbound_streams(config.limits.streams_per_connection);
    let local = keypair.public().to_peer_id();
    let mut swarm = Swarm::new(transport, behaviour, local, swarm_config);
    for address in &config.listen {
        swarm
            .listen_on(address.clone())
            .map_err(|source| NetworkError::Listen {
                address: address.clone(),
                source,
            })?;
    }
    Ok(swarm)
}

/// Why a network did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The name of the swarm is empty, longer than 64 or has characters that are not allowed.
    #[error("the swarm name of {length} characters is not 1 to 64 of 0-9 a-z A-Z - _")]
    ProtocolName {
        /// Its length in bytes.
        length: usize,
    },
    /// The protocol names were refused.
    #[error("protocol name: {0}")]
    Protocol(#[from] InvalidProtocol),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system said.
        source: TransportError<io::Error>,
    },
    /// Multicast DNS did not start.
    #[error("multicast DNS: {0}")]
    Mdns(#[source] io::Error),
    /// The key was refused by Noise.
    #[error("Noise: {0}")]
    Noise(#[source] noise::Error),
    /// The limits do not fit gossipsub.
    #[error("gossip configuration: {0}")]
    GossipLimits(#[from] ConfigBuilderError),
    /// gossipsub did not start.
    #[error("gossip: {0}")]
    Gossip(&'static str),
    /// A topic was refused.
    #[error("gossip topic: {0}")]
    GossipTopic(#[from] SubscriptionError),
}
