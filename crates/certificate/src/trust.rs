//! The trust root: what an auditor starts from. It never comes from the bundle it judges.

use std::collections::BTreeSet;

use quorate_crypto::{KeyError, check_public_key};
use quorate_types::genesis::{Attester, GenesisError};
use quorate_types::{Genesis, Hash, Label, Market, SwarmId, ValidatorSet};

/// Digits of a fingerprint: no I, L, O and U, so that none is read as another (Crockford).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Bytes of the swarm id that a fingerprint shows.
const FINGERPRINT_BYTES: usize = 20;

/// A swarm as its genesis describes it: the public file that `quorate init` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    name: Label,
    swarm: SwarmId,
    validators: ValidatorSet,
    attesters: Vec<Attester>,
    markets: Vec<Market>,
    parameters: Hash,
}

/// Why a text is no trust root.
#[derive(Debug, thiserror::Error)]
pub enum TrustRootError {
    /// Not the TOML of a genesis.
    #[error("not a genesis file: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A genesis that breaks its rules.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A validator or attester with a key that is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl TrustRoot {
    /// Of a genesis file (TOML).
    ///
    /// # Errors
    /// [`TrustRootError`].
    pub fn parse(text: &str) -> Result<Self, TrustRootError> {
        Self::from_genesis(&toml::from_str::<Genesis>(text)?)
    }

    /// Of a genesis.
    ///
    /// # Errors
    /// [`TrustRootError::Genesis`] where it breaks its rules, [`TrustRootError::Key`] where a key
    /// is weak or malformed.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, TrustRootError> {
        genesis.check()?;
        let attesters = genesis.attesters.iter().map(|attester| &attester.key);
        for key in genesis
            .validators
            .iter()
            .map(|validator| &validator.key)
            .chain(attesters)
        {
            check_public_key(key)?;
        }
        Ok(Self {
            name: genesis.name.clone(),
            swarm: genesis.swarm_id(),
            validators: genesis.validators.clone(),
            attesters: genesis.attesters.clone(),
            markets: genesis.markets.clone(),
            parameters: genesis.parameters_hash(),
        })
    }

    /// Name of the swarm, for people; not unique.
    pub fn name(&self) -> &Label {
        &self.name
    }

    /// The swarm: the hash of the whole genesis.
    pub fn swarm(&self) -> SwarmId {
        self.swarm
    }

    /// The validators of height 1.
    pub fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// Whose word on capabilities counts.
    pub fn attesters(&self) -> &[Attester] {
        &self.attesters
    }

    /// The market of this name, whose rule is that of the whole swarm.
    pub fn market(&self, name: &Label) -> Option<&Market> {
        self.markets.iter().find(|market| market.name == *name)
    }

    /// The distinct operators of the validators of height 1.
    pub fn operators(&self) -> BTreeSet<&Label> {
        self.validators
            .iter()
            .map(|validator| &validator.operator)
            .collect()
    }

    /// Hash that headers of this swarm carry as `parameters`.
    pub fn parameters(&self) -> Hash {
        self.parameters
    }

    /// Eight groups of four characters to read over a telephone: the first 160 bits of the swarm
    /// id. Finding another genesis with this fingerprint takes 2^160 tries; who may write both
    /// genesis files himself finds a pair in 2^80.
    pub fn fingerprint(&self) -> String {
        let digits = base32(&self.swarm.as_bytes()[..FINGERPRINT_BYTES]);
        let groups: Vec<_> = digits
            .chunks(4)
            .map(|group| group.iter().collect::<String>())
            .collect();
        groups.join("-")
    }

    /// Whether `spoken` is the fingerprint: case, blanks and hyphens do not matter, and O, I and L
    /// are taken for the digits they look like.
    pub fn has_fingerprint(&self, spoken: &str) -> bool {
        let heard = spoken.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let heard = heard.map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        });
        heard.eq(self.fingerprint().chars().filter(|c| *c != '-'))
    }
}

/// Five bits for each character, most significant first.
fn base32(bytes: &[u8]) -> Vec<char> {
    let mut digits = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            digits.push(char::from(ALPHABET[(bits >> count) as usize & 31]));
        }
        bits &= (1 << count) - 1;
    }
    digits
}
