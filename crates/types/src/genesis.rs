//! The genesis: what a swarm starts from, readable by a person, hashed into the swarm id.
//!
//! Fields stand in the canonical order of their names (shorter first, then by bytes), so that the
//! one definition serves the TOML file a person reads and the CBOR that is hashed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Hash, Label, Millis, PROTOCOL_VERSION, Price, PublicKey, SwarmId, ValidatorSet, cbor, limits,
};

/// What every member of a swarm starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// For people; not unique.
    pub name: Label,
    /// Unix milliseconds: the block time of height 0.
    pub created: Millis,
    /// Markets, ascending by name.
    pub markets: Vec<Market>,
    /// [`PROTOCOL_VERSION`].
    pub version: u8,
    /// Who may become an agent.
    pub admission: Admission,
    /// Who may attest capabilities, ascending by key.
    pub attesters: Vec<Attester>,
    /// Numbers all members agree on.
    pub parameters: Parameters,
    /// The first committee.
    pub validators: ValidatorSet,
}

/// Who may become an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Whoever holds an attestation of one of the attesters.
    Attestation,
    /// Nobody beyond the validators and attesters.
    Closed,
}

/// A key whose word on capabilities counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attester {
    /// Key.
    pub key: PublicKey,
    /// For people.
    pub name: Label,
}

/// A named rule by which tasks find agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Name that tasks refer to.
    pub name: Label,
    /// Highest price paid for any task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Price>,
    /// Closes by time alone: fewer than a third of the power could then keep a bid out.
    #[serde(default)]
    pub trusted: bool,
    /// Assignments a task may have before it fails; at least 1.
    pub attempts: u64,
    /// Active milliseconds without a heartbeat after which an assignment may lapse.
    pub lease_ms: Millis,
    /// Solutions from outside are taken for at least so many active milliseconds before a clearing,
    /// where the mechanism knows what to do with them. `None`: none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solve_ms: Option<Millis>,
    /// Name of the mechanism. Which names there are is known to `quorate-market` alone.
    pub mechanism: Label,
    /// Bids are sealed: commitments first, which are opened for at least so many active
    /// milliseconds once no more are taken. `None`: bids are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal_ms: Option<Millis>,
    /// Active milliseconds that bids are collected for, at least.
    pub window_ms: Millis,
}

/// What a window of a market takes; one stage after another, in this order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bids, or commitments to them.
    #[default]
    Bids,
    /// Openings of these commitments.
    Openings,
    /// Solutions: who should win what.
    Solutions,
}

/// Numbers all members agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Most active milliseconds that one block adds.
    pub max_step_ms: Millis,
    /// Milliseconds after which an idle swarm makes a block all the same.
    pub max_block_interval_ms: Millis,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            max_step_ms: 5_000,
            max_block_interval_ms: 10_000,
        }
    }
}

/// Why a genesis is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Another version of the protocol.
    #[error("version is {0}, this program speaks {PROTOCOL_VERSION}")]
    Version(u8),
    /// Too many markets, or two of one name, or out of order.
    #[error("markets: at most {max}, ascending by name", max = limits::MARKETS)]
    Markets,
    /// Too many attesters, or two of one key, or out of order.
    #[error("attesters: at most {max}, ascending by key", max = limits::ATTESTERS)]
    Attesters,
    /// A key is both attester and validator, or a number is out of range.
    #[error("market `{0}`: attempts and times must be at least 1, reserve within the price limit")]
    Market(Label),
    /// A market by a mechanism that this program does not have. Not for [`Genesis::check`] to say:
    /// whoever only verifies certificates needs no mechanism.
    #[error("market `{market}`: this program has no mechanism `{mechanism}`")]
    Mechanism {
        /// Market.
        market: Label,
        /// What it names.
        mechanism: Label,
    },
    /// A market takes solutions, but its mechanism does not know them.
    #[error("market `{market}`: `{mechanism}` takes no solutions; leave `solve_ms` out")]
    Solutions {
        /// Market.
        market: Label,
        /// Its mechanism.
        mechanism: Label,
    },
    /// A parameter is out of its range.
    #[error("parameters: each must be 1 to 3600000 milliseconds")]
    Parameters,
    /// More than [`limits::GENESIS_BYTES`].
    #[error("{0} bytes in canonical form, the limit is {max}", max = limits::GENESIS_BYTES)]
    TooLong(usize),
}

