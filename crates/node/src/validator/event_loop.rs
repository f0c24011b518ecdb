//! The event loop of a validator: actions first, then timers, then a bounded number of events.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_crypto::SecretKey;
use quorate_durable::{DurableReplica, Start};
use quorate_network::{Network, NetworkEvent, NetworkEvents};
use quorate_replica::{Event, VotingStatus};
use quorate_store::CrashPoints;
use quorate_types::{Genesis, MonotonicMillis, PublicKey, SignedOperation};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot};
use tracing::{Instrument, Span};

use super::error::ValidatorError;
use super::proposals::Proposals;
use super::recovery::{RecoveryInputs, recover};
use super::spans::HeightSpan;
use crate::address_book::AddressBook;
use crate::clock::{Clock, sleep_until};
use crate::committed::ValidatorEvent;
use crate::config::NodeConfig;
use crate::status::{LedgerSummary, ValidatorStatus};

/// The number of network events that are handled before timers have their turn again.
const BATCH: usize = 64;
/// The time between two announcements of this node's addresses.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);

/// The parts from which a validator's thread starts.
pub(super) struct Parts {
    pub(super) data: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) key: SecretKey,
    pub(super) config: NodeConfig,
    pub(super) network: Network,
    pub(super) events: broadcast::Sender<ValidatorEvent>,
    pub(super) status: Arc<Mutex<ValidatorStatus>>,
    pub(super) points: CrashPoints,
    pub(super) start: Start,
    pub(super) runtime: Handle,
}

pub(super) struct EventLoop {
    pub(super) me: PublicKey,
    pub(super) config: NodeConfig,
    pub(super) durable: DurableReplica,
    pub(super) network: Network,
    pub(super) connected: BTreeSet<PublicKey>,
    pub(super) book: AddressBook,
    pub(super) clock: Clock,
    pub(super) last_commit_at: MonotonicMillis,
    pub(super) proposals: Proposals,
    /// Operations for all validators, which are sent together.
    pub(super) passing: Vec<SignedOperation>,
    pub(super) undecodable: u64,
    pub(super) events: broadcast::Sender<ValidatorEvent>,
    pub(super) done: mpsc::UnboundedSender<Event>,
    pub(super) runtime: Handle,
    status: Arc<Mutex<ValidatorStatus>>,
    height_span: HeightSpan,
}

