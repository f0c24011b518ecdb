//! The bounds of a tally: which votes and certificates it keeps and which it drops (N-22). Also the
//! questions that a driver answers before a signature is verified.

use quorate_consensus::evidence::Conflicts;
use quorate_consensus::tally::{ROUNDS_BEHIND, Tally};
use quorate_consensus::{Config, Driver, Input, Output};
use quorate_types::{Kind, Round, Statement, limits};

use crate::harness::{Bench, Committee, HEIGHT, SWARM, block};

fn script(title: &str, script: &str) {
    Bench::new(&[1; 4], Some(3)).run(title, script);
}

/// At the bound everything of a round is kept; one round further behind, only its certificates for
/// blocks.
#[test]
fn a_round_left_far_behind_keeps_the_certificates_of_its_blocks_alone() {
    let committee = Committee::new(&[1; 4]);
    let said =
        |kind, name: &str| committee.statement(kind, 0, (name != "nil").then(|| block(name)));
    let mut tally = Tally::new(committee.set.clone());
    for who in 0..3 {
        tally.add(0, committee.sign(who, said(Kind::Prevote, "A")));
        tally.add(0, committee.sign(who, said(Kind::Precommit, "nil")));
    }
    let whole = |tally: &Tally| {
        let polka = tally
            .certificate(0, Kind::Prevote, Some(block("A")))
            .is_some();
        let nil = tally.certificate(0, Kind::Precommit, None).is_some();
        let any = tally.has_quorum_any(0, Kind::Precommit);
        (polka, nil, any, tally.statements(0).count())
    };
    tally.condense(ROUNDS_BEHIND);
    assert_eq!(whole(&tally), (true, true, true, 6));
    tally.condense(ROUNDS_BEHIND + 1);
    assert_eq!(whole(&tally), (true, false, false, 0));
}

#[test]
fn a_round_without_certificates_leaves_no_trace() {
    let committee = Committee::new(&[1; 4]);
    let mut tally = Tally::new(committee.set.clone());
    for round in 0..20 {
        for name in ["A", "B"] {
            let said = committee.statement(Kind::Prevote, round, Some(block(name)));
            tally.add(20, committee.sign(0, said));
        }
    }
    tally.condense(20 + ROUNDS_BEHIND);
    assert_eq!(
        format!("{tally:?}"),
        format!("{:?}", Tally::new(committee.set.clone()))
    );
}

#[test]
fn single_votes_are_taken_up_to_the_bound_behind() {
    let committee = Committee::new(&[1; 4]);
    let tally = Tally::new(committee.set.clone());
    let vote = committee.sign(0, committee.statement(Kind::Prevote, 3, None));
    for (own, room) in [(3 + ROUNDS_BEHIND, true), (4 + ROUNDS_BEHIND, false)] {
        assert_eq!(tally.has_room(own, &vote), room, "from round {own}");
    }
}

#[test]
fn a_driver_lets_go_as_it_moves_on_but_not_of_what_may_decide() {
    let far: Round = ROUNDS_BEHIND + 6;
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run(
        "far ahead",
        &format!(
            "start                      -> enter 0, timer 0 propose
             prevote 0 A by 0 1 2       -> polka 0 A, check A
             precommit 0 A by 0 1 2     -> timer 0 precommit
             prevote {far} nil by 0 1   -> enter {far}, timer {far} propose"
        ),
    );
    let vote = bench
        .committee
        .statement(Kind::Prevote, 0, Some(block("A")));
    assert!(!bench.driver.verified(&bench.committee.sign(0, vote)));
    bench.run("the verdict comes", "valid A -> decide 0 A");
}

#[test]
fn a_vote_taken_back_for_a_later_far_round_counts_there_no_more() {
    let far = limits::ROUNDS_AHEAD + 50;
    let later = far + 1;
    let mut observer = Bench::new(&[1; 7], None);
    observer.run(
        "four of seven are not a quorum, whoever voted here before",
        &format!(
            "start                      -> enter 0, timer 0 propose
             prevote {far} A by 0 1
             prevote {later} A by 0
             prevote {far} A by 2 3     -> enter {far}, timer {far} propose
             timeout {far} propose
             prevote {far} A by 4
             prevote {far} A by 5       -> polka {far} A, check A, timer {far} prevote"
        ),
    );
}

/// N-6: a certificate is a threshold on its own, even if not all of its votes have room.
#[test]
fn n6_a_certificate_of_a_far_round_counts_without_the_votes_that_had_no_room() {
    let far = limits::ROUNDS_AHEAD + 50;
    let later = far + 1;
    let mut observer = Bench::new(&[1; 4], None);
    observer.run(
        "far polka",
        &format!(
            "start                      -> enter 0, timer 0 propose
             prevote {later} nil by 0
             polka {far} A by 0 1 2     -> polka {far} A, enter {far}, timer {far} propose, check A
             timeout {far} propose      -> timer {far} prevote"
        ),
    );
}

#[test]
fn a_third_certificate_of_one_ballot_is_not_kept() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run(
        "three polkas of one round",
        "start                      -> enter 0, timer 0 propose
         polka 0 A by 0 1 2         -> polka 0 A, check A
         polka 0 B by 0 1 2         -> evidence 0 0 prevote, evidence 1 0 prevote, \
         evidence 2 0 prevote, polka 0 B, check B
         polka 0 C by 0 1 2",
    );
}

