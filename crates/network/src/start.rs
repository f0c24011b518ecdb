//! Starts a network: checks the configuration, binds the addresses, spawns the event loop.

use std::sync::Arc;

use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, Swarm};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::behaviour::Behaviour;
use crate::command::Inputs;
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::event::NetworkEvents;
use crate::event_loop::EventLoop;
use crate::handle::Network;
use crate::outbox::Outbox;
use crate::shared::Shared;
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
    let run = async move {
        event_loop.run(inputs).await;
        connections_stop.cancel();
    };
    let span = tracing::debug_span!("network", key = %key::short(&local_key));
    shared.tasks.spawn(run.instrument(span));

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
