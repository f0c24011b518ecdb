//! A driver that handles its log again (N-21 and N-32) asks for nothing twice and forgets nothing
//! that is still open.

use crate::harness::Bench;

fn script(me: usize, title: &str, script: &str) {
    Bench::new(&[1; 4], Some(me)).run(title, script);
}

#[test]
fn what_the_log_says_was_signed_is_not_signed_again() {
    script(
        0,
        "a proposal",
        "proposal 0 A
         start                      -> enter 0, timer 0 propose, check A",
    );
    script(
        3,
        "a prevote",
        "prevote 0 A by 3
         start                      -> enter 0, timer 0 propose
         timeout 0 propose
         state                      -> 0 prevote none none",
    );
    script(
        3,
        "a precommit",
        "precommit 0 nil by 3
         start                      -> enter 0, timer 0 propose
         timeout 0 propose          -> prevote 0 nil
         prevote 0 nil by 0 1
         state                      -> 0 precommit none none",
    );
}

#[test]
fn a_height_starts_once() {
    script(
        3,
        "two starts",
        "start                      -> enter 0, timer 0 propose
         start
         prevote 1 nil by 0 1       -> enter 1, timer 1 propose
         start
         state                      -> 1 propose none none",
    );
}

#[test]
fn a_block_is_taken_from_the_proposer_of_its_round_alone() {
    script(
        0,
        "built for another round",
        "start                      -> enter 0, timer 0 propose, build 0
         built 1 B1
         built 0 A                  -> propose 0 A, check A
         built 0 B",
    );
    script(
        3,
        "built by a follower",
        "start                      -> enter 0, timer 0 propose
         built 0 A",
    );
}

#[test]
fn what_is_unanswered_is_what_is_open() {
    let stages = [
        ("", ""),
        ("start -> enter 0, timer 0 propose", "timer 0 propose"),
        ("proposal 0 A -> check A", "check A, timer 0 propose"),
        (
            "precommit 0 nil by 0 1 2 -> timer 0 precommit",
            "check A, timer 0 propose, timer 0 precommit",
        ),
        ("valid A -> prevote 0 A", "timer 0 precommit"),
        ("prevote 0 nil by 0", "timer 0 precommit"),
        (
            "prevote 0 B by 1 -> timer 0 prevote",
            "timer 0 prevote, timer 0 precommit",
        ),
        ("timeout 0 prevote -> precommit 0 nil", "timer 0 precommit"),
        (
            "commit 0 A by 0 1 2 -> evidence 0 0 precommit, evidence 1 0 precommit, \
          evidence 2 0 precommit, decide 0 A",
            "decide 0 A",
        ),
    ];
    let mut bench = Bench::new(&[1; 4], Some(3));
    for (line, open) in stages {
        bench.run("stage", line);
        assert_eq!(bench.unanswered().join(", "), open, "after `{line}`");
    }
}

#[test]
fn a_block_to_build_is_open_for_its_proposer_until_it_proposed() {
    let mut bench = Bench::new(&[1; 4], Some(0));
    bench.run("start", "start -> enter 0, timer 0 propose, build 0");
    assert_eq!(bench.unanswered(), ["build 0", "timer 0 propose"]);
    bench.run("built", "built 0 A -> propose 0 A, check A");
    assert_eq!(bench.unanswered(), ["check A", "timer 0 propose"]);
}
