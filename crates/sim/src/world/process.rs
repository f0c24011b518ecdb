//! The process of a validator, which runs the product's replica on the host's disk.

use std::sync::Arc;

use quorate_crypto::SecretKey;
use quorate_durable::{DurableError, DurableReplica, Effect, Served, Settings, Start};
use quorate_ledger::Committed;
use quorate_oracle::Effects;
use quorate_replica::{Event, TimeoutConfig, Work, parts_of_slot};
use quorate_store::{CrashPoints, GuardError, SigningGuard, StoreConfig, StoreError, repair};
use quorate_types::message::{Call, ClientMessage, Notice};
use quorate_types::{Millis, cbor, limits};

use super::{QueuedEvent, World};
use crate::host::HostId;
use crate::seen::Seen;

/// The most milliseconds that a block takes, which costs as much as a block may
/// ([`limits::BLOCK_COST`]).
const LONG_BLOCK_MS: Millis = limits::BLOCK_COST / 1_000;
/// The size of a log segment. It is small so that runs rotate segments.
const SEGMENT_BYTES: u64 = 64 * 1024;

impl World {
    /// Starts the process of a validator from the contents of its disk, unless it runs.
    pub(super) fn start_validator(&mut self, at: usize) {
        if self.validators[at].process.is_some() {
            return;
        }

        self.boot(at);
        let settings = self.settings_of(at);

        let host = &self.validators[at];
        let disk = Arc::new(host.disk.clone());
        let key = SecretKey::from_seed(&host.key.seed());
        let clock = host.clock.show(self.now);

        match DurableReplica::open(disk, key, settings, clock) {
            Ok((process, opened)) => {
                if opened.log_lost.is_some() {
                    let why = "the log of its last signature is gone".to_owned();
                    self.see(Seen::Unopened { validator: at, why });
                }

                self.started(at, process);
            }

            Err(error) => self.unopened(at, error),
        }
    }

    /// Begins a life of a validator: its clock starts, and the first time it gets its guard.
    fn boot(&mut self, at: usize) {
        let host = &mut self.validators[at];
        host.life += 1;
        host.clock.boot(self.now);

        if host.life == 1 {
            // As `quorate init` does: the guard is made once, together with the key.
            let swarm = self.genesis.swarm_id();
            let made = SigningGuard::create(&host.disk, host.me.as_bytes(), &swarm.0);

            debug_assert!(made.is_ok(), "a fresh disk takes a guard");
        }
    }

    /// The settings that a validator's process starts with.
    fn settings_of(&mut self, at: usize) -> Settings {
        let genesis = self.genesis.clone();
        let host = &mut self.validators[at];
        let salt = host.dice.number() as u32;

        let store = StoreConfig {
            segment_bytes: SEGMENT_BYTES,
            ..StoreConfig::new(genesis.swarm_id().0, salt)
        };

        // Without a guard only a wiped validator starts, to come back by N-27. Any other disk must
        // hold its guard.
        let start = match host.wiped && host.disk.contents("guard").is_none() {
            true => Start::Rejoin {
                challenge: host.dice.number(),
            },
            false => Start::Guarded,
        };

        Settings {
            genesis,
            pace: TimeoutConfig::default(),
            store,
            points: CrashPoints::default(),
            start,
        }
    }

    /// Handles a folder that did not open. If the disk failed meanwhile, power is cycled, as after
    /// any crash. If the store refuses the contents, that is for the operator, who repairs what a
    /// lying disk left.
    fn unopened(&mut self, at: usize, error: DurableError) {
        let failed = matches!(
            &error,
            DurableError::Store(StoreError::Disk { .. } | StoreError::Poisoned { .. })
                | DurableError::Guard(GuardError::Store(StoreError::Disk { .. }))
        );

        let host = &self.validators[at];
        if failed {
            return self.power_cycle(at);
        }

        if host.faulty {
            let swarm = self.genesis.swarm_id();

            // If it cannot be repaired, the validator stays away: it counts with the liars.
            let _ = repair(Arc::new(host.disk.clone()), StoreConfig::new(swarm.0, 0));
        }

        self.see(Seen::Unopened {
            validator: at,
            why: error.to_string(),
        });
    }

