//! Tests of [`Ordering`] as a whole: when a height begins, and what a node tells and gives its
//! peers.

use quorate_types::Kind;

use super::*;
use crate::action::Recipients;
use crate::testing::{Bench, REQUESTER, Taken, public};

/// Milliseconds after which an idle swarm makes a block anyway.
const IDLE_MS: u64 = 10_000;

fn config() -> TimeoutConfig {
    TimeoutConfig::default()
}

fn ordering(bench: &Bench, voting: Voting) -> Ordering {
    let now = bench.now().monotonic;
    Ordering::new(bench.me(), bench.ledger(), config(), voting, now)
}

fn voting(bench: &Bench) -> Ordering {
    ordering(bench, Voting::From(0))
}

/// The answer to a message that anyone may send.
fn asked(
    ordering: &mut Ordering,
    bench: &mut Bench,
    from: PublicKey,
    message: PeerMessage,
) -> Taken {
    ordering.on_open_message(&mut bench.cx(), from, message);
    bench.take()
}

fn told(
    ordering: &mut Ordering,
    bench: &mut Bench,
    from: PublicKey,
    message: PeerMessage,
) -> Taken {
    ordering.on_member_message(&mut bench.cx(), &Pool::default(), from, message);
    bench.take()
}

fn status(height: Height) -> PeerMessage {
    PeerMessage::Status(PeerStatus { height, round: 0 })
}

/// The height from which decided blocks are served.
fn served(taken: &Taken) -> Option<Height> {
    match taken.writes()[..] {
        [Write::ServeDecided { from, .. }] => Some(*from),
        _ => None,
    }
}

fn decided(bench: &Bench) -> Decided {
    let block = bench.next_block();
    let commit = bench.certificate(Kind::Precommit, &block.header);
    Decided {
        block: block.into_inner(),
        commit: commit.into_inner(),
    }
}

// The course of a height.

#[test]
fn a_height_starts_at_once_if_something_waits() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    assert!(ordering.awaits_reason());
    ordering.await_reason(&mut bench.cx(), true);
    assert!(!ordering.awaits_reason());
    assert!(!bench.take().is_empty());
}

#[test]
fn an_idle_swarm_starts_a_height_after_the_longest_interval() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    ordering.await_reason(&mut bench.cx(), false);
    assert!(ordering.awaits_reason());
    assert!(bench.timers(IDLE_MS - 1).is_empty());
    assert_eq!(bench.timers(IDLE_MS), [Timer::Start]);
    bench.wait(IDLE_MS);
    ordering.await_reason(&mut bench.cx(), false);
    assert!(!ordering.awaits_reason());
}

#[test]
fn a_height_starts_when_the_ledger_is_due_on_the_clock_of_this_process() {
    let mut bench = Bench::new();
    let task = bench.submit_task();
    bench.commit(vec![bench.bid(task)]);
    let due = bench.ledger().next_due().unwrap();
    let wait = due.saturating_since(bench.now().unix);
    assert!(0 < wait && wait < IDLE_MS);
    let mut ordering = voting(&bench);
    ordering.await_reason(&mut bench.cx(), false);
    assert!(bench.timers(wait - 1).is_empty());
    assert_eq!(bench.timers(wait), [Timer::Start]);
}

#[test]
fn n33_after_a_brought_height_the_next_is_asked_for_soon() {
    for brought in [false, true] {
        let mut bench = Bench::new();
        let mut ordering = voting(&bench);
        if brought {
            ordering.height.start_brought(&mut bench.cx());
        } else {
            ordering.height.start(&mut bench.cx());
        }
        let past = bench.commit(Vec::new());
        ordering.begin_next(&mut bench.cx(), past.commit);
        let timers = bench.timers(config().resend_ms);
        assert_eq!(timers.contains(&Timer::Resend), brought);
        let of_old = |timer: &Timer| matches!(timer, Timer::Step(..) | Timer::Fetch);
        assert!(!timers.iter().any(of_old));
    }
}

#[test]
fn n29_the_key_signs_from_the_height_of_the_guard_on() {
    let mut bench = Bench::new();
    let mut ordering = ordering(&bench, Voting::From(2));
    assert!(!ordering.may_sign());
    let past = bench.commit(Vec::new());
    ordering.begin_next(&mut bench.cx(), past.commit);
    assert!(ordering.may_sign());
}

