//! Sets up the world of a plan.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::TrustRoot;
use quorate_crypto::SecretKey;
use quorate_store::MemoryDisk;
use quorate_types::genesis::{Admission, Attester, GenesisError, Parameters};
use quorate_types::{
    Attestation, Capabilities, Claims, Genesis, Label, Market, Millis, PROTOCOL_VERSION,
    ValidatorSet,
};

use super::client::{Checked, Client};
use super::clock::{Clock, START};
use super::network::Network;
use super::validator::Validator;
use super::{QueuedEvent, World};
use crate::adversary::{LieKind, Manner};
use crate::faults::{TearPlan, TimedFault};
use crate::host::HostId;
use crate::plan::{AgentPlan, LinkPlan, MarketPlan, Plan};
use crate::seed::key_of;
use crate::seed::{Dice, Digest};

/// Milliseconds between two occasions for a liar to speak unasked.
pub(super) const VOLUNTEER_MS: Millis = 150;
/// The number of labels up to which a capability liar claims whatever tasks require.
const EVERY_LABEL: usize = 16;

/// The reason why a plan is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There are no validators, or too many, or their powers are out of range.
    #[error("the validators are not valid: write 1 to 128, each with a power of at least 1")]
    Validators,
    /// A text is not a valid label.
    #[error("`{0}` is not a valid label: use 1 to 32 of a-z, 0-9, `-`, `_`, `.`")]
    Label(String),
    /// The genesis that the plan makes is not valid.
    #[error("the genesis of the swarm is not valid: {0}")]
    Genesis(#[from] GenesisError),
    /// A fault or host names a validator, agent or region that is not in the plan.
    #[error("{what} {index} does not exist: the plan has {count}, counted from 0")]
    Index {
        /// `validator`, `agent` or `region`.
        what: &'static str,
        /// The index given.
        index: usize,
        /// The number of them in the plan.
        count: usize,
    },
    /// There are no regions, or the table of latencies does not have a cell for each pair of them.
    #[error("links: write at least one region, and a latency from each region to each")]
    Latency,
}

impl World {
    /// Sets up the world of a plan, before anything has happened.
    ///
    /// # Errors
    /// [`PlanError`] names the part of the plan that is not valid.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        plan.check()?;

        // Keys are derived from indices, so that plans need not contain any.
        let attester = key_of("attester", 0);
        let genesis = genesis(&plan, &attester)?;
        let root = TrustRoot::from_genesis(&genesis).map_err(|_| PlanError::Validators)?;

        let validators = validators(&plan);
        let clients = clients(&plan, &genesis, &attester)?;
        let network = Network::new(plan.links.clone(), plan.seed, regions(&plan, &validators));

        let mut world = Self {
            genesis,
            root,
            now: 0,
            queue: BTreeMap::new(),
            serial: 0,
            validators,
            clients,
            network,
            linked: BTreeSet::new(),
            breaking: BTreeSet::new(),
            dice: Dice::new(plan.seed, "world", 0),
            digest: Digest::default(),
            seen: Vec::new(),
            counts: BTreeMap::new(),
            active: BTreeSet::new(),
            isolations: 0,
            healed: false,
            checked: Checked::default(),
            plan,
        };

        world.schedule_plan();
        Ok(world)
    }

    /// Puts on the queue everything that the plan fixes.
    fn schedule_plan(&mut self) {
        self.schedule_hosts();

        for (at, task) in self.plan.tasks.clone().iter().enumerate() {
            self.push(task.at, QueuedEvent::Submit(at));

            if let Some(after) = task.cancel_after {
                self.push(task.at + after, QueuedEvent::Cancel(at));
            }
        }

        for (fault, timed) in self.plan.faults.clone().iter().enumerate() {
            self.schedule_fault(fault, timed);
        }

        self.push(self.plan.heal_at, QueuedEvent::Heal);
    }

    /// Puts on the queue that hosts start, and that liars speak unasked.
    fn schedule_hosts(&mut self) {
        for at in 0..self.validators.len() {
            let place = HostId::Validator(at);
            self.push(0, QueuedEvent::Start(place));

            if self.validators[at].liar.is_some() {
                self.push(VOLUNTEER_MS, QueuedEvent::Volunteer(place));
            }
        }

        // Clients start after the validators that they connect to.
        for at in 0..self.clients.len() {
            let place = HostId::Client(at);
            self.push(1, QueuedEvent::Start(place));

            if self.clients[at].liar.is_some() {
                self.push(VOLUNTEER_MS, QueuedEvent::Volunteer(place));
            }
        }
    }

    /// Puts the beginning and the end of a fault on the queue.
    fn schedule_fault(&mut self, fault: usize, timed: &TimedFault) {
        let begin = QueuedEvent::Fault {
            fault,
            begins: true,
        };

        self.push(timed.at, begin);

        // The healed phase ends faults that last longer.
        let end = QueuedEvent::Fault {
            fault,
            begins: false,
        };
        self.push(timed.at.saturating_add(timed.lasts), end);
    }
}

