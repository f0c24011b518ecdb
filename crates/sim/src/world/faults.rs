//! Faults of the plan: how they begin and how they end.

use std::collections::BTreeSet;

use quorate_store::{Fault as DiskFault, Syncs, Tear};
use quorate_types::Millis;

use super::{Happening, Place, World};
use crate::dice::Dice;
use crate::plan::{Fault, TearPlan};
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

        self.active.insert(fault);
        self.count(timed.fault.name());

        let place = self.place_of(&timed.fault);

        self.see(Seen::Fault {
            name: timed.fault.name(),
            place,
        });

        match timed.fault {
            Fault::Crash { validator, tear } => self.crash(validator, tear, "power failed"),

            Fault::CrashAtWrite {
                validator,
                after,
                tear,
            } => {
                self.each_host(validator, |world, at| {
                    let disk = &world.validators[at].disk;
                    disk.fail_at(disk.operations() + after, DiskFault::PowerOff);
                    // The disk fails later, so the tear is kept until then.
                    world.validators[at].tear = tear;
                });
            }

            Fault::RestartStorm { validator, times } => {
                self.crash(validator, TearPlan::Nothing, "restart storm");

                // The process is down in the first half of each step.
                let step = timed.lasts / times.max(1);
                let again = Happening::Storm {
                    validator,
                    left: times.saturating_sub(1),
                    step,
                };

                self.push(
                    self.now + step / 2,
                    Happening::Start(Place::Validator(validator)),
                );
                self.push(self.now + step, again);
            }

            Fault::Pause { validator } => {
                // Frames and timers wait until then: see `occupied`.
                let until = self.now + timed.lasts;
                self.each_host(validator, |world, at| {
                    world.validators[at].occupied_until = until;
                });
            }

            // Each time a replica has acted, the fault follows the proposer.
            Fault::IsolateLeader => self.isolate_leader(),
            Fault::ClockJump { validator, by_ms } => {
                self.each_host(validator, |world, at| {
                    world.validators[at].clock.jump(by_ms)
                });
            }

            Fault::SlowDisk { .. }
            | Fault::FullDisk { .. }
            | Fault::SyncError { .. }
            | Fault::SyncLie { .. }
            | Fault::MisdirectedWrite { .. } => self.spoil_disk(&timed.fault),

            Fault::LogLost { validator } => {
                self.each_host(validator, |world, at| world.validators[at].loses_log = true);
            }
            Fault::Wipe { validator } => self.wipe(validator),
            Fault::AgentCrash { agent } => self.end_client(agent),

            Fault::Partition { .. }
            | Fault::Mute { .. }
            | Fault::Deaf { .. }
            | Fault::Bridge { .. }
            | Fault::Ring
            | Fault::AgentCut { .. } => {
                let pairs = self.pairs_of(&timed.fault);
                self.network.cut(fault, pairs);
                // Hosts must notice which connections broke.
                self.relink_all();
            }
        }
    }

    /// Begins a fault of a validator's disk.
    fn spoil_disk(&mut self, fault: &Fault) {
        match *fault {
            Fault::SlowDisk { validator, sync_ms } => {
                self.each_host(validator, |world, at| {
                    world.validators[at].sync_ms = sync_ms
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

            Fault::MisdirectedWrite { validator } => self.each_host(validator, |world, at| {
                let (by, which) = (world.dice.between(1, 4096), world.dice.number());

                let host = &mut world.validators[at];
                host.faulty = true;
                let fault = match which % 3 {
                    0 => DiskFault::StrayWrite(which),
                    1 => DiskFault::ShiftedWrite(-(by as i64)),
                    _ => DiskFault::ShiftedWrite(by as i64),
                };

                host.disk.fail_at(host.disk.operations(), fault);
            }),
            _ => {}
        }
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
            | Fault::Wipe { validator } => {
                self.each_host(validator, |world, at| world.start_validator(at));
            }

            Fault::LogLost { validator } => {
                self.each_host(validator, |world, at| {
                    world.validators[at].loses_log = false
                });
            }

            // A pause ends by its time. A failed sync happens once.
            Fault::Pause { .. } | Fault::SyncError { .. } => {}

            Fault::ClockJump { validator, .. } => {
                let skew = self.plan.validators[validator].skew_ms;
                self.each_host(validator, |world, at| world.validators[at].clock.set(skew));
            }

            Fault::SlowDisk { validator, .. } => {
                self.each_host(validator, |world, at| world.validators[at].sync_ms = 0);
            }

            Fault::FullDisk { validator } => self.each_host(validator, |world, at| {
                world.validators[at].disk.set_capacity(u64::MAX);
                world.start_validator(at);
            }),

            Fault::SyncLie { validator } => {
                self.crash(
                    validator,
                    TearPlan::Nothing,
                    "power failed under a lying disk",
                );
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

            Fault::AgentCrash { agent } => self.start_client(agent),
            Fault::IsolateLeader => self.network.isolated = None,

            _ => {
                self.network.mend(fault);
                self.relink_all();
            }
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
            // Faults that overlapped may have left something behind.
            let host = &mut self.validators[at];
            host.sync_ms = 0;
            host.occupied_until = 0;
            host.disk.set_capacity(u64::MAX);
            host.disk.set_syncs(Syncs::Honest);

            self.start_validator(at);
        }

        for at in 0..self.clients.len() {
            self.start_client(at);
        }

        self.relink_all();
        self.see(Seen::Healed);
    }

    /// Performs one crash of a restart storm, and schedules the next.
    pub(super) fn storm(&mut self, validator: usize, left: u64, step: Millis) {
        if left == 0 || self.healed {
            return;
        }

        self.crash(validator, TearPlan::Nothing, "restart storm");

        self.push(
            self.now + step / 2,
            Happening::Start(Place::Validator(validator)),
        );

        let again = Happening::Storm {
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
            Happening::Start(Place::Validator(at)),
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
        let on = |fault: &usize| self.plan.faults[*fault].fault == Fault::IsolateLeader;
        if !self.active.iter().any(on) {
            return;
        }

        // The replica that is furthest knows whose turn it is.
        let replicas = self.validators.iter().filter_map(|host| host.replica());
        let newest = replicas.max_by_key(|replica| (replica.height(), replica.round()));
        let Some(newest) = newest else { return };

        let key = newest
            .ledger()
            .proposers()
            .proposer(newest.height(), newest.round());

        // Of a twin, only the first process is cut off.
        self.network.isolated = self.places_of(&key).first().copied();
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
    fn place_of(&self, fault: &Fault) -> Option<Place> {
        let mut validators = fault.validators();
        match (validators.next(), validators.next(), fault.agent()) {
            (Some(one), None, _) => Some(Place::Validator(one)),
            (None, _, Some(agent)) => Some(Place::Client(agent)),
            _ => None,
        }
    }

    /// The directed pairs that a fault cuts.
    fn pairs_of(&self, fault: &Fault) -> BTreeSet<(Place, Place)> {
        let validators = (0..self.validators.len()).map(Place::Validator);
        let clients = (0..self.clients.len()).map(Place::Client);
        let places: Vec<Place> = validators.chain(clients).collect();

        // Cuts are directed, so each pair is there in both orders.
        let all = places
            .iter()
            .flat_map(|a| places.iter().map(move |b| (*a, *b)));

        all.filter(|(from, to)| from != to && self.cuts(fault, *from, *to))
            .collect()
    }

    /// Whether a fault cuts the link from one host to another.
    fn cuts(&self, fault: &Fault, from: Place, to: Place) -> bool {
        let index = |place| match place {
            Place::Validator(at) => Some(self.validators[at].index),
            Place::Client(_) => None,
        };

        let count = self.plan.validators.len();

        // A bridge splits the others by even and odd index.
        let side = |validator: usize| validator % 2;

        // A twin is cut off like its original, but in partitions it has a group of its own.
        match (fault, index(from), index(to)) {
            (Fault::Partition { groups }, ..) => self.group(groups, from) != self.group(groups, to),
            (Fault::Mute { validators }, Some(a), _) => validators.contains(&a),
            (Fault::Deaf { validators }, _, Some(b)) => validators.contains(&b),
            (Fault::Bridge { validator }, Some(a), Some(b)) => {
                a != *validator && b != *validator && side(a) != side(b)
            }
            (Fault::Ring, Some(a), Some(b)) => {
                (a + 1) % count != b && (b + 1) % count != a && a != b
            }
            (Fault::AgentCut { agent }, _, _) => [from, to].contains(&Place::Client(*agent)),
            _ => false,
        }
    }

    /// The group of a host in a partition. Clients, and validators in no group, are in the first. A
    /// twin is in the group after its original's, so that the two are on different sides.
    fn group(&self, groups: &[Vec<usize>], place: Place) -> usize {
        let Place::Validator(at) = place else {
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
