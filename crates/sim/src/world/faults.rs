//! Faults of the plan: how they begin and how they end.

use std::collections::BTreeSet;

use quorate_store::{Fault as DiskFault, Syncs, Tear};
use quorate_types::Millis;

use super::{HostId, QueuedEvent, World};
use crate::plan::{Fault, TearPlan, TimedFault};
use crate::seed::Dice;
use crate::seen::Seen;

/// Milliseconds after which a supervisor starts a process again that failed.
const SUPERVISOR_MS: Millis = 300;
/// The folder in which a store keeps its log.
const LOG_FOLDER: &str = "wal/";

impl World {
    /// Begins a fault of the plan.
    pub(super) fn begin_fault(&mut self, fault: usize) {
        let Some(timed) = self.plan.faults.get(fault).cloned() else {
            return;
        };

        if self.healed {
            return;
        }

        let name = timed.fault.name();
        let place = self.place_of(&timed.fault);

        self.active.insert(fault);
        self.count(name);
        self.see(Seen::Fault { name, place });
        self.inflict(fault, timed);
    }

    /// Makes go wrong what a fault of the plan says.
    fn inflict(&mut self, index: usize, timed: TimedFault) {
        match timed.fault {
            Fault::Crash { validator, tear } => self.crash(validator, tear, "power failed"),

            Fault::CrashAtWrite {
                validator,
                after,
                tear,
            } => self.crash_at_write(validator, after, tear),

            Fault::RestartStorm { validator, times } => {
                let times = times.max(1);
                self.storm(validator, times, timed.lasts / times);
            }

            Fault::Pause { validator } => self.pause(validator, self.now + timed.lasts),

            // Each time a replica has acted, the fault follows the proposer.
            Fault::IsolateLeader => self.isolate_leader(),

            Fault::ClockJump { validator, by_ms } => self.each_host(validator, |world, at| {
                world.validators[at].clock.jump(by_ms);
            }),

            Fault::SlowDisk { .. }
            | Fault::FullDisk { .. }
            | Fault::SyncError { .. }
            | Fault::SyncLie { .. }
            | Fault::MisdirectedWrite { .. } => self.spoil_disk(&timed.fault),

            Fault::LogLost { validator } => self.each_host(validator, |world, at| {
                world.validators[at].loses_log = true;
            }),
            Fault::Wipe { validator } => self.wipe(validator),
            Fault::AgentCrash { agent } => self.end_client(agent),

            Fault::Partition { .. }
            | Fault::Mute { .. }
            | Fault::Deaf { .. }
            | Fault::Bridge { .. }
            | Fault::Ring
            | Fault::AgentCut { .. } => self.cut_links(index, &timed.fault),
        }
    }

    /// Lets power fail at a validator after so many operations of its disk.
    fn crash_at_write(&mut self, validator: usize, after: u64, tear: TearPlan) {
        self.each_host(validator, |world, at| {
            let host = &mut world.validators[at];
            let failing = host.disk.operations() + after;
            host.disk.fail_at(failing, DiskFault::PowerOff);

            // The disk fails later, so the tear is kept until then.
            host.tear = tear;
        });
    }

    /// Lets a validator do nothing until a time.
    fn pause(&mut self, validator: usize, until: Millis) {
        // Frames and timers wait until then: see `occupied`.
        self.each_host(validator, |world, at| {
            world.validators[at].occupied_until = until;
        });
    }

    /// Cuts the links that a fault cuts.
    fn cut_links(&mut self, index: usize, fault: &Fault) {
        let pairs = self.pairs_of(fault);
        self.network.cut(index, pairs);

        // Hosts must notice which connections broke.
        self.relink_all();
    }