impl Plan {
    /// Checks what the world relies on: the table of latencies and all indices.
    fn check(&self) -> Result<(), PlanError> {
        self.links.check_latencies()?;

        // All indices in a plan must name something, since the world relies on them.
        let validators = self.validators.iter().map(|validator| validator.region);
        let agents = self.agents.iter().map(|agent| agent.region);
        let regions = validators.chain(agents);

        within("region", regions, self.links.regions.len())?;

        for timed in &self.faults {
            let validators = timed.fault.validators();
            let agent = timed.fault.agent().into_iter();

            within("validator", validators, self.validators.len())?;
            within("agent", agent, self.agents.len())?;
        }

        Ok(())
    }
}

impl LinkPlan {
    /// Checks that there is a region, and that each has a row of latencies with a cell for each.
    fn check_latencies(&self) -> Result<(), PlanError> {
        let regions = self.regions.len();
        let rows = self.latency_ms.len();
        let mut lengths = self.latency_ms.iter().map(Vec::len);

        if regions == 0 || rows != regions {
            return Err(PlanError::Latency);
        }

        match lengths.all(|length| length == regions) {
            true => Ok(()),
            false => Err(PlanError::Latency),
        }
    }
}

/// Checks that indices are less than a count.
fn within(
    what: &'static str,
    mut indices: impl Iterator<Item = usize>,
    count: usize,
) -> Result<(), PlanError> {
    match indices.find(|index| *index >= count) {
        Some(index) => Err(PlanError::Index { what, index, count }),
        None => Ok(()),
    }
}

/// The genesis of the swarm: the validators of the plan, one market and one attester.
fn genesis(plan: &Plan, attester: &SecretKey) -> Result<Genesis, PlanError> {
    let attester = Attester {
        key: attester.public_key(),
        name: label("office")?,
    };

    let parameters = Parameters {
        max_block_interval_ms: 1_000,
        ..Parameters::default()
    };

    let genesis = Genesis {
        name: label("simulated")?,
        created: START.saturating_sub(1),
        markets: vec![market(&plan.market)?],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![attester],
        parameters,
        validators: committee(plan)?,
    };

    // A plan may ask for a market that a genesis must not have.
    genesis.check()?;
    quorate_market::check_mechanisms(&genesis.markets)?;

    Ok(genesis)
}

/// The market of the genesis.
fn market(plan: &MarketPlan) -> Result<Market, PlanError> {
    Ok(Market {
        name: label("jobs")?,
        reserve: None,
        trusted: false,
        attempts: plan.attempts,
        lease_ms: plan.lease_ms,
        solve_ms: plan.solve_ms,
        mechanism: plan.mechanism.clone(),
        reveal_ms: plan.reveal_ms,
        window_ms: plan.window_ms,
    })
}

/// The committee of the genesis: the validators of the plan.
fn committee(plan: &Plan) -> Result<ValidatorSet, PlanError> {
    let mut members = Vec::new();

    for (at, validator) in plan.validators.iter().enumerate() {
        members.push(quorate_types::Validator {
            key: key_of("validator", at).public_key(),
            power: validator.power,
            operator: label(&format!("op-{at}"))?,
        });
    }

    ValidatorSet::new(members).map_err(|_| PlanError::Validators)
}

/// The hosts of the validators, and after them those of twins.
fn validators(plan: &Plan) -> Vec<Validator> {
    let lies = plan.validators.iter().map(|validator| validator.lie);
    let twins = lies
        .enumerate()
        .filter(|(_, lie)| *lie == Some(LieKind::Twin));

    // A twin has the index of its original, and so its key.
    let originals = 0..plan.validators.len();
    let indices = originals.chain(twins.map(|(index, _)| index));

    indices
        .enumerate()
        .map(|(host, index)| validator(plan, host, index))
        .collect()
}