#[test]
fn messages_that_came_early_are_handled_when_their_height_begins() {
    let mut bench = Bench::new();
    let mut ahead = Bench::new();
    let mut ordering = voting(&bench);
    let past = ahead.commit(Vec::new());
    let (from, block) = (ahead.builder(0), ahead.next_block().into_inner());
    let vote = ahead.statement(2, Kind::Prevote, None).into_inner();
    for message in [
        PeerMessage::Block(Box::new(block)),
        PeerMessage::Statement(vote),
    ] {
        assert!(told(&mut ordering, &mut bench, from, message).is_empty());
    }
    bench.commit(Vec::new());
    ordering.begin_next(&mut bench.cx(), past.commit);
    ordering.take_early(&mut bench.cx(), &Pool::default());
    let taken = bench.take();
    assert!(matches!(
        taken.work()[..],
        [Work::Block(..), Work::Statement(..)]
    ));
}

// Decided blocks of peers.

#[test]
fn n34_a_decided_block_of_a_later_height_is_checked_when_that_height_begins() {
    let mut bench = Bench::new();
    let mut ahead = Bench::new();
    let mut ordering = voting(&bench);
    let past = ahead.commit(Vec::new());
    let from = bench.other();
    let message = PeerMessage::Decided(Box::new(decided(&ahead)));
    assert!(told(&mut ordering, &mut bench, from, message).is_empty());
    bench.commit(Vec::new());
    ordering.begin_next(&mut bench.cx(), past.commit);
    ordering.take_early(&mut bench.cx(), &Pool::default());
    let taken = bench.take();
    assert!(matches!(taken.work()[..], [Work::Decided(..)]));
    let more = PeerMessage::FetchDecided(FetchDecided { from: 3 });
    assert_eq!(taken.sent(), [(Recipients::One(from), more)]);
}

#[test]
fn one_brought_decision_is_enough_for_a_height() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    let (first, second) = (bench.others()[0], bench.others()[1]);
    let decided = decided(&bench);
    let message = PeerMessage::Decided(Box::new(decided));
    let checked = told(&mut ordering, &mut bench, first, message.clone());
    assert_eq!(checked.work().len(), 1);
    let block = bench.next_block();
    let commit = bench.certificate(Kind::Precommit, &block.header);
    ordering.on_verified_decided(&mut bench.cx(), first, block, commit);
    bench.take();
    assert!(told(&mut ordering, &mut bench, second, message).is_empty());
    assert_eq!(bench.counters().blocks_dropped, 0, "it is no lie");
}

// Peers are told and given something.

#[test]
fn n23_without_progress_the_height_and_the_own_statements_are_repeated() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    ordering.await_reason(&mut bench.cx(), true);
    let own = bench.statement(1, Kind::Prevote, None);
    let other = bench.statement(2, Kind::Prevote, None);
    ordering.on_result(&mut bench.cx(), Event::SignedStatement(own.clone()));
    ordering.on_result(&mut bench.cx(), Event::Statement(other));
    bench.take();
    for _ in 0..2 {
        bench.wait(config().resend_ms);
        assert!(bench.timers(0).contains(&Timer::Resend));
        ordering.on_resend_timer(&mut bench.cx());
        let messages = [status(1), PeerMessage::Statement((*own).clone())];
        let sent = messages.map(|message| (Recipients::All, message));
        assert_eq!(bench.take().sent(), sent);
    }
}

#[test]
fn n23_a_height_that_nobody_started_is_told_once() {
    let mut bench = Bench::new();
    let ordering = voting(&bench);
    ordering.on_resend_timer(&mut bench.cx());
    assert_eq!(bench.take().sent(), [(Recipients::All, status(1))]);
    assert!(bench.timers(config().resend_ms).is_empty());
}

#[test]
fn n23_a_peer_behind_gets_decided_blocks_and_one_ahead_is_asked_for_them() {
    let mut bench = Bench::new();
    bench.commit(Vec::new());
    bench.commit(Vec::new());
    let mut ordering = voting(&bench);
    let (behind, ahead) = (bench.others()[0], bench.others()[1]);
    let taken = asked(&mut ordering, &mut bench, behind, status(2));
    assert_eq!(served(&taken), Some(2));
    let taken = asked(&mut ordering, &mut bench, ahead, status(9));
    let wanted = PeerMessage::FetchDecided(FetchDecided { from: 3 });
    assert_eq!(taken.sent(), [(Recipients::One(ahead), wanted)]);
    let again = asked(&mut ordering, &mut bench, ahead, status(9));
    assert!(again.is_empty(), "once in a pause");
}

