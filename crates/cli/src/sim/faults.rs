//! The profiles of faults that a command line asks for.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use quorate_sim::Profile;
use quorate_sim::adversary::LieKind;

/// The value of `--faults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    /// The same profile for every seed.
    One(Profile),
    /// Another profile for each seed, in turn.
    All,
}

impl Faults {
    /// The profile of this name. Any other name means all profiles.
    pub(super) fn named(name: &str) -> Self {
        let found = Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == name);
        found.map_or(Self::All, Self::One)
    }

    /// The profile of the run with this seed.
    pub(super) fn of_seed(self, seed: u64) -> Profile {
        match self {
            Self::One(profile) => profile,

            // Lies take turns by the seed too. The profile moves on by one with each round of lies,
            // so that every lie meets every profile.
            Self::All => {
                let turn = seed.wrapping_add(seed / LieKind::ALL.len() as u64);
                Profile::ALL[(turn % Profile::ALL.len() as u64) as usize]
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One(profile) => profile.name(),
            Self::All => "all",
        }
    }
}

/// The names of the profiles, and `all`.
pub(super) fn profiles() -> impl TypedValueParser<Value = Faults> {
    let all = PossibleValue::new("all").help("another one of these for each seed, in turn");
    let values =
        Profile::ALL.map(|profile| PossibleValue::new(profile.name()).help(profile.about()));
    PossibleValuesParser::new(values.into_iter().chain([all])).map(|name| Faults::named(&name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_lie_meets_every_profile() {
        let lies = LieKind::ALL.len() as u64;
        let met: BTreeSet<_> = (0..lies * Profile::ALL.len() as u64)
            .map(|seed| (seed % lies, Faults::All.of_seed(seed)))
            .collect();
        assert_eq!(met.len(), LieKind::ALL.len() * Profile::ALL.len());
    }
}
