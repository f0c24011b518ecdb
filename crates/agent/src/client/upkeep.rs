//! Upkeep: admission, sending, sending again, heartbeats, leases that run out.

use std::collections::BTreeSet;

use quorate_types::message::{Heartbeat, Request};
use quorate_types::operation::Attest;
use quorate_types::{
    FencingToken, Label, Millis, MonotonicMillis, OperationBody, PublicKey, TaskId,
};

use super::LightClient;
use super::links::Asked;

/// The number of tasks whose certificates are asked for at one time.
const LOOK_UPS: usize = 16;
/// The number of intervals between two such look-ups. Normally notices bring the certificates.
const LOOK_UP_TICKS: u64 = 4;
/// The number of intervals after which an award that nobody here works on is given back.
const ORPHAN_TICKS: u64 = 3;

impl LightClient {
    pub(super) fn upkeep(&mut self, now: MonotonicMillis) {
        if self.next_heartbeat <= now {
            self.heartbeat(now);
        }
        if self.next_tick <= now {
            self.tick(now);
        }

        let reach = self.links.in_reach_since(&self.config.validators);
        for event in self.work.expire(reach, now) {
            self.event(event);
        }

        self.flush(now);
    }

    /// Joins the swarm with the attestation, if there is one.
    pub(super) fn admit(&mut self, now: MonotonicMillis) {
        if self.admitting || self.member {
            return;
        }

        let Some(attestation) = self.config.attestation.clone() else {
            return;
        };

        self.admitting = true;
        let body = OperationBody::Admit(Attest { attestation });
        let sequence = self.outbox.sign(body, &self.key, self.config.swarm, now);
        self.send(sequence);
    }

    /// Numbers, signs and sends waiting operations, if the swarm knows the key and there is room.
    pub(super) fn flush(&mut self, now: MonotonicMillis) {
        if self.member {
            for sequence in self.outbox.fill(&self.key, self.config.swarm, now) {
                self.send(sequence);
            }
        }
    }

    /// Sends an operation to validators with more than a third of the power. One of them is correct
    /// and passes it on.
    fn send(&mut self, sequence: u64) {
        let mut power = 0;
        for validator in self.connected() {
            self.send_to(&validator, sequence);
            power += self.config.validators.power(&validator);
            if self.config.validators.exceeds_one_third(power) {
                return;
            }
        }
    }

    fn send_to(&mut self, validator: &PublicKey, sequence: u64) {
        if let Some(operation) = self.outbox.get(sequence) {
            let request = Request::Submit(Box::new(operation.clone()));
            self.ask(validator, request, Some(Asked::Submit(sequence)));
        }
    }

    fn tick(&mut self, now: MonotonicMillis) {
        self.next_tick = now.saturating_add(self.config.resubmit.max(1));
        self.ticks += 1;

        self.resubmit(now);
        // The account shows which numbers are committed and which awards the swarm lists.
        if !self.member || self.outbox.is_flying() || !self.orphans.is_empty() {
            self.ask_accounts();
        }
        self.pursue_fetches(now);

        if self.ticks.is_multiple_of(LOOK_UP_TICKS) {
            self.look_up();

            // The notice of the openings may have been missed, which would cost a default.
            let waiting = self.seals.waiting().cloned().collect();
            self.ask_calls(waiting);

            // Nothing tells when a bar is over, and no new window begins while nobody else bids.
            if self.seals.take_barred() {
                self.refresh_calls();
            }
        }
    }

    /// Sends the operations that had no effect to all validators that did not take them.
    fn resubmit(&mut self, now: MonotonicMillis) {
        let connected = self.connected();
        let before = now.saturating_sub(self.config.resubmit);

        for sequence in self.outbox.due(before, now) {
            self.counters.resubmissions += 1;
            for validator in &connected {
                if !self.outbox.has(sequence, validator) {
                    self.send_to(validator, sequence);
                }
            }
        }
    }

