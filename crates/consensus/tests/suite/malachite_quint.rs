//! The runs of malachite 4e8bb7d, `specs/consensus/quint/tests`, by name. Runs of one process are
//! scripts, and runs of several are networks. The expectations follow from the name of the run and
//! the rules of the paper.

use quorate_consensus::Input;
use quorate_types::{Kind, Round};

use crate::harness::Shows::{self, Powers, Script, Test};
use crate::harness::{Bench, Committee, HEIGHT, block, run_all};
use crate::network::{Network, Policy};

#[test]
fn scenarios_of_malachites_quint_runs() {
    run_all(SCENARIOS);
}

pub const SCENARIOS: &[(&str, Shows)] = &[
    ("AllButOneTest", Test(all_but_one_decide)),
    (
        // Line 28 in the big specification: a re-proposal with the polka of an earlier round.
        "Bigline28Test",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 A by 0 1 2   -> timer 0 prevote, polka 0 A, check A
             timeout 0 prevote      -> precommit 0 nil
             precommit 0 nil by 0 1 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             proposal 1 A pol 0
             valid A                -> prevote 1 A",
        ),
    ),
    (
        "DecideForFutureRoundPrecommitFirstTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 1 B1 by 0
             precommit 1 B1 by 1    -> enter 1, timer 1 propose
             precommit 1 B1 by 2    -> check B1, timer 1 precommit
             proposal 1 B1
             valid B1               -> decide 1 B1",
        ),
    ),
    (
        "DecideFutureRoundTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 1 B1
             valid B1
             precommit 1 B1 by 0
             precommit 1 B1 by 1    -> enter 1, timer 1 propose, prevote 1 B1
             precommit 1 B1 by 2    -> decide 1 B1",
        ),
    ),
    ("DecideNonProposerAtHeight2Test", Test(two_heights_decide)),
    (
        "DecideNonProposerTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 A by 0 1     -> polka 0 A, precommit 0 A
             precommit 0 A by 0 1   -> decide 0 A",
        ),
    ),
    ("DecidingRunTest", Test(everyone_decides)),
    (
        "RoundswitchTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 nil by 0
             precommit 1 nil by 0
             prevote 1 nil by 1     -> enter 1, timer 1 propose",
        ),
    ),
    (
        "TimeoutRunTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 A by 0
             prevote 0 nil by 1     -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             precommit 0 A by 0
             precommit 0 nil by 1   -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose",
        ),
    ),
    (
        "catchUpToHigherRoundAfterHeightChangeTest",
        Test(a_late_height_catches_up),
    ),
    (
        "catchUpToHigherRoundTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 3 nil by 0
             precommit 3 nil by 1   -> enter 3, timer 3 propose, build 3
             timeout 3 propose      -> prevote 3 nil
             prevote 2 nil by 0 1 2
             state                  -> 3 prevote none none",
        ),
    ),
    (
        "decidePastTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 2 nil by 0 1   -> enter 2, timer 2 propose
             precommit 0 A by 0 1 2 -> check A
             valid A                -> decide 0 A",
        ),
    ),
    ("disagreementTest", Test(over_a_third_can_split)),
    ("everyoneIsFastInRound0Test", Test(everyone_decides)),
    (
        "fastProcessesDecidesAtHeight0SlowOneCatchesUpTest",
        Test(a_slow_one_catches_up),
    ),
    ("hiddenTest", Test(a_hidden_lock_is_shown)),
    (
        "line26Test",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             invalid A              -> prevote 0 nil",
        ),
    ),
    (
        "line28Test",
        Script(
            Some(3),
            "locked
             proposal 1 A pol 0     -> prevote 1 A",
        ),
    ),
    (
        "line32InvalidTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 B by 0 1     -> enter 1, timer 1 propose
             polka 0 A by 0 1 2     -> polka 0 A
             proposal 1 A pol 0     -> check A
             invalid A              -> prevote 1 nil, timer 1 prevote",
        ),
    ),
    (
        // It is locked in a later round than that of the polka.
        "line32LockedTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 B1 by 0 1    -> enter 1, timer 1 propose
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 B1, polka 1 B1, precommit 1 B1
             prevote 2 nil by 0 1   -> enter 2, timer 2 propose
             polka 0 A by 0 1 2     -> polka 0 A
             proposal 2 A pol 0     -> check A
             valid A                -> prevote 2 nil, precommit 2 nil
             state                  -> 2 precommit B1@1 B1@1",
        ),
    ),
    (
        "line42Test",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 nil by 0
             prevote 0 A by 1       -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             prevote 0 A by 2       -> polka 0 A
             state                  -> 0 precommit none A@0",
        ),
    ),
    ("multiHeightRunTest", Test(two_heights_decide)),
    ("multiRoundTest", Test(rounds_pass_over_dead_proposers)),
    (
        // By power: 1 of 9 is not more than a third, however many votes it casts.
        "noSkipQuorumMixedVotesSameValTest",
        Powers(
            &[1, 1, 1, 6],
            3,
            "start                  -> enter 0, timer 0 propose
             prevote 1 A by 0
             precommit 1 A by 0
             state                  -> 0 propose none none",
        ),
    ),
    (
        // Two votes of one validator are not two validators.
        "noSkipSmallQuorumMixedVotesSameValTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 A by 0
             precommit 1 A by 0
             state                  -> 0 propose none none",
        ),
    ),
    (
        "oneOneRoundTest",
        Powers(
            &[1],
            0,
            "start                  -> enter 0, timer 0 propose, build 0
             built 0 A              -> propose 0 A, check A
             valid A                -> prevote 0 A, polka 0 A, precommit 0 A, decide 0 A",
        ),
    ),
    (
        "polkaAnyTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 A by 0 1     -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil",
        ),
    ),
    (
        "polkaNilTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 nil by 0 1   -> precommit 0 nil",
        ),
    ),
    (
        // Votes that came before the start count, and take effect with the start.
        "preloadVotekeeperOnlyTest",
        Script(
            Some(3),
            "prevote 0 A by 0 1 2   -> polka 0 A
             precommit 1 nil by 0 1
             state                  -> 0 unstarted none none
             start                  -> enter 0, timer 0 propose, check A, enter 1, timer 1 propose",
        ),
    ),
    (
        "skipQuorumMixedVotesTwoValsTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 A by 0
             precommit 1 B by 1     -> enter 1, timer 1 propose
             prevote 1 B by 2",
        ),
    ),
    (
        // A single vote by more than a third of the power skips, but decides nothing.
        "skipQuorumSinglePrecommitTest",
        Powers(
            &[1, 1, 6, 1],
            3,
            "start                  -> enter 0, timer 0 propose, build 0
             precommit 1 A by 2     -> enter 1, timer 1 propose
             state                  -> 1 propose none none",
        ),
    ),
    (
        "skipQuorumSinglePrevoteTest",
        Powers(
            &[1, 1, 6, 1],
            3,
            "start                  -> enter 0, timer 0 propose, build 0
             prevote 1 A by 2       -> enter 1, timer 1 propose",
        ),
    ),
    (
        "skipSmallQuorumAllPrevotesTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 A by 0
             prevote 1 A by 1       -> enter 1, timer 1 propose",
        ),
    ),
    (
        "skipSmallQuorumMixedVotesTwoValsTest",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 A by 0
             precommit 1 B by 1     -> enter 1, timer 1 propose",
        ),
    ),
    ("slowProcessAtHeight1Test", Test(a_slow_one_catches_up)),
    ("synchronousConsensusTest", Test(everyone_decides)),
];

