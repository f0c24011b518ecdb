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

use quorate_ledger::Ledger;
use quorate_types::message::{Locate, Located, PeerMessage};
use quorate_types::{Height, Millis, Power, PublicKey};

use crate::action::Write;
use crate::context::Context;
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

impl Voting {
    /// Whether the key may sign at a height.
    fn at(self, height: Height) -> bool {
        match self {
            Self::From(from) => height >= from,
            Self::Rejoining { .. } => false,
        }
    }
}

/// The permission of this node's key to sign, and its way back if it has none.
#[derive(Debug)]
pub(super) struct Rejoin {
    voting: Voting,
    /// The least height that each of the others answered with.
    heights: BTreeMap<PublicKey, Height>,
    /// Whether the guard is being made.
    raising: bool,
    /// Milliseconds after which the others are asked again.
    again_ms: Millis,
}

impl Rejoin {
    pub(super) fn new(voting: Voting, again_ms: Millis) -> Self {
        Self {
            voting,
            heights: BTreeMap::new(),
            raising: false,
            again_ms,
        }
    }

    /// Whether this node votes, or what it waits for.
    pub(super) fn status(&self, ledger: &Ledger) -> VotingStatus {
        match self.voting {
            Voting::From(from) if ledger.height() + 1 < from => VotingStatus::Waits(from),
            Voting::From(_) => VotingStatus::Votes,
            Voting::Rejoining { .. } => VotingStatus::Rejoins {
                heard: self.power_heard(ledger),
                total: ledger.next_validators().total(),
            },
        }
    }

    /// Whether this node's key may sign at a height.
    pub(super) fn may_sign(&self, height: Height) -> bool {
        self.voting.at(height)
    }

    /// Asks the others which height is in progress with them, until enough have answered.
    pub(super) fn ask(&self, cx: &mut Context<'_>) {
        if let Voting::Rejoining { challenge } = self.voting
            && !self.raising
        {
            cx.broadcast(PeerMessage::Locate(Locate { challenge }));

            let again = cx.monotonic() + self.again_ms;
            cx.set_timer(Timer::Locate, again);
        }
    }

    /// Takes an answer. Each answer of a validator proves as much as any other, so the least one is
    /// kept: it is the first to count.
    pub(super) fn on_located(&mut self, cx: &mut Context<'_>, from: PublicKey, answer: Located) {
        let Located { challenge, height } = answer;
        // An answer to an earlier process, or by a stranger, proves nothing (N-28).
        let is_member = cx.ledger().next_validators().get(&from).is_some();
        let is_asked = self.voting == Voting::Rejoining { challenge };

        if !is_asked || !is_member || from == cx.me() {
            return;
        }

        let least = self.heights.entry(from).or_insert(height);
        *least = height.min(*least);
        self.raise_if_proved(cx);
    }

    /// Asks for a guard once a fresh height is proved.
    pub(super) fn raise_if_proved(&mut self, cx: &mut Context<'_>) {
        let ledger = cx.ledger();
        let rejoins = matches!(self.voting, Voting::Rejoining { .. });
        let proved = ledger.next_validators().is_quorum(self.power_heard(ledger));

        if rejoins && proved && !self.raising {
            self.raising = true;
            cx.write(Write::RaiseGuard(cx.height() + 2));
        }
    }

    /// Votes from this height on, now that the guard is made durably. The height in progress goes
    /// on as it began.
    pub(super) fn on_raised(&mut self, from: Height) {
        if self.raising {
            *self = Self::new(Voting::From(from), self.again_ms);
        }
    }

    /// The power of the other validators whose answer counts. A height above the one in progress
    /// here is not proved and does not count yet: commits may prove it later, or nothing ever will.
    fn power_heard(&self, ledger: &Ledger) -> Power {
        let height = ledger.height() + 1;
        let proved = self.heights.iter().filter(|(_, said)| **said <= height);

        ledger
            .next_validators()
            .power_of(proved.map(|(key, _)| key))
    }
}
