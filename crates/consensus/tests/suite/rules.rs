//! Tests of clauses of `protocols/consensus.md`. Each is named after its clause.

use quorate_consensus::{Driver, Input, Output};
use quorate_crypto::Verified;
use quorate_types::{Kind, SignedStatement, Statement, limits};

use crate::harness::{Bench, HEIGHT, block};

fn script(title: &str, script: &str) {
    Bench::new(&[1; 4], Some(3)).run(title, script);
}

#[test]
fn n14_a_nil_polka_does_not_unlock() {
    script(
        "N-14",
        "locked
         timeout 1 propose        -> prevote 1 nil
         polka 1 nil by 0 1 2     -> precommit 1 nil
         state                    -> 1 precommit A@0 A@0",
    );
}

#[test]
fn n13_locks_in_prevote_only_but_learns_the_valid_value_later_too() {
    let late = [
        (
            "polka 0 A by 0 1 2   -> evidence 0 0 prevote, evidence 1 0 prevote, polka 0 A",
            "A@0",
        ),
        // Single votes do not make that polka: the first vote of each validator counts (N-5).
        (
            "prevote 0 A by 0 1 2 -> evidence 0 0 prevote, evidence 1 0 prevote",
            "none",
        ),
    ];
    for (line, valid) in late {
        script(
            "late polka",
            &format!(
                "start                    -> enter 0, timer 0 propose
                 valid A
                 timeout 0 propose        -> prevote 0 nil
                 prevote 0 nil by 0
                 prevote 0 B by 1         -> timer 0 prevote
                 timeout 0 prevote        -> precommit 0 nil
                 {line}
                 state                    -> 0 precommit none {valid}"
            ),
        );
    }
    script(
        "late prevote",
        "start                    -> enter 0, timer 0 propose
         proposal 0 A             -> check A
         valid A                  -> prevote 0 A
         prevote 0 A by 0
         prevote 0 nil by 1       -> timer 0 prevote
         timeout 0 prevote        -> precommit 0 nil
         prevote 0 A by 2         -> polka 0 A
         state                    -> 0 precommit none A@0",
    );
    script(
        "late verdict",
        "start                    -> enter 0, timer 0 propose
         timeout 0 propose        -> prevote 0 nil
         prevote 0 A by 0 1 2     -> timer 0 prevote, polka 0 A, check A
         timeout 0 prevote        -> precommit 0 nil
         valid A
         state                    -> 0 precommit none A@0",
    );
    script(
        "of the current round only",
        "start                    -> enter 0, timer 0 propose
         valid A
         prevote 1 nil by 0 1     -> enter 1, timer 1 propose
         timeout 1 propose        -> prevote 1 nil, precommit 1 nil
         polka 0 A by 0 1 2       -> polka 0 A
         state                    -> 1 precommit none none",
    );
}

/// N-8: a re-proposed block keeps its builder; a fresh one is built in its round, by the proposer.
#[test]
fn n11_a_pol_round_lies_before_the_round_and_has_a_polka_for_the_same_block() {
    for pol in [1, 2, 7] {
        script(
            "not before the round",
            &format!(
                "start                    -> enter 0, timer 0 propose
                 prevote 1 nil by 0 1     -> enter 1, timer 1 propose
                 proposal 1 A pol {pol}
                 polka 0 A by 0 1 2       -> polka 0 A
                 valid A
                 state                    -> 1 propose none none"
            ),
        );
    }
    script(
        "polka for another block, then for this one",
        "start                    -> enter 0, timer 0 propose
         precommit 2 nil by 0 1   -> enter 2, timer 2 propose
         polka 0 B by 0 1 2       -> polka 0 B
         proposal 2 A pol 1       -> check A
         valid A
         polka 0 A by 0 1 3       -> evidence 0 0 prevote, evidence 1 0 prevote, polka 0 A
         state                    -> 2 propose none none
         polka 1 A by 0 1 2       -> polka 1 A, prevote 2 A",
    );
    script(
        "a re-proposed block keeps its builder, and need not be timely",
        "start                    -> enter 0, timer 0 propose
         prevote 1 nil by 0 1     -> enter 1, timer 1 propose
         polka 0 A by 0 1 2       -> polka 0 A
         proposal 1 A pol 0       -> check A
         late A                   -> prevote 1 A, timer 1 prevote",
    );
    script(
        "but it must have been the turn of its builder",
        "start                    -> enter 0, timer 0 propose
         prevote 1 nil by 0 1     -> enter 1, timer 1 propose
         polka 0 A by 0 1 2       -> polka 0 A
         proposal 1 A pol 0       -> check A
         foreign A                -> prevote 1 nil, precommit 1 nil",
    );
    for verdict in ["late B1", "foreign B1", "invalid B1"] {
        script(
            "a fresh block must be valid, timely, and by the proposer of its round",
            &format!(
                "start                    -> enter 0, timer 0 propose
                 prevote 1 nil by 0 1     -> enter 1, timer 1 propose
                 proposal 1 B1            -> check B1
                 {verdict}                -> prevote 1 nil, precommit 1 nil"
            ),
        );
    }
    script(
        "a fresh block must be built in its round",
        "start                    -> enter 0, timer 0 propose
         prevote 1 nil by 0 1     -> enter 1, timer 1 propose
         proposal 1 A             -> check A
         valid A                  -> prevote 1 nil, precommit 1 nil",
    );
}