fn all_but_one_decide() {
    for silent in 0..4 {
        let mut network = Network::new(&[1; 4], HEIGHT, Policy::default().silent(silent));
        network.run_until_decided(&network.running());
        network.assert_agreement();
    }
}

fn everyone_decides() {
    let mut network = Network::new(&[1; 4], HEIGHT, Policy::default());
    network.run_until_decided(&[0, 1, 2, 3]);
    network.assert_agreement();
    assert_eq!(network.decided_round(), Some(0));
}

fn two_heights_decide() {
    for height in [HEIGHT, HEIGHT + 1] {
        let mut network = Network::new(&[1; 4], height, Policy::default());
        network.run_until_decided(&[0, 1, 2, 3]);
        network.assert_agreement();
        let proposer = (height % 4) as usize;
        assert_eq!(network.decided_builder(), Some(proposer));
    }
}

fn rounds_pass_over_dead_proposers() {
    // The proposers of rounds 0 and 1 of a committee of seven are silent.
    let mut network = Network::new(&[1; 7], HEIGHT, Policy::default().silent(0).silent(1));
    network.run_until_decided(&[2, 3, 4, 5, 6]);
    network.assert_agreement();
    assert_eq!(network.decided_round(), Some(2));
}

/// One validator misses all messages, and catches up by [`quorate_consensus::Driver::catch_up`].
fn a_slow_one_catches_up() {
    let mut network = Network::new(&[1; 4], HEIGHT, Policy::default().deaf(3));
    network.run_until_decided(&[0, 1, 2]);
    assert!(!network.is_decided(3));
    network.heal();
    network.run_until_decided(&[0, 1, 2, 3]);
    network.assert_agreement();
}

