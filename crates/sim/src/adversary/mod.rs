//! Liars: correct validators, and agents, but for one lie each.
//!
//! A liar is the product's replica with something between it and the world. [`Lie`] says what: it
//! may change, withhold, add and sign whatever it likes with its own key. Each lie is a small file
//! that says what is told, and why the protocol bears it.

mod abandoner;
mod agent;
mod bad_block;
mod bid_spammer;
mod censor;
mod certificate_forger;
mod doubles;
mod false_polka;
mod false_solver;
mod false_suspicion;
mod flooder;
mod forged_bid;
mod forger;
mod kinds;
mod mutations;
mod mutator;
mod nil_only;
mod proposal_equivocator;
mod replayer;
mod silent;
mod vote_equivocator;
mod withholder;
mod wrong_set;

use quorate_crypto::SecretKey;
use quorate_ledger::Proposal;
use quorate_replica::{Now, Replica};
use quorate_types::message::{ClientMessage, PeerMessage};
use quorate_types::{Block, Body, Kind, PublicKey, SignedStatement, Statement};

use crate::dice::Dice;

pub(crate) use agent::agent_liar;
pub use agent::{AgentLie, AgentMouth};
pub use kinds::LieKind;

/// A liar's means.
#[derive(Debug)]
pub struct Mouth<'a> {
    /// Its key: no guard stands before it.
    pub key: &'a SecretKey,
    /// The replica it speaks for: the state it knows, the height and round it is in.
    pub replica: &'a Replica,
    /// Its clock.
    pub now: Now,
    /// Its own dice.
    pub dice: &'a mut Dice,
    /// Lies told on this occasion: who tells one counts it here, and the run under its name.
    pub lies: u64,
}

impl Mouth<'_> {
    /// The key that it speaks with.
    pub fn me(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The other validators, ascending by key.
    pub fn peers(&self) -> Vec<PublicKey> {
        let (me, set) = (self.me(), self.replica.ledger().validators());
        set.iter()
            .map(|validator| validator.key)
            .filter(|key| *key != me)
            .collect()
    }

    /// One of the others, by dice.
    fn any_peer(&mut self) -> Option<PublicKey> {
        let peers = self.peers();
        self.dice.pick(&peers).copied()
    }

    /// Whether this is one of the others to whom a liar with two stories tells the second: every
    /// second of them.
    fn hears_otherwise(&self, peer: &PublicKey) -> bool {
        self.peers()
            .iter()
            .skip(1)
            .step_by(2)
            .any(|key| key == peer)
    }

    /// A statement, signed; the guard is not asked.
    fn sign(&self, statement: Statement) -> PeerMessage {
        PeerMessage::Statement(self.key.sign_statement(statement).into_inner())
    }

    /// The statement in a message, if it is the liar's own.
    fn own<'m>(&self, message: &'m PeerMessage) -> Option<&'m SignedStatement> {
        match message {
            PeerMessage::Statement(signed) if signed.signer == self.me() => Some(signed),
            _ => None,
        }
    }

    /// As [`Self::own`], of votes alone.
    fn own_vote<'m>(&self, message: &'m PeerMessage) -> Option<&'m SignedStatement> {
        self.own(message)
            .filter(|signed| signed.statement.kind != Kind::Proposal)
    }
}

/// One lie. Every method passes on the truth unless a liar says otherwise.
pub trait Lie: std::fmt::Debug {
    /// Before it builds a block: what goes in can be left out, or added.
    fn propose(&mut self, _mouth: &mut Mouth<'_>, _proposal: &mut Proposal) {}

    /// After it built a block, before anything of it is sent.
    fn built(&mut self, _mouth: &mut Mouth<'_>, _block: &Block) {}

    /// What a validator says to it, before its replica takes that in; what it answers in addition.
    fn hears(
        &mut self,
        _mouth: &mut Mouth<'_>,
        _from: PublicKey,
        _message: &PeerMessage,
    ) -> Vec<PeerMessage> {
        Vec::new()
    }

    /// What goes to a validator in place of `message`.
    fn says(
        &mut self,
        _mouth: &mut Mouth<'_>,
        _to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        vec![message]
    }

    /// What goes to a client in place of `message`.
    fn answers(
        &mut self,
        _mouth: &mut Mouth<'_>,
        _to: PublicKey,
        message: ClientMessage,
    ) -> Vec<ClientMessage> {
        vec![message]
    }

    /// What it says unasked; it is asked a few times a second.
    fn volunteers(&mut self, _mouth: &mut Mouth<'_>) -> Vec<(PublicKey, PeerMessage)> {
        Vec::new()
    }

    /// Frames it sends unasked that may be no message at all; asked as often.
    fn noise(&mut self, _mouth: &mut Mouth<'_>) -> Vec<(PublicKey, Vec<u8>)> {
        Vec::new()
    }
}

/// An open bid, a commitment to one, its opening, or a solution.
fn is_bid(body: &Body) -> bool {
    matches!(
        body,
        Body::Bid(_) | Body::Seal(_) | Body::Reveal(_) | Body::Solve(_)
    )
}
