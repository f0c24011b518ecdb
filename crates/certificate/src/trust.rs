//! The trust root: the genesis that an auditor starts from. It never comes from the judged bundle.

use std::collections::BTreeSet;

use quorate_crypto::{KeyError, check_public_key};
use quorate_types::genesis::{Attester, GenesisError};
use quorate_types::{Genesis, Hash, Label, Market, SwarmId, ValidatorSet};

/// The digits of a fingerprint. I, L, O and U are left out, so that no digit is read as another
/// (Crockford).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The number of bytes of the swarm id that a fingerprint shows.
const FINGERPRINT_BYTES: usize = 20;

/// A swarm as its genesis describes it. The genesis is the public file that `quorate init` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    name: Label,
    swarm: SwarmId,
    validators: ValidatorSet,
    attesters: Vec<Attester>,
    markets: Vec<Market>,
    parameters: Hash,
}

/// The reason why a text is not a valid trust root.
#[derive(Debug, thiserror::Error)]
pub enum TrustRootError {
    /// The text is not the TOML of a genesis.
    #[error("not a valid genesis file: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The genesis breaks its rules.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A validator or an attester has a key that is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl TrustRoot {
    /// Reads the trust root from a genesis file (TOML).
    ///
    /// # Errors
    /// [`TrustRootError`], by the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, TrustRootError> {
        Self::from_genesis(&toml::from_str::<Genesis>(text)?)
    }

    /// Makes the trust root of a genesis.
    ///
    /// # Errors
    /// [`TrustRootError::Genesis`] if it breaks its rules, [`TrustRootError::Key`] if a key is weak
    /// or malformed.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, TrustRootError> {
        genesis.check()?;

        // A verdict is only as good as the keys, so weak ones are refused here (C-8, C-12).
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

    /// Returns the name of the swarm, which is for people and not unique.
    pub fn name(&self) -> &Label {
        &self.name
    }

    /// Returns the id of the swarm, which is the hash of the whole genesis.
    pub fn swarm(&self) -> SwarmId {
        self.swarm
    }

    /// Returns the validators of height 1.
    pub fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// Returns the attesters, whose attestations count.
    pub fn attesters(&self) -> &[Attester] {
        &self.attesters
    }

    /// Returns the market of this name; its rule is that of the whole swarm.
    pub fn market(&self, name: &Label) -> Option<&Market> {
        self.markets.iter().find(|market| market.name == *name)
    }

    /// Returns the distinct operators of the validators of height 1.
    pub fn operators(&self) -> BTreeSet<&Label> {
        self.validators
            .iter()
            .map(|validator| &validator.operator)
            .collect()
    }

    /// Returns the hash that headers of this swarm carry as `parameters`.
    pub fn parameters(&self) -> Hash {
        self.parameters
    }

    /// Returns the fingerprint: the first 160 bits of the swarm id, in eight groups of four
    /// characters to read over a telephone (C-9). It takes 2^160 tries to find another genesis with
    /// this fingerprint. Somebody who writes both genesis files finds a pair in 2^80.
    pub fn fingerprint(&self) -> String {
        let digits = base32(&self.swarm.as_bytes()[..FINGERPRINT_BYTES]);
        let groups: Vec<_> = digits
            .chunks(4)
            .map(|group| group.iter().collect::<String>())
            .collect();
        groups.join("-")
    }

    /// Checks whether `spoken` is the fingerprint. Case, blanks and hyphens do not matter, and O, I
    /// and L are taken for the digits that they look like.
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

/// Encodes five bits in each character, the most significant first.
fn base32(bytes: &[u8]) -> Vec<char> {
    let mut digits = Vec::new();
    let mut bits = 0u32;
    let mut count = 0;

    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            digits.push(char::from(ALPHABET[(bits >> count) as usize & 31]));
        }

        // Only the bits that are not written yet are kept, so the next byte has room.
        bits &= (1 << count) - 1;
    }

    digits
}
