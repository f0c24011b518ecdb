//! Tasks: the work that a requester wants done.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::Owned;
use crate::slots;
use crate::{Amounts, Capabilities, Hash, Label, Price, PublicKey, UnixMillis, cbor, limits};

/// The id of a task: its requester, and the requester's contiguous number from 0.
///
/// It holds nothing of any block, so that no proposer can choose it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize_tuple, Deserialize_tuple)]
pub struct TaskId {
    /// The agent that submitted the task.
    pub requester: PublicKey,
    /// The number of the task among the requester's tasks, from 0.
    pub number: u64,
}

/// The fencing token of a task: the number of its assignments so far (L-16).
///
/// A report or lapse counts only if it names the token in force. A resource outside of the swarm
/// that has seen a token refuses smaller ones, and so an agent that lost its assignment. It is
/// encoded as the bare number.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl FencingToken {
    /// The token of a task before its first assignment.
    pub const ZERO: Self = Self(0);

    /// Returns the token of the assignment before; `None` for [`Self::ZERO`].
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(previous) => Some(Self(previous)),
            None => None,
        }
    }

    /// Returns the token of the next assignment.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

// The bare number here too: the digests of simulated runs take in such text.
impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The specification of a task: the work, the agents that may do it, and the highest price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskSpec {
    /// The name of the market that clears the task.
    pub market: Label,
    /// The labels that the agent must carry and the least amounts that it must have, by
    /// attestation.
    pub requires: Capabilities,
    /// The amounts that the task takes from the agent's budget while it is assigned. Empty means
    /// one of `slots`.
    pub demand: Amounts,
    /// The highest acceptable price; `None` leaves it to the market's reserve price.
    pub max_price: Option<Price>,
    /// The block time from which on the task is no longer assigned.
    pub deadline: Option<UnixMillis>,
    /// The content of the work, which agent and requester understand; opaque to the swarm.
    pub payload: Owned,
}

/// The reason why a specification is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskSpecError {
    /// There are more than [`limits::MAP_ENTRIES`] labels or amounts.
    #[error("more than {max} labels or amounts", max = limits::MAP_ENTRIES)]
    Entries,
    /// An amount is below zero or above [`limits::AMOUNT`].
    #[error("the amount of {dimension} is {value}, but must be 0 to {max}", max = limits::AMOUNT)]
    Amount {
        /// The dimension of the amount.
        dimension: Label,
        /// The value that is out of range.
        value: i64,
    },
    /// A price is below zero or above [`limits::PRICE`].
    #[error("the price is {0}, but must be 0 to {max}", max = limits::PRICE)]
    Price(Price),
    /// The payload is longer than [`limits::TASK_PAYLOAD_BYTES`].
    #[error("the payload has {0} bytes, the limit is {max}", max = limits::TASK_PAYLOAD_BYTES)]
    Payload(usize),
}

impl TaskSpec {
    /// Returns the specification of a task of `market` that any admitted agent may do.
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

    /// Checks all limits.
    ///
    /// # Errors
    /// [`TaskSpecError`], which names the field that is out of its range.
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

    /// Returns the amounts that the task takes from its agent's budget while it is assigned: its
    /// demand, or one slot if it names none (M-9).
    pub fn demand_or_slot(&self) -> Amounts {
        slots::demand_or_slot(&self.demand)
    }

    /// Returns the BLAKE3 hash of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 task", &[&cbor::encode(self)])
    }
}

/// Checks the number of entries and the range of each amount.
///
/// # Errors
/// [`TaskSpecError::Entries`] or [`TaskSpecError::Amount`], for the first amount that is out of
/// range.
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
/// [`TaskSpecError::Price`] if it is out of range.
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

/// The error of a text that is not `REQUESTER/NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a task id: expected 64 hexadecimal digits, a slash and a number")]
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

        // The error quotes no more than the start of a long text.
        let start = || text.chars().take(100).collect();
        parsed.ok_or_else(|| ParseTaskIdError(start()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l16_the_first_assignment_has_token_1_and_each_further_one_the_next_number() {
        let first = FencingToken::ZERO.next();
        assert_eq!((first, first.next()), (FencingToken(1), FencingToken(2)));
        assert_eq!(first.previous(), Some(FencingToken::ZERO));
        assert_eq!(FencingToken::ZERO.previous(), None);

        assert_eq!(cbor::encode(&first), cbor::encode(&1_u64));
        assert_eq!(serde_json::to_string(&first).unwrap(), "1");
        assert_eq!(first.to_string(), "1");
    }
}