    fn ask_accounts(&mut self) {
        for validator in self.connected() {
            self.ask(&validator, Request::Account(self.me), Some(Asked::Account));
        }
    }

    /// Asks one validator, another one each time, for certificates that may have been missed.
    fn look_up(&mut self) {
        let connected = self.connected();
        let turn = (self.ticks / LOOK_UP_TICKS) as usize;
        let Some(validator) = connected.get(turn % connected.len().max(1)).copied() else {
            return;
        };

        let unsettled = self.work.unsettled().take(LOOK_UPS);
        let (mut tasks, reports): (Vec<_>, Vec<_>) = unsettled
            .map(|(task, report)| (task, report.clone()))
            .unzip();

        // These reports have had no effect: an operation of a predecessor may have had their
        // numbers.
        if self.outbox.is_empty() {
            for report in reports {
                self.outbox.push(report);
            }
        }

        tasks.extend(self.orders.next_unfinished(LOOK_UPS));
        for task in tasks {
            self.ask_certificates(&validator, task);
        }
    }

    /// Sends heartbeats to all connected validators, because a validator that does not hear the
    /// assignee itself suspects it. It also asks for the account. So an idle swarm answers too,
    /// which shows that it is in reach. And an award whose notice was lost is found, which the
    /// heartbeats would otherwise keep alive although nobody knows of it.
    fn heartbeat(&mut self, now: MonotonicMillis) {
        // Several heartbeats fit into a lease, so that a lost one does no harm.
        let quarter = self.work.shortest_lease().map(|lease| (lease / 4).max(1));
        let wait = quarter
            .unwrap_or(Millis::MAX)
            .min(self.config.idle_heartbeat.max(1));
        self.next_heartbeat = now.saturating_add(wait);

        for validator in self.connected() {
            let (height, block) = self.block_of(&validator);
            self.ask(
                &validator,
                Request::Heartbeat(Heartbeat { height, block }),
                None,
            );
            self.ask(&validator, Request::Account(self.me), Some(Asked::Account));
        }
    }

    /// Looks for awards that the swarm lists as this agent's and that nobody here works on. It asks
    /// for their certificates; if that brings no award, they are given back.
    pub(super) fn look_for_orphans(
        &mut self,
        assigned: BTreeSet<(TaskId, FencingToken)>,
        now: MonotonicMillis,
    ) {
        self.orphans.retain(|award, _| assigned.contains(award));
        let patience = ORPHAN_TICKS.saturating_mul(self.config.resubmit);

        for (task, token) in assigned {
            if self.work.knows(task, token) {
                self.orphans.remove(&(task, token));
                continue;
            }

            // The certificate may only be late, so it is asked for before the award is given back.
            let Some(since) = self.orphans.get(&(task, token)).copied() else {
                self.orphans.insert((task, token), now);
                self.ask_all(task);
                continue;
            };

            if now >= since.saturating_add(patience) {
                self.orphans.remove(&(task, token));
                let report = self.work.give_back(task, token, now);
                self.outbox.push(report);
            }
        }
    }

    /// Asks for the open tasks after an award ended, because calls that came while the agent was
    /// busy are out of date.
    pub(super) fn refresh_calls(&mut self) {
        let markets = self.calls.reset();
        self.ask_calls(markets);
    }

    fn ask_calls(&mut self, markets: Vec<Label>) {
        for market in markets {
            for validator in self.connected() {
                self.ask(&validator, Request::Open(market.clone()), Some(Asked::Open));
            }
        }
    }

    fn ask_all(&mut self, task: TaskId) {
        for validator in self.connected() {
            self.ask_certificates(&validator, task);
        }
    }

    fn ask_certificates(&mut self, validator: &PublicKey, task: TaskId) {
        let asked = Asked::Certificates(task);
        self.ask(validator, Request::Certificates(task), Some(asked));
    }
}
