//! The mempool: verified operations that wait for a block, bounded and fair per agent.

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::Rejection;
use quorate_types::{Body, PublicKey, SignedOperation, limits};

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

        // A stranger may begin with its admission, and may go on while that still waits here.
        let admits = payload.sequence == 0 && matches!(payload.body, Body::Admit(_));
        let pending = self.agents.contains_key(&payload.agent);
        if !ledger.knows_agent(&payload.agent) && !admits && !pending {
            return Err(Rejection::Unknown);
        }

        let next = ledger.next_sequence(&payload.agent);
        if payload.sequence < next {
            return Err(Rejection::Sequence);
        }
        if payload.sequence - next >= limits::POOL_PER_AGENT as u64 {
            return Err(Rejection::Gap);
        }

        if self.count >= limits::POOL {
            return Err(Rejection::Full);
        }

        Ok(())
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
        let (agent, sequence) = (operation.payload.agent, operation.payload.sequence);
        let of_agent = self.agents.entry(agent).or_default();

        if of_agent.contains_key(&sequence) {
            return false;
        }

        self.arrivals += 1;
        of_agent.insert(
            sequence,
            Waiting {
                arrival: self.arrivals,
                operation,
            },
        );

        self.count += 1;
        true
    }

    /// Whether any agent has an operation that could go into the next block.
    pub(crate) fn has_ready(&self, ledger: &Ledger) -> bool {
        self.agents
            .iter()
            .any(|(agent, of)| of.contains_key(&ledger.next_sequence(agent)))
    }

    /// At most `most` operations for a block to be built: the contiguous runs of all agents, oldest
    /// arrival first. An operation is as old as the youngest one that it must follow.
    pub(crate) fn offer(&mut self, ledger: &Ledger, most: usize) -> Vec<Verified<SignedOperation>> {
        let mut ready = Vec::new();

        for (agent, of) in &self.agents {
            let mut age = 0;
            // A gap ends the run: a block with it would not be valid (L-5).
            for (sequence, (at, waiting)) in (ledger.next_sequence(agent)..).zip(of) {
                if *at != sequence {
                    break;
                }
                age = waiting.arrival.max(age);
                ready.push((age, sequence, &waiting.operation));
            }
        }

        ready.sort_by_key(|(age, sequence, _)| (*age, *sequence));

        let offer: Vec<_> = ready
            .into_iter()
            .take(most)
            .map(|(_, _, op)| op.clone())
            .collect();

        self.offered = offer
            .iter()
            .map(|op| (op.payload.agent, op.payload.sequence))
            .collect();
        offer
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
