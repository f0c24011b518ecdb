//! A validator as a process part: replica, store and network on a thread of their own.
//!
//! The thread owns key, guard and disk, and waits for the disk where the protocol has to; sockets
//! are served by the runtime meanwhile.

mod event_loop;
pub(crate) mod peers;
mod perform;
mod proposals;
mod recovery;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_crypto::Verified;
use quorate_durable::{DurableError, Start};
use quorate_ledger::{Ledger, WindowView};
use quorate_network::{Network, NetworkConfig, NetworkError};
use quorate_replica::{Counters, Standing};
use quorate_store::CrashPoints;
use quorate_types::{
    Block, BlockId, Height, Millis, PublicKey, QuorumCertificate, Round, SwarmId, ValidatorSet,
};
use tokio::sync::{broadcast, oneshot};

use crate::clock::unix_millis;
use crate::home::{Home, HomeError};
use crate::monitor::{Monitor, Sources};
use event_loop::EventLoop;

/// Why a validator does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// Its folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its disk, its guard or its protocol. The process has to end, and recover at its next start.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// Its network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Its monitoring endpoint.
    #[error("the monitoring endpoint on {address}: {source}")]
    Monitor {
        /// Address that cannot be bound.
        address: SocketAddr,
        /// Cause.
        source: std::io::Error,
    },
    /// The thread or its runtime could not be made, or died.
    #[error("the validator's thread: {0}")]
    Thread(String),
}

/// Something a validator did, for people and metrics.
#[derive(Debug, Clone)]
pub enum ValidatorEvent {
    /// A block was decided and applied.
    Committed(Arc<CommittedBlock>),
}

/// A decided block with what it did.
#[derive(Debug, Clone)]
pub struct CommittedBlock {
    /// Height.
    pub height: Height,
    /// Round it was decided in.
    pub round: Round,
    /// Block.
    pub block: BlockId,
    /// Who built it.
    pub builder: PublicKey,
    /// Block time, Unix milliseconds.
    pub block_time: Millis,
    /// Operations in it.
    pub operations: usize,
    /// What it decided.
    pub outcomes: Vec<quorate_types::Outcome>,
    /// Its commit.
    pub commit: QuorumCertificate,
    /// Milliseconds from the start of the height here to its commit.
    pub took_ms: Millis,
    /// Microseconds from when this node began to build the block, or received it, to its commit
    /// here; `None` where block sync brought it.
    pub proposed_to_committed_us: Option<u64>,
    /// The block itself.
    pub content: Arc<Verified<Block>>,
}

/// Where a validator stands.
#[derive(Debug, Clone, Default)]
pub struct ValidatorStatus {
    /// Last decided height.
    pub height: Height,
    /// Round of the height being decided.
    pub round: Round,
    /// Operations waiting.
    pub pool: usize,
    /// Validators this one is connected with.
    pub connected_validators: usize,
    /// All peers it is connected with.
    pub connected: usize,
    /// What was dropped and refused.
    pub counters: Counters,
    /// Frames that were no message of the protocol.
    pub undecodable: u64,
    /// Whether it votes, and if not, when it will.
    pub standing: Standing,
    /// What the last decided block left; `None` while the validator is still coming back.
    pub ledger: Option<Arc<LedgerSummary>>,
}

/// What people and monitors want to know of the state after a decided block.
#[derive(Debug, Clone)]
pub struct LedgerSummary {
    /// Height of the block.
    pub height: Height,
    /// Block; [`BlockId::GENESIS`] at height 0.
    pub block: BlockId,
    /// Its time, Unix milliseconds; that of the genesis at height 0.
    pub block_time: Millis,
    /// Who votes on the next height.
    pub validators: Arc<ValidatorSet>,
    /// Those of them that do not propose at the next height.
    pub benched: BTreeSet<PublicKey>,
    /// The windows of all markets, ascending by market.
    pub windows: Vec<WindowView>,
}

impl LedgerSummary {
    /// A copy of little, not the ledger: a ledger held by a reader could not fold its changes.
    fn of(ledger: &Ledger) -> Self {
        Self {
            height: ledger.height(),
            block: ledger.last_block(),
            block_time: ledger.block_time(),
            validators: Arc::clone(ledger.validators()),
            benched: ledger.benched().clone(),
            windows: ledger.windows(),
        }
    }
}

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

/// Events kept for a subscriber that is behind.
const EVENT_QUEUE: usize = 1024;

