//! The simulated world: hosts, links, disks and clocks, and one queue of what happens when.
//!
//! [`World::step`] takes the next happening off the queue, hands it to its host, and lets that host
//! do all it wants to. Happenings at the same millisecond come in the order in which they were
//! caused, so a run is a function of its plan.

mod client;
mod clock;
mod faults;
mod liars;
mod links;
mod network;
mod setting;
mod solver;
mod timer;
mod validator;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_certificate::TrustRoot;
use quorate_replica::Event;
use quorate_types::{Genesis, Millis};

use crate::dice::Dice;
use crate::digest::Digest;
use crate::plan::Plan;
use crate::seen::Seen;

use network::Network;

pub use client::Client;
pub use clock::START;
pub use network::Place;
pub use setting::PlanError;
pub use validator::Validator;

/// Something that happens at a time.
#[derive(Debug)]
enum Happening {
    /// A frame arrives. A process that ended meanwhile, or is a later life, does not see it.
    Frame {
        from: Place,
        to: Place,
        life: u64,
        bytes: Arc<[u8]>,
        mangled: bool,
    },
    /// A host's own timer.
    Wake {
        place: Place,
        life: u64,
    },
    /// Work that took a while is done.
    Done {
        validator: usize,
        life: u64,
        event: Box<Event>,
    },
    /// Two hosts notice that they can, or cannot, reach each other.
    Link {
        pair: (Place, Place),
        up: bool,
    },
    /// A connection breaks though both hosts are up, and comes back.
    Reset {
        pair: (Place, Place),
    },
    /// A fault of the plan begins or ends.
    Fault {
        fault: usize,
        begins: bool,
    },
    /// A process starts again.
    Start(Place),
    /// The requester submits, or cancels, a task of the plan.
    Submit(usize),
    Cancel(usize),
    /// The next crash of a restart storm.
    Storm {
        validator: usize,
        left: u64,
        step: Millis,
    },
    /// Power fails at a validator, and its log is gone.
    LogLost(usize),
    /// A liar may speak unasked.
    Volunteer(Place),
    /// From now on nothing new goes wrong.
    Heal,
}

/// Everything there is in a run.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    genesis: Genesis,
    root: TrustRoot,
    now: Millis,
    queue: BTreeMap<(Millis, u64), Happening>,
    serial: u64,
    validators: Vec<Validator>,
    clients: Vec<Client>,
    network: Network,
    /// Pairs, the lesser first, that know of each other's presence.
    linked: BTreeSet<(Place, Place)>,
    /// Clients' connections, the validator first, that lost a frame and are about to break.
    breaking: BTreeSet<(Place, Place)>,
    dice: Dice,
    digest: Digest,
    seen: Vec<Seen>,
    counts: BTreeMap<&'static str, u64>,
    /// Faults that have begun and not ended, by their index in the plan.
    active: BTreeSet<usize>,
    healed: bool,
    /// Certificates that were checked, with the verdict: many clients get the same.
    checked: client::Checked,
}

impl World {
    /// Time since the start, in milliseconds.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// What the run is made from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the swarm started from.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// What an outsider checks certificates against.
    pub fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// The validators' hosts: those of the plan, then twins.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// The clients' hosts: the agents of the plan, then the requester.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Whether the healed phase has begun.
    pub fn is_healed(&self) -> bool {
        self.healed
    }

    /// How often what went wrong, by name.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Names of the faults that are on now.
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

    /// Lets the next thing happen, and gives what was seen. `None` when nothing will ever happen.
    pub(crate) fn step(&mut self) -> Option<Vec<Seen>> {
        let ((at, _), happening) = self.queue.pop_first()?;
        self.now = self.now.max(at);
        if let Some(until) = self.occupied(&happening) {
            self.push(until, happening);
            return Some(Vec::new());
        }
        match happening {
            Happening::Frame {
                from,
                to,
                life,
                bytes,
                mangled,
            } => {
                self.arrive((from, to), life, &bytes, mangled);
            }
            Happening::Wake {
                place: Place::Validator(at),
                life,
            } => self.wake_validator(at, life),
            Happening::Wake {
                place: Place::Client(at),
                life,
            } => self.wake_client(at, life),
            Happening::Done {
                validator,
                life,
                event,
            } => self.done(validator, life, *event),
            Happening::Link { pair, up } => self.notice_link(pair, up),
            Happening::Reset { pair } => self.break_link(pair),
            Happening::Fault {
                fault,
                begins: true,
            } => self.begin_fault(fault),
            Happening::Fault {
                fault,
                begins: false,
            } => self.end_fault(fault),
            Happening::Start(Place::Validator(at)) => self.start_validator(at),
            Happening::Start(Place::Client(at)) => self.start_client(at),
            Happening::Submit(task) => self.submit(task),
            Happening::Cancel(task) => self.cancel(task),
            Happening::Storm {
                validator,
                left,
                step,
            } => self.storm(validator, left, step),
            Happening::LogLost(validator) => self.lose_log(validator),
            Happening::Volunteer(place) => self.volunteer(place),
            Happening::Heal => self.heal(),
        }
        Some(std::mem::take(&mut self.seen))
    }

    /// Until when the host of a happening has no time for it.
    fn occupied(&self, happening: &Happening) -> Option<Millis> {
        let at = match happening {
            Happening::Frame {
                to: Place::Validator(at),
                ..
            }
            | Happening::Wake {
                place: Place::Validator(at),
                ..
            }
            | Happening::Done { validator: at, .. } => *at,
            _ => return None,
        };
        let until = self.validators.get(at)?.occupied_until;
        (until > self.now).then_some(until)
    }

    fn push(&mut self, at: Millis, happening: Happening) {
        self.serial += 1;
        self.queue
            .insert((at.max(self.now), self.serial), happening);
    }

    fn see(&mut self, seen: Seen) {
        self.note_of(b'!', seen.place(), seen.name().as_bytes());
        self.note_of(b'=', seen.place(), &seen.content());
        self.seen.push(seen);
    }

    fn count(&mut self, fault: &'static str) {
        *self.counts.entry(fault).or_insert(0) += 1;
    }
}
