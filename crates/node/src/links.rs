//! The network of a node: how it is started, and the names of swarms and peers in it.

use quorate_crypto::SecretKey;
use quorate_network::{Network, NetworkConfig, NetworkError, NetworkEvents};
use quorate_types::SwarmId;

use crate::config::NodeConfig;

/// Starts the network of a node, and returns it with its events.
pub(crate) fn start_network(
    config: &NodeConfig,
    key: &SecretKey,
    swarm: &SwarmId,
) -> Result<(Network, NetworkEvents), NetworkError> {
    let mut settings = NetworkConfig::new(*key.seed(), protocol_name(swarm));
    settings.listen = config.listen.clone();
    settings.mdns = config.mdns;

    quorate_network::start(settings)
}

/// Returns the swarm's part of every protocol name, which keeps swarms apart on the wire.
pub fn protocol_name(swarm: &SwarmId) -> String {
    swarm.to_string().chars().take(16).collect()
}
