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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Recipients;
    use crate::testing::{Bench, public};

    const CHALLENGE: u64 = 77;
    const AGAIN_MS: Millis = 500;

    fn rejoining() -> Rejoin {
        let challenge = CHALLENGE;
        Rejoin::new(Voting::Rejoining { challenge }, AGAIN_MS)
    }

    fn answer(
        rejoin: &mut Rejoin,
        bench: &mut Bench,
        from: PublicKey,
        challenge: u64,
        height: Height,
    ) {
        let answer = Located { challenge, height };
        rejoin.on_located(&mut bench.cx(), from, answer);
    }

    /// The guards that were asked for since the last time.
    fn guards(bench: &mut Bench) -> Vec<Height> {
        let taken = bench.take();
        let writes = taken.writes().into_iter();
        let guards = writes.filter_map(|write| match write {
            Write::RaiseGuard(from) => Some(*from),
            _ => None,
        });
        guards.collect()
    }

    fn heard(rejoin: &Rejoin, bench: &Bench) -> Power {
        match rejoin.status(bench.ledger()) {
            VotingStatus::Rejoins { heard, total } => {
                assert_eq!(total, 4);
                heard
            }
            _ => 0,
        }
    }

    #[test]
    fn n27_a_key_signs_from_the_height_of_its_guard_on_and_not_without_one() {
        let from = Rejoin::new(Voting::From(3), AGAIN_MS);
        assert_eq!([2, 3].map(|at| from.may_sign(at)), [false, true]);
        assert!(!rejoining().may_sign(Height::MAX));
        let mut bench = Bench::new();
        assert_eq!(from.status(bench.ledger()), VotingStatus::Waits(3));
        bench.commit(Vec::new());
        bench.commit(Vec::new());
        assert_eq!(from.status(bench.ledger()), VotingStatus::Votes);
    }

    #[test]
    fn n28_all_others_are_asked_again_and_again() {
        let mut bench = Bench::new();
        let rejoin = rejoining();
        let challenge = CHALLENGE;
        let question = PeerMessage::Locate(Locate { challenge });
        for _ in 0..2 {
            rejoin.ask(&mut bench.cx());
            let sent = [(Recipients::All, question.clone())];
            assert_eq!(bench.take().sent(), sent);
            assert_eq!(bench.timers(AGAIN_MS), [Timer::Locate]);
            bench.wait(AGAIN_MS);
        }
    }

    #[test]
    fn n28_a_node_with_its_guard_asks_nobody_and_hears_no_answer() {
        let mut bench = Bench::new();
        let mut rejoin = Rejoin::new(Voting::From(0), AGAIN_MS);
        rejoin.ask(&mut bench.cx());
        for other in bench.others() {
            answer(&mut rejoin, &mut bench, other, CHALLENGE, 1);
        }
        assert!(bench.take().is_empty() && bench.timers(AGAIN_MS).is_empty());
    }

    #[test]
    fn n28_only_answers_of_others_to_this_challenge_count() {
        let mut bench = Bench::new();
        let mut rejoin = rejoining();
        let (me, other) = (bench.me(), bench.other());
        for (from, challenge, height, counts) in [
            (other, CHALLENGE + 1, 1, 0),
            (me, CHALLENGE, 1, 0),
            (public(90), CHALLENGE, 1, 0),
            (other, CHALLENGE, 2, 0),
            (other, CHALLENGE, 1, 1),
            (other, CHALLENGE, 2, 1),
        ] {
            answer(&mut rejoin, &mut bench, from, challenge, height);
            assert_eq!(heard(&rejoin, &bench), counts, "{from:?} {height}");
        }
        let kept: Vec<_> = rejoin.heights.keys().collect();
        assert_eq!(kept, [&other], "strangers fill no memory");
    }

    #[test]
    fn n29_a_guard_is_made_two_heights_on_once_a_quorum_of_others_answered() {
        let mut bench = Bench::new();
        let mut rejoin = rejoining();
        bench.commit(Vec::new());
        let others = bench.others();
        for (other, made) in others.iter().zip([vec![], vec![], vec![4]]) {
            answer(&mut rejoin, &mut bench, *other, CHALLENGE, 2);
            assert_eq!(guards(&mut bench), made);
        }
        answer(&mut rejoin, &mut bench, others[0], CHALLENGE, 2);
        assert!(guards(&mut bench).is_empty(), "once");
        rejoin.ask(&mut bench.cx());
        assert!(bench.take().is_empty(), "nobody need be asked any more");
        assert!(!rejoin.may_sign(4), "the guard is not durable yet");
        rejoin.on_raised(4);
        assert_eq!([3, 4].map(|at| rejoin.may_sign(at)), [false, true]);
    }

    #[test]
    fn n28_a_height_that_is_not_reached_here_counts_once_it_is() {
        let mut bench = Bench::new();
        let mut rejoin = rejoining();
        for (other, height) in bench.others().into_iter().zip([1, 1, 2]) {
            answer(&mut rejoin, &mut bench, other, CHALLENGE, height);
        }
        assert_eq!((heard(&rejoin, &bench), guards(&mut bench)), (2, vec![]));
        bench.commit(Vec::new());
        rejoin.raise_if_proved(&mut bench.cx());
        assert_eq!(guards(&mut bench), [4]);
    }

    #[test]
    fn n30_a_guard_that_nobody_asked_for_lets_nothing_be_signed() {
        let mut rejoin = rejoining();
        rejoin.on_raised(1);
        assert!(!rejoin.may_sign(1));
    }
}
