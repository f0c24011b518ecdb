//! The proposer of each turn: a pure function of height, turn, validator set and benched set (N-7).

use std::collections::BTreeSet;

use crate::{Height, Power, PublicKey, Turn, ValidatorSet, limits};

/// The order in which validators propose, each as often as its power says.
///
/// It is a smooth weighted round robin over one period: a validator with twice the power has twice
/// the slots, spread as evenly as whole slots allow. With equal powers it is plain rotation by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposerSchedule {
    slots: Vec<PublicKey>,
}

impl ProposerSchedule {
    /// Returns the schedule of `validators` without the `benched` ones. If all are benched, all of
    /// them propose: somebody has to.
    pub fn new(validators: &ValidatorSet, benched: &BTreeSet<PublicKey>) -> Self {
        let active: Vec<_> = validators
            .iter()
            .filter(|v| !benched.contains(&v.key))
            .collect();

        // Somebody has to propose, even if all are benched.
        let active = if active.is_empty() {
            validators.iter().collect()
        } else {
            active
        };

        let powers: Vec<_> = active.iter().map(|v| v.power).collect();
        let weights = slot_counts(&powers);

        let keys: Vec<_> = active.iter().map(|v| v.key).collect();

        Self {
            slots: smooth(&keys, &weights),
        }
    }

    /// Returns the proposer of a turn: slot `height + turn` of the period.
    pub fn proposer(&self, height: Height, turn: Turn) -> PublicKey {
        let at = height.wrapping_add(u64::from(turn)) % self.slots.len() as u64;
        self.slots[at as usize]
    }
}

/// Returns the slots of each validator in a period: the powers over their common divisor, scaled
/// down to about [`limits::SCHEDULE_SLOTS`] if that would be too many, and never 0.
fn slot_counts(powers: &[Power]) -> Vec<u64> {
    // Only the proportions of the powers matter.
    let divisor = powers.iter().copied().fold(0, gcd).max(1);
    let total: u128 = powers.iter().map(|power| u128::from(power / divisor)).sum();
    let most = u128::from(limits::SCHEDULE_SLOTS);

    powers
        .iter()
        .map(|power| {
            let exact = u128::from(power / divisor);

            let slots = if total <= most {
                exact
            } else {
                exact * most / total
            };

            // A validator with little power has a turn too.
            u64::try_from(slots).unwrap_or(u64::MAX).max(1)
        })
        .collect()
}

/// Spreads the slots. In each step every key gains its weight as credit; the key with the most
/// credit takes the slot, and pays the total weight for it.
fn smooth(keys: &[PublicKey], weights: &[u64]) -> Vec<PublicKey> {
    let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let mut credit = vec![0i128; keys.len()];
    let mut slots = Vec::new();

    for _ in 0..total {
        let mut best = 0;

        for (at, weight) in weights.iter().enumerate() {
            credit[at] += i128::from(*weight);

            // Of equal credits the lesser key is taken, as keys ascend.
            if credit[at] > credit[best] {
                best = at;
            }
        }

        credit[best] -= total;
        slots.push(keys[best]);
    }

    slots
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validator;

    fn set(powers: &[Power]) -> ValidatorSet {
        let validators = powers.iter().enumerate().map(|(at, power)| Validator {
            key: PublicKey([at as u8 + 1; 32]),
            power: *power,
            operator: "op".parse().unwrap(),
        });

        ValidatorSet::new(validators.collect()).unwrap()
    }

    #[test]
    fn equal_powers_rotate_and_round_change_moves_on() {
        let set = set(&[7, 7, 7, 7]);
        let schedule = ProposerSchedule::new(&set, &BTreeSet::new());

        for height in 1..20 {
            let four: BTreeSet<_> = (0..4)
                .map(|round| schedule.proposer(height, round))
                .collect();

            assert_eq!(four.len(), 4);
            assert_eq!(
                schedule.proposer(height, 1),
                schedule.proposer(height + 1, 0)
            );
        }
    }

    #[test]
    fn slots_are_in_proportion_to_power() {
        for powers in [
            vec![1, 2, 3],
            vec![1_000_000_007, 1, 2_000_000_000],
            vec![5],
        ] {
            let set = set(&powers);
            let schedule = ProposerSchedule::new(&set, &BTreeSet::new());
            let total: u128 = powers.iter().map(|p| u128::from(*p)).sum();

            for validator in &set {
                let slots = schedule
                    .slots
                    .iter()
                    .filter(|key| **key == validator.key)
                    .count();

                let share = u128::from(validator.power) * schedule.slots.len() as u128 / total;
                assert!((slots as i128 - share as i128).abs() <= 1 + powers.len() as i128);
            }
        }
    }

    #[test]
    fn benched_validators_are_passed_over_unless_all_are() {
        let set = set(&[1, 1, 1]);
        let first = set.iter().next().unwrap().key;
        let schedule = ProposerSchedule::new(&set, &BTreeSet::from([first]));
        assert!((0..9).all(|height| schedule.proposer(height, 0) != first));

        let all = set.iter().map(|v| v.key).collect();
        assert_eq!(ProposerSchedule::new(&set, &all).slots.len(), 3);
    }
}