    /// Begins a fault of a validator's disk.
    fn spoil_disk(&mut self, fault: &Fault) {
        match *fault {
            Fault::SlowDisk { validator, sync_ms } => {
                self.each_host(validator, |world, at| {
                    world.validators[at].sync_ms = sync_ms;
                });
            }

            Fault::FullDisk { validator } => {
                self.each_host(validator, |world, at| {
                    let disk = &world.validators[at].disk;
                    disk.set_capacity(disk.used() + 512);
                });
            }

            Fault::SyncError { validator } => self.each_host(validator, |world, at| {
                let disk = &world.validators[at].disk;

                // The fault waits for the next sync.
                disk.fail_at(disk.operations(), DiskFault::SyncError);
            }),

            Fault::SyncLie { validator } => self.each_host(validator, |world, at| {
                world.validators[at].faulty = true;
                world.validators[at].disk.set_syncs(Syncs::Lying);
            }),

            Fault::MisdirectedWrite { validator } => {
                self.each_host(validator, Self::misdirect_write);
            }

            _ => {}
        }
    }

    /// Lets the next write of a validator's disk land in a wrong place.
    fn misdirect_write(&mut self, at: usize) {
        let by = self.dice.between(1, 4096);
        let which = self.dice.number();

        let fault = match which % 3 {
            0 => DiskFault::StrayWrite(which),
            1 => DiskFault::ShiftedWrite(-(by as i64)),
            _ => DiskFault::ShiftedWrite(by as i64),
        };

        let host = &mut self.validators[at];

        let next = host.disk.operations();

        host.faulty = true;
        host.disk.fail_at(next, fault);
    }

    /// Ends a fault of the plan, and puts right what it left.
    pub(super) fn end_fault(&mut self, fault: usize) {
        if !self.active.remove(&fault) {
            return;
        }

        let Some(timed) = self.plan.faults.get(fault).cloned() else {
            return;
        };

        match timed.fault {
            // Nothing happens to a process that runs again already.
            Fault::Crash { validator, .. }
            | Fault::CrashAtWrite { validator, .. }
            | Fault::RestartStorm { validator, .. }
            | Fault::Wipe { validator } => self.each_host(validator, Self::start_validator),

            Fault::LogLost { validator } => self.each_host(validator, |world, at| {
                world.validators[at].loses_log = false;
            }),

            // A pause ends by its time.
            Fault::Pause { .. } => {}

            Fault::ClockJump { validator, .. } => {
                let skew = self.plan.validators[validator].skew_ms;
                self.each_host(validator, |world, at| world.validators[at].clock.set(skew));
            }

            Fault::SlowDisk { .. }
            | Fault::FullDisk { .. }
            | Fault::SyncError { .. }
            | Fault::SyncLie { .. }
            | Fault::MisdirectedWrite { .. } => self.mend_disk(&timed.fault),

            Fault::AgentCrash { agent } => self.start_client(agent),
            Fault::IsolateLeader => self.network.isolated = None,

            _ => {
                self.network.mend(fault);
                self.relink_all();
            }
        }
    }

    /// Ends a fault of a validator's disk.
    fn mend_disk(&mut self, fault: &Fault) {
        match *fault {
            Fault::SlowDisk { validator, .. } => {
                self.each_host(validator, |world, at| world.validators[at].sync_ms = 0);
            }

            Fault::FullDisk { validator } => self.each_host(validator, |world, at| {
                world.validators[at].disk.set_capacity(u64::MAX);
                world.start_validator(at);
            }),

            Fault::SyncLie { validator } => {
                let why = "power failed under a lying disk";
                self.crash(validator, TearPlan::Nothing, why);

                self.each_host(validator, |world, at| {
                    world.validators[at].disk.set_syncs(Syncs::Honest);
                    world.restart_later(at);
                });
            }

            Fault::MisdirectedWrite { validator } => {
                // Everything survives, the misdirected write too.
                self.crash(validator, TearPlan::Everything, "restarted");
                self.each_host(validator, Self::restart_later);
            }

            // A failed sync happens once.
            _ => {}
        }
    }

    /// Begins the healed phase: ends all faults and starts all processes that are down.
    pub(super) fn heal(&mut self) {
        for fault in self.active.clone() {
            self.end_fault(fault);
        }

        self.healed = true;
        self.network.heal();

        for at in 0..self.validators.len() {
            self.clear_leftovers(at);
            self.start_validator(at);
        }

        for at in 0..self.clients.len() {
            self.start_client(at);
        }

        self.relink_all();
        self.see(Seen::Healed);
    }

