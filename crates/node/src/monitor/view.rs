//! The sources that the endpoint reads, and a view of them at one moment.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_network::Network;
use quorate_types::{Millis, Power, PublicKey, SwarmId, UnixMillis};
use tokio::sync::broadcast;

use super::tally::Tally;
use crate::clock::unix_millis;
use crate::committed::ValidatorEvent;
use crate::status::{LedgerSummary, ValidatorStatus};

/// The sources that the endpoint reads.
pub(crate) struct Sources {
    pub(crate) me: PublicKey,
    pub(crate) swarm: SwarmId,
    /// Milliseconds after which an idle swarm makes a block, from the genesis.
    pub(crate) max_block_interval: Millis,
    /// The time at which the validator was started.
    pub(crate) started: UnixMillis,
    pub(crate) network: Network,
    pub(crate) status: Arc<Mutex<ValidatorStatus>>,
    pub(crate) events: broadcast::Sender<ValidatorEvent>,
    pub(crate) tally: Arc<Mutex<Tally>>,
}

/// The contents of the sources at one moment.
pub(super) struct View {
    pub(super) me: PublicKey,
    pub(super) swarm: SwarmId,
    pub(super) max_block_interval: Millis,
    pub(super) started: UnixMillis,
    /// The time of this moment.
    pub(super) now: UnixMillis,
    pub(super) status: ValidatorStatus,
    pub(super) ledger: Arc<LedgerSummary>,
    /// The number of connected peers.
    pub(super) peers: usize,
    /// The connected validators, and this node if it is a validator.
    pub(super) present: BTreeSet<PublicKey>,
    pub(super) traffic: quorate_network::Counters,
    pub(super) tally: Tally,
}

impl Sources {
    /// Reads the sources; returns `None` while the validator is still recovering.
    pub(super) fn view(&self) -> Option<View> {
        let status = self
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let ledger = status.ledger.clone()?;

        let tally = self
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();

        let peers = self.network.peers();
        // This node is not its own peer, but it is present.
        let near = peers.iter().copied().map(PublicKey).chain([self.me]);
        let present = near
            .filter(|key| ledger.validators.get(key).is_some())
            .collect();

        Some(View {
            me: self.me,
            swarm: self.swarm,
            max_block_interval: self.max_block_interval,
            started: self.started,
            now: unix_millis(),
            status,
            ledger,
            peers: peers.len(),
            present,
            traffic: self.network.counters(),
            tally,
        })
    }
}

impl View {
    /// Returns the voting power of the validators that are present.
    pub(super) fn power_present(&self) -> Power {
        self.ledger.validators.power_of(&self.present)
    }
}