#[test]
fn n18_a_timeout_is_scheduled_once_and_checked_when_it_fires() {
    script(
        "N-18",
        "start                    -> enter 0, timer 0 propose
         timeout 0 prevote
         timeout 0 propose        -> prevote 0 nil
         timeout 0 propose
         prevote 0 A by 0
         prevote 0 nil by 1       -> timer 0 prevote
         prevote 0 B by 2
         polka 0 nil by 0 1 2     -> evidence 0 0 prevote, evidence 2 0 prevote, precommit 0 nil
         timeout 0 prevote
         precommit 0 nil by 0 1   -> timer 0 precommit
         precommit 0 A by 2
         prevote 2 nil by 0 1     -> enter 2, timer 2 propose
         timeout 0 precommit
         timeout 2 precommit
         timeout 1 precommit
         state                    -> 2 propose none none",
    );
}

#[test]
fn n17_round_skip_counts_distinct_senders_of_one_later_round() {
    script(
        "each sender counts once, each round alone, and the current round not at all",
        "start                    -> enter 0, timer 0 propose
         prevote 2 nil by 0
         precommit 2 nil by 0
         prevote 1 nil by 1
         precommit 0 nil by 0 1
         precommit 2 A by 1       -> enter 2, timer 2 propose",
    );
    script(
        "a proposal is not a vote",
        "start                    -> enter 0, timer 0 propose
         proposal 1 B1
         prevote 1 B1 by 0
         state                    -> 0 propose none none",
    );
    script(
        "a decision beats a skip",
        "start                    -> enter 0, timer 0 propose
         valid B1
         commit 1 B1 by 0 1 2     -> decide 1 B1",
    );
}

#[test]
fn n16_decides_on_any_round_of_the_height() {
    for round in [0u32, 1, 2, 5, 9, 70] {
        for verdict_first in [true, false] {
            let mut bench = Bench::new(&[1; 4], Some(3));
            bench.play("start");
            bench.play("prevote 2 nil by 0 1");
            let commit = format!("commit {round} A by 0 1 2");
            let lines = if verdict_first {
                ["valid A", &commit]
            } else {
                [&commit, "valid A"]
            };
            bench.play(lines[0]);
            assert_eq!(
                bench.play(lines[1]).last().unwrap(),
                &format!("decide {round} A")
            );
            assert!(bench.driver.is_decided());
        }
    }
}

#[test]
fn n19_no_rule_hides_another_and_stored_inputs_are_looked_at_again() {
    script(
        "precommits for anything do not hide the nil polka",
        "start                    -> enter 0, timer 0 propose
         prevote 0 nil by 0 1 2
         precommit 0 nil by 0 1 2 -> timer 0 precommit
         timeout 0 propose        -> prevote 0 nil, precommit 0 nil",
    );
    script(
        "all at once",
        "start                    -> enter 0, timer 0 propose
         proposal 1 B1
         valid B1
         prevote 1 B1 by 0
         precommit 1 B1 by 0
         precommit 1 nil by 2     -> enter 1, timer 1 propose, prevote 1 B1
         precommit 1 nil by 1     -> timer 1 precommit
         prevote 1 B1 by 1        -> polka 1 B1, precommit 1 B1",
    );
}

