//! The mempool: verified operations waiting for a block, bounded and fair per agent.

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::Rejection;
use quorate_types::{Body, PublicKey, SignedOperation, limits};

/// Operations by agent and sequence, each with its place in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    agents: BTreeMap<PublicKey, BTreeMap<u64, Waiting>>,
    count: usize,
    arrivals: u64,
}

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    operation: Verified<SignedOperation>,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether this very operation, signature included, waits here.
    pub(crate) fn holds(&self, operation: &SignedOperation) -> bool {
        let payload = &operation.payload;
        let waiting = self.agents.get(&payload.agent).and_then(|of| of.get(&payload.sequence));
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

    /// Takes an operation; `false` where another one of this agent and sequence came first.
    pub(crate) fn insert(&mut self, operation: Verified<SignedOperation>) -> bool {
        let (agent, sequence) = (operation.payload.agent, operation.payload.sequence);
        let of_agent = self.agents.entry(agent).or_default();
        if of_agent.contains_key(&sequence) {
            return false;
        }
        self.arrivals += 1;
        of_agent.insert(sequence, Waiting { arrival: self.arrivals, operation });
        self.count += 1;
        true
    }

    /// Whether an agent has an operation that could go into the next block.
    pub(crate) fn has_ready(&self, ledger: &Ledger) -> bool {
        self.agents.iter().any(|(agent, of)| of.contains_key(&ledger.next_sequence(agent)))
    }

    /// The contiguous runs of all agents, oldest arrival first, at most `most` operations. An
    /// operation is as old as the youngest it must follow.
    pub(crate) fn ready(&self, ledger: &Ledger, most: usize) -> Vec<Verified<SignedOperation>> {
        let mut ready = Vec::new();
        for (agent, of) in &self.agents {
            let mut age = 0;
            for (sequence, (at, waiting)) in (ledger.next_sequence(agent)..).zip(of) {
                if *at != sequence {
                    break;
                }
                age = waiting.arrival.max(age);
                ready.push((age, sequence, &waiting.operation));
            }
        }
        ready.sort_by_key(|(age, sequence, _)| (*age, *sequence));
        ready.into_iter().take(most).map(|(_, _, operation)| operation.clone()).collect()
    }

    /// Forgets what the ledger has moved past, for these agents.
    pub(crate) fn prune(&mut self, ledger: &Ledger, agents: impl Iterator<Item = PublicKey>) {
        for agent in agents {
            let Some(of) = self.agents.get_mut(&agent) else { continue };
            let kept = of.split_off(&ledger.next_sequence(&agent));
            self.count -= of.len();
            *of = kept;
            if of.is_empty() {
                self.agents.remove(&agent);
            }
        }
    }
}