impl Genesis {
    /// Checks every rule that the types do not express.
    ///
    /// # Errors
    /// [`GenesisError`] naming the field.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.version != PROTOCOL_VERSION {
            return Err(GenesisError::Version(self.version));
        }
        let ordered = self.markets.is_sorted_by(|a, b| a.name < b.name);
        if !ordered || self.markets.len() > limits::MARKETS {
            return Err(GenesisError::Markets);
        }
        let ordered = self.attesters.is_sorted_by(|a, b| a.key < b.key);
        if !ordered || self.attesters.len() > limits::ATTESTERS {
            return Err(GenesisError::Attesters);
        }
        if let Some(market) = self.markets.iter().find(|market| !market.is_valid()) {
            return Err(GenesisError::Market(market.name.clone()));
        }
        let range = 1..=3_600_000;
        let parameters = &self.parameters;
        if !range.contains(&parameters.max_step_ms)
            || !range.contains(&parameters.max_block_interval_ms)
        {
            return Err(GenesisError::Parameters);
        }
        let bytes = cbor::encode(self).len();
        if bytes > limits::GENESIS_BYTES {
            return Err(GenesisError::TooLong(bytes));
        }
        Ok(())
    }

    /// BLAKE3 of the canonical encoding: the name of the swarm.
    pub fn swarm_id(&self) -> SwarmId {
        SwarmId(Hash::derive("quorate 1 genesis", &[&cbor::encode(self)]).0)
    }

    /// Hash that headers carry as `parameters`: markets, admission, attesters and numbers.
    pub fn parameters_hash(&self) -> Hash {
        let parts = (
            &self.markets,
            self.admission,
            &self.attesters,
            &self.parameters,
        );
        Hash::derive("quorate 1 parameters", &[&cbor::encode(&parts)])
    }

    /// The market of this name.
    pub fn market(&self, name: &Label) -> Option<&Market> {
        self.markets.iter().find(|market| market.name == *name)
    }

    /// The distinct operators of the validators.
    pub fn operators(&self) -> BTreeSet<&Label> {
        self.validators
            .iter()
            .map(|validator| &validator.operator)
            .collect()
    }

    /// Whether this key attests capabilities.
    pub fn is_attester(&self, key: &PublicKey) -> bool {
        self.attesters.iter().any(|attester| attester.key == *key)
    }
}

impl Market {
    /// Whether bids are commitments that are opened later.
    pub fn is_sealed(&self) -> bool {
        self.reveal_ms.is_some()
    }

    /// The stage that follows in each window, if one does: whatever ends the last one clears.
    pub fn stage_after(&self, stage: Stage) -> Option<Stage> {
        let has = |next: &Stage| match next {
            Stage::Bids => true,
            Stage::Openings => self.reveal_ms.is_some(),
            Stage::Solutions => self.solve_ms.is_some(),
        };
        [Stage::Openings, Stage::Solutions]
            .into_iter()
            .filter(|next| *next > stage)
            .find(has)
    }

    /// Active milliseconds that a stage lasts, at least.
    pub fn stage_ms(&self, stage: Stage) -> Millis {
        match stage {
            Stage::Bids => self.window_ms,
            Stage::Openings => self.reveal_ms.unwrap_or(0),
            Stage::Solutions => self.solve_ms.unwrap_or(0),
        }
    }

    fn is_valid(&self) -> bool {
        let times = 1..=30 * 24 * 3_600_000;
        (1..=1000).contains(&self.attempts)
            && times.contains(&self.lease_ms)
            && times.contains(&self.window_ms)
            && self.reveal_ms.is_none_or(|time| times.contains(&time))
            && self.solve_ms.is_none_or(|time| times.contains(&time))
            && self
                .reserve
                .is_none_or(|price| (0..=limits::PRICE).contains(&price))
    }
}
