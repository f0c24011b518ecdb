//! The host of a client: the product's light client and its agents, on simulated time.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use quorate_agent::{
    Agent, AgentRunner, CertificateVerifier, ClientAction, ClientConfig, ClientEvent, LightClient,
    Verifier,
};
use quorate_certificate::{Policy, VerifiedCertificate};
use quorate_crypto::SecretKey;
use quorate_types::message::Request;
use quorate_types::{
    Attestation, Capabilities, Hash, Millis, MonotonicMillis, PublicKey, TaskId, cbor,
};

use super::timer::SimTimer;
use super::worker::Worker;
use super::{QueuedEvent, World};
use crate::adversary::{AgentLie, Manner};
use crate::host::HostId;
use crate::plan::AgentPlan;
use crate::seed::Dice;
use crate::seen::Seen;

/// Milliseconds after which a simulated client sends again an operation that had no effect.
const RESUBMIT_MS: Millis = 400;

/// The host of a client. The requester has no plan of an agent.
pub struct Client {
    pub(super) key: SecretKey,
    pub(super) plan: Option<AgentPlan>,
    pub(super) attestation: Attestation,
    /// The capabilities that its agents claim. Only a liar claims more than is attested.
    pub(super) claims: Capabilities,
    /// The running process; `None` while there is none.
    pub(super) process: Option<Process>,
    /// Counts the starts and ends of its processes, so that what was meant for one process does not
    /// reach the next.
    pub(super) life: u64,
    /// The time of the wake-up call that is on the queue, if there is one.
    pub(super) wake_at: Option<Millis>,
    pub(super) dice: Dice,
    pub(super) liar: Option<Box<dyn AgentLie>>,
    /// The time until which it neither hears nor speaks.
    pub(super) absent_until: Millis,
    /// The tasks that it submitted, by their index in the plan. Only the requester has any.
    pub(super) tasks: BTreeMap<usize, TaskId>,
    /// The tasks of its own that have ended, by the certificates it got.
    pub(super) ended: BTreeSet<TaskId>,
    /// The tasks of the plan that are due but wait until the swarm knows the requester.
    waiting: Vec<usize>,
}

/// The running process of a client.
pub(super) struct Process {
    client: LightClient,
    runner: AgentRunner,
    timer: Arc<SimTimer>,
}

impl Client {
    pub(super) fn new(key: SecretKey, plan: Option<AgentPlan>, attestation: Attestation) -> Self {
        let claims = attestation.payload.capabilities.clone();
        Self {
            key,
            plan,
            attestation,
            claims,
            process: None,
            life: 0,
            wake_at: None,
            dice: Dice::new(0, "unused", 0),
            liar: None,
            absent_until: 0,
            tasks: BTreeMap::new(),
            ended: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    /// The public key that it signs operations with.
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The plan of its agent; `None` for the requester.
    pub fn plan(&self) -> Option<&AgentPlan> {
        self.plan.as_ref()
    }

    /// The capabilities that are attested to it.
    pub fn attested(&self) -> &Capabilities {
        &self.attestation.payload.capabilities
    }

    /// The tasks that it submitted, by their index in the plan. Only the requester has any.
    pub fn tasks(&self) -> &BTreeMap<usize, TaskId> {
        &self.tasks
    }

    /// The tasks of its own that have ended, or were refused, by the certificates it got.
    pub fn ended(&self) -> &BTreeSet<TaskId> {
        &self.ended
    }

    /// Whether it follows the protocol.
    pub fn is_correct(&self) -> bool {
        self.plan
            .as_ref()
            .is_none_or(|plan| plan.manner == Manner::Honest)
    }

    /// Whether it may keep a task forever without doing it: a liar that is still heard keeps its
    /// leases. One that falls silent loses them.
    pub fn hoards(&self) -> bool {
        !self.is_correct()
            && self
                .plan
                .as_ref()
                .is_none_or(|plan| plan.manner != Manner::WinAndAbandon)
    }

    /// The light client; `None` while no process runs.
    pub(super) fn light_client(&mut self) -> Option<&mut LightClient> {
        self.process.as_mut().map(|process| &mut process.client)
    }

    /// One agent for each slot, with dice of its own in each life of the process.
    fn agents(&self) -> Vec<Box<dyn Agent>> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };

        let seed = u64::from_le_bytes(first_bytes(&self.key.public_key()));

        let worker = |slot: usize| {
            // A later life of the process draws other numbers.
            let stream = (self.life << 16) | slot as u64;
            let dice = Dice::new(seed, "worker", stream);
            Box::new(Worker::new(plan.clone(), self.claims.clone(), dice)) as Box<dyn Agent>
        };

        (0..plan.slots).map(worker).collect()
    }
}

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

        let verifier = SharedVerifier {
            inner: CertificateVerifier::new(self.root.clone(), Policy::default()),
            checked: self.checked.clone(),
        };

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

/// The verdicts on certificates, by the hash of the bytes: the verified certificate, or `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Checked(Arc<Mutex<BTreeMap<Hash, Option<VerifiedCertificate>>>>);

/// The number of verdicts that are kept. When it is reached, all are dropped.
const CHECKED: usize = 1 << 14;

/// A verifier that checks each certificate once for all clients, since the verdict depends on its
/// bytes alone.
struct SharedVerifier {
    inner: CertificateVerifier,
    checked: Checked,
}

impl Verifier for SharedVerifier {
    fn verify(&self, certificate: &[u8]) -> Option<VerifiedCertificate> {
        let name = Hash::derive("quorate 1 checked certificate", &[certificate]);
        let verdicts = self.checked.0.lock();
        let mut checked = verdicts.unwrap_or_else(PoisonError::into_inner);

        if let Some(known) = checked.get(&name) {
            return known.clone();
        }

        let verdict = self.inner.verify(certificate);

        if checked.len() >= CHECKED {
            checked.clear();
        }

        checked.insert(name, verdict.clone());
        verdict
    }
}

/// The first eight bytes of a key, to seed dice with.
fn first_bytes(key: &PublicKey) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&key.0[..8]);
    bytes
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
