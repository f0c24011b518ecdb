//! Target for the light client among validators that say anything in any order. It must report to
//! its owner nothing that no certificate proves and nothing twice, and stay within bounds.

mod facts;

use std::collections::{BTreeMap, BTreeSet};

use quorate_agent::{ClientAction, ClientConfig, ClientEvent, DossierBundle, LightClient};
use quorate_certificate::Dossier;
use quorate_crypto::SecretKey;
use quorate_types::cose::Owned;
use quorate_types::message::{
    AccountSummary, Answer, BlockNotice, Call, ClientMessage, ClientRequest, Notice, Part,
    Rejection, Reply, Request,
};
use quorate_types::operation::Offer;
use quorate_types::outcome::{ClearingInput, ClearingRecord};
use quorate_types::{
    ActiveMillis, Amounts, BlockId, FencingToken, Hash, MonotonicMillis, OperationBody, Outcome,
    PublicKey, Stage, TaskId, cbor, limits,
};

use crate::choices::{Choices, edit};
use crate::swarm::{attestation, genesis, jobs, public};
use facts::{FACTS, FactVerifier, ME, spec, tasks};

/// The most steps of one run.
const STEPS: usize = 400;
/// The most actions that one message or call may lead to.
const ACTIONS: usize = 10_000;

/// The client, its open requests, and the events that it reported.
struct World {
    client: LightClient,
    now: MonotonicMillis,
    /// The requests that are not answered, each with the validator that was asked.
    asked: Vec<(PublicKey, ClientRequest)>,
    /// The events so far: their names with their certificates.
    told: BTreeSet<(&'static str, Vec<u8>)>,
    /// The token of the newest award of each task.
    tokens: BTreeMap<TaskId, FencingToken>,
}

/// Runs a client; the bytes decide which validator says what, and when.
pub(crate) fn run(data: &[u8]) {
    let mut config = ClientConfig::new(genesis());
    config.attestation = Some(attestation(ME));
    let client = LightClient::new(
        config,
        SecretKey::from_seed(&[ME; 32]),
        Box::new(FactVerifier),
    );
    let (told, tokens) = (BTreeSet::new(), BTreeMap::new());
    let mut world = World {
        client,
        now: MonotonicMillis::ZERO,
        asked: Vec::new(),
        told,
        tokens,
    };
    let mut choices = Choices::new(data);
    for _ in 0..STEPS {
        if choices.is_over() {
            return;
        }
        world.step(&mut choices);
        world.drain();
    }
}

impl World {
    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(16) {
            0 | 1 => self.client.handle_connected(someone(choices), self.now),
            2 => self.client.handle_disconnected(someone(choices)),
            3 | 4 => self.time_passes(choices),
            5..=7 => self.owner_acts(choices),
            8 => self.edited(choices),
            9..=12 => {
                let from = someone(choices);
                let message = self.answer(&from, choices);
                self.deliver(from, message);
            }
            _ => {
                let message = ClientMessage::Notice(notice(choices));
                self.deliver(someone(choices), message);
            }
        }
    }