    /// Clears what faults that overlapped may have left behind at a validator.
    fn clear_leftovers(&mut self, at: usize) {
        let host = &mut self.validators[at];
        host.sync_ms = 0;
        host.occupied_until = 0;
        host.disk.set_capacity(u64::MAX);
        host.disk.set_syncs(Syncs::Honest);
    }

    /// Performs one crash of a restart storm, and schedules the next.
    pub(super) fn storm(&mut self, validator: usize, left: u64, step: Millis) {
        if left == 0 || self.healed {
            return;
        }

        self.crash(validator, TearPlan::Nothing, "restart storm");

        self.push(
            self.now + step / 2,
            QueuedEvent::Start(HostId::Validator(validator)),
        );

        let again = QueuedEvent::Storm {
            validator,
            left: left - 1,
            step,
        };
        self.push(self.now + step, again);
    }

    /// Lets power fail at a validator and its twin. The disk keeps what `tear` says.
    fn crash(&mut self, validator: usize, tear: TearPlan, why: &str) {
        self.each_host(validator, |world, at| {
            world.end_process(at, why.to_owned());
            let tear = tear_of(tear, &mut world.dice);
            world.validators[at].disk.crash(tear);
        });
    }

    /// Ends the process because its disk failed, as it must, and starts it again.
    pub(super) fn disk_failed(&mut self, at: usize, why: String) {
        self.end_process(at, why);
        self.power_cycle(at);
    }

    /// Lets power fail and come back. What was not synced survives as far as the host's `tear`
    /// says.
    pub(super) fn power_cycle(&mut self, at: usize) {
        let tear = tear_of(self.validators[at].tear, &mut self.dice);
        self.validators[at].disk.crash(tear);
        self.restart_later(at);
    }

    /// Schedules that a supervisor starts the process of a validator again.
    fn restart_later(&mut self, at: usize) {
        self.push(
            self.now + SUPERVISOR_MS,
            QueuedEvent::Start(HostId::Validator(at)),
        );
    }

    /// Lets power fail at a validator and removes its log. It starts again from its guard and
    /// blocks.
    pub(super) fn lose_log(&mut self, at: usize) {
        self.end_process(at, "power failed and the log is gone".to_owned());

        let disk = &self.validators[at].disk;
        disk.crash(Tear::Nothing);

        let names = disk
            .names()
            .into_iter()
            .filter(|name| name.starts_with(LOG_FOLDER));
        names.for_each(|name| disk.lose(&name));

        self.restart_later(at);
    }

    /// Empties the disk of a validator and of its twin.
    fn wipe(&mut self, validator: usize) {
        self.crash(validator, TearPlan::Nothing, "wiped");
        self.each_host(validator, |world, at| {
            world.validators[at].disk.wipe();
            world.validators[at].wiped = true;
        });
    }

    /// Cuts off the proposer of the newest round, if a fault of the plan isolates it.
    pub(super) fn isolate_leader(&mut self) {
        let mut active = self.active.iter();
        if !active.any(|fault| self.plan.faults[*fault].fault == Fault::IsolateLeader) {
            return;
        }

        // The replica that is furthest knows whose turn it is.
        let replicas = self.validators.iter().filter_map(|host| host.replica());
        let newest = replicas.max_by_key(|replica| (replica.height(), replica.round()));

        let Some(newest) = newest else {
            return;
        };

        let schedule = newest.ledger().proposers();
        let key = schedule.proposer(newest.height(), newest.round());
        let places = self.places_of(&key);

        // Of a twin, only the first process is cut off.
        self.network.isolated = places.first().copied();
    }

    /// Does something at the host of a validator and at that of its twin.
    fn each_host(&mut self, validator: usize, act: impl Fn(&mut Self, usize)) {
        for at in 0..self.validators.len() {
            if self.validators[at].index == validator {
                act(self, at);
            }
        }
    }