/// The host number `host`, of the validator `index` of the plan.
fn validator(plan: &Plan, host: usize, index: usize) -> Validator {
    let key = key_of("validator", index);
    let of_plan = &plan.validators[index];

    Validator {
        index,
        me: key.public_key(),
        key,
        disk: MemoryDisk::new(),
        process: None,
        life: 0,
        clock: Clock::new(of_plan.skew_ms, of_plan.drift_permille),
        occupied_until: 0,
        wake_at: None,
        liar: of_plan.lie.and_then(LieKind::liar),
        lie: of_plan.lie,
        faulty: of_plan.lie.is_some(),
        dice: Dice::new(plan.seed, "validator", host as u64),
        sync_ms: 0,
        syncs: 0,
        tear: TearPlan::Nothing,
        wiped: false,
        loses_log: false,
        clients: BTreeMap::new(),
        undecodable: 0,
    }
}

/// The hosts of the agents, and after them that of the requester.
fn clients(plan: &Plan, genesis: &Genesis, attester: &SecretKey) -> Result<Vec<Client>, PlanError> {
    let mut clients = Vec::new();
    let agents = plan.agents.iter().map(Some).chain([None]);

    for (at, agent) in agents.enumerate() {
        let key = key_of("client", at);
        let honest = capabilities(agent)?;
        let attestation = attest(attester, genesis, &key, at, honest);

        let mut client = Client::new(key, agent.cloned(), attestation);
        client.dice = Dice::new(plan.seed, "client", at as u64);

        if let Some(agent) = agent {
            corrupt(&mut client, agent.manner, plan)?;
        }

        clients.push(client);
    }

    Ok(clients)
}

/// Makes the host of an agent a liar if its manner asks for one.
fn corrupt(client: &mut Client, manner: Manner, plan: &Plan) -> Result<(), PlanError> {
    client.liar = manner.liar();

    // This liar claims what nobody attested to it.
    if manner == Manner::CapabilityLiar {
        let honest = client.attested().clone();
        client.claims = everything(plan, honest)?;
    }

    Ok(())
}

/// An attestation of capabilities that does not expire within a run.
fn attest(
    attester: &SecretKey,
    genesis: &Genesis,
    key: &SecretKey,
    at: usize,
    capabilities: Capabilities,
) -> Attestation {
    let claims = Claims {
        issuer: attester.public_key(),
        subject: key.public_key(),
        audience: genesis.swarm_id(),
        expires: START.seconds() + 10_000_000,
        not_before: 0,
        issued_at: 0,
        id: at.to_be_bytes().to_vec(),
        capabilities,
    };

    attester.sign(claims).into_inner()
}

/// The capabilities that are attested to an agent; none for the requester.
fn capabilities(agent: Option<&AgentPlan>) -> Result<Capabilities, PlanError> {
    let mut capabilities = Capabilities::new();

    let Some(agent) = agent else {
        return Ok(capabilities);
    };

    for name in &agent.labels {
        capabilities.labels.insert(label(name)?);
    }

    // Every agent has at least one slot.
    let slots = i64::try_from(agent.slots.max(1)).unwrap_or(1);
    capabilities.amounts.insert(label("slots")?, slots);
    Ok(capabilities)
}

/// The capabilities that a liar claims: its own, and the labels that tasks require.
fn everything(plan: &Plan, honest: Capabilities) -> Result<Capabilities, PlanError> {
    let mut claims = honest;

    for name in plan.tasks.iter().flat_map(|task| &task.requires) {
        if claims.labels.len() < EVERY_LABEL {
            claims.labels.insert(label(name)?);
        }
    }
    Ok(claims)
}

/// The region of each host. The requester has none here and so is in the first.
fn regions(plan: &Plan, validators: &[Validator]) -> BTreeMap<HostId, usize> {
    let hosts = validators.iter().enumerate();
    let hosts = hosts.map(|(at, host)| (HostId::Validator(at), plan.validators[host.index].region));

    let agents = plan.agents.iter().enumerate();
    hosts
        .chain(agents.map(|(at, agent)| (HostId::Client(at), agent.region)))
        .collect()
}

fn label(name: &str) -> Result<Label, PlanError> {
    name.parse().map_err(|_| PlanError::Label(name.to_owned()))
}