    fn time_passes(&mut self, choices: &mut Choices<'_>) {
        match (choices.byte(), self.client.poll_timeout()) {
            (wait @ 128.., _) => self.now += u64::from(wait) - 128,
            (_, Some(due)) => self.now = self.now.max(due),
            (_, None) => self.now += 1_000,
        }
        self.client.handle_timeout(self.now);
        let next = self.client.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "the next timeout must be later than the one handled"
        );
    }

    fn owner_acts(&mut self, choices: &mut Choices<'_>) {
        let now = self.now;
        let task = *choices.pick(&tasks()).unwrap_or(&tasks()[0]);
        let token = FencingToken(choices.number(1));
        let _ = match choices.below(5) {
            0 => self
                .client
                .submit(vec![spec(); 1 + choices.below(70)], now)
                .map(|_| ()),
            1 => {
                let offers = vec![Offer {
                    task,
                    price: choices.number(10) as i64,
                }];
                self.client.bid(jobs(), Amounts::new(), offers, now)
            }
            2 => self
                .client
                .complete(task, token, vec![7; choices.below(255)], now),
            3 => self.client.fail(task, token, Vec::new(), now),
            _ if token == FencingToken::ZERO => {
                self.client.fetch_dossier(dossier().record.hash(), now);
                Ok(())
            }
            _ => self.client.cancel(task, now),
        };
    }

    /// An answer to an open request, mostly one of its kind.
    fn answer(&mut self, from: &PublicKey, choices: &mut Choices<'_>) -> ClientMessage {
        let at = choices.below(self.asked.len());
        let request = self
            .asked
            .get(at)
            .filter(|(to, _)| to == from)
            .map(|(_, of)| of.clone());
        let Some(ClientRequest { id, request }) = request else {
            let (id, answer) = (choices.number(1), answer_of_kind(choices.below(8), choices));
            return ClientMessage::Reply(Reply { id, answer });
        };
        self.asked.remove(at);
        let answer = match (choices.below(8), request) {
            (0, _) => answer_of_kind(choices.below(8), choices),
            (1, _) => answer_of_kind(1, choices),
            (_, Request::Submit(operation)) => Answer::Accepted(operation.id()),
            (_, Request::Account(_)) => answer_of_kind(2, choices),
            (_, Request::Certificates(task)) => Answer::Certificates(facts::about(task)),
            (_, Request::Open(_)) => Answer::Open(call(choices)),
            (_, Request::Dossier(_)) => Answer::Dossier(dossier_part(choices)),
            (kind, _) => answer_of_kind(kind, choices),
        };
        ClientMessage::Reply(Reply { id, answer })
    }

    /// Delivers a message that was changed on its way, if it still decodes.
    fn edited(&mut self, choices: &mut Choices<'_>) {
        let from = someone(choices);
        let message = match choices.below(2) {
            0 => ClientMessage::Notice(notice(choices)),
            _ => self.answer(&from, choices),
        };
        let mut bytes = cbor::encode(&message);
        let edits: Vec<u8> = (0..3 * (1 + choices.below(3)))
            .map(|_| choices.byte())
            .collect();
        edit(&mut bytes, &mut Choices::new(&edits));
        if let Ok(message) = cbor::decode(&bytes, limits::BULK_FRAME_BYTES) {
            self.deliver(from, message);
        }
    }

    fn deliver(&mut self, from: PublicKey, message: ClientMessage) {
        match message {
            ClientMessage::Reply(reply) => self.client.handle_reply(from, reply, self.now),
            ClientMessage::Notice(notice) => self.client.handle_notice(from, notice, self.now),
        }
    }

    fn drain(&mut self) {
        for count in 0.. {
            assert!(count < ACTIONS, "one step leads to too many actions");
            match self.client.poll_action() {
                Some(ClientAction::Send { to, request }) => self.asked.push((to, request)),
                Some(ClientAction::Event(event)) => self.check(&event),
                None => break,
            }
        }
        let superfluous = self.asked.len().saturating_sub(255);
        self.asked.drain(..superfluous);
    }

    /// Checks that the certificate of an event proves it, and that the event comes once (W-11).
    fn check(&mut self, event: &ClientEvent) {
        let (name, certificate) = match event {
            ClientEvent::Ready | ClientEvent::Call(_) | ClientEvent::LeaseLost { .. } => return,
            ClientEvent::Solve { .. } | ClientEvent::StandingBids { .. } => return,
            ClientEvent::Dossier { clearing, found } => {
                return check_dossier(clearing, found.as_deref());
            }
            ClientEvent::Award(award) => ("award", &award.certificate),
            ClientEvent::Awarded { certificate, .. } => ("awarded", certificate),
            ClientEvent::Reported { certificate, .. } => ("reported", certificate),
            ClientEvent::Accepted { certificate, .. } => ("accepted", certificate),
            ClientEvent::Returned { certificate, .. } => ("returned", certificate),
            ClientEvent::Completed { certificate, .. } => ("completed", certificate),
            ClientEvent::Failed { certificate, .. } => ("failed", certificate),
            ClientEvent::Refused { certificate, .. } => ("refused", certificate),
        };
        assert!(
            self.told.insert((name, certificate.bytes().to_vec())),
            "{name} is reported twice"
        );
        let proved = FACTS
            .get(certificate.bytes())
            .expect("the event must hold a genuine certificate");
        assert!(is_proved(event, proved), "{event:?} by {proved:?}");
        if let ClientEvent::Award(award) = event {
            let token = self.tokens.insert(award.task, award.token);
            assert!(token.is_none_or(|older| older < award.token), "tokens grow");
        }
    }
}

