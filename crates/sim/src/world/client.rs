//! The host of a client: its key, its agents, and what it remembers between its processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use quorate_agent::{Agent, AgentRunner, CertificateVerifier, LightClient, Verifier};
use quorate_certificate::VerifiedCertificate;
use quorate_crypto::SecretKey;
use quorate_types::{Attestation, Capabilities, Hash, Millis, PublicKey, TaskId};

use super::timer::SimTimer;
use super::worker::Worker;
use crate::adversary::{AgentLie, Manner};
use crate::plan::AgentPlan;
use crate::seed::Dice;

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
    pub(super) waiting: Vec<usize>,
}

/// The running process of a client.
pub(super) struct Process {
    pub(super) client: LightClient,
    pub(super) runner: AgentRunner,
    pub(super) timer: Arc<SimTimer>,
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
    pub(super) fn agents(&self) -> Vec<Box<dyn Agent>> {
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
/// The verdicts on certificates, by the hash of the bytes: the verified certificate, or `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Checked(Arc<Mutex<BTreeMap<Hash, Option<VerifiedCertificate>>>>);

/// The number of verdicts that are kept. When it is reached, all are dropped.
const CHECKED: usize = 1 << 14;

/// A verifier that checks each certificate once for all clients, since the verdict depends on its
/// bytes alone.
pub(super) struct SharedVerifier {
    inner: CertificateVerifier,
    checked: Checked,
}

impl SharedVerifier {
    pub(super) fn new(inner: CertificateVerifier, checked: Checked) -> Self {
        Self { inner, checked }
    }
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
