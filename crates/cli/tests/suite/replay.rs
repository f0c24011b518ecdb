//! Tests the exit codes and the JSON of `quorate audit replay` on auctions that a ledger decided.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../../ledger/tests/suite/common/mod.rs"]
mod world;

use std::path::Path;

use crate::program::{run, text};
use quorate_certificate::{Certificate, Dossier};
use quorate_crypto::merkle;
use quorate_types::outcome::ClearingInput;
use quorate_types::*;
use serde_json::Value;
use tempfile::TempDir;
use world::*;

/// A change that a lying committee makes to each of its assignments.
type Lie = fn(&mut outcome::Assignment);
/// A change that a lying committee makes to the record of a clearing.
type Change = fn(&mut outcome::ClearingRecord);

/// A clearing of two tasks, and the block under which it is certified.
struct Auction {
    world: World,
    block: Block,
    outcomes: Vec<Outcome>,
    dossier: Dossier,
}

impl Auction {
    /// Runs an auction by this mechanism: three bids on each of two tasks, one of them excluded.
    fn new(mechanism: &str) -> Self {
        let genesis = Genesis {
            markets: vec![market("drones", mechanism, true)],
            ..genesis()
        };
        let mut world = World::with(genesis);
        world.admit(50, Capabilities::new());
        (1..=3).for_each(|number| drop(world.admit(number, drone(2))));
        world.step();
        let tasks = world.submit(vec![spec("drones"); 2]);
        world.step();
        for (number, prices) in [(1, [100, 200]), (2, [110, 190]), (3, [120, 5_000])] {
            let offers = [(tasks[0], prices[0]), (tasks[1], prices[1])];
            world.bid_under(number, "drones", slots(2), &offers);
        }
        loop {
            let (block, _) = world.propose_at(world.ledger.block_time() + STEP, 0);
            let committed = world.decide(block.clone());
            if let [dossier] = &committed.dossiers[..] {
                let (record, inputs) = (dossier.record.clone(), dossier.inputs.clone());
                let (block, outcomes) = (block.into_inner(), committed.outcomes);
                return Self {
                    world,
                    block,
                    outcomes,
                    dossier: Dossier { record, inputs },
                };
            }
        }
    }

    /// Certifies all outcomes, as a committee would that signs whatever they say.
    fn certificates(&self) -> Vec<Certificate> {
        let leaves: Vec<_> = self.outcomes.iter().map(cbor::encode).collect();
        let mut block = self.block.clone();
        block.header.outcomes = merkle::root(&leaves);
        let commit = self.world.commit_of(&block);
        Certificate::assemble_all(&block.header, commit.certificate(), &self.outcomes, &[]).unwrap()
    }

    /// Makes the committee lie in its assignments.
    fn lie(mut self, change: Lie) -> Self {
        for outcome in &mut self.outcomes {
            if let Outcome::Assignment(assignment) = outcome {
                change(assignment);
            }
        }
        self
    }

    /// Makes the committee certify another record, and name it in every assignment.
    fn record(mut self, change: Change) -> Self {
        change(&mut self.dossier.record);
        let hash = self.dossier.record.hash();
        for outcome in &mut self.outcomes {
            match outcome {
                Outcome::Assignment(assignment) => assignment.clearing = hash,
                Outcome::Clearing(record) => *record = self.dossier.record.clone(),
                _ => {}
            }
        }
        self
    }
}

