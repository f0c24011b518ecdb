//! Laws over random schedules: agreement always, a decision once the network has healed, one
//! statement per slot, evidence only against the guilty.

use proptest::prelude::*;
use quorate_types::Power;

use crate::harness::HEIGHT;
use crate::network::{Network, Policy};

const COMMITTEES: &[&[Power]] = &[&[1; 4], &[3, 3, 3, 2], &[1; 7]];

fn policy() -> impl Strategy<Value = Policy> {
    (any::<u64>(), 0u64..60, 0u64..30).prop_map(|(seed, lost, repeated)| Policy {
        seed,
        lost,
        repeated,
        disorder: true,
        ..Policy::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        max_shrink_iters: 10,
        ..ProptestConfig::default()
    })]

    #[test]
    fn all_agree_and_decide_once_healed(
        policy in policy(),
        committee in 0..COMMITTEES.len(),
        turns in 0usize..1500,
    ) {
        let mut network = Network::new(COMMITTEES[committee], HEIGHT, policy);
        network.run(turns);
        network.heal();
        network.run_until_decided(&network.running());
        network.assert_agreement();
        prop_assert!(network.convicted.is_empty());
    }

    #[test]
    fn one_byzantine_validator_changes_nothing(
        policy in policy(),
        committee in 0..COMMITTEES.len(),
        liar in 0usize..4,
        turns in 0usize..1500,
    ) {
        let mut network = Network::new(COMMITTEES[committee], HEIGHT, policy.byzantine(liar));
        network.run(turns);
        network.heal();
        network.run_until_decided(&network.running());
        network.assert_agreement();
    }

    #[test]
    fn one_dead_validator_changes_nothing(
        policy in policy(),
        dead in 0usize..4,
        turns in 0usize..1500,
    ) {
        let mut network = Network::new(&[1; 4], HEIGHT, policy.silent(dead));
        network.run(turns);
        network.heal();
        network.run_until_decided(&network.running());
        network.assert_agreement();
    }
}

/// With two of four gone nothing is decided, and no law is broken.
#[test]
fn without_a_quorum_nothing_is_decided() {
    let policy = Policy {
        disorder: true,
        seed: 3,
        ..Policy::default()
    }
    .silent(0)
    .silent(1);
    let mut network = Network::new(&[1; 4], HEIGHT, policy);
    network.run(2000);
    assert!(!network.is_decided(2) && !network.is_decided(3));
}

#[test]
fn committees_of_four_and_seven_decide_height_after_height() {
    for powers in [&[1; 4][..], &[1; 7][..]] {
        for height in HEIGHT..HEIGHT + 60 {
            let mut network = Network::new(powers, height, Policy::default());
            network.run_until_decided(&network.running());
            network.assert_agreement();
            assert_eq!(network.decided_round(), Some(0), "height {height}");
        }
    }
}
