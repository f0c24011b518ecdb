//! The process of a client: the product's light client and its agents, on simulated time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::Stream;
use quorate_agent::{
    AgentRunner, CertificateVerifier, ClientAction, ClientConfig, ClientEvent, LightClient,
};
use quorate_certificate::Policy;
use quorate_crypto::SecretKey;
use quorate_types::message::Request;
use quorate_types::{Millis, MonotonicMillis, PublicKey, cbor};

use super::client::{Process, SharedVerifier};
use super::timer::SimTimer;
use super::{QueuedEvent, World};
use crate::adversary::Manner;
use crate::host::HostId;
use crate::seen::Seen;

/// Milliseconds after which a simulated client sends again an operation that had no effect.
const RESUBMIT_MS: Millis = 400;

impl World {
    /// Starts the process of a client, unless it runs.
    pub(super) fn start_client(&mut self, at: usize) {
        if self.clients[at].process.is_some() {
            return;
        }

        self.clients[at].life += 1;
        self.clients[at].process = Some(self.new_process(at));
        self.relink(HostId::Client(at));
    }

    /// A process for the present life of a client.
    fn new_process(&self, at: usize) -> Process {
        let host = &self.clients[at];
        let key = SecretKey::from_seed(&host.key.seed());

        let config = ClientConfig {
            attestation: Some(host.attestation.clone()),
            resubmit: RESUBMIT_MS,
            idle_heartbeat: 1_000,
            ..ClientConfig::new(&self.genesis)
        };

        let inner = CertificateVerifier::new(self.root.clone(), Policy::default());
        let verifier = SharedVerifier::new(inner, self.checked.clone());

        // The timer of a new process begins at the present time.
        let timer = Arc::new(SimTimer::default());
        timer.advance(self.now);

        Process {
            client: LightClient::new(config, key, Box::new(verifier)),
            runner: AgentRunner::new(host.agents(), timer.clone()),
            timer,
        }
    }

    /// Ends the process of a client.
    pub(super) fn end_client(&mut self, at: usize) {
        let host = &mut self.clients[at];
        host.process = None;
        host.wake_at = None;
        host.life += 1;

        self.relink(HostId::Client(at));
    }

    /// Tells the client that a connection came or went.
    pub(super) fn client_link(&mut self, at: usize, validator: PublicKey, up: bool) {
        let now = self.client_now();

        if let Some(process) = &mut self.clients[at].process {
            match up {
                true => process.client.handle_connected(validator, now),
                false => process.client.handle_disconnected(validator),
            }

            self.drain_client(at);
        }
    }

    /// Hands a frame from a validator to the client.
    pub(super) fn take_client_frame(&mut self, at: usize, from: usize, bytes: &[u8]) {
        let now = self.client_now();
        let from = self.validators[from].public_key();
        let host = &mut self.clients[at];

        if host.absent_until > self.now {
            return;
        }

        let Some(process) = &mut host.process else {
            return;
        };

        if process.client.handle_frame(from, bytes, now).is_ok() {
            self.drain_client(at);
        }
    }

    /// Fires the timers that are due, unless the process ended or its wake-up call moved.
    pub(super) fn wake_client(&mut self, at: usize, life: u64) {
        let now = self.now;
        let host = &mut self.clients[at];

        if host.life != life || host.wake_at.is_none_or(|due| due > now) {
            return;
        }

        host.wake_at = None;
        self.note_of(b'T', Some(HostId::Client(at)), &[]);

        if let Some(process) = &mut self.clients[at].process {
            process.timer.advance(now);

            let shown = MonotonicMillis(now);
            if process
                .client
                .poll_timeout()
                .is_some_and(|due| due <= shown)
            {
                process.client.handle_timeout(shown);
            }

            self.drain_client(at);
        }
    }

    /// Submits a task of the plan that is due, or keeps it until the requester is ready.
    pub(super) fn submit(&mut self, task: usize) {
        let at = self.clients.len() - 1;
        let host = &mut self.clients[at];
        host.waiting.push(task);

        self.submit_waiting(at);
        self.drain_client(at);
    }

    /// Submits the due tasks, if the swarm knows the requester by now.
    fn submit_waiting(&mut self, at: usize) {
        let now = self.client_now();
        let market = &self.genesis.markets[0].name;
        let host = &mut self.clients[at];

        let Some(process) = &mut host.process else {
            return;
        };

        if !process.client.is_ready() {
            return;
        }

        for task in std::mem::take(&mut host.waiting) {
            let spec = super::task::spec(&self.plan.tasks[task], market, self.now);

            // A task that the client refuses is dropped.
            let Ok(ids) = process.client.submit(vec![spec], now) else {
                continue;
            };

            host.tasks.extend(ids.first().map(|id| (task, *id)));
        }
    }

