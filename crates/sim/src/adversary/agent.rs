//! Agents that lie: operations beside, or in place of, those of their light client.

use quorate_crypto::SecretKey;
use quorate_ledger::Ledger;
use quorate_types::{Body, Label, Operation, PublicKey, SignedOperation};

use super::{abandoner, bid_spammer, false_solver, forger};
use crate::dice::Dice;
use crate::plan::Manner;

/// What an agent that lies has at hand.
#[derive(Debug)]
pub struct AgentMouth<'a> {
    /// Its key.
    pub key: &'a SecretKey,
    /// The state as a validator knows it: liars may be well informed.
    pub ledger: &'a Ledger,
    /// Keys of the other clients.
    pub others: Vec<PublicKey>,
    /// Its own dice.
    pub dice: &'a mut Dice,
    /// Whether it is heard now; not while it plays dead.
    pub is_heard: bool,
    /// Lies told on this occasion; the run counts them under the manner's name.
    pub lies: u64,
}

impl AgentMouth<'_> {
    /// The key that it speaks with.
    pub fn me(&self) -> PublicKey {
        self.key.public_key()
    }

    /// Its next sequence number; `None` while the swarm does not know it.
    pub(super) fn next_sequence(&self) -> Option<u64> {
        let account = self.ledger.account(&self.me())?;
        Some(account.next_sequence)
    }

    /// The one market.
    pub(super) fn market(&self) -> Option<Label> {
        self.ledger
            .genesis_info()
            .markets
            .first()
            .map(|market| market.name.clone())
    }

    /// An operation of its own, not yet signed.
    pub(super) fn operation(&self, sequence: u64, body: Body) -> Operation {
        Operation {
            swarm: self.ledger.swarm(),
            agent: self.me(),
            sequence,
            body,
        }
    }

    /// An operation, signed as it should be.
    pub(super) fn sign(&self, sequence: u64, body: Body) -> SignedOperation {
        self.key.sign(self.operation(sequence, body)).into_inner()
    }
}

/// The lie of an agent, beside what its light client does: operations, well or badly signed.
pub trait AgentLie: std::fmt::Debug {
    /// What it sends to every validator; it is asked a few times a second.
    fn volunteers(&mut self, mouth: &mut AgentMouth<'_>) -> Vec<SignedOperation>;
}

/// Who lies in this manner, where more than a light client is needed for it. What a liar about
/// capabilities says, its light client says in good faith: the world lets it claim them.
pub(crate) fn agent_liar(manner: Manner) -> Option<Box<dyn AgentLie>> {
    Some(match manner {
        Manner::Honest | Manner::CapabilityLiar => return None,
        Manner::WinAndAbandon => Box::new(abandoner::Abandoner::default()),
        Manner::BidSpammer => Box::new(bid_spammer::BidSpammer),
        Manner::Forger => Box::new(forger::Forger),
        Manner::FalseSolver => Box::new(false_solver::FalseSolver),
    })
}
