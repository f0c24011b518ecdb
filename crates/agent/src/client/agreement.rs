//! The statements of validators with more than a third of the power: one of them is correct.

use quorate_types::{Power, ValidatorSet};

/// Returns the greatest value that validators with more than a third of the power reach.
pub(super) fn reached_by_a_third<T: Ord>(
    values: impl Iterator<Item = (Power, T)>,
    validators: &ValidatorSet,
) -> Option<T> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(|a, b| b.1.cmp(&a.1));

    let mut power = 0;
    values.into_iter().find_map(|(own, value)| {
        power += own;
        validators.exceeds_one_third(power).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::validators;
    use super::*;

    #[test]
    fn one_validator_of_four_raises_nothing() {
        let set = validators();
        let reached =
            |values: &[u64]| reached_by_a_third(values.iter().map(|value| (1, *value)), &set);

        assert_eq!(reached(&[9]), None);
        assert_eq!(reached(&[9, 5]), Some(5));
        assert_eq!(reached(&[5, 9, 7, 1]), Some(7));
    }
}