    /// Takes over a process that opened: shows its state and connects it.
    fn started(&mut self, at: usize, process: DurableReplica) {
        let ledger = process.replica().ledger();
        let height = ledger.height();
        let state = ledger.state_root();
        let guarded = parts_of_slot(process.guarded().unwrap_or_default().bytes());

        self.validators[at].process = Some(process);

        self.see(Seen::Started {
            validator: at,
            height,
            state,
            guarded,
        });

        self.drain(at);
        self.relink(HostId::Validator(at));
    }

    /// Ends the process. The disk stays as it is.
    pub(super) fn end_process(&mut self, at: usize, why: String) {
        let host = &mut self.validators[at];
        if host.process.take().is_none() {
            return;
        }

        host.wake_at = None;
        host.life += 1;
        host.clients.clear();

        self.see(Seen::Stopped { validator: at, why });
        self.relink(HostId::Validator(at));
    }

    /// Fires the timer of a process, unless it ended or its wake-up call moved.
    pub(super) fn wake_validator(&mut self, at: usize, life: u64) {
        let now = self.now;
        let host = &mut self.validators[at];

        if host.life != life || host.wake_at.is_none_or(|due| due > now) {
            return;
        }

        host.wake_at = None;

        let clock = host.clock.show(now);
        if let Some(process) = &mut host.process {
            process.handle_timeout(clock);
            self.note_of(b'T', Some(HostId::Validator(at)), &[]);

            self.drain(at);
        }
    }

    /// Hands over the result of work, unless the process that wanted it has ended.
    pub(super) fn done(&mut self, at: usize, life: u64, event: Event) {
        if self.validators[at].life == life {
            let holds = !matches!(event, Event::Refused(_));
            self.note_of(b'V', Some(HostId::Validator(at)), &[u8::from(holds)]);
            self.finish_work(at, event);
            self.drain(at);
        }
    }

    /// Hands an arrived frame to the process.
    pub(super) fn take_frame(&mut self, at: usize, from: HostId, bytes: &[u8], mangled: bool) {
        // A damaged frame must not change the state (invariant 25).
        let before = self.validators[at].standing();

        match self.decode_event(from, bytes) {
            Some(event) => {
                self.overhear(at, &event);
                self.handle(at, event);
            }

            // A frame that does not decode is counted, and changes nothing.
            None => self.validators[at].undecodable += 1,
        }

        self.drain(at);

        if mangled {
            let after = self.validators[at].standing();
            self.see(Seen::Damaged {
                validator: at,
                before,
                after,
            });
        }
    }

    /// The event that a frame is for a validator; `None` if it does not decode.
    fn decode_event(&self, from: HostId, bytes: &[u8]) -> Option<Event> {
        match from {
            HostId::Validator(peer) => {
                let from = self.validators[peer].me;
                let message = cbor::decode(bytes, limits::BULK_FRAME_BYTES).ok()?;
                Some(Event::Peer { from, message })
            }

            HostId::Client(client) => {
                let from = self.clients[client].public_key();
                let request = cbor::decode(bytes, limits::FRAME_BYTES).ok()?;
                Some(Event::Client { from, request })
            }
        }
    }

    /// Hands an event to the process, if one runs.
    pub(super) fn handle(&mut self, at: usize, event: Event) {
        let now = self.now;
        let host = &mut self.validators[at];
        let clock = host.clock.show(now);
        if let Some(process) = &mut host.process {
            process.handle(clock, event);
        }
    }

    /// Carries out all effects that the replica wants, until it waits.
    pub(super) fn drain(&mut self, at: usize) {
        loop {
            let host = &mut self.validators[at];
            let clock = host.clock.show(self.now);

            let Some(process) = &mut host.process else {
                return;
            };

            match process.poll_effect(&mut || clock) {
                Ok(Some(effect)) => self.perform(at, effect),
                Ok(None) => break,

                Err(DurableError::Halted(reason)) => return self.halted(at, reason.to_string()),
                Err(error) => return self.disk_failed(at, error.to_string()),
            }
        }

        self.charge(at);
        self.schedule(at);
        self.follow_leader();
    }

    /// Ends the process of a replica that halted, since it must not act any more.
    fn halted(&mut self, at: usize, why: String) {
        self.end_process(at, "halted".to_owned());
        self.see(Seen::Halted { validator: at, why });
    }