/// Whether an outcome proves an event.
fn is_proved(event: &ClientEvent, proved: &Outcome) -> bool {
    match (event, proved) {
        (ClientEvent::Award(award), Outcome::Assignment(proved)) => {
            (proved.task, proved.token, proved.price) == (award.task, award.token, award.price)
                && proved.agent == public(ME)
                && proved.spec == award.spec.hash()
        }
        (
            ClientEvent::Awarded {
                task,
                token,
                agent,
                price,
                ..
            },
            Outcome::Assignment(proved),
        ) => {
            (proved.task, proved.token) == (*task, *token)
                && (proved.agent, proved.price) == (*agent, *price)
        }
        (
            ClientEvent::Reported { task, token, .. }
            | ClientEvent::Accepted { task, token, .. }
            | ClientEvent::Returned { task, token, .. },
            Outcome::Receipt(proved),
        ) => (proved.task, proved.token) == (*task, *token),
        (ClientEvent::Completed { task, detail, .. }, Outcome::Receipt(proved)) => {
            let body = &proved.operation.payload.body;
            proved.task == *task
                && matches!(body, OperationBody::Complete(of) if of.detail.0 == *detail)
        }
        (ClientEvent::Failed { task, reason, .. }, proved) => {
            let expired = matches!(proved, Outcome::Expiry(of) if Some(of.reason) == *reason);
            proved.task() == Some(*task) && (expired || reason.is_none())
        }
        (ClientEvent::Refused { operation, .. }, Outcome::Refusal(of)) => {
            of.operation == *operation
        }
        _ => false,
    }
}

/// One of the four validators, or a stranger.
fn someone(choices: &mut Choices<'_>) -> PublicKey {
    public(1 + choices.below(5) as u8)
}

fn notice(choices: &mut Choices<'_>) -> Notice {
    match choices.below(4) {
        0 => {
            let (height, active_time) = (choices.number(1), ActiveMillis(choices.number(100)));
            Notice::Block(BlockNotice {
                height,
                block: BlockId([height as u8; 32]),
                active_time,
            })
        }
        1 => Notice::Call(call(choices)),
        _ => Notice::Certificate(certificate(choices)),
    }
}

fn certificate(choices: &mut Choices<'_>) -> Owned {
    let at = choices.below(FACTS.len());
    FACTS.keys().nth(at).cloned().map(Owned).unwrap_or_default()
}

fn call(choices: &mut Choices<'_>) -> Call {
    let listed = choices.byte();
    let tasks = tasks()
        .into_iter()
        .enumerate()
        .filter(|(at, _)| listed >> at & 1 == 0);
    let tasks = tasks.map(|(_, task)| (task, spec())).collect();
    let (window, height) = (choices.number(1), choices.number(1));
    let stages = [Stage::Bids, Stage::Bids, Stage::Openings, Stage::Solutions];
    let stage = stages[choices.below(stages.len())];
    Call {
        market: jobs(),
        window,
        height,
        stage,
        tasks,
    }
}

