//! Agents that lie: they send operations in addition to those of their light client.

use quorate_crypto::SecretKey;
use quorate_ledger::Ledger;
use quorate_types::{Label, Operation, OperationBody, PublicKey, SignedOperation};

use crate::seed::Dice;

/// The means of a lying agent.
#[derive(Debug)]
pub struct AgentLiarContext<'a> {
    /// The agent's signing key.
    pub key: &'a SecretKey,
    /// The state as a validator knows it, because a liar may be well informed.
    pub ledger: &'a Ledger,
    /// The public keys of the other clients.
    pub others: Vec<PublicKey>,
    /// The agent's own stream of dice.
    pub dice: &'a mut Dice,
    /// Whether the agent is heard now; `false` while it plays dead.
    pub is_heard: bool,
    /// The number of lies told on this occasion; the run adds them up under the name of the manner.
    pub lies: u64,
}

impl AgentLiarContext<'_> {
    /// The public key that the agent speaks with.
    pub fn me(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The agent's next sequence number; `None` if the swarm does not know the agent.
    pub(super) fn next_sequence(&self) -> Option<u64> {
        let account = self.ledger.account(&self.me())?;
        Some(account.next_sequence)
    }

    /// The name of the swarm's only market.
    pub(super) fn market(&self) -> Option<Label> {
        self.ledger
            .genesis_info()
            .markets
            .first()
            .map(|market| market.name.clone())
    }

    /// An operation of the agent that is not signed yet.
    pub(super) fn operation(&self, sequence: u64, body: OperationBody) -> Operation {
        Operation {
            swarm: self.ledger.swarm(),
            agent: self.me(),
            sequence,
            body,
        }
    }

    /// An operation of the agent, signed correctly.
    pub(super) fn sign(&self, sequence: u64, body: OperationBody) -> SignedOperation {
        self.key.sign(self.operation(sequence, body)).into_inner()
    }
}

/// The lie of an agent: operations, well or badly signed, in addition to those of its light client.
pub trait AgentLie: std::fmt::Debug {
    /// Returns the operations that go to every validator; called a few times a second.
    fn volunteers(&mut self, context: &mut AgentLiarContext<'_>) -> Vec<SignedOperation>;
}