    /// Lets the process wait for the syncs that it made, and takes what was written into the
    /// digest.
    fn charge(&mut self, at: usize) {
        let now = self.now;

        // The checksum covers everything that the disk was told to write and to sync.
        let written = self.validators[at].disk.checksum();
        self.note_of(b'D', Some(HostId::Validator(at)), &written.to_le_bytes());

        let host = &mut self.validators[at];

        let syncs = host.disk.syncs();
        if host.sync_ms > 0 {
            let took = (syncs - host.syncs).min(50) * host.sync_ms;
            host.occupied_until = host.occupied_until.max(now) + took;
        }

        host.syncs = syncs;
    }

    /// Puts the next wake-up call of the process on the queue, unless an earlier one is there.
    fn schedule(&mut self, at: usize) {
        let host = &mut self.validators[at];
        let Some(due) = host.process.as_ref().and_then(DurableReplica::poll_timeout) else {
            return;
        };

        // The replica counts in the time of its clock.
        let due = host.clock.when(due).max(self.now);

        if host.wake_at.is_none_or(|wake| due < wake) {
            host.wake_at = Some(due);

            let place = HostId::Validator(at);
            let life = host.life;
            self.push(due, QueuedEvent::Wake { place, life });
        }
    }

    /// Carries out one effect.
    fn perform(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Run(work) => self.run_work(at, *work),
            Effect::Send(to, message) => self.say(at, to, message),
            Effect::Disk(Served { to, frames }) => self.serve(at, to, frames),
            Effect::Reply(to, message) => self.answer(at, to, message),
            Effect::Notify(to, message) => to
                .into_iter()
                .for_each(|client| self.answer(at, client, message.clone())),
            Effect::Call(call) => self.announce(at, call),

            Effect::Committed {
                round,
                block,
                commit,
                committed,
            } => self.see(Seen::Committed {
                validator: at,
                round,
                block,
                commit: Box::new(commit),
                effects: Arc::new(effects_of(&committed)),
            }),
        }
    }

    /// Sends a call for bids to all clients of a validator.
    fn announce(&mut self, at: usize, call: Call) {
        let message = ClientMessage::Notice(Notice::Call(call));

        for client in self.validators[at].clients.clone().into_keys() {
            self.answer(at, client, message.clone());
        }
    }

    /// Does work for a replica. The result comes at once, or later if a node does it on another
    /// thread: meanwhile its replica handles whatever else happens.
    fn run_work(&mut self, at: usize, mut work: Work) {
        if let Work::Propose(_, _, proposal) = &mut work {
            self.with_liar(at, |liar, mouth| liar.propose(mouth, proposal));
        }

        let wait = self.wait_of(at, &work);
        let event = work.run();

        let Some(wait) = wait else {
            return self.finish_work(at, event);
        };

        let done = QueuedEvent::Done {
            validator: at,
            life: self.validators[at].life,
            event: Box::new(event),
        };
        self.push(self.now + wait, done);
    }

    /// Draws the milliseconds that work takes on another thread; `None` if it is done in passing.
    fn wait_of(&mut self, at: usize, work: &Work) -> Option<Millis> {
        let dice = &mut self.validators[at].dice;

        match work {
            // The blocks of a simulated swarm are small. They take as long as those of a real one,
            // up to the most that a block may cost.
            Work::Execute(..) | Work::Propose(..) => match dice.below(32) {
                0..8 => None,
                8..31 => Some(dice.between(1, 20)),
                _ => Some(dice.between(20, LONG_BLOCK_MS)),
            },

            _ if work.is_quick() => None,
            _ => Some(dice.between(1, 8)),
        }
    }

    /// Hands the result of work to the replica.
    fn finish_work(&mut self, at: usize, event: Event) {
        if let Event::Proposed { block, .. } = &event {
            // A liar acts before anything of the block is sent.
            self.with_liar(at, |liar, mouth| liar.built(mouth, block));
        }

        self.handle(at, event);
    }
}

/// The effects that a validator reports of a block, as the oracle takes them.
fn effects_of(committed: &Committed) -> Effects {
    let dossiers = committed.dossiers.iter();

    Effects {
        outcomes: committed.outcomes.clone(),
        inputs: dossiers.map(|dossier| dossier.inputs.clone()).collect(),
        validators: committed.validators.clone(),
    }
}
