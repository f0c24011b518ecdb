//! The digest of a run: every input and every output of every host, in order. Two runs of one plan
//! have the same digest; a run that does not is not deterministic, whatever else it shows.

use quorate_types::Millis;

/// A running hash.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    hasher: blake3::Hasher,
}

impl Digest {
    /// Takes in one input or output: what kind it is, when, between whom, and its bytes.
    pub(crate) fn note(&mut self, kind: u8, now: Millis, hosts: [u64; 2], bytes: &[u8]) {
        self.hasher.update(&[kind]);
        for number in [now, hosts[0], hosts[1], bytes.len() as u64] {
            self.hasher.update(&number.to_le_bytes());
        }
        self.hasher.update(bytes);
    }

    /// What it is so far, as 64 hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
