//! The genesis: the start of a swarm, which a person can read and which is hashed into the swarm
//! id.
//!
//! Fields stand in the canonical order of their names (shorter first, then by bytes), so that one
//! definition serves both the TOML file that a person reads and the CBOR that is hashed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::task::check_price;
use crate::{
    Hash, Label, Millis, PROTOCOL_VERSION, Price, PublicKey, SwarmId, UnixMillis, ValidatorSet,
    cbor, limits,
};

/// The definition of a swarm, from which all its members start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// A name for people. It need not be unique.
    pub name: Label,
    /// The time of the start: the block time of height 0.
    pub created: UnixMillis,
    /// The markets, ascending by name.
    pub markets: Vec<Market>,
    /// The version of the protocol, [`PROTOCOL_VERSION`].
    pub version: u8,
    /// The rule for the admission of agents.
    pub admission: Admission,
    /// The attesters of capabilities, ascending by key.
    pub attesters: Vec<Attester>,
    /// Numbers that all members agree on.
    pub parameters: Parameters,
    /// The first committee, which votes from height 1 on.
    pub validators: ValidatorSet,
}

/// The rule for the admission of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// A holder of an attestation by one of the attesters may become an agent.
    Attestation,
    /// Nobody is admitted beyond the validators and attesters.
    Closed,
}

/// A key whose attestations of capabilities count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attester {
    /// The key that signs the attestations.
    pub key: PublicKey,
    /// A name for people.
    pub name: Label,
}

/// A named rule by which tasks find agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// The name that tasks refer to.
    pub name: Label,
    /// The reserve price: the highest price paid for any task. `None` if the market has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Price>,
    /// Whether windows close by time alone. Fewer than a third of the power could then keep a bid
    /// out.
    #[serde(default)]
    pub trusted: bool,
    /// The number of assignments that a task may have before it fails; 1 to 1000.
    pub attempts: u64,
    /// Active milliseconds without a heartbeat after which an assignment may lapse.
    pub lease_ms: Millis,
    /// The least active milliseconds for which solutions by members are taken before a clearing.
    /// Only for mechanisms that weigh solutions. `None` if none are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solve_ms: Option<Millis>,
    /// The name of the mechanism. Only `quorate-market` knows which names there are.
    pub mechanism: Label,
    /// The least active milliseconds for which commitments are opened, once no more of them are
    /// taken. `None` if bids are not sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal_ms: Option<Millis>,
    /// The least active milliseconds for which bids are collected.
    pub window_ms: Millis,
}

/// The stages of a window, which say what it takes. They follow one another in this order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bids, or commitments to bids.
    #[default]
    Bids,
    /// Openings of these commitments.
    Openings,
    /// Solutions: pairs of task and winner.
    Solutions,
}

/// Numbers that all members agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The most active milliseconds that one block adds.
    pub max_step_ms: Millis,
    /// Milliseconds after which an idle swarm makes a block anyway.
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

/// The reason why a genesis is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The version is not the one that this program supports.
    #[error("version is {0}, but this program supports version {PROTOCOL_VERSION}")]
    Version(u8),
    /// There are too many markets, or they are out of order, or two have one name.
    #[error("markets: at most {max} are allowed, ascending by name", max = limits::MARKETS)]
    Markets,
    /// There are too many attesters, or they are out of order, or two have one key.
    #[error("attesters: at most {max} are allowed, ascending by key", max = limits::ATTESTERS)]
    Attesters,
    /// A number of the named market is out of its range.
    #[error("market `{0}`: attempts must be 1 to 1000, times 1 ms to 30 days, reserve 0 to 2^40")]
    Market(Label),
    /// A market names a mechanism that this program does not have. [`Genesis::check`] does not
    /// check this, because a program that only verifies certificates needs no mechanism.
    #[error("market `{market}`: this program has no mechanism `{mechanism}`")]
    Mechanism {
        /// The name of the market.
        market: Label,
        /// The name of the mechanism.
        mechanism: Label,
    },
    /// A market takes solutions, but its mechanism does not weigh them.
    #[error("market `{market}`: `{mechanism}` takes no solutions; leave `solve_ms` out")]
    Solutions {
        /// The name of the market.
        market: Label,
        /// The name of its mechanism.
        mechanism: Label,
    },
    /// A parameter is out of its range.
    #[error("parameters: each must be 1 to 3600000 milliseconds")]
    Parameters,
    /// The canonical encoding is longer than [`limits::GENESIS_BYTES`].
    #[error(
        "the genesis has {0} bytes in canonical form, the limit is {max}",
        max = limits::GENESIS_BYTES
    )]
    TooLong(usize),
}

