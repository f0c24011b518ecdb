//! The lie of a validator, and its means.

use quorate_crypto::SecretKey;
use quorate_ledger::Proposal;
use quorate_replica::{Now, Replica};
use quorate_types::message::{ClientMessage, PeerMessage};
use quorate_types::{Block, Kind, OperationBody, PublicKey, SignedStatement, Statement};

use crate::seed::Dice;

/// The means of a lying validator.
#[derive(Debug)]
pub struct LiarContext<'a> {
    /// The validator's key, without a signing guard before it.
    pub key: &'a SecretKey,
    /// The replica that the liar speaks for, with the state, height and round that it knows.
    pub replica: &'a Replica,
    /// The time by the validator's clock.
    pub now: Now,
    /// The validator's own stream of dice.
    pub dice: &'a mut Dice,
    /// The number of lies told on this occasion. A lie counts itself here, and the run adds it up
    /// under the lie's name.
    pub lies: u64,
}

impl LiarContext<'_> {
    /// The public key that the liar speaks with.
    pub fn me(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The other validators, ascending by key.
    pub fn peers(&self) -> Vec<PublicKey> {
        let me = self.me();
        let set = self.replica.ledger().validators();

        set.iter()
            .map(|validator| validator.key)
            .filter(|key| *key != me)
            .collect()
    }

    /// The message to each of the other validators. Each copy counts as a lie.
    pub(super) fn lie_to_all(&mut self, message: &PeerMessage) -> Vec<(PublicKey, PeerMessage)> {
        let peers = self.peers();
        self.lies += peers.len() as u64;

        peers
            .into_iter()
            .map(|peer| (peer, message.clone()))
            .collect()
    }

    /// One of the other validators, by dice; `None` if there is no other.
    pub(super) fn any_peer(&mut self) -> Option<PublicKey> {
        let peers = self.peers();
        self.dice.pick(&peers).copied()
    }

    /// Whether a liar with two stories tells the second one to this peer. Every second of the other
    /// validators hears it.
    pub(super) fn hears_otherwise(&self, peer: &PublicKey) -> bool {
        self.peers()
            .iter()
            .skip(1)
            .step_by(2)
            .any(|key| key == peer)
    }

    /// Signs a statement without asking the signing guard.
    pub(super) fn sign(&self, statement: Statement) -> PeerMessage {
        PeerMessage::Statement(self.key.sign_statement(statement).into_inner())
    }

    /// The statement in a message, if the liar signed it.
    pub(super) fn own<'m>(&self, message: &'m PeerMessage) -> Option<&'m SignedStatement> {
        match message {
            PeerMessage::Statement(signed) if signed.signer == self.me() => Some(signed),
            _ => None,
        }
    }

    /// The vote in a message, if the liar signed it.
    pub(super) fn own_vote<'m>(&self, message: &'m PeerMessage) -> Option<&'m SignedStatement> {
        self.own(message)
            .filter(|signed| signed.statement.kind != Kind::Proposal)
    }
}

/// The lie of a validator. Every method passes on the truth unless a lie overrides it.
pub trait Lie: std::fmt::Debug {
    /// Called before the liar builds a block: the lie may leave things out of it, or add to it.
    fn propose(&mut self, _mouth: &mut LiarContext<'_>, _proposal: &mut Proposal) {}

    /// Called after the liar built a block, before anything of the block is sent.
    fn built(&mut self, _mouth: &mut LiarContext<'_>, _block: &Block) {}

    /// Called with a message from a validator, before the replica takes it in. Returns what the
    /// liar answers in addition to its replica.
    fn hears(
        &mut self,
        _mouth: &mut LiarContext<'_>,
        _from: PublicKey,
        _message: &PeerMessage,
    ) -> Vec<PeerMessage> {
        Vec::new()
    }

    /// Returns the messages that go to a validator in place of `message`.
    fn says(
        &mut self,
        _mouth: &mut LiarContext<'_>,
        _to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        vec![message]
    }

    /// Returns the messages that go to a client in place of `message`.
    fn answers(
        &mut self,
        _mouth: &mut LiarContext<'_>,
        _to: PublicKey,
        message: ClientMessage,
    ) -> Vec<ClientMessage> {
        vec![message]
    }

    /// Returns the messages that the liar sends unasked; called a few times a second.
    fn volunteers(&mut self, _mouth: &mut LiarContext<'_>) -> Vec<(PublicKey, PeerMessage)> {
        Vec::new()
    }

    /// Returns frames that the liar sends unasked and that need not be messages; called as often as
    /// [`Self::volunteers`].
    fn noise(&mut self, _mouth: &mut LiarContext<'_>) -> Vec<(PublicKey, Vec<u8>)> {
        Vec::new()
    }
}

/// Whether an operation is an open bid, a commitment, an opening or a solution.
pub(super) fn is_bid(body: &OperationBody) -> bool {
    matches!(
        body,
        OperationBody::Bid(_)
            | OperationBody::Seal(_)
            | OperationBody::Reveal(_)
            | OperationBody::Solve(_)
    )
}
