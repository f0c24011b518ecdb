//! Tests of [`Candidates`]: each state of a body, and each way from one to another.

use quorate_consensus::{Config, Input};
use quorate_ledger::Ledger;
use quorate_types::{cbor, limits};

use super::*;
use crate::testing::{Bench, Taken, proposal, public};

fn candidates() -> Candidates {
    Candidates::new(TimeoutConfig::default())
}

fn config() -> TimeoutConfig {
    TimeoutConfig::default()
}

/// A driver of the height in progress that has counted the builder's proposal of this block.
fn driver_with_proposal(bench: &Bench, header: &Header) -> Driver {
    let mut driver = driver(bench.ledger());
    driver.handle(Input::Start);
    driver.handle(Input::Statement(proposal(header)));
    driver
}

fn driver(ledger: &Ledger) -> Driver {
    Driver::new(Config {
        swarm: ledger.swarm(),
        height: ledger.height() + 1,
        validators: Arc::clone(ledger.validators()),
        proposers: (**ledger.proposers()).clone(),
        me: None,
    })
}

/// A block with the same builder and another header for each `number`.
fn variant(block: &Block, number: u8) -> Block {
    let mut block = block.clone();
    block.header.state.0[1] = number;
    block
}

fn begin(candidates: &mut Candidates, bench: &mut Bench, from: PublicKey, block: &Block) -> bool {
    candidates.begin(&mut bench.cx(), from, block)
}

fn id_of(block: &Block) -> BlockId {
    block.header.id()
}

/// Takes a body from a peer that is asked for, up to the state `Verified`.
fn verified(bench: &mut Bench, block: &Verified<Block>) -> Candidates {
    let mut candidates = candidates();
    candidates.want(id_of(block));
    let from = bench.other();
    assert!(begin(&mut candidates, bench, from, block));
    assert!(candidates.on_verified(&bench.cx(), block.clone()));
    candidates
}

fn run(bench: &Bench, block: &Verified<Block>) -> Result<Box<Execution>, InvalidBlock> {
    bench.ledger().execute(block).map(Box::new)
}

/// Executes the block and hands the result to the candidates.
fn execute_now(
    candidates: &mut Candidates,
    bench: &mut Bench,
    block: &Verified<Block>,
) -> Option<Executed> {
    let result = run(bench, block);
    candidates.execute(&mut bench.cx(), &id_of(block));
    candidates.on_executed(&mut bench.cx(), &id_of(block), result)
}

/// The bodies that were written to the log.
fn logged(taken: &Taken) -> Vec<BlockId> {
    let writes = taken.writes().into_iter();
    let logged = writes.filter_map(|write| match write {
        Write::Log(_, LogRecord::Block(block)) => Some(id_of(block)),
        _ => None,
    });
    logged.collect()
}

fn accused(candidates: &mut Candidates, bench: &mut Bench, id: &BlockId, driver: &Driver) -> bool {
    candidates.accuse(&mut bench.cx(), id, driver);
    matches!(bench.take().signals[..], [Signal::Accused(_)])
}

// A body arrives.

#[test]
fn an_unasked_body_is_taken_from_its_builder_alone_and_once() {
    let mut bench = Bench::new();
    let mut candidates = candidates();
    let block = bench.next_block();
    let builder = block.header.builder;
    let other = (1..).map(public).find(|key| *key != builder).unwrap();
    assert!(!begin(&mut candidates, &mut bench, other, &block));
    assert!(begin(&mut candidates, &mut bench, builder, &block));
    let body = &candidates.bodies[&id_of(&block)].body;
    assert!(matches!(body, Body::Unverified));
    assert!(!begin(&mut candidates, &mut bench, builder, &block));
    assert_eq!(bench.counters().blocks_dropped, 2);
}

#[test]
fn of_one_builder_two_unasked_bodies_are_kept_and_every_wanted_one() {
    let mut bench = Bench::new();
    let mut candidates = candidates();
    let block = bench.next_block();
    let builder = block.header.builder;
    for (number, taken) in [(1, true), (2, true), (3, false)] {
        let block = variant(&block, number);
        assert_eq!(begin(&mut candidates, &mut bench, builder, &block), taken);
    }
    let wanted = variant(&block, 4);
    candidates.want(id_of(&wanted));
    let anyone = public(90);
    assert!(begin(&mut candidates, &mut bench, anyone, &wanted));
}

