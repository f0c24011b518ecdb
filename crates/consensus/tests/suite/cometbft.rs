//! The scenarios of CometBFT v1.0.1, `internal/consensus/state_test.go`, by name. Each shows what
//! the rules of the paper give here.

use quorate_consensus::Input;
use quorate_types::Kind;

use crate::harness::Shows::{self, Moot, Powers, Script, Test};
use crate::harness::{Bench, Committee, HEIGHT, block, run_all};

#[test]
fn scenarios_of_cometbft() {
    run_all(SCENARIOS);
}

const EXTENSIONS: &str = "votes carry nothing but the statement: there are no vote extensions";
const PARTS: &str = "block bodies travel outside consensus, which sees opaque ids";

pub const SCENARIOS: &[(&str, Shows)] = &[
    (
        "TestStateProposerSelection0",
        Test(proposers_rotate_with_the_height),
    ),
    (
        "TestStateProposerSelection2",
        Test(proposers_rotate_with_the_round),
    ),
    (
        "TestStateEnterProposeNoPrivValidator",
        Script(
            None,
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose
             state                  -> 0 prevote none none",
        ),
    ),
    (
        "TestStateEnterProposeYesPrivValidator",
        Script(
            Some(0),
            "start                  -> enter 0, timer 0 propose, build 0
             built 0 A              -> propose 0 A, check A
             valid A                -> prevote 0 A
             timeout 0 propose",
        ),
    ),
    (
        "TestStateBadProposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             invalid A              -> prevote 0 nil
             prevote 0 nil by 1 2   -> precommit 0 nil
             precommit 0 nil by 1 2 -> timer 0 precommit",
        ),
    ),
    (
        // A block that the ledger refuses for its size is refused like any other.
        "TestStateOversizedBlock",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             prevote 0 A by 0 1 2   -> polka 0 A
             invalid A              -> prevote 0 nil, timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             state                  -> 0 precommit none none",
        ),
    ),
    (
        "TestStateFullRound1",
        Powers(
            &[1],
            0,
            "start                  -> enter 0, timer 0 propose, build 0
             built 0 A              -> propose 0 A, check A
             valid A                -> prevote 0 A, polka 0 A, precommit 0 A, decide 0 A",
        ),
    ),
    (
        "TestStateFullRoundNil",
        Powers(
            &[1],
            0,
            "start                  -> enter 0, timer 0 propose, build 0
             timeout 0 propose      -> prevote 0 nil, precommit 0 nil, timer 0 precommit",
        ),
    ),
    (
        "TestStateFullRound2",
        Powers(
            &[1, 1],
            0,
            "start                  -> enter 0, timer 0 propose, build 0
             built 0 A              -> propose 0 A, check A
             valid A                -> prevote 0 A
             prevote 0 A by 1       -> polka 0 A, precommit 0 A
             precommit 0 A by 1     -> decide 0 A",
        ),
    ),
    (
        "TestStateLock_NoPOL",
        Script(
            Some(3),
            "locked
             timeout 1 propose      -> prevote 1 nil
             prevote 1 B1 by 0 1    -> timer 1 prevote
             timeout 1 prevote      -> precommit 1 nil
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             proposal 2 C2          -> check C2
             valid C2               -> prevote 2 nil
             state                  -> 2 prevote A@0 A@0",
        ),
    ),
    (
        "TestStateLock_POLUpdateLock",
        Script(
            Some(3),
            "locked
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 nil
             prevote 1 B1 by 0 1    -> timer 1 prevote
             prevote 1 B1 by 2      -> polka 1 B1, precommit 1 B1
             state                  -> 1 precommit B1@1 B1@1",
        ),
    ),
    (
        "TestStateLock_POLRelock",
        Script(
            Some(3),
            "locked
             proposal 1 A pol 0     -> prevote 1 A
             prevote 1 A by 0 1     -> polka 1 A, precommit 1 A
             state                  -> 1 precommit A@1 A@1
             precommit 1 A by 0 1   -> decide 1 A",
        ),
    ),
    (
        "TestStateLock_PrevoteNilWhenLockedAndMissProposal",
        Script(
            Some(3),
            "locked
             timeout 1 propose      -> prevote 1 nil
             prevote 1 nil by 0 1   -> precommit 1 nil
             state                  -> 1 precommit A@0 A@0",
        ),
    ),
    (
        "TestStateLock_PrevoteNilWhenLockedAndDifferentProposal",
        Script(
            Some(3),
            "locked
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 nil
             prevote 1 nil by 0 1   -> precommit 1 nil
             state                  -> 1 precommit A@0 A@0",
        ),
    ),
    (
        "TestStateLock_POLDoesNotUnlock",
        Script(
            Some(3),
            "locked
             timeout 1 propose      -> prevote 1 nil
             polka 1 nil by 0 1 2   -> precommit 1 nil
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             proposal 2 C2          -> check C2
             valid C2               -> prevote 2 nil
             state                  -> 2 prevote A@0 A@0",
        ),
    ),
    (
        "TestStateLock_MissingProposalWhenPOLSeenDoesNotUpdateLock",
        Script(
            Some(3),
            "locked
             timeout 1 propose      -> prevote 1 nil
             prevote 1 B1 by 0 1 2  -> timer 1 prevote, polka 1 B1, check B1
             timeout 1 prevote      -> precommit 1 nil
             state                  -> 1 precommit A@0 A@0",
        ),
    ),
    (
        // The proposal is missing, but the verdict on the block is known (crate docs, line 36).
        "TestStateLock_MissingProposalWhenPOLForLockedBlock",
        Script(
            Some(3),
            "locked
             timeout 1 propose      -> prevote 1 nil
             prevote 1 A by 0 1 2   -> timer 1 prevote, polka 1 A, precommit 1 A
             state                  -> 1 precommit A@1 A@1",
        ),
    ),
    (
        "TestState_MissingProposalValidBlockReceivedTimeout",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2   -> polka 0 A, check A
             valid A
             timeout 0 propose      -> prevote 0 nil, precommit 0 A
             state                  -> 0 precommit A@0 A@0",
        ),
    ),
    (
        "TestState_MissingProposalValidBlockReceivedPrecommit",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2   -> polka 0 A, check A
             precommit 0 A by 0 1 2 -> timer 0 precommit
             valid A                -> decide 0 A",
        ),
    ),
    (
        "TestStateLock_DoesNotLockOnOldProposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 nil by 0 1   -> precommit 0 nil
             precommit 0 nil by 0 1 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             proposal 0 A
             polka 0 A by 0 1 2     -> evidence 0 0 prevote, evidence 1 0 prevote, polka 0 A
             state                  -> 1 propose none none
             timeout 1 propose      -> prevote 1 nil
             polka 1 nil by 0 1 2   -> precommit 1 nil
             state                  -> 1 precommit none none",
        ),
    ),
    (
        "TestStateLock_POLSafety1",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 nil by 0 1   -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             precommit 0 nil by 0 1 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 B1
             prevote 1 B1 by 0 1    -> polka 1 B1, precommit 1 B1
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             polka 0 A by 0 1 2     -> evidence 0 0 prevote, evidence 1 0 prevote, polka 0 A
             timeout 2 propose      -> prevote 2 nil
             state                  -> 2 prevote B1@1 B1@1",
        ),
    ),
    (
        // It is locked in round 1 and gets a re-proposal that rests on the polka of round 0.
        "TestStateLock_POLSafety2",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             precommit 0 nil by 0 1 2 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 B1
             prevote 1 B1 by 0 1    -> polka 1 B1, precommit 1 B1
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             polka 0 A by 0 1 2     -> polka 0 A
             proposal 2 A pol 0     -> check A
             valid A                -> prevote 2 nil
             state                  -> 2 prevote B1@1 B1@1",
        ),
    ),
    (
        "TestState_PrevotePOLFromPreviousRound",
        Script(
            Some(3),
            "locked
             proposal 1 B1          -> check B1
             valid B1               -> prevote 1 nil
             prevote 1 nil by 0     
             prevote 1 B1 by 1 2    -> timer 1 prevote
             timeout 1 prevote      -> precommit 1 nil
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose
             proposal 2 B1 pol 1
             polka 1 B1 by 0 1 2    -> evidence 0 1 prevote, polka 1 B1, prevote 2 B1
             state                  -> 2 prevote A@0 A@0",
        ),
    ),
    (
        "TestProposeValidBlock",
        Script(
            Some(2),
            "locked
             timeout 1 propose      -> prevote 1 nil
             prevote 1 nil by 0 1   -> precommit 1 nil
             precommit 1 nil by 0 1 -> timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose, propose 2 A pol 0, prevote 2 A",
        ),
    ),
    (
        "TestSetValidBlockOnDelayedPrevote",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 A by 0
             prevote 0 nil by 1     -> timer 0 prevote
             timeout 0 prevote      -> precommit 0 nil
             state                  -> 0 precommit none none
             prevote 0 A by 2       -> polka 0 A
             state                  -> 0 precommit none A@0",
        ),
    ),
    (
        "TestSetValidBlockOnDelayedProposal",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             timeout 0 propose      -> prevote 0 nil
             prevote 0 A by 0 1 2   -> timer 0 prevote, polka 0 A, check A
             timeout 0 prevote      -> precommit 0 nil
             proposal 0 A
             valid A
             state                  -> 0 precommit none A@0",
        ),
    ),
    (
        "TestProcessProposalAccept",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A",
        ),
    ),
    ("TestExtendVoteCalledWhenEnabled", Moot(EXTENSIONS)),
    (
        "TestVerifyVoteExtensionNotCalledOnAbsentPrecommit",
        Moot(EXTENSIONS),
    ),
    (
        "TestPrepareProposalReceivesVoteExtensions",
        Moot(EXTENSIONS),
    ),
    (
        // Precommits for nil decide nothing. A block is decided once its verdict is there.
        "TestFinalizeBlockCalled",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 0 nil by 0 1 2 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             precommit 1 B1 by 0 1 2 -> check B1, timer 1 precommit
             valid B1               -> decide 1 B1",
        ),
    ),
    ("TestVoteExtensionEnableHeight", Moot(EXTENSIONS)),
    (
        "TestStateDoesntCrashOnInvalidVote",
        Test(invalid_votes_change_nothing),
    ),
    (
        "TestWaitingTimeoutOnNilPolka",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 0 nil by 0 1 2 -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose",
        ),
    ),
    (
        "TestWaitingTimeoutProposeOnNewRound",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             prevote 1 nil by 2
             state                  -> 1 propose none none
             timeout 1 propose      -> prevote 1 nil, precommit 1 nil",
        ),
    ),
    (
        "TestRoundSkipOnNilPolkaFromHigherRound",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 1 nil by 0 1 2 -> enter 1, timer 1 propose, timer 1 precommit
             timeout 1 precommit    -> enter 2, timer 2 propose",
        ),
    ),
    (
        "TestWaitTimeoutProposeOnNilPolkaForTheCurrentRound",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 0 nil by 0 1 2
             state                  -> 0 propose none none
             timeout 0 propose      -> prevote 0 nil, precommit 0 nil",
        ),
    ),
    (
        "TestEmitNewValidBlockEventOnCommitWithoutBlock",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             precommit 0 A by 0 1 2 -> check A, timer 0 precommit
             valid A                -> decide 0 A",
        ),
    ),
    (
        "TestCommitFromPreviousRound",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             prevote 1 nil by 0 1   -> enter 1, timer 1 propose
             precommit 0 A by 0 1 2 -> check A
             valid A                -> decide 0 A",
        ),
    ),
    (
        "TestStartNextHeightCorrectlyAfterTimeout",
        Test(a_height_begins_without_timers),
    ),
    (
        "TestResetTimeoutPrecommitUponNewHeight",
        Test(a_height_begins_without_timers),
    ),
    (
        // It locked a block, went on to the next round, and then learns that the others decided.
        "TestStateHalt1",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A
             prevote 0 A by 0 1     -> polka 0 A, precommit 0 A
             precommit 0 nil by 0
             precommit 0 A by 1     -> timer 0 precommit
             timeout 0 precommit    -> enter 1, timer 1 propose
             precommit 0 A by 2     -> decide 0 A",
        ),
    ),
    ("TestStateOutputsBlockPartsStats", Moot(PARTS)),
    (
        "TestStateOutputVoteStats",
        Moot("peers are scored by the network crate, not by consensus"),
    ),
    ("TestSignSameVoteTwice", Test(one_statement_one_signature)),
    (
        "TestStateTimestamp_ProposalNotMatch",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             late A                 -> prevote 0 nil",
        ),
    ),
    (
        "TestStateTimestamp_ProposalMatch",
        Script(
            Some(3),
            "start                  -> enter 0, timer 0 propose
             proposal 0 A           -> check A
             valid A                -> prevote 0 A",
        ),
    ),
    ("TestReadSerializedBlockFromBlockParts", Moot(PARTS)),
];

