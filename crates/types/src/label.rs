//! Short names, and the maps from names to amounts that capabilities and demands are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Amounts by dimension (`payload_g`, `range_m`, `slots`), in whole units the market documents.
pub type Amounts = BTreeMap<Label, i64>;

/// A name of 1 to 32 characters out of `a-z 0-9 _ - .`, for markets, dimensions and capabilities.
///
/// Ordered by length first, then by bytes: the order of RFC 8949 section 4.2.1, so that a
/// `BTreeMap<Label, _>` is written canonically.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// A text that is no [`Label`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no label: 1 to 32 characters out of a-z 0-9 _ - .")]
pub struct LabelError(pub String);

/// What an agent can do, as an attester confirms it: names it carries and amounts it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Things it is: `drone`, `camera`, `venue.xetra`.
    #[serde(default)]
    pub labels: BTreeSet<Label>,
    /// Things it has, in whole units: `payload_g`, `range_m`, `slots` (tasks at one time).
    #[serde(default)]
    pub amounts: Amounts,
}

impl Capabilities {
    /// None yet; add with [`Self::label`] and [`Self::amount`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a label.
    ///
    /// # Errors
    /// [`LabelError`] where `name` is none.
    pub fn label(mut self, name: &str) -> Result<Self, LabelError> {
        self.labels.insert(name.parse()?);
        Ok(self)
    }

    /// Adds an amount in whole units.
    ///
    /// # Errors
    /// [`LabelError`] where `dimension` is none.
    pub fn amount(mut self, dimension: &str, value: i64) -> Result<Self, LabelError> {
        self.amounts.insert(dimension.parse()?, value);
        Ok(self)
    }

    /// The amount in `dimension`; 0 where none is attested.
    pub fn get(&self, dimension: &Label) -> i64 {
        self.amounts.get(dimension).copied().unwrap_or(0)
    }
}

impl Label {
    /// The text.
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
