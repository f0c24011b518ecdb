//! One agent of the load: its sequence numbers, and its operations under way.

use std::collections::{BTreeMap, VecDeque};

use quorate_crypto::SecretKey;
use quorate_types::operation::{Attest, Bid, Cancel, Offer, Submit, TaskReport};
use quorate_types::{
    Amounts, Attestation, FencingToken, Label, Operation, OperationBody, PublicKey,
    SignedOperation, SwarmId, TaskId, TaskSpec,
};
use tokio::time::Instant;

use crate::stamp;

/// The most operations of one agent under way; a mempool takes more than that from one agent.
const IN_FLIGHT: usize = 200;
/// Bytes of a report's detail, which is a stamp alone.
const REPORT_BYTES: usize = stamp::STAMP_BYTES;

/// An operation of an agent, before it is numbered and signed.
#[derive(Debug, Clone)]
pub(super) enum Say {
    /// It asks to be admitted.
    Admit(Box<Attestation>),
    /// It submits a task. The payload begins with the stamp of the time at which the task was due.
    Submit { number: u64, spec: Box<TaskSpec> },
    /// It cancels a task of its own.
    Cancel(TaskId),
    /// It makes offers in a market under a budget.
    Bid {
        market: Label,
        budget: Amounts,
        offers: Vec<Offer>,
    },
    /// It accepts a task.
    Accept(TaskId, FencingToken),
    /// It completes a task.
    Complete(TaskId, FencingToken),
}

/// An agent, with its key and its operations.
pub(super) struct Agent {
    key: SecretKey,
    me: PublicKey,
    swarm: SwarmId,
    /// The sequence number of its next operation.
    next: u64,
    admitted: bool,
    /// Operations that are not sent yet.
    waiting: VecDeque<Say>,
    /// Operations that are sent and not committed, by sequence number.
    flying: BTreeMap<u64, Flying>,
}

/// An operation that is sent and not committed.
struct Flying {
    said: Say,
    operation: SignedOperation,
    sent: Instant,
}

impl Agent {
    pub(super) fn new(key: SecretKey, swarm: SwarmId) -> Self {
        Self {
            me: key.public_key(),
            key,
            swarm,
            next: 0,
            admitted: false,
            waiting: VecDeque::new(),
            flying: BTreeMap::new(),
        }
    }

    pub(super) fn key(&self) -> PublicKey {
        self.me
    }

    /// Checks whether the swarm has admitted it.
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Queues an operation.
    pub(super) fn say(&mut self, say: Say) {
        self.waiting.push_back(say);
    }

    /// Numbers and signs the operations that wait, until [`IN_FLIGHT`] are under way.
    pub(super) fn take(&mut self, now: Instant) -> Vec<SignedOperation> {
        let mut taken = Vec::new();
        while self.flying.len() < IN_FLIGHT {
            let Some(said) = self.waiting.pop_front() else {
                break;
            };

            let operation = self.sign(&said);
            taken.push(operation.clone());
            let flying = Flying {
                said,
                operation,
                sent: now,
            };
            self.flying.insert(self.next, flying);
            self.next += 1;
        }

        taken
    }

    /// Signs an operation under the next sequence number.
    fn sign(&self, said: &Say) -> SignedOperation {
        let operation = Operation {
            swarm: self.swarm,
            agent: self.me,
            sequence: self.next,
            body: body(said),
        };
        self.key.sign(operation).into_inner()
    }

    /// Returns the operations that were sent before `limit` and are still under way, oldest first.
    /// They count as sent again now.
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

    /// Takes in that all operations before the number `next` are committed. Returns the newly
    /// committed ones.
    pub(super) fn settle(&mut self, next: u64) -> Vec<Say> {
        // Its first operation is the one that admits it.
        self.admitted |= next > 0;
        let open = self.flying.split_off(&next);
        let settled = std::mem::replace(&mut self.flying, open);
        settled.into_values().map(|flying| flying.said).collect()
    }
}

fn body(said: &Say) -> OperationBody {
    match said {
        Say::Admit(attestation) => OperationBody::Admit(Attest {
            attestation: (**attestation).clone(),
        }),

        Say::Submit { number, spec } => OperationBody::Submit(Submit {
            first: *number,
            tasks: vec![(**spec).clone()],
        }),

        Say::Cancel(task) => OperationBody::Cancel(Cancel { task: *task }),

        Say::Bid {
            market,
            budget,
            offers,
        } => OperationBody::Bid(Bid {
            market: market.clone(),
            budget: budget.clone(),
            offers: offers.clone(),
        }),

        Say::Accept(task, token) => OperationBody::Accept(report(*task, *token)),
        Say::Complete(task, token) => OperationBody::Complete(report(*task, *token)),
    }
}

fn report(task: TaskId, token: FencingToken) -> TaskReport {
    TaskReport {
        task,
        token,
        // The stamp is the time at which the report is signed.
        detail: stamp::stamped(stamp::now(), REPORT_BYTES),
    }
}
