//! A validator as part of a process: replica, store and network.
//!
//! The replica has a thread of its own, which owns key, guard and disk, and waits for the disk
//! where the protocol requires it. The tokio runtime serves the sockets meanwhile.

mod error;
mod event_loop;
mod peers;
mod perform;
mod proposals;
mod recovery;
mod spans;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_durable::Start;
use quorate_network::{Multiaddr, Network, NetworkEvents, with_peer_id};
use quorate_store::CrashPoints;
use quorate_types::{PublicKey, SwarmId};
use tokio::sync::{broadcast, oneshot};

use crate::clock::unix_millis;
use crate::committed::ValidatorEvent;
use crate::data_dir::DataDir;
use crate::links::start_network;
use crate::monitor::{Monitor, Sources};
use crate::status::ValidatorStatus;
use event_loop::{EventLoop, Parts};

pub use error::ValidatorError;

/// A running validator. Dropping it stops it.
#[derive(Debug)]
pub struct Validator {
    key: PublicKey,
    swarm: SwarmId,
    network: Network,
    events: broadcast::Sender<ValidatorEvent>,
    status: Arc<Mutex<ValidatorStatus>>,
    monitor: Option<Monitor>,
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Result<(), ValidatorError>>,
}

/// The number of events that are kept for a subscriber that is behind.
const EVENT_QUEUE: usize = 1024;

impl Validator {
    /// Starts the validator of a folder on the current tokio runtime: it recovers, listens and
    /// takes part. Crash points are for tests that end the process at a named write.
    ///
    /// # Errors
    /// [`ValidatorError`], which names the file and what is wrong with it.
    pub async fn start(data_dir: &DataDir, points: CrashPoints) -> Result<Self, ValidatorError> {
        Self::start_as(Start::Guarded, data_dir, points).await
    }

    /// Starts a validator as [`Self::start`] does, for a key whose signing guard is lost. It
    /// follows and signs nothing until other validators with more than two thirds of the power have
    /// proved a fresh height, and votes from two heights later (N-27, N-29). Nothing else may run
    /// with the key, ever.
    ///
    /// # Errors
    /// The errors of [`Self::start`]; also if there still is a guard.
    pub async fn rejoin(data_dir: &DataDir, points: CrashPoints) -> Result<Self, ValidatorError> {
        let challenge = u64::from_le_bytes(recovery::random()?);
        Self::start_as(Start::Rejoin { challenge }, data_dir, points).await
    }

    async fn start_as(
        start: Start,
        data_dir: &DataDir,
        points: CrashPoints,
    ) -> Result<Self, ValidatorError> {
        let genesis = data_dir.genesis()?;
        let key = data_dir.key()?;
        let config = data_dir.config()?;

        let public = key.public_key();
        let swarm = genesis.swarm_id();
        let (network, network_events) = start_network(&config, &key, &swarm)?;

        let parts = Parts {
            data: data_dir.data(),
            genesis,
            key,
            config,
            network: network.clone(),
            events: broadcast::Sender::new(EVENT_QUEUE),
            status: Arc::default(),
            points,
            start,
            runtime: tokio::runtime::Handle::current(),
        };

        // It answers from here on, also while the replica recovers.
        let monitor = start_monitor(parts.config.monitor, sources(&parts)).await?;

        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (ready, started) = oneshot::channel();
        let validator = Self {
            key: public,
            swarm,
            network,
            events: parts.events.clone(),
            status: Arc::clone(&parts.status),
            monitor,
            stop: Some(stop),
            ended,
        };

        spawn_replica(parts, network_events, stopped, ready, end)?;
        validator.once_started(started).await
    }

    /// Returns the validator once its thread has recovered, or the reason why the thread ended
    /// before.
    async fn once_started(
        mut self,
        started: oneshot::Receiver<()>,
    ) -> Result<Self, ValidatorError> {
        // A thread that ends before it is ready drops `ready`; its result then has the reason.
        if started.await.is_ok() {
            return Ok(self);
        }

        self.wait().await?;
        Err(ValidatorError::Thread("it ended at once".to_owned()))
    }

    /// Returns the validator's key.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Returns the id of the validator's swarm.
    pub fn swarm(&self) -> SwarmId {
        self.swarm
    }

    /// Returns the addresses that the validator listens on, with its peer id appended.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let key = self.network.local_key();
        let addresses = self.network.listen_addresses();
        addresses
            .iter()
            .map(|address| with_peer_id(address, &key))
            .collect()
    }

    /// Returns the address of the monitoring endpoint, if there is one.
    pub fn monitor_address(&self) -> Option<SocketAddr> {
        self.monitor.as_ref().map(Monitor::address)
    }

    /// Subscribes to the validator's events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ValidatorEvent> {
        self.events.subscribe()
    }

    /// Returns the validator's current state.
    pub fn status(&self) -> ValidatorStatus {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the traffic of the validator's network.
    pub fn traffic(&self) -> quorate_network::Counters {
        self.network.counters()
    }

    /// Waits until the validator ends on its own, which always has a reason.
    ///
    /// # Errors
    /// The reason for which it ended.
    pub async fn wait(&mut self) -> Result<(), ValidatorError> {
        match (&mut self.ended).await {
            Ok(result) => result,
            Err(_) => Err(ValidatorError::Thread(
                "it ended without a result".to_owned(),
            )),
        }
    }

    /// Stops the validator: the log is synced and the sockets are closed.
    ///
    /// # Errors
    /// The error with which it ended.
    pub async fn shutdown(mut self) -> Result<(), ValidatorError> {
        if let Some(stop) = self.stop.take() {
            // The validator may have ended before.
            let _ = stop.send(());
        }

        let result = self.wait().await;
        if let Some(monitor) = self.monitor.take() {
            monitor.stop().await;
        }
        self.network.shutdown().await;
        result
    }
}

/// Returns the sources of the validator's monitoring endpoint.
fn sources(parts: &Parts) -> Sources {
    Sources {
        me: parts.key.public_key(),
        swarm: parts.genesis.swarm_id(),
        max_block_interval: parts.genesis.parameters.max_block_interval_ms,
        started: unix_millis(),
        network: parts.network.clone(),
        status: Arc::clone(&parts.status),
        events: parts.events.clone(),
        tally: Arc::default(),
    }
}

/// Starts the monitoring endpoint, or returns `None` if no address is configured. The endpoint
/// answers from now on, also while the validator recovers.
async fn start_monitor(
    address: Option<SocketAddr>,
    sources: Sources,
) -> Result<Option<Monitor>, ValidatorError> {
    let Some(address) = address else {
        return Ok(None);
    };

    let started = Monitor::start(address, sources).await;
    started
        .map(Some)
        .map_err(|source| ValidatorError::Monitor { address, source })
}

/// Starts the thread of the replica. It tells `ready` once it has recovered, and `end` its result.
fn spawn_replica(
    parts: Parts,
    network_events: NetworkEvents,
    stopped: oneshot::Receiver<()>,
    ready: oneshot::Sender<()>,
    end: oneshot::Sender<Result<(), ValidatorError>>,
) -> Result<(), ValidatorError> {
    let thread = std::thread::Builder::new().name("replica".to_owned());
    let spawned = thread.spawn(move || {
        let result = EventLoop::run_on_this_thread(parts, network_events, stopped, ready);
        // The handle may be gone.
        let _ = end.send(result);
    });

    spawned
        .map(drop)
        .map_err(|error| ValidatorError::Thread(error.to_string()))
}