/// N-7: validators of equal power take turns in the order of their keys, by height.
fn proposers_rotate_with_the_height() {
    let committee = Committee::new(&[1; 4]);
    for height in HEIGHT..HEIGHT + 9 {
        let proposer = committee.driver(height, None).proposer(0);
        assert_eq!(committee.who(&proposer), (height % 4) as usize);
    }
}

/// N-7: they take turns by round in the same way.
fn proposers_rotate_with_the_round() {
    let driver = Committee::new(&[1; 4]).driver(HEIGHT, None);
    let four: std::collections::BTreeSet<_> = (5..9).map(|round| driver.proposer(round)).collect();
    assert_eq!(four.len(), 4);
    assert_eq!(driver.proposer(1), driver.proposer(5));
}

fn invalid_votes_change_nothing() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run("start", "start -> enter 0, timer 0 propose");
    let good = bench
        .committee
        .statement(Kind::Prevote, 0, Some(block("A")));
    let mut bad = vec![good.clone(); 5];
    bad[0].height += 1;
    bad[1].swarm.0[0] ^= 1;
    bad[2].validators.0[0] ^= 1;
    bad[3].pol_round = Some(0);
    bad[4].round = u32::MAX;
    bad[4].kind = Kind::Proposal;
    for statement in bad {
        for who in 0..4 {
            let signed = bench.committee.sign(who, statement.clone());
            assert!(!bench.driver.wants(&signed));
            assert_eq!(bench.driver.handle(Input::Statement(signed)), []);
        }
    }
    let stranger = quorate_crypto::SecretKey::from_seed(&[99; 32]).sign_statement(good);
    assert!(!bench.driver.wants(&stranger));
    assert_eq!(bench.driver.handle(Input::Statement(stranger)), []);
    bench.run("goes on", "timeout 0 propose -> prevote 0 nil");
}

/// A driver is for one height, so the timers of the height before are not its own.
fn a_height_begins_without_timers() {
    let script = "timeout 0 precommit
                  start             -> enter 0, timer 0 propose
                  timeout 0 precommit
                  timeout 0 prevote
                  timeout 0 propose -> prevote 0 nil";
    Bench::new(&[1; 4], Some(3)).run("new height", script);
}

fn one_statement_one_signature() {
    let committee = Committee::new(&[1; 4]);
    let statement = committee.statement(Kind::Prevote, 0, None);
    assert_eq!(
        committee.sign(3, statement.clone()),
        committee.sign(3, statement)
    );
    let script = "start             -> enter 0, timer 0 propose
                  timeout 0 propose -> prevote 0 nil
                  timeout 0 propose
                  prevote 0 nil by 3";
    Bench::new(&[1; 4], Some(3)).run("signs once", script);
}