fn answer_of_kind(kind: usize, choices: &mut Choices<'_>) -> Answer {
    match kind {
        0 => Answer::Certificates(
            (0..choices.below(4))
                .map(|_| certificate(choices))
                .collect(),
        ),
        1 => {
            use Rejection::{Full, Gap, Sequence, Unauthentic, Unknown};
            let all = [Sequence, Unauthentic, Unknown, Gap, Full];
            Answer::Rejected(all[choices.below(all.len())])
        }
        2 => Answer::Account(account(choices)),
        3 => Answer::Open(call(choices)),
        4 => Answer::Task(None),
        5 => Answer::Dossier(dossier_part(choices)),
        6 => Answer::Bids(bids_part(choices)),
        _ => Answer::Accepted(quorate_types::OperationId([0; 32])),
    }
}

/// Nothing, bytes that are not a dossier, or the dossier asked for: its end, or the whole.
fn dossier_part(choices: &mut Choices<'_>) -> Option<Part> {
    let whole = dossier().encode();
    let (total, cut) = (whole.len() as u64, choices.below(whole.len() + 1));
    match choices.below(4) {
        0 => None,
        1 => Some(Part {
            total: choices.number(total),
            bytes: Owned(vec![choices.byte()]),
        }),
        2 => Some(Part {
            total,
            bytes: Owned(whole[cut..].to_vec()),
        }),
        _ => Some(Part {
            total,
            bytes: Owned(whole),
        }),
    }
}

/// Nothing, bytes that are not inputs, or an empty list of inputs.
fn bids_part(choices: &mut Choices<'_>) -> Option<Part> {
    let bytes = match choices.below(3) {
        0 => return None,
        1 => vec![choices.byte()],
        _ => cbor::encode(&Vec::<ClearingInput>::new()),
    };
    Some(Part {
        total: choices.number(bytes.len() as u64),
        bytes: Owned(bytes),
    })
}

/// The dossier of a clearing without inputs.
fn dossier() -> Dossier {
    let record = ClearingRecord {
        market: jobs(),
        window: 0,
        mechanism: jobs(),
        version: 1,
        reserve: None,
        inputs: quorate_crypto::merkle::root(&[] as &[Vec<u8>]),
        input_count: 0,
        assigned: 0,
        total: 0,
        solution: None,
    };
    Dossier {
        record,
        inputs: Vec::new(),
    }
}

/// Checks that a dossier that is reported is the one asked for.
fn check_dossier(clearing: &Hash, found: Option<&DossierBundle>) {
    let Some(found) = found else { return };
    let known = dossier();
    assert_eq!(
        (found.dossier.clone(), *clearing),
        (known.encode(), known.record.hash())
    );
    assert_eq!(found.certificate, None, "nobody certified this record");
}

fn account(choices: &mut Choices<'_>) -> Option<AccountSummary> {
    let (next_sequence, next_task) = (choices.number(1), choices.number(0));
    if next_sequence == 0 {
        return None;
    }
    let held =
        (0..choices.below(3)).map(|_| (tasks()[choices.below(4)], FencingToken(choices.number(1))));
    Some(AccountSummary {
        next_sequence,
        next_task,
        assigned: held.collect(),
    })
}

/// Seeds: a client that hears of open tasks and then, twice, of every outcome; one that hears only
/// of the outcomes; and decisions of each value.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let join: Vec<u8> = (0..4).flat_map(|at| [0, at]).collect();
    let told: Vec<u8> = (0..FACTS.len() as u8)
        .flat_map(|at| [13, 2, at, at % 4])
        .collect();
    let called = [13, 1, 0, 0, 0, 0].repeat(2);
    let every = (0..=255u8).map(|at| at.wrapping_mul(37)).collect();
    let lived = [&join[..], &called, &told, &told].concat();
    vec![lived, [&join[..], &told].concat(), every]
}
