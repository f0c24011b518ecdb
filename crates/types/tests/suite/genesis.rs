//! The genesis as a TOML file, its swarm id, and the rules that a valid genesis keeps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::values;
use proptest::prelude::*;
use quorate_types::genesis::GenesisError;
use quorate_types::{Genesis, Label, limits};

/// A genesis file as `quorate init` writes it and a person may have edited it.
const TEXT: &str = r#"
version = 1
name = "bridges"
created = 1767225600000
admission = "attestation"

[parameters]
max_step_ms = 5000
max_block_interval_ms = 10000

[[markets]]
name = "drones"
mechanism = "assignment"
window_ms = 500
lease_ms = 30000
attempts = 3
reserve = 10000

[[markets]]
name = "parcels"
mechanism = "first-price"
window_ms = 200
lease_ms = 30000
attempts = 1
trusted = true

[[attesters]]
key = "1111111111111111111111111111111111111111111111111111111111111111"
name = "agency"

[[validators]]
key = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
power = 2
operator = "south"

[[validators]]
key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
power = 1
operator = "north"
"#;

const SWARM: &str = "5aa32e94245ea64a5ce1a4dd19dc959fd467006f814bf47c348b4fb7924280f1";

fn genesis() -> Genesis {
    toml::from_str(TEXT).unwrap()
}

#[test]
fn the_file_names_the_swarm() {
    assert_eq!(genesis().check(), Ok(()));
    assert_eq!(genesis().swarm_id().to_string(), SWARM);
}

#[test]
fn comments_and_order_of_the_file_do_not_matter() {
    let written = toml::to_string(&genesis()).unwrap();
    let again: Genesis = toml::from_str(&format!("# a comment\n{written}")).unwrap();
    assert_eq!(again, genesis());
    assert_eq!(again.swarm_id(), genesis().swarm_id());
}

#[test]
fn each_rule_of_a_genesis() {
    let drones: Label = "drones".parse().unwrap();
    let broken = |change: &dyn Fn(&mut Genesis)| {
        let mut genesis = genesis();
        change(&mut genesis);
        genesis.check().err()
    };
    assert_eq!(broken(&|_| ()), None);
    assert_eq!(
        broken(&|genesis| genesis.version = 2),
        Some(GenesisError::Version(2))
    );
    assert_eq!(
        broken(&|genesis| genesis.markets.reverse()),
        Some(GenesisError::Markets)
    );
    let twice = |genesis: &mut Genesis| genesis.attesters.push(genesis.attesters[0].clone());
    assert_eq!(broken(&twice), Some(GenesisError::Attesters));
    let many = |genesis: &mut Genesis| genesis.markets = vec![genesis.markets[0].clone(); 33];
    assert_eq!(broken(&many), Some(GenesisError::Markets));
    let market = Some(GenesisError::Market(drones));
    assert_eq!(broken(&|genesis| genesis.markets[0].attempts = 0), market);
    assert_eq!(broken(&|genesis| genesis.markets[0].lease_ms = 0), market);
    assert_eq!(broken(&|genesis| genesis.markets[0].window_ms = 0), market);
    assert_eq!(
        broken(&|genesis| genesis.markets[0].reserve = Some(-1)),
        market
    );
    assert_eq!(
        broken(&|genesis| genesis.markets[0].reserve = Some(limits::PRICE + 1)),
        market
    );
    let parameters = Some(GenesisError::Parameters);
    assert_eq!(
        broken(&|genesis| genesis.parameters.max_step_ms = 0),
        parameters
    );
    assert_eq!(
        broken(&|genesis| genesis.parameters.max_block_interval_ms = 1 << 40),
        parameters
    );
}

#[test]
fn what_is_not_known_is_refused() {
    for (from, to) in [
        ("[parameters]", "colour = 3\n[parameters]"),
        ("power = 1", "power = 1\nweight = 2"),
        ("power = 1", "power = 0"),
        ("power = 1", "power = -1"),
        ("\"assignment\"", "\"A Lottery\""),
        ("name = \"drones\"", "name = \"Drones\""),
        ("key = \"1111", "key = \"111"),
        // With this key the validators no longer ascend.
        ("key = \"8139", "key = \"9139"),
    ] {
        let text = TEXT.replacen(from, to, 1);
        assert!(toml::from_str::<Genesis>(&text).is_err(), "{to}");
    }
}

#[test]
fn every_field_is_in_the_swarm_id() {
    let base = genesis().swarm_id();
    let changes: [&dyn Fn(&mut Genesis); 8] = [
        &|genesis| genesis.name = "other".parse().unwrap(),
        &|genesis| genesis.created += 1,
        &|genesis| genesis.markets[0].trusted = true,
        &|genesis| genesis.markets[1].reserve = Some(0),
        &|genesis| genesis.admission = quorate_types::genesis::Admission::Closed,
        &|genesis| genesis.attesters.clear(),
        &|genesis| genesis.parameters.max_step_ms += 1,
        &|genesis| genesis.version = 2,
    ];
    for change in changes {
        let mut genesis = genesis();
        change(&mut genesis);
        assert_ne!(genesis.swarm_id(), base);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// C-8: TOML and back gives the same genesis, and so the same swarm id.
    #[test]
    fn c8_toml_round_trips(genesis in values::genesis()) {
        let text = toml::to_string(&genesis).unwrap();
        let again: Genesis = toml::from_str(&text).unwrap();
        prop_assert_eq!(again.swarm_id(), genesis.swarm_id());
        prop_assert_eq!(again, genesis);
    }
}