#[test]
fn once_so_many_bodies_are_kept_only_wanted_ones_are_taken() {
    let mut bench = Bench::new();
    let mut candidates = candidates();
    let (first, second) = (bench.next_block(), bench.block(public(90), 1));
    for number in 1..=BODIES as u8 {
        let block = variant(&first, number);
        candidates.want(id_of(&block));
        let from = bench.other();
        assert!(begin(&mut candidates, &mut bench, from, &block));
    }
    assert!(!begin(&mut candidates, &mut bench, public(90), &second));
    candidates.want(id_of(&second));
    assert!(begin(&mut candidates, &mut bench, public(90), &second));
}

#[test]
fn another_body_under_a_good_header_does_not_take_its_place() {
    let mut bench = Bench::new();
    let mut candidates = candidates();
    let good = bench.next_block();
    let builder = good.header.builder;
    let mut other = (*good).clone();
    other.operations.push(bench.admission(50).into_inner());
    assert!(!begin(&mut candidates, &mut bench, builder, &other));
    assert_eq!(bench.counters().unauthentic, 1);
    assert!(begin(&mut candidates, &mut bench, builder, &good));
}

#[test]
fn n26_a_body_is_timely_within_a_tolerance_that_widens_with_the_round() {
    let slack = config().timely_ms;
    for (round, late, timely) in [
        (0, slack, true),
        (0, slack + 1, false),
        (1, slack + 1, true),
        (1, 2 * slack + 1, false),
    ] {
        let mut bench = Bench::new();
        let block = bench.block(bench.builder(round), round);
        bench.wait(late);
        let mut candidates = verified(&mut bench, &block);
        let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
        let verdict = executed.verdict.unwrap();
        assert!(verdict.valid);
        assert_eq!(verdict.timely, timely, "round {round}, {late} ms late");
    }
}

#[test]
fn n26_the_delay_of_the_check_does_not_make_a_body_late() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let mut candidates = candidates();
    let builder = block.header.builder;
    assert!(begin(&mut candidates, &mut bench, builder, &block));
    bench.wait(config().timely_ms + 1);
    candidates.on_verified(&bench.cx(), block.clone());
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert!(executed.verdict.unwrap().timely);
}

#[test]
fn a_verified_body_is_judged_now_only_if_it_is_wanted_and_new() {
    let bench = &mut Bench::new();
    let block = bench.next_block();
    let mut unasked = candidates();
    assert!(!unasked.on_verified(&bench.cx(), block.clone()));
    assert!(unasked.body(&id_of(&block)).is_some(), "it is kept anyway");
    let mut wanted = verified(bench, &block);
    assert!(!wanted.on_verified(&bench.cx(), block), "it is known");
}

// The driver wants a block judged.

#[test]
fn a_wanted_block_is_executed_once_its_signatures_hold() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let id = id_of(&block);
    let mut candidates = candidates();
    candidates.want(id);
    candidates.judge(&mut bench.cx(), id);
    assert!(bench.take().is_empty());
    begin(&mut candidates, &mut bench, block.header.builder, &block);
    candidates.judge(&mut bench.cx(), id);
    assert!(bench.take().is_empty(), "its signatures are under check");
    candidates.on_verified(&bench.cx(), block.clone());
    candidates.judge(&mut bench.cx(), id);
    assert_eq!(bench.take().executed(), [id]);
    candidates.judge(&mut bench.cx(), id);
    assert!(bench.take().is_empty(), "it is being executed");
    execute_now(&mut candidates, &mut bench, &block);
    bench.take();
    candidates.judge(&mut bench.cx(), id);
    assert!(bench.take().is_empty(), "it is judged");
}

#[test]
fn a_missing_body_is_asked_for_after_a_pause_and_again() {
    let mut bench = Bench::new();
    let id = id_of(&bench.next_block());
    let mut candidates = candidates();
    candidates.want(id);
    candidates.judge(&mut bench.cx(), id);
    for pause in [config().fetch_ms, config().resend_ms, config().resend_ms] {
        bench.wait(pause - 1);
        candidates.on_fetch(&mut bench.cx());
        assert!(bench.take().is_empty(), "{pause} ms are not over");
        bench.wait(1);
        assert_eq!(bench.timers(0), [Timer::Fetch]);
        candidates.on_fetch(&mut bench.cx());
        let height = bench.height();
        let wanted = PeerMessage::FetchBlock(FetchBlock { height, block: id });
        let sent = [(crate::action::Recipients::All, wanted)];
        assert_eq!(bench.take().sent(), sent);
    }
}

