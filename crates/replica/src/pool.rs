//! The mempool: verified operations that wait for a block, bounded and fair per agent.

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::Rejection;
use quorate_types::{Operation, OperationBody, PublicKey, SignedOperation, limits};

use crate::work::Origin;

/// Operations by agent and sequence number, each with its place in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    agents: BTreeMap<PublicKey, BTreeMap<u64, Waiting>>,
    count: usize,
    arrivals: u64,
    /// The operations offered to the last block that was built here, by agent and sequence number.
    offered: Vec<(PublicKey, u64)>,
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

    /// Whether an operation could be taken, before its signature is checked.
    pub(crate) fn admits(
        &self,
        ledger: &Ledger,
        operation: &SignedOperation,
    ) -> Result<(), Rejection> {
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
    pub(crate) fn begin_check(&mut self, origin: Origin, count: usize) -> bool {
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
    pub(crate) fn end_check(&mut self, origin: Origin, count: usize) {
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
    pub(crate) fn insert(&mut self, operation: Verified<SignedOperation>) -> bool {
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

    /// At most `most` operations for a block to be built: the contiguous runs of all agents, oldest
    /// arrival first.
    pub(crate) fn offer(&mut self, ledger: &Ledger, most: usize) -> Vec<Verified<SignedOperation>> {
        let ready = self.ready(ledger);
        let offer: Vec<_> = ready.into_iter().take(most).cloned().collect();

        let places = offer
            .iter()
            .map(|op| (op.payload.agent, op.payload.sequence));
        self.offered = places.collect();

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

    /// Drops the operations offered to a block that took none of them. No block ever will, and
    /// while they wait here they would keep asking for another block.
    pub(crate) fn drop_offered(&mut self) {
        for (agent, sequence) in std::mem::take(&mut self.offered) {
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
