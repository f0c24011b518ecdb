//! The simulated world: hosts, links, disks and clocks, and one queue of everything that will
//! happen.
//!
//! [`World::step`] takes the next happening off the queue, hands it to its host, and lets that host
//! do all that it wants to. Happenings at the same millisecond occur in the order in which they
//! were caused, so a run is a function of its plan.

mod client;
mod clock;
mod faults;
mod liars;
mod light_client;
mod links;
mod network;
mod process;
mod setting;
mod solver;
mod task;
mod timer;
mod validator;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_certificate::TrustRoot;
use quorate_replica::Event;
use quorate_types::{Genesis, Millis};

use crate::host::HostId;
use crate::plan::Plan;
use crate::seed::{Dice, Digest};
use crate::seen::Seen;

use network::Network;

pub use client::Client;
pub use clock::START;
pub use setting::PlanError;
pub use validator::Validator;

/// Something that happens at a certain time.
#[derive(Debug)]
enum QueuedEvent {
    /// A frame arrives. It is dropped if the process that it was sent to has ended meanwhile, even
    /// if another one has started.
    Frame {
        from: HostId,
        to: HostId,
        life: u64,
        bytes: Arc<[u8]>,
        mangled: bool,
    },
    /// The timer of a host's process fires.
    Wake { place: HostId, life: u64 },
    /// A validator's work that took a while is done.
    Done {
        validator: usize,
        life: u64,
        event: Box<Event>,
    },
    /// Two hosts notice that they can reach each other, or that they no longer can.
    Link { pair: (HostId, HostId), up: bool },
    /// A connection breaks although both hosts are up, and comes back.
    Reset { pair: (HostId, HostId) },
    /// A fault of the plan begins or ends.
    Fault { fault: usize, begins: bool },
    /// A process starts, unless it runs already.
    Start(HostId),
    /// The requester submits a task of the plan.
    Submit(usize),
    /// The requester cancels a task of the plan.
    Cancel(usize),
    /// The next crash of a restart storm.
    Storm {
        validator: usize,
        left: u64,
        step: Millis,
    },
    /// Power fails at a validator, and its log is gone.
    LogLost(usize),
    /// A liar has an occasion to speak unasked.
    Volunteer(HostId),
    /// The healed phase begins: from now on nothing new goes wrong.
    Heal,
}

/// The whole state of a run.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    genesis: Genesis,
    root: TrustRoot,
    now: Millis,
    /// The happenings to come, by their time and the order in which they were caused.
    queue: BTreeMap<(Millis, u64), QueuedEvent>,
    serial: u64,
    validators: Vec<Validator>,
    clients: Vec<Client>,
    network: Network,
    /// The pairs of hosts that know that they are connected, the lesser first.
    linked: BTreeSet<(HostId, HostId)>,
    /// The connections of clients that lost a frame and are about to break, the validator first.
    breaking: BTreeSet<(HostId, HostId)>,
    dice: Dice,
    digest: Digest,
    /// The observations of the current step.
    seen: Vec<Seen>,
    /// Counts of each kind of fault and lie, by its name.
    counts: BTreeMap<&'static str, u64>,
    /// The faults that have begun and not ended, by their index in the plan.
    active: BTreeSet<usize>,
    /// The number of those that isolate the proposer.
    isolations: usize,
    healed: bool,
    /// The verdicts on certificates that were checked before. Clients share them because many of
    /// them get the same certificate.
    checked: client::Checked,
}

impl World {
    /// Time since the start, in milliseconds.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// The plan of the run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The genesis of the swarm.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The trust root that an outsider checks certificates against.
    pub fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// The hosts of the validators: those of the plan, then twins.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// The hosts of the clients: the agents of the plan, then the requester.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Whether the healed phase has begun.
    pub fn is_healed(&self) -> bool {
        self.healed
    }

    /// Counts of each kind of fault and lie so far, by its name.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// The names of the faults that are on now. A name occurs once for each fault.
    pub fn active(&self) -> impl Iterator<Item = &'static str> {
        self.active
            .iter()
            .filter_map(|fault| self.plan.faults.get(*fault))
            .map(|f| f.fault.name())
    }

    /// The digest of every input and output so far.
    pub fn digest(&self) -> String {
        self.digest.text()
    }

    /// Lets the next thing happen and returns the observations. `None` if nothing is left to
    /// happen.
    pub(crate) fn step(&mut self) -> Option<Vec<Seen>> {
        let ((at, _), happening) = self.queue.pop_first()?;
        self.now = self.now.max(at);

        // A host that is paused, or waits for its disk, takes everything up later.
        if let Some(until) = self.occupied(&happening) {
            self.push(until, happening);
            return Some(Vec::new());
        }

        self.happen(happening);
        Some(std::mem::take(&mut self.seen))
    }

    /// Lets a happening occur.
    fn happen(&mut self, happening: QueuedEvent) {
        match happening {
            QueuedEvent::Frame {
                from,
                to,
                life,
                bytes,
                mangled,
            } => self.arrive((from, to), life, &bytes, mangled),

            QueuedEvent::Wake { place, life } => self.wake(place, life),

            QueuedEvent::Done {
                validator,
                life,
                event,
            } => self.done(validator, life, *event),

            QueuedEvent::Link { pair, up } => self.notice_link(pair, up),
            QueuedEvent::Reset { pair } => self.break_link(pair),

            QueuedEvent::Fault { fault, begins } => match begins {
                true => self.begin_fault(fault),
                false => self.end_fault(fault),
            },

            QueuedEvent::Start(place) => self.start(place),
            QueuedEvent::Submit(task) => self.submit(task),
            QueuedEvent::Cancel(task) => self.cancel(task),

            QueuedEvent::Storm {
                validator,
                left,
                step,
            } => self.storm_once(validator, left, step),

            QueuedEvent::LogLost(validator) => self.lose_log(validator),
            QueuedEvent::Volunteer(place) => self.volunteer(place),
            QueuedEvent::Heal => self.heal(),
        }
    }

    /// Fires the timer of a host's process.
    fn wake(&mut self, place: HostId, life: u64) {
        match place {
            HostId::Validator(at) => self.wake_validator(at, life),
            HostId::Client(at) => self.wake_client(at, life),
        }
    }

    /// Starts the process of a host.
    fn start(&mut self, place: HostId) {
        match place {
            HostId::Validator(at) => self.start_validator(at),
            HostId::Client(at) => self.start_client(at),
        }
    }

    /// The time until which the host of a happening is too busy for it; `None` if it is not.
    fn occupied(&self, happening: &QueuedEvent) -> Option<Millis> {
        let at = match happening {
            QueuedEvent::Frame {
                to: HostId::Validator(at),
                ..
            }
            | QueuedEvent::Wake {
                place: HostId::Validator(at),
                ..
            }
            | QueuedEvent::Done { validator: at, .. } => *at,
            _ => return None,
        };

        let until = self.validators.get(at)?.occupied_until;
        (until > self.now).then_some(until)
    }

    /// Puts a happening on the queue. One that is due in the past happens now.
    fn push(&mut self, at: Millis, happening: QueuedEvent) {
        self.serial += 1;
        self.queue
            .insert((at.max(self.now), self.serial), happening);
    }

    /// Records an observation, and takes it into the digest.
    fn see(&mut self, seen: Seen) {
        self.note_of(b'!', seen.place(), seen.name().as_bytes());
        self.note_of(b'=', seen.place(), &seen.content());
        self.seen.push(seen);
    }

    fn count(&mut self, fault: &'static str) {
        *self.counts.entry(fault).or_insert(0) += 1;
    }
}
