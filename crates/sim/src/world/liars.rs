//! Messages that leave a host, through its liar if it has one; and messages that liars send
//! unasked.

use std::sync::Arc;

use quorate_crypto::verify_statement;
use quorate_replica::{Event, Recipients};
use quorate_types::message::{ClientMessage, ClientRequest, Notice, PeerMessage, Request};
use quorate_types::{
    Body, Kind, PublicKey, SignedOperation, SignedStatement, TaskId, cbor, limits,
};

use super::{Client, Happening, Place, Validator, World};
use crate::adversary::{AgentMouth, Lie, LieKind, Mouth};
use crate::plan::Manner;
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
            recipients
                .into_iter()
                .for_each(|to| self.send_to_key(at, to, &frame));
            return;
        }

        // A liar may tell each recipient something else.
        for to in recipients {
            let said = self.with_liar(at, |liar, mouth| liar.says(mouth, to, message.clone()));
            for message in said.unwrap_or_default() {
                self.utter(at, to, &message);
            }
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

        for message in messages.unwrap_or_default() {
            // Observers see each certificate that is handed out, by liars too.
            if let ClientMessage::Notice(Notice::Certificate(certificate)) = &message {
                let bytes = certificate.0.clone();
                self.see(Seen::Certificate {
                    validator: at,
                    bytes,
                });
            }

            let frame = cbor::encode(&message).into();
            self.send((Place::Validator(at), Place::Client(client)), &frame);
        }
    }

    /// Lets a liar hear a message before its replica does. It may answer in addition.
    pub(super) fn overhear(&mut self, at: usize, event: &Event) {
        if let Event::Peer { from, message } = event
            && self.validators[at].liar.is_some()
        {
            let said = self.with_liar(at, |liar, mouth| liar.hears(mouth, *from, message));
            for message in said.unwrap_or_default() {
                self.utter(at, *from, &message);
            }
        }
    }

    /// Lets a liar speak unasked, and schedules its next occasion.
    pub(super) fn volunteer(&mut self, place: Place) {
        match place {
            Place::Validator(at) => {
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
            Place::Client(at) => self.misbehave(at),
        }

        self.push(
            self.now + super::setting::VOLUNTEER_MS,
            Happening::Volunteer(place),
        );
    }

    /// Lets an agent that lies send operations that its light client would not send.
    fn misbehave(&mut self, at: usize) {
        let host = &self.clients[at];
        if host.process.is_none() {
            return;
        }

        let (me, is_heard) = (host.public_key(), host.absent_until <= self.now);
        let others = self
            .clients
            .iter()
            .map(Client::public_key)
            .filter(|key| *key != me)
            .collect();

        // A liar may know everything that a validator knows.
        let Some(informed) = self.validators.iter().find_map(Validator::replica) else {
            return;
        };

        let ledger = Arc::clone(informed.ledger());

        let host = &mut self.clients[at];
        let Some(liar) = &mut host.liar else { return };
        let (key, dice) = (&host.key, &mut host.dice);
        let mut mouth = AgentMouth {
            key,
            ledger: &ledger,
            others,
            dice,
            is_heard,
            lies: 0,
        };

        let operations = liar.volunteers(&mut mouth);
        let (lies, manner) = (mouth.lies, host.plan.as_ref().map(|plan| plan.manner));
        self.count_lies(manner.map_or("", Manner::name), lies);

        for operation in operations {
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

    /// Counts a lie if a capability liar bids on a task that requires a label it does not have.
    pub(super) fn count_overclaim(&mut self, at: usize, operation: &SignedOperation) {
        let host = &self.clients[at];
        let is_liar = matches!(&host.plan, Some(plan) if plan.manner == Manner::CapabilityLiar);

        let tasks: Vec<TaskId> = match &operation.payload.body {
            Body::Bid(bid) => bid.offers.iter().map(|offer| offer.task).collect(),
            Body::Seal(seal) => seal.offers.iter().map(|offer| offer.task).collect(),
            _ => return,
        };

        // Any replica will do: it is only asked what the tasks require.
        let Some(informed) = self.validators.iter().find_map(Validator::replica) else {
            return;
        };

        let overclaims = |task: TaskId| {
            let view = informed.ledger().task(task);
            view.is_some_and(|view| !view.spec.requires.labels.is_subset(&host.attested().labels))
        };

        if is_liar && tasks.into_iter().any(overclaims) {
            self.count(Manner::CapabilityLiar.name());
        }
    }

    /// Lets the liar of a validator act, and counts the lies that it told under the name of its
    /// lie. `None` if the validator has no liar or its process does not run.
    pub(super) fn with_liar<R>(
        &mut self,
        at: usize,
        lie: impl FnOnce(&mut dyn Lie, &mut Mouth<'_>) -> R,
    ) -> Option<R> {
        let host = &mut self.validators[at];
        let now = host.clock.show(self.now);
        let (liar, process) = (host.liar.as_mut()?, host.process.as_ref()?);
        let (key, replica, dice) = (&host.key, process.replica(), &mut host.dice);

        // A liar knows what its replica knows, and has its key.
        let mut mouth = Mouth {
            key,
            replica,
            now,
            dice,
            lies: 0,
        };

        let answer = lie(liar.as_mut(), &mut mouth);
        let (lies, name) = (mouth.lies, host.lie.map_or("", LieKind::name));
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
        let set = host
            .replica()
            .map(|replica| Arc::clone(replica.ledger().validators()));

        let keys = set
            .iter()
            .flat_map(|set| set.iter())
            .map(|validator| validator.key);
        keys.filter(|key| *key != host.me).collect()
    }

    /// Sends a message to a validator as it is, and shows it to observers.
    fn utter(&mut self, at: usize, to: PublicKey, message: &PeerMessage) {
        self.observe(at, message);
        self.send_to_key(at, to, &cbor::encode(message).into());
    }

    /// Shows observers a statement that a validator makes in its own name, and evidence that a
    /// correct one sends. Of a liar's statements only those count that it really signed.
    fn observe(&mut self, at: usize, message: &PeerMessage) {
        let host = &self.validators[at];
        if let (PeerMessage::Evidence(evidence), None, Some(replica)) =
            (message, &host.liar, host.replica())
        {
            let (height, evidence) = (replica.height(), evidence.clone());
            return self.see(Seen::Accused {
                validator: at,
                height,
                evidence,
            });
        }

        let PeerMessage::Statement(signed) = message else {
            return;
        };

        // Validators also pass on statements of others, and liars send some that nobody signed.
        if signed.signer != host.me || (host.liar.is_some() && !is_statement(signed)) {
            return;
        }

        // A twin lies by every statement, since its other process makes statements too.
        self.count_lies(
            LieKind::Twin.name(),
            u64::from(host.lie == Some(LieKind::Twin)),
        );

        let statement = Box::new(signed.clone());
        let host = &mut self.validators[at];

        // The log is lost after a precommit because then it holds a lock.
        if signed.statement.kind == Kind::Precommit && std::mem::take(&mut host.loses_log) {
            self.push(self.now, Happening::LogLost(at));
        }

        self.see(Seen::Signed {
            validator: at,
            statement,
        });
    }
}

/// Whether a statement can be read from the wire and its signature holds. Liars also send others.
fn is_statement(signed: &SignedStatement) -> bool {
    let read = cbor::decode::<SignedStatement>(&cbor::encode(signed), limits::FRAME_BYTES);
    read.is_ok_and(|read| verify_statement(read).is_ok())
}
