//! Faults of the plan: when they begin and end, and how they take hold of the world.

use std::collections::BTreeSet;

use quorate_store::{MemoryDisk, Syncs, Tear};
use quorate_types::Millis;

use super::{QueuedEvent, World};
use crate::faults::{Begun, End, Fault, Ground, TearPlan};
use crate::host::HostId;
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
        let place = place_of(&timed.fault);

        self.active.insert(fault);
        self.count(name);
        self.see(Seen::Fault { name, place });

        let lasts = timed.lasts;
        timed.fault.begin(self, Begun { fault, lasts });
    }

    /// Ends a fault of the plan, and puts right what it left.
    pub(super) fn end_fault(&mut self, fault: usize) {
        if !self.active.remove(&fault) {
            return;
        }

        if let Some(timed) = self.plan.faults.get(fault).cloned() {
            timed.fault.end(self, fault);
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
    pub(super) fn storm_once(&mut self, validator: usize, left: u64, step: Millis) {
        if left == 0 || self.healed {
            return;
        }

        Ground::crash(self, validator, TearPlan::Nothing, "restart storm");

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

    /// Ends the process because its disk failed, as it must, and starts it again.
    pub(super) fn disk_failed(&mut self, at: usize, why: String) {
        self.end_process(at, why);
        self.power_cycle(at);
    }

    /// Lets power fail and come back. What was not synced survives as far as the host's `tear`
    /// says.
    pub(super) fn power_cycle(&mut self, at: usize) {
        let tear = self.validators[at].tear.tear(&mut self.dice);
        self.validators[at].disk.crash(tear);
        self.restart_later(at);
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

    /// Cuts off the proposer of the newest round, if a fault of the plan isolates it.
    pub(super) fn follow_leader(&mut self) {
        if self.isolations == 0 {
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

    /// A host as faults tell hosts apart.
    fn end_of(&self, place: HostId) -> End {
        match place {
            HostId::Client(at) => End::Client(at),
            HostId::Validator(at) => End::Validator {
                index: self.validators[at].index,
                is_twin: at >= self.plan.validators.len(),
            },
        }
    }

    /// The directed pairs of hosts of which `is_cut` is true.
    fn pairs_of(&self, is_cut: &dyn Fn(End, End) -> bool) -> BTreeSet<(HostId, HostId)> {
        let validators = (0..self.validators.len()).map(HostId::Validator);
        let clients = (0..self.clients.len()).map(HostId::Client);
        let places: Vec<HostId> = validators.chain(clients).collect();

        let mut pairs = BTreeSet::new();

        // Cuts are directed, so each pair is looked at in both orders.
        for from in &places {
            for to in &places {
                if from != to && is_cut(self.end_of(*from), self.end_of(*to)) {
                    pairs.insert((*from, *to));
                }
            }
        }

        pairs
    }
}

impl Ground for World {
    fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    fn validators(&self) -> usize {
        self.plan.validators.len()
    }

    fn hosts(&self, validator: usize) -> Vec<usize> {
        let hosts = self.validators.iter().enumerate();
        hosts
            .filter(|(_, host)| host.index == validator)
            .map(|(at, _)| at)
            .collect()
    }

    fn disk(&self, host: usize) -> &MemoryDisk {
        &self.validators[host].disk
    }

    fn set_tear(&mut self, host: usize, tear: TearPlan) {
        self.validators[host].tear = tear;
    }

    fn set_sync_ms(&mut self, host: usize, sync_ms: Millis) {
        self.validators[host].sync_ms = sync_ms;
    }

    fn set_loses_log(&mut self, host: usize, loses: bool) {
        self.validators[host].loses_log = loses;
    }

    fn distrust(&mut self, host: usize) {
        self.validators[host].faulty = true;
    }

    fn wipe(&mut self, host: usize) {
        self.validators[host].disk.wipe();
        self.validators[host].wiped = true;
    }

    fn jump_clock(&mut self, host: usize, by_ms: i64) {
        self.validators[host].clock.jump(by_ms);
    }

    fn set_clock(&mut self, host: usize) {
        let skew = self.plan.validators[self.validators[host].index].skew_ms;
        self.validators[host].clock.set(skew);
    }

    fn pause(&mut self, host: usize, lasts: Millis) {
        self.validators[host].occupied_until = self.now + lasts;
    }

    fn crash(&mut self, validator: usize, tear: TearPlan, why: &str) {
        for at in self.hosts(validator) {
            self.end_process(at, why.to_owned());
            let tear = tear.tear(&mut self.dice);
            self.validators[at].disk.crash(tear);
        }
    }

    fn start(&mut self, host: usize) {
        self.start_validator(host);
    }

    fn restart_later(&mut self, host: usize) {
        let place = HostId::Validator(host);
        self.push(self.now + SUPERVISOR_MS, QueuedEvent::Start(place));
    }

    fn storm(&mut self, validator: usize, times: u64, step: Millis) {
        self.storm_once(validator, times, step);
    }

    fn end_agent(&mut self, agent: usize) {
        self.end_client(agent);
    }

    fn start_agent(&mut self, agent: usize) {
        self.start_client(agent);
    }

    fn cut(&mut self, fault: usize, is_cut: &dyn Fn(End, End) -> bool) {
        let pairs = self.pairs_of(is_cut);
        self.network.cut(fault, pairs);

        // Hosts must notice which connections broke.
        self.relink_all();
    }

    fn mend(&mut self, fault: usize) {
        self.network.mend(fault);
        self.relink_all();
    }

    fn isolate_leader(&mut self) {
        self.isolations += 1;
        self.follow_leader();
    }

    fn end_isolation(&mut self) {
        self.isolations -= 1;
        self.network.isolated = None;
    }
}

/// The host that a fault is about, if it is exactly one.
fn place_of(fault: &Fault) -> Option<HostId> {
    let mut validators = fault.validators();
    match (validators.next(), validators.next(), fault.agent()) {
        (Some(one), None, _) => Some(HostId::Validator(one)),
        (None, _, Some(agent)) => Some(HostId::Client(agent)),
        _ => None,
    }
}
