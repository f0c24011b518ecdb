//! Tasks: what a requester wants done.

use std::fmt;
use std::str::FromStr;

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::Owned;
use crate::{Amounts, Capabilities, Hash, Label, Millis, Price, PublicKey, cbor, limits};

/// Names a task: its requester and the requester's contiguous number, from 0.
///
/// Nothing of any block is in it, so that no proposer can choose it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize_tuple, Deserialize_tuple)]
pub struct TaskId {
    /// Who submitted it.
    pub requester: PublicKey,
    /// Its number among the requester's tasks.
    pub number: u64,
}

/// What is to be done, by whom it may be done, and at what price at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskSpec {
    /// Market that clears it.
    pub market: Label,
    /// Labels the agent must carry and least amounts it must have, by attestation.
    pub requires: Capabilities,
    /// What the task takes from the agent's budget while it is assigned. Empty means one `slots`.
    pub demand: Amounts,
    /// Highest price acceptable; `None` leaves it to the market's reserve price.
    pub max_price: Option<Price>,
    /// Block time (Unix milliseconds) from which on it is no longer assigned.
    pub deadline: Option<Millis>,
    /// What agent and requester understand; opaque to the swarm.
    pub payload: Owned,
}

/// Why a specification is no valid one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskSpecError {
    /// More than [`limits::MAP_ENTRIES`] labels or amounts.
    #[error("more than {max} labels or amounts", max = limits::MAP_ENTRIES)]
    Entries,
    /// An amount below zero or above [`limits::AMOUNT`].
    #[error("{dimension} is {value}, must be 0 to {max}", max = limits::AMOUNT)]
    Amount {
        /// Dimension.
        dimension: Label,
        /// Offending value.
        value: i64,
    },
    /// A price below zero or above [`limits::PRICE`].
    #[error("price {0} is not 0 to {max}", max = limits::PRICE)]
    Price(Price),
    /// More than [`limits::TASK_PAYLOAD_BYTES`].
    #[error("payload of {0} bytes, the limit is {max}", max = limits::TASK_PAYLOAD_BYTES)]
    Payload(usize),
}

impl TaskSpec {
    /// A task of `market` that any admitted agent may do.
    pub fn new(market: Label) -> Self {
        Self {
            market,
            requires: Capabilities::default(),
            demand: Amounts::new(),
            max_price: None,
            deadline: None,
            payload: Owned::default(),
        }
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// [`TaskSpecError`] naming the field that is out of its range.
    pub fn check(&self) -> Result<(), TaskSpecError> {
        check_amounts(&self.requires.amounts)?;
        check_amounts(&self.demand)?;
        if self.requires.labels.len() > limits::MAP_ENTRIES {
            return Err(TaskSpecError::Entries);
        }
        if let Some(price) = self.max_price {
            check_price(price)?;
        }
        if self.payload.0.len() > limits::TASK_PAYLOAD_BYTES {
            return Err(TaskSpecError::Payload(self.payload.0.len()));
        }
        Ok(())
    }

    /// BLAKE3 of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 task", &[&cbor::encode(self)])
    }
}

/// Checks the number of entries and the range of each amount.
///
/// # Errors
/// [`TaskSpecError::Entries`] or [`TaskSpecError::Amount`].
pub fn check_amounts(amounts: &Amounts) -> Result<(), TaskSpecError> {
    if amounts.len() > limits::MAP_ENTRIES {
        return Err(TaskSpecError::Entries);
    }
    match amounts
        .iter()
        .find(|(_, value)| !(0..=limits::AMOUNT).contains(*value))
    {
        Some((dimension, value)) => Err(TaskSpecError::Amount {
            dimension: dimension.clone(),
            value: *value,
        }),
        None => Ok(()),
    }
}

/// Checks the range of a price.
///
/// # Errors
/// [`TaskSpecError::Price`].
pub fn check_price(price: Price) -> Result<(), TaskSpecError> {
    if (0..=limits::PRICE).contains(&price) {
        Ok(())
    } else {
        Err(TaskSpecError::Price(price))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requester, self.number)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requester.short(), self.number)
    }
}

/// A text that is not `REQUESTER/NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no task: expected 64 hexadecimal digits, a slash and a number")]
pub struct ParseTaskIdError(String);

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, ParseTaskIdError> {
        let parts = text.split_once('/');
        let parsed = parts.and_then(|(requester, number)| {
            Some(Self {
                requester: requester.parse().ok()?,
                number: number.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| ParseTaskIdError(text.chars().take(100).collect()))
    }
}
