//! The event loop of an agent or requester.

use std::pin::Pin;

use futures::StreamExt;
use quorate_agent::{
    AgentReport, AgentRunner, ClientAction, ClientError, ClientEvent, DossierBundle, LightClient,
    StandingBids,
};
use quorate_network::{Lane, Multiaddr, Network, NetworkEvent, NetworkEvents, Topic};
use quorate_types::message::{Announcement, Call, Notice, PeerMessage};
use quorate_types::operation::Solve;
use quorate_types::{
    Hash, Label, MonotonicMillis, PublicKey, Sign1, SwarmId, TaskId, TaskSpec, ValidatorSet, cbor,
    limits,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::waiting::{Caller, Waiting};
use crate::address_book::AddressBook;
use crate::clock::{Clock, sleep_until};
use crate::task::TaskHandle;

/// A request of a handle.
#[derive(Debug)]
pub(super) enum Command {
    Submit {
        specs: Vec<TaskSpec>,
        reply: oneshot::Sender<Result<Vec<TaskHandle>, ClientError>>,
    },
    Cancel(TaskId),
    Dossier {
        clearing: Hash,
        reply: Caller<DossierBundle>,
    },
    StandingBids {
        market: Label,
        window: u64,
        reply: Caller<StandingBids>,
    },
    Solve {
        solve: Solve,
        reply: oneshot::Sender<Result<(), ClientError>>,
    },
}

/// The node's network, and the committee that it talks to.
pub(super) struct Links {
    pub(super) network: Network,
    pub(super) events: NetworkEvents,
    pub(super) validators: ValidatorSet,
    pub(super) swarm: SwarmId,
}

pub(super) struct Drive {
    links: Links,
    book: AddressBook,
    client: LightClient,
    runner: AgentRunner,
    events: broadcast::Sender<ClientEvent>,
    clock: Clock,
    /// The callers that wait for an answer.
    waiting: Waiting,
    /// Commands from before the swarm knew this node.
    early: Vec<Command>,
    /// Whether the swarm knows this node.
    ready: watch::Sender<bool>,
}

impl Drive {
    pub(super) fn new(
        links: Links,
        client: LightClient,
        runner: AgentRunner,
        events: broadcast::Sender<ClientEvent>,
        ready: watch::Sender<bool>,
    ) -> Self {
        Self {
            book: AddressBook::new(links.swarm, client.public_key()),
            links,
            client,
            runner,
            events,
            clock: Clock::start(),
            waiting: Waiting::default(),
            early: Vec::new(),
            ready,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.drain();
            let wake = self.client.poll_timeout().map(|at| self.clock.instant(at));

            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.links.events.recv() => match event {
                    Some(event) => self.on_network(event).await,
                    None => return,
                },
                Some(report) = next_report(&mut self.runner) => self.on_report(report),
                () = sleep_until(wake) => self.client.handle_timeout(self.clock.monotonic()),
            }
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match action {
                ClientAction::Send { to, request } => {
                    let bytes = cbor::encode(&request);
                    if let Err(error) = self.links.network.send(&to.0, Lane::Client, bytes) {
                        tracing::debug!(to = %to.short(), %error, "a request was not sent");
                    }
                }
                ClientAction::Event(event) => self.on_event(event),
            }
        }
    }

    fn on_event(&mut self, event: ClientEvent) {
        tracing::debug!(event = event.name(), "learned something");
        self.waiting.on_event(&event);
        if event == ClientEvent::Ready {
            self.on_ready();
        }
        self.runner.handle_event(&event);

        // There may be no subscriber.
        let _ = self.events.send(event);
    }

    fn on_ready(&mut self) {
        self.ready.send_replace(true);
        for command in std::mem::take(&mut self.early) {
            self.on_command(command);
        }
    }

    fn on_command(&mut self, command: Command) {
        // Before the swarm knows this node, its operations cannot be numbered.
        if !self.client.is_ready() {
            self.early.push(command);
            return;
        }

        let now = self.clock.monotonic();
        match command {
            Command::Submit { specs, reply } => {
                // The caller may be gone; the tasks are submitted all the same.
                let _ = reply.send(self.submit(specs, now));
            }

            Command::Cancel(task) => {
                if let Err(error) = self.client.cancel(task, now) {
                    tracing::warn!(%task, %error, "the task was not canceled");
                }
            }

            Command::Dossier { clearing, reply } => {
                self.waiting.for_dossier(clearing, reply);
                self.client.fetch_dossier(clearing, now);
            }

            Command::StandingBids {
                market,
                window,
                reply,
            } => {
                self.waiting.for_bids((market.clone(), window), reply);
                self.client.fetch_bids(market, window, now);
            }

            Command::Solve { solve, reply } => {
                let Solve {
                    market,
                    window,
                    pairs,
                } = solve;
                // The caller may be gone; the solution is sent all the same.
                let _ = reply.send(self.client.solve(market, window, pairs, now));
            }
        }
    }

    /// Submits tasks, and returns a handle for each.
    fn submit(
        &mut self,
        specs: Vec<TaskSpec>,
        now: MonotonicMillis,
    ) -> Result<Vec<TaskHandle>, ClientError> {
        let ids = self.client.submit(specs, now)?;
        Ok(ids
            .into_iter()
            .map(|id| self.waiting.for_task(id))
            .collect())
    }

    fn on_report(&mut self, report: AgentReport) {
        if let Err(error) = self.client.report(report, self.clock.monotonic()) {
            tracing::debug!(%error, "a report came too late");
        }
    }

    async fn on_network(&mut self, event: NetworkEvent) {
        let now = self.clock.monotonic();

        match event {
            NetworkEvent::Connected(key) if self.is_validator(&PublicKey(key)) => {
                self.client.handle_connected(PublicKey(key), now);
            }
            NetworkEvent::Disconnected(key) => self.client.handle_disconnected(PublicKey(key)),

            NetworkEvent::Frame { from, lane, bytes } => match lane {
                Lane::Client => self.on_message(PublicKey(from), &bytes),
                Lane::Bulk => self.on_address_book(&bytes).await,
                Lane::Consensus => {}
            },

            NetworkEvent::Gossip { topic, from, bytes } => match topic {
                Topic::Announcements => self.on_announcement(&bytes).await,
                Topic::Calls => self.on_call(PublicKey(from), &bytes),
                Topic::Evidence => {}
            },

            NetworkEvent::Discovered { key, addresses } => {
                self.want(PublicKey(key), addresses).await;
            }
            _ => {}
        }
    }

    /// Learns the address book of a peer, which peers exchange on the bulk lane.
    async fn on_address_book(&mut self, bytes: &[u8]) {
        let message = cbor::decode::<PeerMessage>(bytes, limits::FRAME_BYTES);
        if let Ok(PeerMessage::Announcements(all)) = message {
            self.learn(all).await;
        }
    }

    async fn on_announcement(&mut self, bytes: &[u8]) {
        if let Ok(announcement) = cbor::decode(bytes, limits::FRAME_BYTES) {
            self.learn(vec![announcement]).await;
        }
    }

    fn on_call(&mut self, from: PublicKey, bytes: &[u8]) {
        // A call proves nothing, so only those that validators pass on are considered.
        if !self.is_validator(&from) {
            return;
        }

        if let Ok(call) = cbor::decode::<Call>(bytes, limits::BLOCK_BYTES) {
            let now = self.clock.monotonic();
            self.client.handle_notice(from, Notice::Call(call), now);
        }
    }

    fn on_message(&mut self, from: PublicKey, bytes: &[u8]) {
        let now = self.clock.monotonic();
        if let Err(error) = self.client.handle_frame(from, bytes, now) {
            let from = from.short();
            tracing::debug!(%from, %error, "dropped a frame that does not decode");
        }
    }

    async fn learn(&mut self, announcements: Vec<Sign1<Announcement>>) {
        for announcement in announcements.into_iter().take(limits::ANNOUNCEMENTS) {
            if let Some((key, addresses)) = self.book.learn(announcement, &self.links.validators) {
                self.want(key, addresses).await;
            }
        }
    }

    /// Keeps a connection with a peer if it is a validator.
    async fn want(&mut self, key: PublicKey, addresses: Vec<Multiaddr>) {
        if self.is_validator(&key) && self.links.network.add_peer(key.0, addresses).await.is_err() {
            tracing::warn!("the network has stopped");
        }
    }

    fn is_validator(&self, key: &PublicKey) -> bool {
        self.links.validators.get(key).is_some()
    }
}

async fn next_report(runner: &mut AgentRunner) -> Option<AgentReport> {
    Pin::new(runner).next().await
}
