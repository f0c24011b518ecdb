//! The network of a node: how it is started, and the names of swarms and peers in it.

use quorate_crypto::SecretKey;
use quorate_network::{
    Multiaddr, Network, NetworkConfig, NetworkError, NetworkEvents, PeerKey, peer_id,
};
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

/// Appends `/p2p/<peer id>` to addresses, as boot lists need them.
pub(crate) fn with_peer_id(addresses: Vec<Multiaddr>, key: PeerKey) -> Vec<Multiaddr> {
    let Some(id) = peer_id(&key) else {
        return addresses;
    };

    let suffix = format!("/p2p/{id}").parse::<Multiaddr>();
    match suffix {
        Ok(suffix) => {
            let join = |address: Multiaddr| address.iter().chain(suffix.iter()).collect();
            addresses.into_iter().map(join).collect()
        }
        Err(_) => addresses,
    }
}
