//! The mempool: verified operations that wait for a block, bounded and fair per agent.

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::{Answer, PeerMessage, Rejection};
use quorate_types::{Operation, OperationBody, PublicKey, Round, SignedOperation, limits};

use crate::context::Context;
use crate::event::Origin;
use crate::signal::Signal;
use crate::work::Work;

/// Operations by agent and sequence number, each with its place in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    agents: BTreeMap<PublicKey, BTreeMap<u64, Waiting>>,
    count: usize,
    arrivals: u64,
    /// The operations offered to the last block that was built here, by agent and sequence number,
    /// with the round that the block is for.
    offered: (Round, Vec<(PublicKey, u64)>),
    /// The number of operations of each peer whose signatures are being checked.
    checking: BTreeMap<PublicKey, usize>,
}

/// The number of operations of one peer that are checked at a time. A peer can send faster than
/// anyone can check.
const CHECKING: usize = limits::OPERATIONS_PER_BLOCK;

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    operation: Verified<SignedOperation>,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether exactly this operation, signature included, waits here.
    pub(crate) fn holds(&self, operation: &SignedOperation) -> bool {
        let payload = &operation.payload;
        let waiting = self
            .agents
            .get(&payload.agent)
            .and_then(|of| of.get(&payload.sequence));
        waiting.is_some_and(|waiting| *waiting.operation == *operation)
    }

    /// Takes operations of clients, peers or this process, before their signatures are checked.
    pub(crate) fn on_operations(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        operations: Vec<SignedOperation>,
    ) {
        let mut wanted = Vec::new();

        for operation in operations {
            // A client that hands in an operation twice gets the same answer twice (W-12).
            if self.holds(&operation) {
                accept(cx, origin, &operation);
                continue;
            }

            match self.admits(cx.ledger(), &operation) {
                Ok(()) if is_too_long(&operation) => cx.counters().operations_dropped += 1,
                Ok(()) => wanted.push(operation),
                Err(rejection) => refuse(cx, origin, rejection),
            }
        }

        if !wanted.is_empty() {
            self.check(cx, origin, wanted);
        }
    }

    /// Has the signatures of operations checked, unless too many of this origin are under check.
    fn check(&mut self, cx: &mut Context<'_>, origin: Origin, wanted: Vec<SignedOperation>) {
        if !self.begin_check(origin, wanted.len()) {
            cx.counters().operations_dropped += wanted.len() as u64;
            return;
        }

        cx.run(Work::Operations(origin, wanted));
    }

    /// Takes the operations of a check whose signatures hold; those of `refused` more do not.
    pub(crate) fn on_checked(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        held: Vec<Verified<SignedOperation>>,
        refused: u64,
    ) {
        cx.counters().unauthentic += refused;
        self.end_check(origin, held.len() + refused as usize);

        if refused > 0 {
            cx.reject(origin, Rejection::Unauthentic);
        }

        self.on_verified(cx, origin, held);
    }

    /// Takes an operation that this node signed. Returns whether it waits here now.
    pub(crate) fn on_own(
        &mut self,
        cx: &mut Context<'_>,
        operation: Verified<SignedOperation>,
    ) -> bool {
        let plain = (*operation).clone();
        self.on_verified(cx, Origin::Local, vec![operation]);
        self.holds(&plain)
    }

    fn on_verified(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        operations: Vec<Verified<SignedOperation>>,
    ) {
        let mut fresh = Vec::new();

        for operation in operations {
            if let Err(rejection) = self.admits_verified(cx, &operation) {
                refuse(cx, origin, rejection);
                continue;
            }

            accept(cx, origin, &operation);
            // The place may be taken: another operation of this agent and number may have come
            // first.
            let plain = (*operation).clone();
            if self.insert(operation) {
                fresh.push(plain);
            }
        }

        // A peer that passes operations on sends them to everyone, so they need not be passed on
        // again.
        if !matches!(origin, Origin::Peer(_)) && !fresh.is_empty() {
            cx.broadcast(PeerMessage::Operations(fresh));
        }

        cx.tell(Signal::Waiting);
    }

    /// As [`Self::admits`]. A stranger needs the word of an attester as well, or no block would
    /// ever take its operations.
    fn admits_verified(
        &self,
        cx: &Context<'_>,
        operation: &SignedOperation,
    ) -> Result<(), Rejection> {
        let ledger = cx.ledger();
        self.admits(ledger, operation)?;

        let payload = &operation.payload;
        let first = payload.sequence == 0 && !ledger.knows_agent(&payload.agent);

        if first && !ledger.admits(payload, cx.unix()) {
            return Err(Rejection::Unknown);
        }

        Ok(())
    }

    /// Whether an operation could be taken, before its signature is checked.
    fn admits(&self, ledger: &Ledger, operation: &SignedOperation) -> Result<(), Rejection> {
        let payload = &operation.payload;

        if payload.agent != operation.signer || payload.swarm != ledger.swarm() {
            return Err(Rejection::Unauthentic);
        }

        if !ledger.knows_agent(&payload.agent) && !self.admits_stranger(payload) {
            return Err(Rejection::Unknown);
        }

        check_sequence(payload.sequence, ledger.next_sequence(&payload.agent))?;
        if self.count >= limits::POOL {
            return Err(Rejection::Full);
        }

        Ok(())
    }

    /// Whether an agent that the ledger does not know may bring this: it begins with its admission,
    /// and may go on while that still waits here.
    fn admits_stranger(&self, payload: &Operation) -> bool {
        let admits = payload.sequence == 0 && matches!(payload.body, OperationBody::Admit(_));
        admits || self.agents.contains_key(&payload.agent)
    }

    /// Whether the signatures of `count` more operations may be checked now; if so, they count as
    /// being checked. A peer with nothing under way may always begin, however large its batch is.
    fn begin_check(&mut self, origin: Origin, count: usize) -> bool {
        let Origin::Peer(peer) = origin else {
            return true;
        };

        let checking = self.checking.entry(peer).or_default();
        let fits = *checking == 0 || *checking + count <= CHECKING;

        if fits {
            *checking += count;
        }
        fits
    }

    /// Notes that `count` operations of this origin are checked.
    fn end_check(&mut self, origin: Origin, count: usize) {
        let Origin::Peer(peer) = origin else { return };
        let left = self
            .checking
            .get(&peer)
            .map_or(0, |checking| checking.saturating_sub(count));

        match left {
            0 => self.checking.remove(&peer),
            left => self.checking.insert(peer, left),
        };
    }

    /// Takes an operation. Returns `false` if another one of this agent and sequence number came
    /// first.
    fn insert(&mut self, operation: Verified<SignedOperation>) -> bool {
        let agent = operation.payload.agent;
        let sequence = operation.payload.sequence;
        let of_agent = self.agents.entry(agent).or_default();

        if of_agent.contains_key(&sequence) {
            return false;
        }

        self.arrivals += 1;
        self.count += 1;
        let waiting = Waiting {
            arrival: self.arrivals,
            operation,
        };

        of_agent.insert(sequence, waiting);
        true
    }

    /// Whether any agent has an operation that could go into the next block.
    pub(crate) fn has_ready(&self, ledger: &Ledger) -> bool {
        self.agents
            .iter()
            .any(|(agent, of)| of.contains_key(&ledger.next_sequence(agent)))
    }

    /// As many operations as a block takes, for one to be built for `round`: the contiguous runs of
    /// all agents, oldest arrival first.
    pub(crate) fn offer(
        &mut self,
        ledger: &Ledger,
        round: Round,
    ) -> Vec<Verified<SignedOperation>> {
        let ready = self.ready(ledger).into_iter();
        let offer = ready.take(limits::OPERATIONS_PER_BLOCK).cloned();
        let offer: Vec<_> = offer.collect();

        let places = offer
            .iter()
            .map(|op| (op.payload.agent, op.payload.sequence));
        self.offered = (round, places.collect());

        offer
    }

    /// Returns the operations that could go into the next block, oldest first. An operation is as
    /// old as the youngest one that it must follow.
    fn ready(&self, ledger: &Ledger) -> Vec<&Verified<SignedOperation>> {
        let mut ready = Vec::new();

        for (agent, of) in &self.agents {
            let mut age = 0;

            for ((sequence, waiting), next) in of.iter().zip(ledger.next_sequence(agent)..) {
                // A gap ends the run: a block with it would not be valid (L-5).
                if *sequence != next {
                    break;
                }

                age = waiting.arrival.max(age);
                ready.push((age, next, &waiting.operation));
            }
        }

        ready.sort_by_key(|(age, sequence, _)| (*age, *sequence));
        ready.into_iter().map(|(_, _, op)| op).collect()
    }

    /// Drops the operations offered to a block for `round` that took none of them. No block ever
    /// will, and while they wait here they would keep asking for another block. If a later block was
    /// asked for meanwhile, it decides.
    pub(crate) fn drop_offered(&mut self, round: Round) {
        if self.offered.0 != round {
            return;
        }

        for (agent, sequence) in std::mem::take(&mut self.offered.1) {
            let Some(of) = self.agents.get_mut(&agent) else {
                continue;
            };

            self.count -= usize::from(of.remove(&sequence).is_some());
            if of.is_empty() {
                self.agents.remove(&agent);
            }
        }
    }

    /// Whether any operation of this agent waits.
    pub(crate) fn waits_for(&self, agent: &PublicKey) -> bool {
        self.agents.contains_key(agent)
    }

    /// Forgets the operations of these agents that the ledger has moved past.
    pub(crate) fn prune(&mut self, ledger: &Ledger, agents: impl Iterator<Item = PublicKey>) {
        for agent in agents {
            let Some(of) = self.agents.get_mut(&agent) else {
                continue;
            };

            // Numbers below the next one are used up: no block takes them again.
            let kept = of.split_off(&ledger.next_sequence(&agent));
            self.count -= of.len();
            *of = kept;

            if of.is_empty() {
                self.agents.remove(&agent);
            }
        }
    }
}

/// Checks a sequence number against `next`, the one that the ledger takes next of this agent.
fn check_sequence(sequence: u64, next: u64) -> Result<(), Rejection> {
    if sequence < next {
        Err(Rejection::Sequence)
    } else if sequence - next >= limits::POOL_PER_AGENT as u64 {
        Err(Rejection::Gap)
    } else {
        Ok(())
    }
}

/// Tells a client that its operation is taken; nobody else waits for that.
fn accept(cx: &mut Context<'_>, origin: Origin, operation: &SignedOperation) {
    if let Origin::Client { from, id } = origin {
        cx.answer(from, id, Answer::Accepted(operation.id()));
    }
}

/// Counts an operation that is not taken, and tells the client that brought it the reason.
fn refuse(cx: &mut Context<'_>, origin: Origin, rejection: Rejection) {
    cx.counters().operations_dropped += 1;
    cx.reject(origin, rejection);
}

/// Whether the signed operation is longer than a block takes: its payload alone may be short
/// enough.
fn is_too_long(operation: &SignedOperation) -> bool {
    operation.bytes().len() > limits::OPERATION_BYTES
}
