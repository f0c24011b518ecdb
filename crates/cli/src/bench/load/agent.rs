//! One agent of the load: its numbers, and its operations under way.

use std::collections::{BTreeMap, VecDeque};

use quorate_crypto::SecretKey;
use quorate_types::operation::{Attest, Bid, Offer, Report, Submit};
use quorate_types::{
    Amounts, Attestation, Body, FencingToken, Label, Operation, PublicKey, SignedOperation,
    SwarmId, TaskId, TaskSpec,
};
use tokio::time::Instant;

use super::stamp;

/// Operations under way at one time; a mempool holds more of one agent.
const IN_FLIGHT: usize = 200;
/// Bytes of a report: its stamp.
const REPORT_BYTES: usize = stamp::STAMP_BYTES;

/// What an agent says.
#[derive(Debug, Clone)]
pub(super) enum Say {
    /// That it wants to be admitted.
    Admit(Box<Attestation>),
    /// A task, submitted at a time or as soon as it is sent.
    Submit { number: u64, spec: Box<TaskSpec> },
    /// Offers in a market under a budget.
    Bid {
        market: Label,
        budget: Amounts,
        offers: Vec<Offer>,
    },
    /// It takes a task.
    Accept(TaskId, FencingToken),
    /// It has done a task.
    Complete(TaskId, FencingToken),
}

/// An agent with its key.
pub(super) struct Agent {
    key: SecretKey,
    me: PublicKey,
    swarm: SwarmId,
    next: u64,
    admitted: bool,
    waiting: VecDeque<Say>,
    flying: BTreeMap<u64, Flying>,
}

struct Flying {
    said: Say,
    operation: SignedOperation,
    sent: Instant,
}

impl Agent {
    pub(super) fn new(key: SecretKey, swarm: SwarmId) -> Self {
        let (waiting, flying) = (VecDeque::new(), BTreeMap::new());
        Self {
            me: key.public_key(),
            key,
            swarm,
            next: 0,
            admitted: false,
            waiting,
            flying,
        }
    }

    pub(super) fn key(&self) -> PublicKey {
        self.me
    }

    /// Whether the swarm knows it.
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Queues what it has to say.
    pub(super) fn say(&mut self, say: Say) {
        self.waiting.push_back(say);
    }

    /// Numbers and signs what waits, as far as there is room.
    pub(super) fn take(&mut self, now: Instant) -> Vec<SignedOperation> {
        let mut taken = Vec::new();
        while self.flying.len() < IN_FLIGHT {
            let Some(said) = self.waiting.pop_front() else {
                break;
            };
            let body = self.body(&said);
            let (agent, sequence) = (self.me, self.next);
            let operation = Operation {
                swarm: self.swarm,
                agent,
                sequence,
                body,
            };
            let operation = self.key.sign(operation).into_inner();
            taken.push(operation.clone());
            self.flying.insert(
                sequence,
                Flying {
                    said,
                    operation,
                    sent: now,
                },
            );
            self.next += 1;
        }
        taken
    }

    /// What was sent before `limit` and is still under way, oldest first.
    pub(super) fn late(&mut self, limit: Instant) -> Vec<SignedOperation> {
        let late = self
            .flying
            .values_mut()
            .filter(|flying| flying.sent <= limit);
        late.map(|flying| {
            flying.sent = Instant::now();
            flying.operation.clone()
        })
        .collect()
    }

    /// All below `next` is committed: what that was.
    pub(super) fn settle(&mut self, next: u64) -> Vec<Say> {
        self.admitted |= next > 0;
        let open = self.flying.split_off(&next);
        let settled = std::mem::replace(&mut self.flying, open);
        settled.into_values().map(|flying| flying.said).collect()
    }

    fn body(&self, said: &Say) -> Body {
        let report = |task: &TaskId, token: &FencingToken| {
            let detail = stamp::stamped(stamp::now(), REPORT_BYTES);
            Report {
                task: *task,
                token: *token,
                detail,
            }
        };
        match said {
            Say::Admit(attestation) => Body::Admit(Attest {
                attestation: (**attestation).clone(),
            }),
            Say::Submit { number, spec } => Body::Submit(Submit {
                first: *number,
                tasks: vec![(**spec).clone()],
            }),
            Say::Bid {
                market,
                budget,
                offers,
            } => Body::Bid(Bid {
                market: market.clone(),
                budget: budget.clone(),
                offers: offers.clone(),
            }),
            Say::Accept(task, token) => Body::Accept(report(task, token)),
            Say::Complete(task, token) => Body::Complete(report(task, token)),
        }
    }
}