    /// The host that a fault is about, if it is exactly one.
    fn place_of(&self, fault: &Fault) -> Option<HostId> {
        let mut validators = fault.validators();
        match (validators.next(), validators.next(), fault.agent()) {
            (Some(one), None, _) => Some(HostId::Validator(one)),
            (None, _, Some(agent)) => Some(HostId::Client(agent)),
            _ => None,
        }
    }

    /// The directed pairs that a fault cuts.
    fn pairs_of(&self, fault: &Fault) -> BTreeSet<(HostId, HostId)> {
        let validators = (0..self.validators.len()).map(HostId::Validator);
        let clients = (0..self.clients.len()).map(HostId::Client);
        let places: Vec<HostId> = validators.chain(clients).collect();

        let mut pairs = BTreeSet::new();

        // Cuts are directed, so each pair is looked at in both orders.
        for from in &places {
            for to in &places {
                if from != to && self.cuts(fault, *from, *to) {
                    pairs.insert((*from, *to));
                }
            }
        }

        pairs
    }

    /// Whether a fault cuts the link from one host to another.
    fn cuts(&self, fault: &Fault, from: HostId, to: HostId) -> bool {
        let sender = self.index_of(from);
        let receiver = self.index_of(to);

        // A twin is cut off like its original, but in partitions it has a group of its own.
        match fault {
            Fault::Partition { groups } => self.group(groups, from) != self.group(groups, to),

            Fault::Mute { validators } => sender.is_some_and(|at| validators.contains(&at)),
            Fault::Deaf { validators } => receiver.is_some_and(|at| validators.contains(&at)),

            Fault::AgentCut { agent } => {
                let agent = HostId::Client(*agent);
                from == agent || to == agent
            }

            fault => match (sender, receiver) {
                (Some(a), Some(b)) => self.cuts_validators(fault, a, b),
                _ => false,
            },
        }
    }

    /// Whether a fault of the shape of the network cuts the link between two validators.
    fn cuts_validators(&self, fault: &Fault, a: usize, b: usize) -> bool {
        match fault {
            Fault::Bridge { validator } => are_across(*validator, a, b),
            Fault::Ring => !self.are_neighbours(a, b),
            _ => false,
        }
    }

    /// The index in the plan of a host's validator; `None` for a client.
    fn index_of(&self, place: HostId) -> Option<usize> {
        match place {
            HostId::Validator(at) => Some(self.validators[at].index),
            HostId::Client(_) => None,
        }
    }

    /// Whether two validators are the same or next to each other in the ring of all.
    fn are_neighbours(&self, a: usize, b: usize) -> bool {
        let count = self.plan.validators.len();
        a == b || (a + 1) % count == b || (b + 1) % count == a
    }

    /// The group of a host in a partition. Clients, and validators in no group, are in the first. A
    /// twin is in the group after its original's, so that the two are on different sides.
    fn group(&self, groups: &[Vec<usize>], place: HostId) -> usize {
        let HostId::Validator(at) = place else {
            return 0;
        };

        let index = self.validators[at].index;

        let group = groups
            .iter()
            .position(|group| group.contains(&index))
            .unwrap_or(0);

        let is_twin = at >= self.plan.validators.len();
        if is_twin {
            (group + 1) % groups.len().max(1)
        } else {
            group
        }
    }
}

/// Whether two validators are on different sides of a bridge, which has the even indices on one
/// side and the odd ones on the other.
fn are_across(bridge: usize, a: usize, b: usize) -> bool {
    a != bridge && b != bridge && a % 2 != b % 2
}

/// The tear of a disk that a plan asks for, with numbers from the dice.
fn tear_of(plan: TearPlan, dice: &mut Dice) -> Tear {
    match plan {
        TearPlan::Nothing => Tear::Nothing,
        TearPlan::Everything => Tear::Everything,
        TearPlan::Prefix => Tear::Prefix(dice.below(4096)),
        TearPlan::Sectors => Tear::Sectors {
            seed: dice.number(),
            bytes: 64,
        },
    }
}
