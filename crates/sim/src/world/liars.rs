//! Messages that leave a host, through its liar if it has one; and messages that liars send
//! unasked.

use std::sync::Arc;

use quorate_crypto::verify_statement;
use quorate_ledger::Ledger;
use quorate_replica::{Event, Recipients};
use quorate_types::message::{ClientMessage, ClientRequest, Notice, PeerMessage, Request};
use quorate_types::{
    Evidence, Kind, OperationBody, PublicKey, SignedOperation, SignedStatement, TaskId, cbor,
    limits,
};

use super::{Client, QueuedEvent, Validator, World};
use crate::adversary::{AgentLiarContext, LiarContext, Lie, LieKind, Manner};
use crate::host::HostId;
use crate::seen::Seen;

impl World {
    /// Sends a message of a validator. A liar may replace it for each recipient.
    pub(super) fn say(&mut self, at: usize, to: Recipients, message: PeerMessage) {
        let recipients = match to {
            Recipients::One(peer) => vec![peer],
            Recipients::All => self.others(at),
        };

        // A correct validator sends everyone the same bytes, so they are encoded once.
        if self.validators[at].liar.is_none() {
            self.observe(at, &message);

            let frame: Arc<[u8]> = cbor::encode(&message).into();
            for to in recipients {
                self.send_to_key(at, to, &frame);
            }

            return;
        }

        // A liar may tell each recipient something else.
        for to in recipients {
            let said = self.with_liar(at, |liar, mouth| liar.says(mouth, to, message.clone()));
            self.utter_all(at, to, said.unwrap_or_default());
        }
    }

    /// Sends decided blocks out of a validator's store. A liar handles them like any other message.
    pub(super) fn serve(&mut self, at: usize, to: PublicKey, frames: Vec<Vec<u8>>) {
        for frame in frames {
            if self.validators[at].liar.is_none() {
                self.send_to_key(at, to, &frame.into());
            } else if let Ok(message) = cbor::decode(&frame, limits::BULK_FRAME_BYTES) {
                self.say(at, Recipients::One(to), message);
            }
        }
    }

    /// Sends a message of a validator to a client. A liar may replace it.
    pub(super) fn answer(&mut self, at: usize, to: PublicKey, message: ClientMessage) {
        let Some(client) = self.validators[at].clients.get(&to).copied() else {
            return;
        };

        let messages = match self.validators[at].liar.is_some() {
            true => self.with_liar(at, |liar, mouth| liar.answers(mouth, to, message)),
            false => Some(vec![message]),
        };

        let link = (HostId::Validator(at), HostId::Client(client));

        for message in messages.unwrap_or_default() {
            self.note_certificate(at, &message);
            self.send(link, &cbor::encode(&message).into());
        }
    }

    /// Shows observers a certificate that is handed out. Those of liars are shown too.
    fn note_certificate(&mut self, at: usize, message: &ClientMessage) {
        if let ClientMessage::Notice(Notice::Certificate(certificate)) = message {
            self.see(Seen::Certificate {
                validator: at,
                bytes: certificate.0.clone(),
            });
        }
    }

    /// Lets a liar hear a message before its replica does. It may answer in addition.
    pub(super) fn overhear(&mut self, at: usize, event: &Event) {
        let Event::Peer { from, message } = event else {
            return;
        };

        if self.validators[at].liar.is_some() {
            let said = self.with_liar(at, |liar, mouth| liar.hears(mouth, *from, message));
            self.utter_all(at, *from, said.unwrap_or_default());
        }
    }

    /// Lets a liar speak unasked, and schedules its next occasion.
    pub(super) fn volunteer(&mut self, place: HostId) {
        match place {
            HostId::Validator(at) => {
                let said = self.with_liar(at, |liar, mouth| liar.volunteers(mouth));
                for (to, message) in said.unwrap_or_default() {
                    self.utter(at, to, &message);
                }

                // Noise need not be a message, so observers are not shown it.
                let noise = self.with_liar(at, |liar, mouth| liar.noise(mouth));
                for (to, bytes) in noise.unwrap_or_default() {
                    self.send_to_key(at, to, &bytes.into());
                }
            }

            HostId::Client(at) => self.misbehave(at),
        }

        self.push(
            self.now + super::setting::VOLUNTEER_MS,
            QueuedEvent::Volunteer(place),
        );
    }

