//! The way back of a key whose signing guard is lost (N-27 to N-30).
//!
//! Such a node follows and decides, but signs nothing. It asks the other validators which height is
//! in progress with them. Let S be the height in progress here when others, with more than two
//! thirds of the power of the set of S + 1, have each answered with a height up to S. Then the key
//! signs again from S + 2 on.
//!
//! Nothing is signed twice. If the key had signed anything at S + 2 or above before, S + 1 would
//! have been decided by more than two thirds of that set. At least one correct validator is among
//! those and among the ones that answered. It signed a precommit at S + 1 before it was asked, so
//! it would not have answered S or less.
//!
//! That needs answers no older than the question, so each answer repeats a challenge that was never
//! used before: a link may deliver messages that were meant for the process before this one. It
//! also needs that correct validators never answer with a height below one that they signed at. So
//! a validator that is itself rejoining, or that lost blocks to a repair, does not answer before it
//! votes.

use std::collections::BTreeMap;

use quorate_types::message::{Locate, Located, PeerMessage};
use quorate_types::{Height, Power, PublicKey};

use crate::event::Action;
use crate::replica::Replica;
use crate::sync::Service;
use crate::timers::Timer;

/// The height from which the key of a node may sign statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voting {
    /// From this height on, where its signing guard stands: 0 for a new key. Below it, the node
    /// follows.
    From(Height),
    /// Its guard is lost: not before other validators have proved a fresh height.
    Rejoining {
        /// The challenge that the others must repeat: chosen at random for this run of the process.
        challenge: u64,
    },
}

/// Whether a node votes, or what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VotingStatus {
    /// It votes while its key is in the validator set.
    #[default]
    Votes,
    /// It follows until this height is in progress, and votes from there on.
    Waits(Height),
    /// Its guard is lost, and other validators must prove a fresh height first.
    Rejoins {
        /// The power of the other validators whose answers count so far.
        heard: Power,
        /// The power of all validators: more than two thirds of it must be heard.
        total: Power,
    },
}

/// The answers that a rejoining node has from other validators.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The least height that each of them answered with.
    heights: BTreeMap<PublicKey, Height>,
    /// Whether the guard is being made.
    raising: bool,
}

impl Voting {
    /// Whether the key may sign at a height.
    pub(crate) fn at(self, height: Height) -> bool {
        match self {
            Self::From(from) => height >= from,
            Self::Rejoining { .. } => false,
        }
    }
}

impl Replica {
    /// Whether this node votes, or what it waits for.
    pub fn standing(&self) -> VotingStatus {
        match self.config.voting {
            Voting::From(from) if self.height() < from => VotingStatus::Waits(from),
            Voting::From(_) => VotingStatus::Votes,
            Voting::Rejoining { .. } => VotingStatus::Rejoins {
                heard: self.power_heard(),
                total: self.ledger.next_validators().total(),
            },
        }
    }

    /// Whether this node's key may sign at the height being decided.
    pub(crate) fn may_sign(&self) -> bool {
        self.config.voting.at(self.height())
    }

    /// Asks the others which height is in progress with them, until enough have answered.
    pub(crate) fn locate_others(&mut self) {
        if let Voting::Rejoining { challenge } = self.config.voting
            && !self.answers.raising
        {
            self.broadcast(PeerMessage::Locate(Locate { challenge }));

            let again = self.now.monotonic + self.pace.config.resend_ms;
            self.timers.set(Timer::Locate, again);
        }
    }

    /// Answers a node that lost its guard. Below the height where its own guard stands, the answer
    /// of this node would prove nothing, so it gives none (N-28).
    pub(crate) fn on_locate(&mut self, from: PublicKey, asked: Locate) {
        if self.may_sign() && self.may_serve(Service::Height, from) {
            let challenge = asked.challenge;
            let height = self.height();
            self.send(from, PeerMessage::Located(Located { challenge, height }));
        }
    }

    /// Takes an answer. Each answer of a validator proves as much as any other, so the least one is
    /// kept: it is the first to count.
    pub(crate) fn on_located(&mut self, from: PublicKey, answer: Located) {
        let Located { challenge, height } = answer;
        // An answer to an earlier process, or by a stranger, proves nothing (N-28).
        let is_member = self.ledger.next_validators().get(&from).is_some();
        let is_asked = self.config.voting == Voting::Rejoining { challenge };

        if !is_asked || !is_member || from == self.config.me {
            return;
        }

        let least = self.answers.heights.entry(from).or_insert(height);
        *least = height.min(*least);
        self.rejoin_if_proved();
    }

    /// Asks for a guard once a fresh height is proved.
    pub(crate) fn rejoin_if_proved(&mut self) {
        let rejoins = matches!(self.config.voting, Voting::Rejoining { .. });
        let proved = self.ledger.next_validators().is_quorum(self.power_heard());

        if rejoins && proved && !self.answers.raising {
            self.answers.raising = true;
            self.act(Action::RaiseGuard(self.height() + 2));
        }
    }

    /// Votes from this height on, now that the guard is made durably. The height in progress goes
    /// on as it began.
    pub(crate) fn on_guard_raised(&mut self, from: Height) {
        if self.answers.raising {
            self.config.voting = Voting::From(from);
            self.answers = Answers::default();
        }
    }

    /// The power of the other validators whose answer counts. A height above the one in progress
    /// here is not proved and does not count yet: commits may prove it later, or nothing ever will.
    fn power_heard(&self) -> Power {
        let height = self.height();

        let proved = self
            .answers
            .heights
            .iter()
            .filter(|(_, said)| **said <= height);

        self.ledger
            .next_validators()
            .power_of(proved.map(|(key, _)| key))
    }
}
