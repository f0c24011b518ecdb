//! Validators and their sets. Thresholds are by power, never by count.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Hash, Label, Power, PublicKey, cbor, limits};

/// A member of the committee. The fields stand in the canonical order of their names: it is encoded
/// as a map, so that a genesis reads well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// The signing key, which is also the key of its network connections.
    pub key: PublicKey,
    /// The voting power, at least 1.
    pub power: Power,
    /// The operator that runs it. Auditors count distinct operators: four validators of one
    /// operator count once.
    pub operator: Label,
}

/// A committee: 1 to [`limits::VALIDATORS`] validators, strictly ascending by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

/// The reason why validators do not make a valid set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// There is no validator, or more than the limit.
    #[error("there are {0} validators, but there must be 1 to {max}", max = limits::VALIDATORS)]
    Count(usize),
    /// A key stands twice, or keys are out of order on the wire.
    #[error("the validators are unsorted, or one is listed twice")]
    Order,
    /// A power is zero, or the total is above [`limits::TOTAL_POWER`].
    #[error("the power of a validator is zero, or the total is above 2^60")]
    Power,
}

impl ValidatorSet {
    /// Sorts validators into a set, and checks it.
    ///
    /// # Errors
    /// [`ValidatorSetError`] if the set is empty or too large, a key is repeated, or a power is
    /// wrong.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        validators.sort_by_key(|validator| validator.key);
        Self::from_sorted(validators)
    }

    fn from_sorted(validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if validators.is_empty() || validators.len() > limits::VALIDATORS {
            return Err(ValidatorSetError::Count(validators.len()));
        }

        // A strict order also rules out repeated keys.
        if !validators.is_sorted_by(|a, b| a.key < b.key) {
            return Err(ValidatorSetError::Order);
        }

        // Checked sums, so that powers cannot wrap around to a small total.
        let total = validators
            .iter()
            .try_fold(0, |sum: Power, validator| match validator.power {
                0 => None,
                power => sum.checked_add(power),
            });

        match total {
            Some(total) if total <= limits::TOTAL_POWER => Ok(Self { validators }),
            _ => Err(ValidatorSetError::Power),
        }
    }

    /// Returns the members, ascending by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Validator> {
        self.validators.iter()
    }

    /// Returns the number of members, which is never 0.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// Returns the member with this key, if there is one.
    pub fn get(&self, key: &PublicKey) -> Option<&Validator> {
        let at = self
            .validators
            .binary_search_by_key(key, |validator| validator.key)
            .ok()?;
        self.validators.get(at)
    }

    /// Returns the power of this key; 0 for a stranger.
    pub fn power(&self, key: &PublicKey) -> Power {
        self.get(key).map_or(0, |validator| validator.power)
    }

    /// Returns the sum of all powers.
    pub fn total(&self) -> Power {
        self.validators
            .iter()
            .map(|validator| validator.power)
            .sum()
    }

    /// Returns the power of the distinct members among `keys`. Strangers and repetitions count
    /// nothing.
    pub fn power_of<'a>(&self, keys: impl IntoIterator<Item = &'a PublicKey>) -> Power {
        let keys: std::collections::BTreeSet<_> = keys.into_iter().collect();
        keys.into_iter().map(|key| self.power(key)).sum()
    }

    /// Returns whether `power` is more than two thirds of the total (paper: 2f+1).
    pub fn is_quorum(&self, power: Power) -> bool {
        3 * u128::from(power) > 2 * u128::from(self.total())
    }

    /// Returns whether `power` is more than one third of the total (paper: f+1). Then at least one
    /// of the validators that hold it is correct.
    pub fn exceeds_one_third(&self, power: Power) -> bool {
        3 * u128::from(power) > u128::from(self.total())
    }

    /// Returns the BLAKE3 hash of the canonical encoding.
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