/// A folder with `genesis.toml`, certificates and dossiers.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new(auction: &Auction) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let genesis = toml::to_string(auction.world.ledger.genesis_info()).unwrap();
        desk.write("genesis.toml", genesis.as_bytes());
        desk.keep("kept", auction);
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Writes the certificates and the dossier of an auction into a folder.
    fn keep(&self, folder: &str, auction: &Auction) {
        for (at, certificate) in auction.certificates().iter().enumerate() {
            let kind = match &certificate.outcome {
                Outcome::Assignment(_) => "award",
                Outcome::Clearing(_) => "clearing",
                _ => "other",
            };
            self.write(
                &format!("{folder}/{kind}s/{at}.cbor"),
                &certificate.encode(),
            );
        }
        self.write(&format!("{folder}/it.dossier"), &auction.dossier.encode());
    }

    fn replay(&self, arguments: &[&str]) -> Option<i32> {
        let all = [&["audit", "replay", "--trust", "genesis.toml"], arguments].concat();
        run(self.path(), &all).status.code()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let all = [
            &["audit", "replay", "--trust", "genesis.toml", "--json"],
            arguments,
        ]
        .concat();
        serde_json::from_str(&text(&run(self.path(), &all).stdout)).unwrap()
    }

    /// Returns the exit code, the reasons of the auctions that do not agree, and the number of
    /// wrong assignments.
    fn findings(&self, arguments: &[&str]) -> (Option<i32>, Vec<String>, usize) {
        let said = self.json(arguments);
        let auctions = said["auctions"].as_array().unwrap().iter();
        let reasons = auctions.filter_map(|auction| Some(auction["reason"].as_str()?.to_owned()));
        let mismatches = said["mismatches"].as_array().unwrap().len();
        assert!(!said["not_checked"].as_array().unwrap().is_empty());
        (self.replay(arguments), reasons.collect(), mismatches)
    }
}

#[test]
fn every_auction_agrees() {
    for mechanism in ["first-price", "second-price", "assignment", "vcg", "mcafee"] {
        let desk = Desk::new(&Auction::new(mechanism));
        let said = desk.json(&["kept"]);
        assert_eq!(
            (&said["verdict"], &said["replayed"]),
            (&"verified".into(), &1.into())
        );
        let auction = &said["auctions"][0];
        assert_eq!(
            (&auction["mechanism"], &auction["bids"]),
            (&mechanism.into(), &6.into())
        );
        assert_eq!(
            auction["compared"], auction["assigned"],
            "{mechanism}: {auction}"
        );
        assert_eq!(
            (&auction["solutions"], &auction["solution"]),
            (&0.into(), &Value::Null)
        );
        assert_eq!(desk.replay(&["kept"]), Some(0), "{mechanism}");
    }
}

/// C-17: the record is certified by its own certificate or by one of an assignment that names it.
#[test]
fn one_certificate_of_the_clearing_is_enough() {
    let desk = Desk::new(&Auction::new("first-price"));
    for certificates in ["kept/awards", "kept/clearings"] {
        assert_eq!(
            desk.findings(&["kept/it.dossier", certificates]),
            (Some(0), vec![], 0)
        );
    }
}

/// C-17: a dossier that fails is refused with the name of the first broken rule.
#[test]
fn each_way_to_fail_is_named() {
    let auction = Auction::new("second-price");
    let desk = Desk::new(&auction);
    let mut short = auction.dossier.clone();
    let loses =
        |input: &ClearingInput| matches!(input, ClearingInput::Bid(bid) if bid.price == Some(120));
    short.inputs.retain(|input| !loses(input));
    desk.write("short.dossier", &short.encode());
    let mut cheaper = auction.dossier.clone();
    for input in &mut cheaper.inputs {
        if let ClearingInput::Bid(bid) = input {
            bid.price = bid.price.map(|price| price - 1);
        }
    }
    desk.write("cheaper.dossier", &cheaper.encode());
    desk.write("torn.dossier", &auction.dossier.encode()[..99]);
    desk.write(
        "other.dossier",
        &Auction::new("first-price").dossier.encode(),
    );
    let cases: [(&[&str], i32, &[&str]); 7] = [
        (&["short.dossier", "kept/awards"], 1, &["dossier_root"]),
        (&["cheaper.dossier", "kept/awards"], 1, &["dossier_root"]),
        (
            &["torn.dossier", "kept/awards"],
            1,
            &["malformed_dossier", "missing_dossier"],
        ),
        (
            &["other.dossier", "kept/awards"],
            1,
            &["uncertified_dossier", "missing_dossier"],
        ),
        (&["kept/it.dossier"], 1, &["uncertified_dossier"]),
        (&["kept/awards"], 3, &["missing_dossier"]),
        (&["kept/clearings"], 3, &["missing_dossier"]),
    ];
    for (arguments, code, reasons) in cases {
        let (ended, found, mismatches) = desk.findings(arguments);
        assert_eq!((ended, mismatches), (Some(code), 0), "{arguments:?}");
        assert_eq!(found, reasons, "{arguments:?}");
    }
}