#[test]
fn a_slot_convicts_once() {
    let committee = Committee::new(&[1; 4]);
    let vote = |name| committee.sign(0, committee.statement(Kind::Prevote, 0, Some(block(name))));
    let mut conflicts = Conflicts::default();
    let convicts = ["A", "B", "B", "C"].map(|name| conflicts.add(&vote("A"), vote(name)).is_some());
    assert_eq!(convicts, [false, true, false, false]);
}

#[test]
fn of_two_statements_that_contradict_both_are_known_with_their_signatures() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    let signed = |name| {
        let said = bench
            .committee
            .statement(Kind::Prevote, 0, Some(block(name)));
        bench.committee.sign(0, said)
    };
    let [first, second, third] = ["A", "B", "C"].map(signed);
    for statement in [&first, &second, &third] {
        bench.driver.handle(Input::Statement(statement.clone()));
    }
    assert!(bench.driver.verified(&first) && bench.driver.verified(&second));
    assert!(!bench.driver.verified(&third));
    for statement in [first, second] {
        let mut forged = statement.into_inner();
        forged.signature.0[0] ^= 1;
        assert!(
            !bench.driver.verified(&forged),
            "another signature is another statement"
        );
    }
}

#[test]
fn the_latest_of_several_rounds_is_skipped_to() {
    script(
        "before the start",
        "prevote 1 nil by 0 1
         prevote 2 nil by 0
         precommit 2 nil by 1
         start                      -> enter 0, timer 0 propose, enter 2, timer 2 propose",
    );
}

#[test]
fn certificates_that_mean_nothing_here_change_nothing() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    bench.run("start", "start -> enter 0, timer 0 propose");
    let good = bench
        .committee
        .statement(Kind::Prevote, 0, Some(block("A")));
    let foreign = [
        Statement {
            height: HEIGHT + 1,
            ..good.clone()
        },
        Statement {
            swarm: quorate_types::SwarmId([9; 32]),
            ..good.clone()
        },
        Statement {
            kind: Kind::Proposal,
            ..good.clone()
        },
        Statement {
            pol_round: Some(0),
            round: 1,
            ..good.clone()
        },
    ];
    for said in foreign {
        let certificate = bench.committee.certificate(&[0, 1, 2], &said);
        assert!(!bench.driver.wants_certificate(&certificate), "{said:?}");
        assert_eq!(
            bench.driver.handle(Input::Certificate(certificate)),
            [],
            "{said:?}"
        );
    }
    assert_eq!(bench.state(), "0 propose none none");
    assert!(
        bench
            .driver
            .wants_certificate(&bench.committee.certificate(&[0, 1, 2], &good))
    );
}

#[test]
fn a_certificate_is_wanted_until_it_is_held_or_all_is_decided() {
    let mut bench = Bench::new(&[1; 4], Some(3));
    let committee = Committee::new(&[1; 4]);
    let certificate = |kind, name| {
        committee.certificate(&[0, 1, 2], &committee.statement(kind, 0, Some(block(name))))
    };
    let (polka, commit) = (
        certificate(Kind::Prevote, "A"),
        certificate(Kind::Precommit, "A"),
    );
    bench.run("start", "start -> enter 0, timer 0 propose");
    assert!(bench.driver.wants_certificate(&polka));
    bench.run("a polka", "valid A\npolka 0 A by 0 1 2 -> polka 0 A");
    assert!(!bench.driver.wants_certificate(&polka) && bench.driver.wants_certificate(&commit));
    bench.run("a commit", "commit 0 A by 0 1 2 -> decide 0 A");
    assert!(
        !bench
            .driver
            .wants_certificate(&certificate(Kind::Prevote, "B"))
    );
}

#[test]
fn n22_a_prevote_after_the_polka_is_wanted_only_if_it_may_convict() {
    let mut bench = Bench::new(&[1; 5], Some(4));
    let committee = Committee::new(&[1; 5]);
    let prevote = |voter, round| {
        let said = committee.statement(Kind::Prevote, round, Some(block("B")));
        committee.sign(voter, said)
    };
    bench.run("start", "start -> enter 0, timer 0 propose");
    assert!(bench.driver.wants(&prevote(3, 0)));
    bench.run("a polka", "valid A\npolka 0 A by 0 1 2 4 -> polka 0 A");
    assert!(!bench.driver.wants(&prevote(3, 0)), "it adds nothing");
    assert!(bench.driver.wants(&prevote(0, 0)), "it said A before");
    assert!(bench.driver.wants(&prevote(3, 1)), "of another round");
}

#[test]
fn n3_a_proposal_names_a_block() {
    let bench = Bench::new(&[1; 4], Some(3));
    let said = bench.committee.statement(Kind::Proposal, 0, None);
    assert!(!bench.driver.wants(&bench.committee.sign(0, said)));
}

/// A driver with a key that is not a member's only follows, like one without a key.
#[test]
fn the_key_of_a_stranger_signs_and_builds_nothing() {
    let bench = Bench::new(&[1; 4], Some(0));
    let stranger = quorate_crypto::SecretKey::from_seed(&[99; 32]).public_key();
    let mut driver = Driver::new(Config {
        swarm: SWARM,
        height: HEIGHT,
        validators: bench.committee.set.clone(),
        proposers: quorate_types::ProposerSchedule::new(&bench.committee.set, &Default::default()),
        me: Some(stranger),
    });
    driver.handle(Input::Start);
    let timeout = Input::Timeout {
        round: 0,
        step: quorate_consensus::Step::Propose,
    };
    let outputs = driver.handle(timeout);
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Sign(_))),
        "{outputs:?}"
    );
    assert_eq!(driver.step(), quorate_consensus::Step::Prevote);
}
