//! Validators and their sets: thresholds by power, never by count.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Hash, Label, Power, PublicKey, cbor, limits};

/// A member of the committee. Fields stand in canonical order of their names: it is written as a
/// map, so that a genesis reads well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// Signing key; also the key of its network connections.
    pub key: PublicKey,
    /// Voting power, at least 1.
    pub power: Power,
    /// Who runs it. Four validators of one operator are no quorum of anything.
    pub operator: Label,
}

/// A committee: 1 to [`limits::VALIDATORS`] validators, strictly ascending by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

/// Why validators make no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// None, or more than the limit.
    #[error("{0} validators, must be 1 to {max}", max = limits::VALIDATORS)]
    Count(usize),
    /// A key stands twice, or keys are out of order on the wire.
    #[error("validators unsorted or one twice")]
    Order,
    /// A power of zero, or a total above [`limits::TOTAL_POWER`].
    #[error("power is zero or the total exceeds the limit")]
    Power,
}

impl ValidatorSet {
    /// Sorts and checks.
    ///
    /// # Errors
    /// [`ValidatorSetError`] for an empty or oversized set, a repeated key, or a wrong power.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        validators.sort_by_key(|validator| validator.key);
        Self::from_sorted(validators)
    }

    fn from_sorted(validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if validators.is_empty() || validators.len() > limits::VALIDATORS {
            return Err(ValidatorSetError::Count(validators.len()));
        }
        if !validators.is_sorted_by(|a, b| a.key < b.key) {
            return Err(ValidatorSetError::Order);
        }
        let total = validators.iter().try_fold(0, |sum: Power, v| {
            (v.power > 0).then(|| sum.checked_add(v.power)).flatten()
        });
        match total {
            Some(total) if total <= limits::TOTAL_POWER => Ok(Self { validators }),
            _ => Err(ValidatorSetError::Power),
        }
    }

    /// The members, ascending by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Validator> {
        self.validators.iter()
    }

    /// How many members; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// The member with this key.
    pub fn get(&self, key: &PublicKey) -> Option<&Validator> {
        let at = self
            .validators
            .binary_search_by_key(key, |validator| validator.key)
            .ok()?;
        self.validators.get(at)
    }

    /// Power of this key; 0 for a stranger.
    pub fn power(&self, key: &PublicKey) -> Power {
        self.get(key).map_or(0, |validator| validator.power)
    }

    /// Sum of all powers.
    pub fn total(&self) -> Power {
        self.validators
            .iter()
            .map(|validator| validator.power)
            .sum()
    }

    /// Power of the distinct members among `keys`; strangers and repetitions count nothing.
    pub fn power_of<'a>(&self, keys: impl IntoIterator<Item = &'a PublicKey>) -> Power {
        let keys: std::collections::BTreeSet<_> = keys.into_iter().collect();
        keys.into_iter().map(|key| self.power(key)).sum()
    }

    /// More than two thirds of the power (paper: 2f+1).
    pub fn is_quorum(&self, power: Power) -> bool {
        3 * u128::from(power) > 2 * u128::from(self.total())
    }

    /// More than one third of the power (paper: f+1): at least one of them is correct.
    pub fn has_correct(&self, power: Power) -> bool {
        3 * u128::from(power) > u128::from(self.total())
    }

    /// BLAKE3 of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 validator set", &[&cbor::encode(self)])
    }
}

impl<'a> IntoIterator for &'a ValidatorSet {
    type Item = &'a Validator;
    type IntoIter = std::slice::Iter<'a, Validator>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de> Deserialize<'de> for ValidatorSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let validators = Vec::deserialize(deserializer)?;
        Self::from_sorted(validators).map_err(serde::de::Error::custom)
    }
}