impl Genesis {
    /// Checks every rule that the types do not express.
    ///
    /// # Errors
    /// [`GenesisError`], which names the field.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.version != PROTOCOL_VERSION {
            return Err(GenesisError::Version(self.version));
        }

        self.check_order()?;

        if let Some(market) = self.markets.iter().find(|market| !market.is_valid()) {
            return Err(GenesisError::Market(market.name.clone()));
        }

        if !self.parameters.is_valid() {
            return Err(GenesisError::Parameters);
        }

        // The types bound the parts, but not the length of the whole.
        let bytes = cbor::encode(self).len();
        if bytes > limits::GENESIS_BYTES {
            return Err(GenesisError::TooLong(bytes));
        }

        Ok(())
    }

    /// Checks the order and the number of the markets and of the attesters.
    fn check_order(&self) -> Result<(), GenesisError> {
        // A strict order also rules out two markets of one name.
        let ordered = self.markets.is_sorted_by(|a, b| a.name < b.name);

        if !ordered || self.markets.len() > limits::MARKETS {
            return Err(GenesisError::Markets);
        }

        let ordered = self.attesters.is_sorted_by(|a, b| a.key < b.key);

        if !ordered || self.attesters.len() > limits::ATTESTERS {
            return Err(GenesisError::Attesters);
        }

        Ok(())
    }

    /// Returns the id of the swarm: the BLAKE3 hash of the canonical encoding.
    pub fn swarm_id(&self) -> SwarmId {
        SwarmId(Hash::derive("quorate 1 genesis", &[&cbor::encode(self)]).0)
    }

    /// Returns the hash that headers carry as `parameters`: over markets, admission, attesters and
    /// numbers.
    pub fn parameters_hash(&self) -> Hash {
        let parts = (
            &self.markets,
            self.admission,
            &self.attesters,
            &self.parameters,
        );
        Hash::derive("quorate 1 parameters", &[&cbor::encode(&parts)])
    }

    /// Returns the market of this name, if there is one.
    pub fn market(&self, name: &Label) -> Option<&Market> {
        self.markets.iter().find(|market| market.name == *name)
    }

    /// Returns the distinct operators of the validators.
    pub fn operators(&self) -> BTreeSet<&Label> {
        self.validators
            .iter()
            .map(|validator| &validator.operator)
            .collect()
    }

    /// Returns whether this key attests capabilities.
    pub fn is_attester(&self, key: &PublicKey) -> bool {
        self.attesters.iter().any(|attester| attester.key == *key)
    }
}

impl Market {
    /// Returns whether bids are commitments that are opened later.
    pub fn is_sealed(&self) -> bool {
        self.reveal_ms.is_some()
    }

    /// Returns the stage that follows `stage` in each window, if there is one. The window clears at
    /// the end of its last stage.
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

    /// Returns the active milliseconds that a stage lasts at least.
    pub fn stage_ms(&self, stage: Stage) -> Millis {
        match stage {
            Stage::Bids => self.window_ms,
            Stage::Openings => self.reveal_ms.unwrap_or(0),
            Stage::Solutions => self.solve_ms.unwrap_or(0),
        }
    }

    fn is_valid(&self) -> bool {
        // From one millisecond to 30 days.
        let is_time = |time: Millis| (1..=30 * 24 * 3_600_000).contains(&time);
        let is_price = |price| check_price(price).is_ok();

        (1..=1000).contains(&self.attempts)
            && is_time(self.lease_ms)
            && is_time(self.window_ms)
            && self.reveal_ms.is_none_or(is_time)
            && self.solve_ms.is_none_or(is_time)
            && self.reserve.is_none_or(is_price)
    }
}

impl Parameters {
    /// Returns whether each time is in its range.
    fn is_valid(&self) -> bool {
        // From one millisecond to one hour.
        let range = 1..=3_600_000;
        range.contains(&self.max_step_ms) && range.contains(&self.max_block_interval_ms)
    }
}