    /// Lets an agent that lies send operations that its light client would not send.
    fn misbehave(&mut self, at: usize) {
        for operation in self.false_operations(at) {
            let request = Request::Submit(Box::new(operation));
            self.note_submission(at, &request);

            // Light clients count their requests from 0, so the reply to this id matches none of
            // them.
            let request = ClientRequest {
                id: u64::MAX,
                request,
            };

            let frame: Arc<[u8]> = cbor::encode(&request).into();

            for to in 0..self.validators.len() {
                self.client_send(at, self.validators[to].public_key(), &frame);
            }
        }
    }

    /// The operations that an agent which lies volunteers. Its lies are counted. There are none
    /// while its process, or every validator, is down.
    fn false_operations(&mut self, at: usize) -> Vec<SignedOperation> {
        let others = self.other_clients(at);

        let Some(ledger) = self.informed_ledger() else {
            return Vec::new();
        };

        let host = &mut self.clients[at];
        let (Some(_), Some(liar)) = (&host.process, &mut host.liar) else {
            return Vec::new();
        };

        let mut mouth = AgentLiarContext {
            key: &host.key,
            ledger: &ledger,
            others,
            dice: &mut host.dice,
            is_heard: host.absent_until <= self.now,
            lies: 0,
        };

        let operations = liar.volunteers(&mut mouth);
        let lies = mouth.lies;

        let name = host.plan.as_ref().map_or("", |plan| plan.manner.name());
        self.count_lies(name, lies);

        operations
    }

    /// The ledger of a validator that runs; `None` if there is none. A liar may know everything
    /// that a validator knows.
    fn informed_ledger(&self) -> Option<Arc<Ledger>> {
        let informed = self.validators.iter().find_map(Validator::replica)?;
        Some(Arc::clone(informed.ledger()))
    }

    /// The keys of all clients but one.
    fn other_clients(&self, at: usize) -> Vec<PublicKey> {
        let me = self.clients[at].public_key();
        let keys = self.clients.iter().map(Client::public_key);
        keys.filter(|key| *key != me).collect()
    }

    /// Counts a lie if a capability liar bids on a task that requires a label it does not have.
    pub(super) fn count_overclaim(&mut self, at: usize, operation: &SignedOperation) {
        let plan = self.clients[at].plan.as_ref();
        let is_liar = plan.is_some_and(|plan| plan.manner == Manner::CapabilityLiar);

        if !is_liar {
            return;
        }

        let tasks = offered_tasks(&operation.payload.body);
        let is_overclaim = tasks.iter().any(|task| self.lacks_labels(at, *task));

        if is_overclaim {
            self.count(Manner::CapabilityLiar.name());
        }
    }

    /// Whether a task requires a label that is not attested to a client.
    fn lacks_labels(&self, at: usize, task: TaskId) -> bool {
        let attested = &self.clients[at].attested().labels;

        // Any ledger will do: it is only asked what the task requires.
        let ledger = self.informed_ledger();
        let view = ledger.and_then(|ledger| ledger.task(task));

        view.is_some_and(|view| !view.spec.requires.labels.is_subset(attested))
    }

