//! The configuration of a light client.

use std::collections::BTreeSet;

use quorate_types::{Attestation, Genesis, Height, Label, Millis, SwarmId, ValidatorSet};

/// The configuration of a light client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The swarm, which goes into every signature.
    pub swarm: SwarmId,
    /// The markets that take sealed bids.
    pub sealed: BTreeSet<Label>,
    /// The validators whose words are weighed. Connect to validators with more than a third of the
    /// power, so that at least one of them is correct, and to some more, so that one may fall
    /// silent.
    pub validators: ValidatorSet,
    /// The attestation with which the key is admitted if the swarm does not know it yet.
    pub attestation: Option<Attestation>,
    /// The first height whose outcomes are wanted.
    pub follow_from: Height,
    /// Milliseconds until a message that had no effect is sent again; at least 1.
    pub resubmit: Millis,
    /// Milliseconds between heartbeats while no award is held; otherwise at most a quarter of the
    /// shortest lease.
    pub idle_heartbeat: Millis,
    /// Whether the client never opens a commitment, and so defaults as a dishonest agent does. This
    /// is for tests and demonstrations of the consequences; normally it is `false`.
    pub withholds: bool,
}

impl ClientConfig {
    /// Makes a configuration that follows from height 1 on, repeats after a second, and sends a
    /// heartbeat every 5 seconds while idle.
    pub fn new(genesis: &Genesis) -> Self {
        let sealed = genesis.markets.iter().filter(|market| market.is_sealed());
        Self {
            swarm: genesis.swarm_id(),
            sealed: sealed.map(|market| market.name.clone()).collect(),
            validators: genesis.validators.clone(),
            attestation: None,
            follow_from: 1,
            resubmit: 1_000,
            idle_heartbeat: 5_000,
            withholds: false,
        }
    }
}
