//! All that makes a run repeatable: its dice, the keys of its hosts, and the digest that shows it.
//!
//! All randomness of a run is derived from its seed: independent streams by name, so that one more
//! draw from one stream changes nothing in the others.

use blake3::OutputReader;
use quorate_crypto::SecretKey;
use quorate_types::{Hash, Millis};

/// A stream of random numbers: the extended output of BLAKE3 over seed and name.
pub struct Dice {
    bytes: OutputReader,
}

impl Dice {
    /// The stream of `seed` with this name and index.
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("quorate 1 simulation");
        hasher
            .update(&seed.to_le_bytes())
            .update(&index.to_le_bytes())
            .update(name.as_bytes());

        Self {
            bytes: hasher.finalize_xof(),
        }
    }

    /// Draws any 64-bit number.
    pub fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.bytes.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Draws a number from 0 to `bound - 1`, or 0 if the bound is 0. The bias of the remainder is
    /// below 2^-32 for all bounds in use.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// Draws a number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// Returns true in `permille` of a thousand draws. Draws nothing if that is 0.
    pub fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.below(1000) < permille
    }

    /// Draws an index into a list of this length, or 0 if the list is empty.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Draws one of `choices`; `None` if there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.index(choices.len()))
    }

    /// Puts `items` into a random order; all orders are equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.index(at + 1));
        }
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dice").finish_non_exhaustive()
    }
}

/// Derives the secret key of a host from its role and index. It is the same in every run, so that
/// plans need not contain keys.
pub fn key_of(role: &str, index: usize) -> SecretKey {
    let seed = Hash::derive(
        "quorate 1 simulated key",
        &[role.as_bytes(), &index.to_le_bytes()],
    );
    SecretKey::from_seed(seed.as_bytes())
}

/// A hash of every input and every output of every host, in order.
///
/// Two runs of one plan have the same digest. If they do not, something in the code is not
/// deterministic.
#[derive(Debug, Default)]
pub struct Digest {
    hasher: blake3::Hasher,
}

impl Digest {
    /// Takes in one input or output: its kind, the time, the two hosts it passes between, and its
    /// bytes.
    pub fn note(&mut self, kind: u8, now: Millis, hosts: [u64; 2], bytes: &[u8]) {
        self.hasher.update(&[kind]);
        for number in [now, hosts[0], hosts[1], bytes.len() as u64] {
            self.hasher.update(&number.to_le_bytes());
        }
        self.hasher.update(bytes);
    }

    /// The digest of everything taken in so far, as 64 hexadecimal digits.
    pub fn text(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_stream_and_another_name_another() {
        let draw = |seed, name, index| {
            let mut dice = Dice::new(seed, name, index);
            (0..4).map(|_| dice.number()).collect::<Vec<_>>()
        };

        assert_eq!(draw(1, "links", 0), draw(1, "links", 0));
        assert_ne!(draw(1, "links", 0), draw(1, "links", 1));
        assert_ne!(draw(1, "links", 0), draw(1, "disks", 0));
        assert_ne!(draw(1, "links", 0), draw(2, "links", 0));
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut dice = Dice::new(7, "bounds", 0);
        for _ in 0..1000 {
            assert!((3..=5).contains(&dice.between(3, 5)));
        }

        assert_eq!(dice.between(4, 4), 4);
        assert_eq!(dice.pick::<u8>(&[]), None);
        assert!((0..1000).all(|_| !dice.chance(0)));
        assert!((0..1000).all(|_| dice.chance(1000)));
    }
}