#[test]
fn to_want_a_body_again_does_not_put_off_the_request() {
    let mut bench = Bench::new();
    let id = id_of(&bench.next_block());
    let mut candidates = candidates();
    candidates.judge(&mut bench.cx(), id);
    bench.wait(config().fetch_ms - 1);
    candidates.judge(&mut bench.cx(), id);
    bench.wait(1);
    assert_eq!(bench.timers(0), [Timer::Fetch]);
}

#[test]
fn a_body_that_is_here_is_not_asked_for() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let mut candidates = candidates();
    candidates.want(id_of(&block));
    candidates.judge(&mut bench.cx(), id_of(&block));
    begin(&mut candidates, &mut bench, block.header.builder, &block);
    bench.wait(config().fetch_ms);
    candidates.on_fetch(&mut bench.cx());
    assert!(bench.take().is_empty());
}

#[test]
fn a_newly_wanted_body_does_not_wait_for_the_repetition_of_older_requests() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let [first, second] = [1, 2].map(|number| id_of(&variant(&block, number)));
    let mut candidates = candidates();
    candidates.judge(&mut bench.cx(), first);
    bench.wait(config().fetch_ms);
    assert_eq!(bench.timers(0), [Timer::Fetch]);
    candidates.on_fetch(&mut bench.cx());
    candidates.judge(&mut bench.cx(), second);
    assert_eq!(bench.timers(config().fetch_ms), [Timer::Fetch]);
}

// A block was executed.

#[test]
fn n21_the_body_of_a_valid_block_is_logged_with_its_verdict_and_its_execution_kept() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let id = id_of(&block);
    let mut candidates = verified(&mut bench, &block);
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert_eq!(executed.built, None);
    assert!(executed.verdict.unwrap().valid);
    assert_eq!(logged(&bench.take()), [id]);
    assert!(execute_now(&mut candidates, &mut bench, &block).is_none());
    assert_eq!(candidates.refusal(&id), None);
    assert!(candidates.take_execution(&id).is_some());
    assert!(candidates.take_execution(&id).is_none(), "it is taken out");
    assert!(candidates.body(&id).is_some());
}

#[test]
fn the_result_of_a_block_that_is_not_awaited_changes_nothing() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let mut candidates = candidates();
    assert!(execute_now(&mut candidates, &mut bench, &block).is_none());
    begin(&mut candidates, &mut bench, block.header.builder, &block);
    assert!(execute_now(&mut candidates, &mut bench, &block).is_none());
    assert!(bench.take().is_empty());
}

#[test]
fn n24_the_builder_of_a_bad_block_is_accused_once_its_proposal_is_here() {
    let mut bench = Bench::new();
    let block = bench.bad_block();
    let id = id_of(&block);
    let mut candidates = verified(&mut bench, &block);
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert!(!executed.verdict.unwrap().valid);
    assert!(logged(&bench.take()).is_empty(), "nobody votes for it");
    assert!(candidates.refusal(&id).unwrap().contains("state root"));
    assert_eq!(bench.counters().blocks_invalid, 1);
    let silent = driver(bench.ledger());
    assert!(!accused(&mut candidates, &mut bench, &id, &silent));
    let driver = driver_with_proposal(&bench, &block.header);
    assert!(accused(&mut candidates, &mut bench, &id, &driver));
    assert!(!accused(&mut candidates, &mut bench, &id, &driver), "once");
}

#[test]
fn n24_a_builder_that_stood_on_another_state_is_not_accused() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let id = id_of(&block);
    let mut candidates = verified(&mut bench, &block);
    let elsewhere = Err(InvalidBlock::Swarm);
    candidates.execute(&mut bench.cx(), &id);
    let executed = candidates.on_executed(&mut bench.cx(), &id, elsewhere);
    assert!(!executed.unwrap().verdict.unwrap().valid);
    let driver = driver_with_proposal(&bench, &block.header);
    assert!(!accused(&mut candidates, &mut bench, &id, &driver));
}