/// N-21 and N-32: a log that is handled again gives the same outputs, and no second block is asked
/// for if one was proposed.
#[test]
fn n32_replay_gives_the_same_and_asks_for_no_new_block() {
    let bench = Bench::new(&[1; 4], Some(0));
    let committee = &bench.committee;
    let own =
        |kind| Input::Statement(committee.sign(0, committee.statement(kind, 0, Some(block("A")))));
    let built = Input::Built {
        round: 0,
        block: block("A"),
    };
    let log = [Input::Start, built, own(Kind::Proposal), own(Kind::Prevote)];
    let expected = [
        vec!["build"],
        vec!["sign"],
        // Its own proposal came back, so the verdict on the block is open.
        vec!["check"],
        vec!["check"],
    ];
    for (length, expected) in (1..=log.len()).zip(expected) {
        let replay = |log: &[Input]| {
            let mut driver = committee.driver(HEIGHT, Some(0));
            let outputs: Vec<_> = log
                .iter()
                .flat_map(|input| driver.handle(input.clone()))
                .collect();
            (outputs, driver)
        };
        let (first, driver) = replay(&log[..length]);
        assert_eq!(first, replay(&log[..length]).0);
        assert_eq!(open(&driver), expected, "after {length} inputs");
    }
}

fn open(driver: &Driver) -> Vec<&'static str> {
    let names = driver
        .unanswered()
        .into_iter()
        .filter_map(|output| match output {
            Output::Build { .. } => Some("build"),
            Output::Check { .. } => Some("check"),
            Output::Sign(_) => Some("sign"),
            Output::Decided(_) => Some("decided"),
            _ => None,
        });
    names.collect()
}

#[test]
fn n32_after_recovery_a_decision_is_told_again() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run(
        "decide",
        "start                    -> enter 0, timer 0 propose
         valid A
         commit 0 A by 0 1 2      -> decide 0 A",
    );
    assert_eq!(open(&bench.driver), ["decided"]);
}

#[test]
fn n20_the_other_proposal_is_accepted_when_a_quorum_names_it() {
    script(
        "by a polka",
        "start                    -> enter 0, timer 0 propose
         proposal 0 A             -> check A
         proposal 0 B             -> evidence 0 0 proposal
         valid A                  -> prevote 0 A
         valid B
         polka 0 B by 0 1 2       -> polka 0 B, precommit 0 B",
    );
    script(
        "by a commit",
        "start                    -> enter 0, timer 0 propose
         proposal 0 A             -> check A
         proposal 0 B             -> evidence 0 0 proposal
         commit 0 B by 0 1 2      -> check B, timer 0 precommit
         valid B                  -> decide 0 B",
    );
    script(
        "bounded",
        "start                    -> enter 0, timer 0 propose
         proposal 0 A             -> check A
         proposal 0 B             -> evidence 0 0 proposal
         proposal 0 C
         proposal 0 D
         proposal 0 A pol 0",
    );
}

#[test]
fn n5_the_first_vote_counts_and_weight_is_never_counted_twice() {
    script(
        "N-5",
        "start                    -> enter 0, timer 0 propose
         proposal 0 A             -> check A
         valid A                  -> prevote 0 A
         prevote 0 A by 0
         prevote 0 nil by 0       -> evidence 0 0 prevote
         prevote 0 A by 0 0 0
         state                    -> 0 prevote none none
         prevote 0 nil by 1 2     -> timer 0 prevote
         timeout 0 prevote        -> precommit 0 nil",
    );
    script(
        "a certificate lets a node go on that saw the other vote",
        "start                    -> enter 0, timer 0 propose
         valid A
         timeout 0 propose        -> prevote 0 nil
         prevote 0 nil by 0
         polka 0 A by 0 1 2       -> evidence 0 0 prevote, polka 0 A, precommit 0 A",
    );
}

