//! Tests of the oracle's counts of power.

use quorate_oracle::{is_quorum, power, total_power};
use quorate_types::{PublicKey, Validator, ValidatorSet};

/// Three validators, with powers of 1, 2 and 3.
fn set() -> ValidatorSet {
    let member = |power: u8| Validator {
        key: PublicKey([power; 32]),
        power: power.into(),
        operator: "op".parse().unwrap(),
    };

    ValidatorSet::new([1, 2, 3].map(member).to_vec()).unwrap()
}

#[test]
fn n5_two_thirds_of_the_power_are_not_a_quorum_but_more_are() {
    let set = set();
    let [one, two, three] = [1, 2, 3].map(|at| PublicKey([at; 32]));

    assert_eq!(total_power(&set), 6);

    // Exactly two thirds.
    assert!(!is_quorum(&set, [&one, &three]));
    assert!(is_quorum(&set, [&two, &three]));
}

#[test]
fn a_key_counts_once_and_a_stranger_not_at_all() {
    let set = set();
    let three = PublicKey([3; 32]);
    let stranger = PublicKey([9; 32]);

    assert_eq!(power(&set, [&three, &three, &stranger]), 3);
}
