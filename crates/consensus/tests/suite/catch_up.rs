//! Catch-up: the messages that a driver sends to a peer which is stuck in a round (N-23).

use quorate_types::{Kind, Round};

use crate::harness::{Bench, name};

/// The messages with which the driver, after `script`, helps a peer in this round: certificates,
/// then statements. Each is shown by kind, round, block and, if it is a statement, signer.
fn help(peer_round: Round, script: &str) -> (Vec<String>, Vec<String>) {
    let mut bench = Bench::new(&[1; 4], Some(3));
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        bench.play(line);
    }
    let help = bench.driver.catch_up(peer_round);
    let kind = |kind: Kind| format!("{kind:?}").to_lowercase();
    let certificates = help
        .certificates
        .iter()
        .map(|certificate| &certificate.statement);
    let certificates =
        certificates.map(|said| format!("{} {} {}", kind(said.kind), said.round, name(said.block)));
    let statements = help.statements.iter().map(|signed| {
        let (said, who) = (&signed.statement, bench.committee.who(&signed.signer));
        format!(
            "{} {} {} by {who}",
            kind(said.kind),
            said.round,
            name(said.block)
        )
    });
    (certificates.collect(), statements.collect())
}

#[test]
fn a_commit_whose_block_is_not_known_yet_is_told_alone() {
    let (certificates, statements) = help(
        0,
        "start
         prevote 0 A by 0 1 2
         precommit 0 A by 0 1 2",
    );
    assert_eq!(
        (certificates, statements),
        (vec!["precommit 0 A".to_owned()], Vec::new())
    );
}

#[test]
fn the_polkas_of_the_peers_round_the_latest_and_the_proposals_are_told() {
    let script = "start
                  polka 0 A by 0 1 2
                  polka 1 A by 0 1 2
                  polka 2 A by 0 1 2
                  polka 3 A by 0 1 2
                  precommit 4 nil by 0 1
                  proposal 4 A pol 1";
    for (peer_round, told) in [
        (0, [0, 1, 3].as_slice()),
        (2, &[1, 2, 3]),
        (3, &[1, 3]),
        (9, &[1, 3]),
    ] {
        let told: Vec<_> = told
            .iter()
            .map(|round| format!("prevote {round} A"))
            .collect();
        assert_eq!(
            help(peer_round, script).0,
            told,
            "to one in round {peer_round}"
        );
    }
}

#[test]
fn the_votes_of_both_rounds_are_told_and_none_twice() {
    let script = "start
                  timeout 0 propose
                  prevote 0 A by 0
                  precommit 0 nil by 1
                  prevote 1 nil by 0
                  prevote 2 nil by 0 1";
    let own = ["prevote 2 nil by 0", "prevote 2 nil by 1"];
    let of_zero = [
        "prevote 0 A by 0",
        "prevote 0 nil by 3",
        "precommit 0 nil by 1",
    ];
    assert_eq!(help(0, script).1, [&of_zero[..], &own].concat());
    assert_eq!(help(2, script).1, own);
    assert_eq!(help(7, script).1, own);
}

/// A vote that a certificate holds is not sent again, but another vote of the same signer is.
#[test]
fn a_certificate_stands_for_its_votes_and_for_no_others() {
    let script = "start
                  prevote 0 nil by 0
                  polka 0 A by 0 1 2
                  prevote 0 nil by 3";
    let (certificates, statements) = help(0, script);
    assert_eq!(certificates, ["prevote 0 A"]);
    assert_eq!(statements, ["prevote 0 nil by 0", "prevote 0 nil by 3"]);
}