#[test]
fn n23_a_peer_that_hangs_is_told_what_it_lacks() {
    // A driver that skipped to round 3 sends a peer in round 0 the votes that let it skip too.
    let mut ahead = Bench::new(&[1; 4], Some(0));
    ahead.run(
        "ahead",
        "start                    -> enter 0, timer 0 propose, build 0
         prevote 3 nil by 1 2     -> enter 3, timer 3 propose
         timeout 3 propose        -> prevote 3 nil, precommit 3 nil",
    );
    let mut behind = Bench::new(&[1; 4], Some(3));
    behind.run("behind", "start -> enter 0, timer 0 propose");
    let help = ahead.driver.catch_up(behind.driver.round());
    for signed in help.statements {
        assert!(behind.driver.wants(&signed));
        behind.feed(Input::Statement(
            quorate_crypto::verify_statement(signed).unwrap(),
        ));
    }
    assert_eq!(behind.driver.round(), 3);

    // Once there is a commit, only the commit is sent.
    let mut done = Bench::new(&[1; 4], Some(3));
    done.run(
        "done",
        "locked\ncommit 0 A by 0 1 2 -> evidence 0 0 precommit, \
         evidence 1 0 precommit, decide 0 A",
    );
    let help = done.driver.catch_up(0);
    assert_eq!((help.certificates.len(), help.statements.len()), (1, 0));
    assert_eq!(help.certificates[0].statement.kind, Kind::Precommit);
}

#[test]
fn n22_statements_of_far_rounds_are_bounded() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run("start", "start -> enter 0, timer 0 propose");
    let vote = |bench: &Bench, who: usize, round| {
        let said = bench.committee.statement(Kind::Prevote, round, None);
        bench.committee.sign(who, said)
    };
    let near = limits::ROUNDS_AHEAD;
    // Up to the bound all rounds are kept, and beyond it only the latest.
    for round in 1..near + 200 {
        let signed = vote(&bench, 0, round);
        assert!(bench.driver.wants(&signed), "round {round}");
        bench.driver.handle(Input::Statement(signed));
    }
    let held = |bench: &Bench, round| bench.driver.verified(&vote(bench, 0, round));
    let kept: Vec<u32> = (1..near + 200)
        .filter(|round| held(&bench, *round))
        .collect();
    assert_eq!(kept, (1..=near).chain([near + 199]).collect::<Vec<_>>());
    assert!(
        !bench.driver.wants(&vote(&bench, 0, near + 50)),
        "an earlier far round"
    );
    // This is enough to skip to the round in which more than a third stands, however far it is.
    let signed = vote(&bench, 1, near + 199);
    bench.driver.handle(Input::Statement(signed));
    assert_eq!(bench.driver.round(), near + 199);
    // Single votes of rounds far behind are no longer taken.
    assert!(!bench.driver.wants(&vote(&bench, 2, 1)));
    assert!(bench.driver.wants(&vote(&bench, 2, near + 198)));
}

#[test]
fn n22_a_proposal_of_a_far_round_is_refused() {
    let bench = Bench::new(&[1; 4], Some(3));
    for (round, wanted) in [
        (limits::ROUNDS_AHEAD, true),
        (limits::ROUNDS_AHEAD + 1, false),
    ] {
        let said = bench
            .committee
            .statement(Kind::Proposal, round, Some(block("A")));
        let proposer = bench.committee.who(&bench.driver.proposer(round));
        let signed: Verified<SignedStatement> = bench.committee.sign(proposer, said.clone());
        assert_eq!(bench.driver.wants(&signed), wanted);
        let other = bench.committee.sign((proposer + 1) % 4, said);
        assert!(!bench.driver.wants(&other), "only its proposer proposes");
    }
}

#[test]
fn once_decided_only_what_convicts_is_wanted() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run(
        "decide",
        "start                    -> enter 0, timer 0 propose
         valid A
         commit 0 A by 0 1 2      -> decide 0 A",
    );
    let said = |block_name: &str| {
        bench
            .committee
            .statement(Kind::Precommit, 0, Some(block(block_name)))
    };
    let wants = |who, said: Statement| bench.driver.wants(&bench.committee.sign(who, said));
    assert!(!wants(3, said("A")) && !wants(0, said("A")));
    assert!(wants(0, said("B")));
    bench.run("convicts", "precommit 0 B by 0 -> evidence 0 0 precommit");
}

#[test]
fn a_follower_signs_and_builds_nothing_but_decides() {
    let mut observer = Bench::new(&[1; 4], None);
    observer.run(
        "observer",
        "start                    -> enter 0, timer 0 propose
         proposal 0 A             -> check A
         valid A
         prevote 0 A by 0 1 2     -> polka 0 A
         precommit 0 A by 0 1 2   -> decide 0 A",
    );
}
