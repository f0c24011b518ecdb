//! The libp2p behaviour of a node: its protocols, composed.

use libp2p::allow_block_list::{self, BlockedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{gossipsub, identify, mdns, ping};

use crate::config::{NetworkConfig, NetworkLimits};
use crate::error::NetworkError;
use crate::gossip;
use crate::streams::LaneProtocols;
use crate::streams::lanes::Lanes;

/// All protocols of a node. `blocked` and `limits` come first, so that a refused connection reaches
/// no other protocol.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) blocked: allow_block_list::Behaviour<BlockedPeers>,
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) lanes: Lanes,
    pub(crate) gossip: gossipsub::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

impl Behaviour {
    pub(crate) fn new(
        config: &NetworkConfig,
        keypair: &Keypair,
        swarm_prefix: &str,
    ) -> Result<Self, NetworkError> {
        let limits = &config.limits;
        let protocols = LaneProtocols::new(swarm_prefix)?;

        Ok(Self {
            blocked: allow_block_list::Behaviour::default(),
            limits: connection_limits::Behaviour::new(connection_limits(limits)),
            identify: identify_behaviour(keypair, swarm_prefix),
            ping: ping::Behaviour::new(
                ping::Config::new()
                    .with_interval(limits.ping_interval)
                    .with_timeout(limits.ping_timeout),
            ),
            lanes: Lanes::new(protocols),
            gossip: gossip::behaviour(keypair, swarm_prefix, limits)?,
            mdns: mdns_behaviour(config, keypair)?,
        })
    }
}

fn connection_limits(limits: &NetworkLimits) -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_established(Some(limits.max_connections))
        .with_max_established_incoming(Some(limits.max_incoming))
        .with_max_established_outgoing(Some(limits.max_outgoing))
        .with_max_established_per_peer(Some(limits.max_per_peer))
        .with_max_pending_incoming(Some(limits.max_pending_incoming))
        .with_max_pending_outgoing(Some(limits.max_pending_outgoing))
}

/// Returns the identify protocol. Its protocol version names the swarm. It caches no addresses,
/// because the dialer decides which peers to dial.
fn identify_behaviour(keypair: &Keypair, swarm_prefix: &str) -> identify::Behaviour {
    let config = identify::Config::new(swarm_prefix.to_owned(), keypair.public());
    identify::Behaviour::new(
        config
            .with_cache_size(0)
            .with_push_listen_addr_updates(true),
    )
}

fn mdns_behaviour(
    config: &NetworkConfig,
    keypair: &Keypair,
) -> Result<Toggle<mdns::tokio::Behaviour>, NetworkError> {
    let local = keypair.public().to_peer_id();

    let behaviour = config
        .mdns
        .then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), local));
    Ok(behaviour.transpose().map_err(NetworkError::Mdns)?.into())
}