    /// Lets the liar of a validator act, and counts the lies that it told under the name of its
    /// lie. `None` if the validator has no liar or its process does not run.
    pub(super) fn with_liar<R>(
        &mut self,
        at: usize,
        lie: impl FnOnce(&mut dyn Lie, &mut LiarContext<'_>) -> R,
    ) -> Option<R> {
        let host = &mut self.validators[at];
        let now = host.clock.show(self.now);
        let liar = host.liar.as_mut()?;
        let process = host.process.as_ref()?;

        // A liar knows what its replica knows, and has its key.
        let mut mouth = LiarContext {
            key: &host.key,
            replica: process.replica(),
            now,
            dice: &mut host.dice,
            lies: 0,
        };

        let answer = lie(liar.as_mut(), &mut mouth);
        let lies = mouth.lies;
        let name = host.lie.map_or("", LieKind::name);

        self.count_lies(name, lies);
        Some(answer)
    }

    /// Adds to the count of a lie, unless there is nothing to add.
    pub(super) fn count_lies(&mut self, name: &'static str, lies: u64) {
        if lies > 0 {
            *self.counts.entry(name).or_insert(0) += lies;
        }
    }

    /// The keys of the other validators, as this one knows them.
    fn others(&self, at: usize) -> Vec<PublicKey> {
        let host = &self.validators[at];
        let Some(replica) = host.replica() else {
            return Vec::new();
        };

        let keys = replica.ledger().validators().iter().map(|one| one.key);
        keys.filter(|key| *key != host.me).collect()
    }

    /// Sends messages to a validator as they are, and shows them to observers.
    fn utter_all(&mut self, at: usize, to: PublicKey, messages: Vec<PeerMessage>) {
        for message in messages {
            self.utter(at, to, &message);
        }
    }

    /// Sends a message to a validator as it is, and shows it to observers.
    fn utter(&mut self, at: usize, to: PublicKey, message: &PeerMessage) {
        self.observe(at, message);
        self.send_to_key(at, to, &cbor::encode(message).into());
    }

    /// Shows observers a statement that a validator makes in its own name, and evidence that a
    /// correct one sends. Of a liar's statements only those count that it really signed.
    fn observe(&mut self, at: usize, message: &PeerMessage) {
        match message {
            PeerMessage::Evidence(evidence) => self.accuse(at, evidence),
            PeerMessage::Statement(signed) => self.observe_statement(at, signed),
            _ => {}
        }
    }

    /// Shows observers evidence that a validator sends, if it is no liar.
    fn accuse(&mut self, at: usize, evidence: &Evidence) {
        let host = &self.validators[at];

        if let (None, Some(replica)) = (&host.liar, host.replica()) {
            self.see(Seen::Accused {
                validator: at,
                height: replica.height(),
                evidence: Box::new(evidence.clone()),
            });
        }
    }

    /// Shows observers a statement that a validator sends, if it made it.
    fn observe_statement(&mut self, at: usize, signed: &SignedStatement) {
        let host = &self.validators[at];

        // Validators also pass on statements of others, and liars send some that nobody signed.
        if signed.signer != host.me || (host.liar.is_some() && !is_statement(signed)) {
            return;
        }

        // A twin lies by every statement, since its other process makes statements too.
        let lies = u64::from(host.lie == Some(LieKind::Twin));
        self.count_lies(LieKind::Twin.name(), lies);

        // The log is lost after a precommit because then it holds a lock.
        let host = &mut self.validators[at];
        if signed.statement.kind == Kind::Precommit && std::mem::take(&mut host.loses_log) {
            self.push(self.now, QueuedEvent::LogLost(at));
        }

        self.see(Seen::Signed {
            validator: at,
            statement: Box::new(signed.clone()),
        });
    }
}

/// Whether a statement can be read from the wire and its signature holds. Liars also send others.
fn is_statement(signed: &SignedStatement) -> bool {
    let read = cbor::decode::<SignedStatement>(&cbor::encode(signed), limits::FRAME_BYTES);
    read.is_ok_and(|read| verify_statement(read).is_ok())
}

/// The tasks that a bid, or the seal of one, offers to do; none for other operations.
fn offered_tasks(body: &OperationBody) -> Vec<TaskId> {
    match body {
        OperationBody::Bid(bid) => bid.offers.iter().map(|offer| offer.task).collect(),
        OperationBody::Seal(seal) => seal.offers.iter().map(|offer| offer.task).collect(),
        _ => Vec::new(),
    }
}