    /// Cancels a task of the plan.
    pub(super) fn cancel(&mut self, task: usize) {
        let now = self.client_now();
        let at = self.clients.len() - 1;
        let host = &mut self.clients[at];

        let (Some(process), Some(id)) = (&mut host.process, host.tasks.get(&task)) else {
            return;
        };

        // An error means that the client is not ready: then the task was not submitted either.
        let _ = process.client.cancel(*id, now);
        self.drain_client(at);
    }

    /// Carries out all that the client and its agents want, until they wait.
    pub(super) fn drain_client(&mut self, at: usize) {
        loop {
            while let Some(action) = self.next_client_action(at) {
                match action {
                    ClientAction::Send { to, request } => {
                        self.note_submission(at, &request.request);
                        self.client_send(at, to, &cbor::encode(&request).into());
                    }
                    ClientAction::Event(event) => self.on_client_event(at, event),
                }
            }

            // The agents may answer what the client just learned, so both take turns until both
            // wait.
            if !self.poll_agents(at) {
                break;
            }
        }

        self.schedule_client(at);
    }

    fn next_client_action(&mut self, at: usize) -> Option<ClientAction> {
        self.clients[at].process.as_mut()?.client.poll_action()
    }

    /// Shows observers an operation that a client submits.
    pub(super) fn note_submission(&mut self, at: usize, request: &Request) {
        if let Request::Submit(operation) = request {
            let operation = operation.clone();
            self.count_overclaim(at, &operation);

            self.see(Seen::Submitted {
                client: at,
                operation,
            });
        }
    }

    /// Sends a frame to a validator and to its twin, unless the client is absent.
    pub(super) fn client_send(&mut self, at: usize, to: PublicKey, frame: &Arc<[u8]>) {
        if self.clients[at].absent_until <= self.now {
            for to in self.places_of(&to) {
                self.send((HostId::Client(at), to), frame);
            }
        }
    }

    /// Hands an event of the light client to the agents, and does what the simulation adds.
    fn on_client_event(&mut self, at: usize, event: ClientEvent) {
        if let ClientEvent::Award(_) = event {
            self.abandon(at);
        }

        if let Some(process) = &mut self.clients[at].process {
            process.runner.handle_event(&event);
        }

        if let ClientEvent::Completed { task, .. } | ClientEvent::Failed { task, .. } = &event {
            self.clients[at].ended.insert(*task);
        }

        if event == ClientEvent::Ready {
            self.submit_waiting(at);
        }

        self.solve(at, &event);
        self.see(Seen::Learned {
            client: at,
            event: Box::new(event),
        });
    }

    /// Silences an agent that abandons its tasks, for longer than the lease lasts, so that it loses
    /// the task that it was just given.
    fn abandon(&mut self, at: usize) {
        let host = &mut self.clients[at];
        let plan = host.plan.as_ref();

        if plan.is_some_and(|plan| plan.manner == Manner::WinAndAbandon) {
            host.absent_until = self.now + 3 * self.plan.market.lease_ms;
            self.count(Manner::WinAndAbandon.name());
        }
    }

    /// Lets the agents work. Returns whether one of them reported something.
    fn poll_agents(&mut self, at: usize) -> bool {
        let now = self.client_now();

        let Some(process) = &mut self.clients[at].process else {
            return false;
        };

        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut process.runner).poll_next(&mut context) {
            Poll::Ready(Some(report)) => {
                // An error means that the award is gone already; the agent will learn that.
                let _ = process.client.report(report, now);
                true
            }

            _ => false,
        }
    }

    /// The time on the monotonic clock of each client, which shows true time.
    pub(super) fn client_now(&self) -> MonotonicMillis {
        MonotonicMillis(self.now)
    }

    /// Puts the next wake-up call of the process on the queue, unless an earlier one is there.
    fn schedule_client(&mut self, at: usize) {
        let host = &mut self.clients[at];
        let Some(process) = &host.process else { return };

        // The timers of the client and the sleeps of its agents share one wake-up call.
        let client = process.client.poll_timeout().map(|due| due.0);
        let timers = client.into_iter().chain(process.timer.next());

        let Some(due) = timers.min() else {
            return;
        };

        let due = due.max(self.now);

        if host.wake_at.is_none_or(|wake| due < wake) {
            host.wake_at = Some(due);

            let place = HostId::Client(at);
            let life = host.life;
            self.push(due, QueuedEvent::Wake { place, life });
        }
    }
}