#[test]
fn n23_a_peer_at_the_same_height_gets_what_it_lacks() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    let peer = bench.other();
    let vote = bench.statement(2, Kind::Prevote, None);
    ordering.on_result(&mut bench.cx(), Event::Statement(vote.clone()));
    bench.take();
    let taken = asked(&mut ordering, &mut bench, peer, status(1));
    let message = PeerMessage::Statement(vote.into_inner());
    assert_eq!(taken.sent(), [(Recipients::One(peer), message)]);
}

#[test]
fn only_decided_heights_are_served() {
    for (from, is_served) in [(0, false), (1, true), (2, false)] {
        let mut bench = Bench::new();
        bench.commit(Vec::new());
        let mut ordering = voting(&bench);
        let peer = bench.other();
        let wanted = PeerMessage::FetchDecided(FetchDecided { from });
        let taken = asked(&mut ordering, &mut bench, peer, wanted);
        assert_eq!(served(&taken), is_served.then_some(from));
    }
}

#[test]
fn a_body_is_given_once_its_signatures_hold_and_once_in_a_pause() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    let (peer, block) = (bench.other(), bench.next_block());
    let wanted = |height| {
        let block = block.header.id();
        PeerMessage::FetchBlock(FetchBlock { height, block })
    };
    assert!(asked(&mut ordering, &mut bench, peer, wanted(1)).is_empty());
    ordering.on_result(&mut bench.cx(), Event::Block(Box::new(block.clone())));
    assert!(asked(&mut ordering, &mut bench, peer, wanted(2)).is_empty());
    let body = PeerMessage::Block(Box::new((*block).clone()));
    let given = asked(&mut ordering, &mut bench, peer, wanted(1));
    assert_eq!(given.sent(), [(Recipients::One(peer), body)]);
    assert!(asked(&mut ordering, &mut bench, peer, wanted(1)).is_empty());
}

#[test]
fn n28_a_validator_answers_from_the_height_of_its_guard_on() {
    let locate = PeerMessage::Locate(Locate { challenge: 5 });
    for (voting, answers) in [
        (Voting::From(1), true),
        (Voting::From(2), false),
        (Voting::Rejoining { challenge: 9 }, false),
    ] {
        let mut bench = Bench::new();
        let mut ordering = ordering(&bench, voting);
        let lost = bench.other();
        let taken = asked(&mut ordering, &mut bench, lost, locate.clone());
        let located = PeerMessage::Located(Located {
            challenge: 5,
            height: 1,
        });
        let expected = answers.then_some((Recipients::One(lost), located));
        assert_eq!(taken.sent(), Vec::from_iter(expected), "{voting:?}");
        let again = asked(&mut ordering, &mut bench, lost, locate.clone());
        assert!(again.is_empty(), "once in a pause");
    }
}

#[test]
fn a_peer_that_connects_is_told_where_this_node_is() {
    let mut bench = Bench::new();
    bench.commit(vec![bench.admission(REQUESTER)]);
    let ordering = voting(&bench);
    ordering.on_connected(&mut bench.cx(), public(90));
    let sent = [(Recipients::One(public(90)), status(2))];
    assert_eq!(bench.take().sent(), sent);
}

// An earlier run.

#[test]
fn n31_a_body_in_the_log_whose_signature_does_not_hold_is_refused() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    let mut block = bench.next_block().into_inner();
    let mut forged = bench.admission(REQUESTER).into_inner();
    forged.alter(|parts| parts.signature.0[0] ^= 1);
    block.operations.push(forged);
    let record = LogRecord::Block(Box::new(block));
    let result = ordering.replay(&mut bench.cx(), &Pool::default(), 4, record);
    assert_eq!(result, Err(RecoverError::Unauthentic(4)));
}

#[test]
fn n32_after_a_restart_in_the_middle_of_a_height_the_others_are_told() {
    let mut bench = Bench::new();
    let mut ordering = voting(&bench);
    bench.replay(true);
    let record = LogRecord::Start(0);
    let replayed = ordering.replay(&mut bench.cx(), &Pool::default(), 0, record);
    assert_eq!(replayed, Ok(()));
    bench.replay(false);
    ordering.resume(&mut bench.cx());
    assert!(bench.take().sent().contains(&(Recipients::All, status(1))));
}

#[test]
fn n28_a_node_without_its_guard_asks_when_it_begins_to_run() {
    let mut bench = Bench::new();
    let challenge = 5;
    let mut ordering = ordering(&bench, Voting::Rejoining { challenge });
    ordering.resume(&mut bench.cx());
    let question = PeerMessage::Locate(Locate { challenge });
    assert_eq!(bench.take().sent(), [(Recipients::All, question)]);
}
