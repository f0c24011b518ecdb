//! Short names, and the maps from names to amounts that make up capabilities and demands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Amounts by dimension (`payload_g`, `range_m`, `slots`), in whole units that the market
/// documents.
pub type Amounts = BTreeMap<Label, i64>;

/// A name of 1 to 32 characters out of `a-z 0-9 _ - .`, for markets, dimensions and capabilities.
///
/// Labels are ordered by length first, then by bytes. This is the order of RFC 8949 section 4.2.1,
/// so a `BTreeMap<Label, _>` is written canonically.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// The error of a text that is not a valid [`Label`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid label: use 1 to 32 of a-z, 0-9, `-`, `_`, `.`")]
pub struct LabelError(pub String);

/// The capabilities of an agent, as an attester confirms them: labels that it carries and amounts
/// that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The labels that say what the agent is: `drone`, `camera`, `venue.xetra`.
    #[serde(default)]
    pub labels: BTreeSet<Label>,
    /// The amounts that the agent has, in whole units: `payload_g`, `range_m`, `slots` (tasks at
    /// one time).
    #[serde(default)]
    pub amounts: Amounts,
}

impl Capabilities {
    /// Returns capabilities without entries. Add some with [`Self::label`] and [`Self::amount`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a label.
    ///
    /// # Errors
    /// [`LabelError`] if `name` is not a valid label.
    pub fn label(mut self, name: &str) -> Result<Self, LabelError> {
        self.labels.insert(name.parse()?);
        Ok(self)
    }

    /// Adds an amount in whole units.
    ///
    /// # Errors
    /// [`LabelError`] if `dimension` is not a valid label.
    pub fn amount(mut self, dimension: &str, value: i64) -> Result<Self, LabelError> {
        self.amounts.insert(dimension.parse()?, value);
        Ok(self)
    }

    /// Returns the amount in `dimension`; 0 if none is attested.
    pub fn get(&self, dimension: &Label) -> i64 {
        self.amounts.get(dimension).copied().unwrap_or(0)
    }
}

impl Label {
    /// Returns the text of the label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        if text.is_empty() || text.len() > limits::LABEL_BYTES || !text.bytes().all(allowed) {
            return Err(LabelError(text.chars().take(64).collect()));
        }
        Ok(Self(text))
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.len(), self.0.as_bytes()).cmp(&(other.0.len(), other.0.as_bytes()))
    }
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