/// C-18 and C-19: an audit finds results that a quorum certified and the auction does not give.
#[test]
fn a_committee_that_lies_is_found_out() {
    let loser = |of: &mut outcome::Assignment| of.agent = key(3).public_key();
    let table: [(&str, Lie); 3] = [
        ("another winner", loser),
        ("another price", |of| of.price -= 1),
        ("another charge", |of| of.charge += 1),
    ];
    for (what, lie) in table {
        let desk = Desk::new(&Auction::new("vcg").lie(lie));
        assert_eq!(desk.findings(&["kept"]), (Some(1), vec![], 2), "{what}");
    }
    let desk = Desk::new(&Auction::new("vcg").record(|record| record.total += 1));
    assert_eq!(
        desk.findings(&["kept"]),
        (Some(1), vec!["replayed_total".to_owned()], 0)
    );
}

#[test]
fn another_rule_or_another_version_of_it_does_not_agree() {
    let table: [(Change, i32, &str); 3] = [
        (|record| record.mechanism = label("vcg"), 1, "market_rule"),
        (|record| record.version = 9, 3, "unknown_mechanism_version"),
        (
            |record| record.solution = Some(OperationId([7; 32])),
            1,
            "replayed_solution",
        ),
    ];
    for (change, code, reason) in table {
        let desk = Desk::new(&Auction::new("first-price").record(change));
        assert_eq!(
            desk.findings(&["kept"]),
            (Some(code), vec![reason.to_owned()], 0)
        );
    }
}

#[test]
fn certificates_are_verified_as_by_verify() {
    let auction = Auction::new("first-price");
    let desk = Desk::new(&auction);
    let mut forged = auction.certificates()[0].encode();
    *forged.last_mut().unwrap() ^= 1;
    desk.write("forged.cbor", &forged);
    assert_eq!(desk.replay(&["kept", "forged.cbor"]), Some(1));
    assert_eq!(desk.replay(&["forged.cbor"]), Some(1));
    let said = desk.json(&["kept", "forged.cbor"]);
    assert_eq!(said["refused"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&said["verdict"], &said["replayed"]),
        (&"not_authentic".into(), &1.into())
    );
    // All validators of this swarm belong to one operator.
    assert_eq!(
        desk.findings(&["kept", "--min-operators", "2"]),
        (Some(2), vec![], 0)
    );
    // Dossiers are not certificates: `verify` skips them in folders, and refuses them as arguments.
    let verify = |file| {
        let arguments = ["audit", "verify", "--trust", "genesis.toml", file];
        run(desk.path(), &arguments).status.code()
    };
    assert_eq!(
        (verify("kept"), verify("kept/it.dossier")),
        (Some(0), Some(4))
    );
}

#[test]
fn nothing_to_replay_is_no_success() {
    let desk = Desk::new(&Auction::new("first-price"));
    std::fs::create_dir(desk.path().join("empty")).unwrap();
    for arguments in [&["kept/others"][..], &["empty"], &["nowhere"]] {
        assert_eq!(desk.replay(arguments), Some(4), "{arguments:?}");
    }
}

/// C-20: replay lists the things that it leaves open, and those do not include the auction itself.
#[test]
fn it_says_what_it_did_for_people() {
    let desk = Desk::new(&Auction::new("first-price"));
    let output = run(
        desk.path(),
        &["audit", "replay", "kept", "--trust", "genesis.toml"],
    );
    let said = text(&output.stdout);
    for part in [
        "by first-price 1: 2 tasks, 6 bids, 1 of them excluded",
        "1 of 1 auctions agree",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        said.contains("whether excluded bids were rightly excluded"),
        "{said}"
    );
    assert!(
        !said.contains("whether the auction was run right"),
        "{said}"
    );
}