impl Validator {
    /// Starts the validator of a folder on the current tokio runtime: recovers what it had, listens
    /// and takes part. Crash points are for tests that end the process at a named write.
    ///
    /// # Errors
    /// [`ValidatorError`] naming the file, or what is wrong with it.
    pub async fn start(home: &Home, points: CrashPoints) -> Result<Self, ValidatorError> {
        Self::start_as(Start::Guarded, home, points).await
    }

    /// As [`Self::start`], for a key whose signing guard is lost: it follows and signs nothing
    /// until other validators with more than two thirds of the power have proved a fresh height,
    /// and votes from two heights later (N-27, N-29). Nothing else may run with the key, ever.
    ///
    /// # Errors
    /// As [`Self::start`]; and where there is a guard.
    pub async fn rejoin(home: &Home, points: CrashPoints) -> Result<Self, ValidatorError> {
        let challenge = u64::from_le_bytes(recovery::random()?);
        Self::start_as(Start::Rejoin { challenge }, home, points).await
    }

    async fn start_as(
        start: Start,
        home: &Home,
        points: CrashPoints,
    ) -> Result<Self, ValidatorError> {
        let (genesis, key, config) = (home.genesis()?, home.key()?, home.config()?);
        let swarm = genesis.swarm_id();
        let mut settings = NetworkConfig::new(*key.seed(), protocol_name(&swarm));
        settings.listen = config.listen.clone();
        settings.mdns = config.mdns;
        let (network, network_events) = quorate_network::start(settings)?;
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let status = Arc::new(Mutex::new(ValidatorStatus::default()));
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (ready, started) = oneshot::channel();
        let public = key.public_key();
        let sources = Sources {
            me: public,
            swarm,
            max_block_interval: genesis.parameters.max_block_interval_ms,
            started: unix_millis(),
            network: network.clone(),
            status: Arc::clone(&status),
            events: events.clone(),
            tally: Arc::default(),
        };
        let monitor = start_monitor(config.monitor, sources).await?;
        let parts = event_loop::Parts {
            data: home.data(),
            genesis,
            key,
            config,
            network: network.clone(),
            events: events.clone(),
            status: Arc::clone(&status),
            points,
            start,
            runtime: tokio::runtime::Handle::current(),
        };
        let thread = std::thread::Builder::new().name("replica".to_owned());
        thread
            .spawn(move || {
                let result = EventLoop::run_on_this_thread(parts, network_events, stopped, ready);
                // Nobody listens any more when the handle is gone.
                let _ = end.send(result);
            })
            .map_err(|error| ValidatorError::Thread(error.to_string()))?;
        let mut validator = Self {
            key: public,
            swarm,
            network,
            events,
            status,
            monitor,
            stop: Some(stop),
            ended,
        };
        match started.await {
            Ok(()) => Ok(validator),
            Err(_) => match validator.wait().await {
                Err(error) => Err(error),
                Ok(()) => Err(ValidatorError::Thread("ended at once".to_owned())),
            },
        }
    }

    /// Its key.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Its swarm.
    pub fn swarm(&self) -> SwarmId {
        self.swarm
    }

    /// Addresses it listens on, with its peer id behind them.
    pub fn addresses(&self) -> Vec<quorate_network::Multiaddr> {
        peers::with_peer_id(self.network.listen_addresses(), self.network.local_key())
    }

    /// Address of its monitoring endpoint, where it has one.
    pub fn monitor_address(&self) -> Option<SocketAddr> {
        self.monitor.as_ref().map(Monitor::address)
    }

    /// What it does from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ValidatorEvent> {
        self.events.subscribe()
    }

    /// Where it stands.
    pub fn status(&self) -> ValidatorStatus {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What its links carried.
    pub fn traffic(&self) -> quorate_network::Counters {
        self.network.counters()
    }

    /// Waits until it ends by itself, which is always for a reason.
    ///
    /// # Errors
    /// The reason.
    pub async fn wait(&mut self) -> Result<(), ValidatorError> {
        match (&mut self.ended).await {
            Ok(result) => result,
            Err(_) => Err(ValidatorError::Thread("died".to_owned())),
        }
    }

    /// Stops it: the log is synced, the sockets are closed.
    ///
    /// # Errors
    /// What went wrong on the way out.
    pub async fn shutdown(mut self) -> Result<(), ValidatorError> {
        if let Some(stop) = self.stop.take() {
            // It may have ended before.
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

/// None where no address is configured. It answers from now on, also while the node comes back.
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

/// Part of every protocol name, so that swarms never mix on the wire.
pub fn protocol_name(swarm: &SwarmId) -> String {
    swarm.to_string().chars().take(16).collect()
}
