//! Starts a network: checks the configuration, binds the addresses, spawns the event loop.

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

/// The number of commands that may wait for the event loop.
const COMMAND_QUEUE: usize = 256;

/// The longest name of a swarm, in bytes.
const MAX_PROTOCOL_LENGTH: usize = 64;

/// Starts a network on the current tokio runtime and listens on all addresses of `config`.
///
/// # Errors
/// See [`NetworkError`]; nothing is left running then.
///
/// # Panics
/// If it is called outside of a tokio runtime.
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

    // The connections are canceled only after the event loop has said goodbye on them.
    shared.tasks.spawn(async move {
        event_loop.run(inputs).await;
        connections_stop.cancel();
    });

    Ok((
        Network::new(shared, publications),
        NetworkEvents::new(event_receiver),
    ))
}

/// Returns `/quorate/<swarm>`, the beginning of every protocol name.
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

/// Builds a swarm that listens. Its connections run as tasks that `shutdown` waits for, and that
/// end at the latest when `stop` is canceled.
fn swarm(
    config: &NetworkConfig,
    keypair: &Keypair,
    swarm_prefix: &str,
    shared: &Shared,
    stop: &CancellationToken,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let transport = transport::build(keypair, &config.limits)?;
    let behaviour = Behaviour::new(config, keypair, swarm_prefix)?;

    let tasks = shared.tasks.clone();
    let stop = stop.clone();
    let swarm_config = Config::with_executor(move |task| {
        tasks.spawn(stop.clone().run_until_cancelled_owned(task));
    })
    .with_idle_connection_timeout(config.limits.idle_timeout)
    .with_max_negotiating_inbound_streams(config.limits.streams_per_connection);

    let local = keypair.public().to_peer_id();
    let mut swarm = Swarm::new(transport, behaviour, local, swarm_config);

    listen(&mut swarm, &config.listen)?;
    Ok(swarm)
}

/// Makes a swarm listen on all these addresses.
fn listen(swarm: &mut Swarm<Behaviour>, addresses: &[Multiaddr]) -> Result<(), NetworkError> {
    for address in addresses {
        swarm
            .listen_on(address.clone())
            .map_err(|source| NetworkError::Listen {
                address: address.clone(),
                source,
            })?;
    }

    Ok(())
}

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
