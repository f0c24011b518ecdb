//! Helpers of the tests: nodes, and waits with a bound.

use std::time::Duration;

use quorate_network::{
    Multiaddr, Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkLimits, PeerKey, start,
};
use tokio::time::{sleep, timeout};

/// The longest time that a test waits for an event or a condition.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The name of the swarm in the protocol names.
pub const SWARM: &str = "aa11";

/// A running node with its events.
pub struct Node {
    pub network: Network,
    pub events: NetworkEvents,
}

pub fn tcp() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().unwrap()
}

pub fn quic() -> Multiaddr {
    "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()
}

/// Limits with short retries, so that tests of failures are quick.
pub fn limits() -> NetworkLimits {
    NetworkLimits {
        retry_min: Duration::from_millis(20),
        retry_max: Duration::from_millis(200),
        ..NetworkLimits::default()
    }
}

pub fn config(seed: u8, listen: Multiaddr) -> NetworkConfig {
    NetworkConfig {
        listen: vec![listen],
        limits: limits(),
        ..NetworkConfig::new([seed; 32], SWARM)
    }
}

impl Node {
    /// Starts a node and waits until it listens.
    pub async fn start(config: NetworkConfig) -> Self {
        let expected = config.listen.len();
        let (network, events) = start(config).unwrap();
        let node = Self { network, events };
        until("the node to listen", || {
            node.network.listen_addresses().len() >= expected
        })
        .await;
        node
    }

    pub fn key(&self) -> PeerKey {
        self.network.local_key()
    }

    pub fn address(&self) -> Multiaddr {
        self.network.listen_addresses().first().unwrap().clone()
    }

    /// Waits for an event for which `wanted` returns a value, and returns the value. Earlier events
    /// are dropped.
    pub async fn expect<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(NetworkEvent) -> Option<T>,
    ) -> T {
        let search = async {
            loop {
                let event = self
                    .events
                    .recv()
                    .await
                    .unwrap_or_else(|| panic!("the network stopped before {what} came"));
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// Waits for the bytes of the next frame.
    pub async fn frame(&mut self) -> Vec<u8> {
        self.expect("a frame", frame_bytes).await
    }

    /// Adds the other node as a wanted peer, and waits until both are connected.
    pub async fn connect(&self, other: &Self) {
        self.network
            .add_peer(other.key(), vec![other.address()])
            .await
            .unwrap();
        until("a connection", || {
            self.network.is_connected(&other.key()) && other.network.is_connected(&self.key())
        })
        .await;
    }
}

/// The bytes of a frame; `None` for any other event.
pub fn frame_bytes(event: NetworkEvent) -> Option<Vec<u8>> {
    match event {
        NetworkEvent::Frame { bytes, .. } => Some(bytes),
        _ => None,
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let polling = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, polling)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"));
}
