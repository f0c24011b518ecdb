//! Ranges of seeds, and sets of seeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A range of seeds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seeds {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Seeds {
    /// Parses a range of the form `1..10000`.
    ///
    /// # Errors
    /// If the text does not have this form, the first seed is greater than the last, or the last is
    /// 2^64 - 1. The error says which.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}`: expected A..B, as in 1..10000");
        let (first, last) = text.split_once("..").ok_or_else(form)?;

        let first = first.parse().map_err(|_| form())?;
        let last = last.parse().map_err(|_| form())?;

        // The last seed must leave room for the one after it, by which ranges are joined and
        // counted.
        match first <= last && last < u64::MAX {
            true => Ok(Self { first, last }),
            false => Err(format!(
                "`{text}`: the first seed must be at most the last, and the last at most 2^64 - 2"
            )),
        }
    }

    pub(super) fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

impl std::fmt::Display for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

/// A set of seeds, stored as the ranges that it consists of: `(first, last)`, ascending, with a gap
/// between any two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub(super) struct SeedSet(BTreeMap<u64, u64>);

impl SeedSet {
    pub(super) fn contains(&self, seed: u64) -> bool {
        self.0
            .range(..=seed)
            .next_back()
            .is_some_and(|(_, last)| seed <= *last)
    }

    pub(super) fn insert(&mut self, seed: u64) {
        if self.contains(seed) {
            return;
        }

        // Join the ranges that end right before the seed and begin right after it.
        let after = seed
            .checked_add(1)
            .and_then(|next| self.0.remove(&next))
            .unwrap_or(seed);

        match self.0.range_mut(..seed).next_back() {
            Some((_, last)) if last.checked_add(1) == Some(seed) => *last = after,
            _ => drop(self.0.insert(seed, after)),
        }
    }

    /// The number of `seeds` that are in the set.
    pub(super) fn within(&self, seeds: Seeds) -> u64 {
        let parts = self.0.iter().map(|(first, last)| {
            let first = (*first).max(seeds.first);
            let last = (*last).min(seeds.last);
            (last + 1).saturating_sub(first)
        });

        parts.sum()
    }
}

impl From<Vec<(u64, u64)>> for SeedSet {
    fn from(ranges: Vec<(u64, u64)>) -> Self {
        Self(
            ranges
                .into_iter()
                .filter(|(first, last)| first <= last)
                .collect(),
        )
    }
}

impl From<SeedSet> for Vec<(u64, u64)> {
    fn from(set: SeedSet) -> Self {
        set.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_both_ends() {
        assert_eq!(Seeds::parse("3..5").map(Seeds::count), Ok(3));
        assert_eq!(Seeds::parse("3..3").map(Seeds::count), Ok(1));
        for text in [
            "",
            "3",
            "5..3",
            "..",
            "a..b",
            "-1..3",
            "0..18446744073709551615",
        ] {
            assert!(Seeds::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn neighbours_join() {
        let mut set = SeedSet::default();
        for seed in [1, 3, 2, 7, 9, 3] {
            set.insert(seed);
        }
        assert_eq!(Vec::from(set.clone()), [(1, 3), (7, 7), (9, 9)]);
        set.insert(8);
        assert_eq!(Vec::from(set.clone()), [(1, 3), (7, 9)]);
        assert_eq!((0..11).filter(|seed| set.contains(*seed)).count(), 6);
        assert_eq!(set.within(Seeds { first: 2, last: 7 }), 3);
    }
}