impl EventLoop {
    /// Recovers and runs on this thread until stopped. `ready` is told once the loop runs.
    pub(super) fn run_on_this_thread(
        parts: Parts,
        network_events: NetworkEvents,
        stopped: oneshot::Receiver<()>,
        ready: oneshot::Sender<()>,
    ) -> Result<(), ValidatorError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| ValidatorError::Thread(error.to_string()))?;

        runtime.block_on(Self::run(parts, network_events, stopped, ready))
    }

    async fn run(
        parts: Parts,
        mut network_events: NetworkEvents,
        mut stopped: oneshot::Receiver<()>,
        ready: oneshot::Sender<()>,
    ) -> Result<(), ValidatorError> {
        let (done, mut completions) = mpsc::unbounded_channel();
        let mut this = Self::recover(parts, done)?;

        this.dial_boot_peers().await;
        this.announce_addresses().await;
        let mut announce = tokio::time::interval(ANNOUNCE_EVERY);
        this.tell_status();

        // The handle may be gone.
        let _ = ready.send(());

        loop {
            this.drain()?;
            this.pass_on();
            this.tell_status();

            let wake = this.durable.poll_timeout().map(|at| this.clock.instant(at));
            tokio::select! {
                // A flood of frames must delay neither finished work nor timers.
                biased;
                _ = &mut stopped => return this.stop(),
                Some(event) = completions.recv() => this.handle(event),
                () = sleep_until(wake) => this.handle_timeout(),
                event = network_events.recv() => {
                    let Some(event) = event else { return this.stop() };
                    this.on_network_batch(event, &mut network_events).await?;
                }
                _ = announce.tick() => this.announce_addresses().await,
            }
        }
    }

    fn recover(parts: Parts, done: mpsc::UnboundedSender<Event>) -> Result<Self, ValidatorError> {
        let clock = Clock::start();
        let me = parts.key.public_key();
        let swarm = parts.genesis.swarm_id();

        let inputs = RecoveryInputs {
            data: &parts.data,
            genesis: parts.genesis,
            key: parts.key,
            config: &parts.config,
            points: parts.points,
            start: parts.start,
            now: clock.now(),
        };
        let height_span = HeightSpan::new(&me);
        let durable = height_span.current().in_scope(|| recover(inputs))?;

        Ok(Self {
            me,
            config: parts.config,
            durable,
            network: parts.network,
            connected: BTreeSet::new(),
            book: AddressBook::new(swarm, me),
            clock,
            last_commit_at: clock.monotonic(),
            proposals: Proposals::default(),
            passing: Vec::new(),
            undecodable: 0,
            events: parts.events,
            done,
            runtime: parts.runtime,
            status: parts.status,
            height_span,
        })
    }

    /// Dials the peers that the configuration names.
    async fn dial_boot_peers(&self) {
        for address in &self.config.boot {
            // Dialing fails only if the network has stopped, which the loop notices.
            let _ = self.network.dial(address.clone()).await;
        }
    }

    /// Handles an event of the network and those that wait behind it, up to a limit.
    async fn on_network_batch(
        &mut self,
        first: NetworkEvent,
        events: &mut NetworkEvents,
    ) -> Result<(), ValidatorError> {
        let span = self.span();
        self.on_network(first).instrument(span).await;

        // Each frame is followed by its actions, so that the queue of actions stays short.
        for _ in 1..BATCH {
            self.drain()?;
            let Some(event) = events.try_recv() else {
                break;
            };
            let span = self.span();
            self.on_network(event).instrument(span).await;
        }

        Ok(())
    }

    async fn announce_addresses(&mut self) {
        let span = self.span();
        self.announce().instrument(span).await;
    }

    fn handle_timeout(&mut self) {
        let now = self.clock.now();
        self.span().in_scope(|| self.durable.handle_timeout(now));
    }

    /// Returns the span of the height and round in progress, in which an event is handled and an
    /// effect is carried out.
    pub(super) fn span(&mut self) -> Span {
        let replica = self.durable.replica();
        let span = self.height_span.at(replica.height(), replica.round());
        span.clone()
    }

    fn stop(mut self) -> Result<(), ValidatorError> {
        self.durable.sync()?;
        self.tell_status();
        Ok(())
    }

    fn tell_status(&self) {
        let replica = self.durable.replica();
        let ledger = replica.ledger();

        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.standing != replica.standing() {
            let span = self.height_span.current();
            span.in_scope(|| log_standing(replica.standing()));
        }

        // The summary is made once for each height.
        let summary = status
            .ledger
            .take()
            .filter(|told| told.height == ledger.height());

        *status = ValidatorStatus {
            height: ledger.height(),
            round: replica.round(),
            pool: replica.pool_len(),
            connected_validators: self.connected_validators(),
            connected: self.connected.len(),
            counters: replica.counters(),
            undecodable: self.undecodable,
            standing: replica.standing(),
            ledger: summary.or_else(|| Some(Arc::new(LedgerSummary::of(ledger)))),
        };
    }

    /// Returns the number of connected validators.
    fn connected_validators(&self) -> usize {
        let validators = self.durable.replica().ledger().validators();
        let members = self
            .connected
            .iter()
            .filter(|key| validators.get(key).is_some());
        members.count()
    }
}

/// Logs a change of standing as a warning, because a validator that does not vote needs attention.
fn log_standing(standing: VotingStatus) {
    match standing {
        VotingStatus::Votes => tracing::warn!("this validator votes again"),
        VotingStatus::Waits(from) => tracing::warn!(from, "not voting yet: votes from this height"),
        VotingStatus::Rejoins { heard, total } => tracing::warn!(
            heard,
            total,
            "rejoining: not voting until others with more than two thirds of the power are heard"
        ),
    }
}