#[test]
fn n24_the_builder_of_a_forged_body_is_accused() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let id = id_of(&block);
    let mut candidates = candidates();
    candidates.on_forged(Box::new((*block).clone()));
    assert!(candidates.bodies.is_empty(), "it was never begun");
    begin(&mut candidates, &mut bench, block.header.builder, &block);
    candidates.on_forged(Box::new((*block).clone()));
    assert!(matches!(candidates.bodies[&id].body, Body::Forged(Some(_))));
    assert!(candidates.body(&id).is_none(), "nobody gets it from here");
    candidates.judge(&mut bench.cx(), id);
    assert!(bench.take().is_empty(), "it is not executed");
    let driver = driver_with_proposal(&bench, &block.header);
    assert!(accused(&mut candidates, &mut bench, &id, &driver));
    assert!(!accused(&mut candidates, &mut bench, &id, &driver), "once");
}

#[test]
fn a_body_whose_signatures_held_is_not_taken_for_forged() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let mut candidates = verified(&mut bench, &block);
    candidates.on_forged(Box::new((*block).clone()));
    assert!(candidates.body(&id_of(&block)).is_some());
}

#[test]
fn a_body_that_is_too_long_for_evidence_is_not_kept_for_it() {
    let mut bench = Bench::new();
    let mut long = (*bench.next_block()).clone();
    let one = bench.submission(1, 0).into_inner();
    let count = limits::BAD_BLOCK_BYTES / cbor::encode(&one).len() + 1;
    let mut candidates = candidates();
    begin(&mut candidates, &mut bench, long.header.builder, &long);
    long.operations = vec![one; count];
    let id = id_of(&long);
    candidates.on_forged(Box::new(long));
    assert!(matches!(candidates.bodies[&id].body, Body::Unverified));
}

// Blocks of this node.

#[test]
fn n8_a_block_of_this_node_is_proposed_once_its_execution_is_good() {
    let mut bench = Bench::proposer();
    let block = bench.block(bench.me(), 0);
    let id = id_of(&block);
    let mut candidates = candidates();
    candidates.keep_own(&mut bench.cx(), 0, &Arc::new(block.clone()));
    candidates.log_body(&mut bench.cx(), &id);
    assert_eq!(logged(&bench.take()), [id]);
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert_eq!(executed.built, Some(0));
    let verdict = executed.verdict.unwrap();
    assert!(verdict.valid && verdict.timely);
    assert!(logged(&bench.take()).is_empty(), "it is in the log already");
}

#[test]
fn n8_this_node_neither_proposes_nor_accuses_itself_of_a_block_that_fails() {
    let mut bench = Bench::proposer();
    let block = bench.bad_block();
    let id = id_of(&block);
    assert_eq!(block.header.builder, bench.me());
    let mut candidates = candidates();
    candidates.keep_own(&mut bench.cx(), 0, &Arc::new(block.clone()));
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert_eq!(executed.built, None);
    assert!(!executed.verdict.unwrap().valid);
    let driver = driver_with_proposal(&bench, &block.header);
    assert!(!accused(&mut candidates, &mut bench, &id, &driver));
}

// After a restart.

#[test]
fn n32_a_block_whose_verdict_is_in_the_log_is_executed_but_not_judged_again() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let id = id_of(&block);
    let mut candidates = candidates();
    bench.replay(true);
    candidates.want(id);
    candidates.on_verified(&bench.cx(), block.clone());
    candidates.recover_verdict(&id);
    bench.replay(false);
    assert!(matches!(candidates.bodies[&id].body, Body::Recovered(_)));
    assert!(!candidates.wanted.contains_key(&id));
    candidates.judge(&mut bench.cx(), id);
    assert_eq!(bench.take().executed(), [id]);
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert!(executed.built.is_none() && executed.verdict.is_none());
    assert!(logged(&bench.take()).is_empty());
    assert!(candidates.take_execution(&id).is_some());
}

#[test]
fn n32_a_block_whose_verdict_is_not_in_the_log_is_judged_and_logged_no_second_time() {
    let mut bench = Bench::new();
    let block = bench.next_block();
    let id = id_of(&block);
    let mut candidates = candidates();
    bench.replay(true);
    candidates.want(id);
    candidates.on_verified(&bench.cx(), block.clone());
    bench.replay(false);
    let executed = execute_now(&mut candidates, &mut bench, &block).unwrap();
    assert!(executed.verdict.unwrap().valid);
    assert!(logged(&bench.take()).is_empty());
}