/// Votes of a later round come before the height begins.
fn a_late_height_catches_up() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run(
        "late",
        "prevote 2 nil by 0
         precommit 2 nil by 1
         start                  -> enter 0, timer 0 propose, enter 2, timer 2 propose
         timeout 0 propose
         timeout 2 propose      -> prevote 2 nil",
    );
}

/// With two of four faulty, both values get a quorum: agreement needs less than a third. A
/// validator that sees both reports it, and both culprits are convicted.
fn over_a_third_can_split() {
    for value in ["A", "B"] {
        let mut bench = Bench::new(&[1; 4], Some(3));
        bench.run("split", "start -> enter 0, timer 0 propose");
        bench.play(&format!("valid {value}"));
        bench.play(&format!("precommit 0 {value} by 0 1 2"));
        assert!(bench.driver.is_decided());
        let other = if value == "A" { "B" } else { "A" };
        let found = bench.play(&format!("commit 0 {other} by 0 1 3"));
        assert_eq!(
            found,
            [
                "evidence 0 0 precommit",
                "evidence 1 0 precommit",
                &format!("contradiction 0 {other}")
            ]
        );
    }
}

/// Only validator 3 saw the polka of round 0. It sends the polka to a peer that is stuck, which can
/// then prevote the re-proposal.
fn a_hidden_lock_is_shown() {
    let mut locked = Bench::new(&[1; 4], Some(3));
    locked.run("locked", "locked");
    let mut peer = Bench::new(&[1; 4], Some(2));
    peer.run(
        "hangs",
        "start                   -> enter 0, timer 0 propose
         proposal 0 A            -> check A
         valid A                 -> prevote 0 A
         precommit 0 nil by 0 1 2 -> timer 0 precommit
         timeout 0 precommit     -> enter 1, timer 1 propose
         proposal 1 A pol 0
         state                   -> 1 propose none none",
    );
    let round: Round = peer.driver.round();
    let help = locked.driver.catch_up(round);
    assert_eq!(help.certificates.len(), 1);
    let set = peer.committee.set.clone();
    for certificate in help.certificates {
        assert!(peer.driver.wants_certificate(&certificate));
        let known = quorate_crypto::verify_quorum(certificate, &set, &|_| false).unwrap();
        let found = peer.feed(Input::Certificate(known));
        assert_eq!(found, ["polka 0 A", "prevote 1 A"]);
    }
    let said = Committee::new(&[1; 4]).statement(Kind::Prevote, 0, Some(block("A")));
    assert!(peer.driver.verified(&peer.committee.sign(0, said)));
}
