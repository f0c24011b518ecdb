//! The digest of a run: a hash of every input and every output of every host, in order.
//!
//! Two runs of one plan have the same digest. If they do not, something in the code is not
//! deterministic.

use quorate_types::Millis;

/// A hash that takes in one event after the other.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    hasher: blake3::Hasher,
}

impl Digest {
    /// Takes in one input or output: its kind, the time, the two hosts it passes between, and its
    /// bytes.
    pub(crate) fn note(&mut self, kind: u8, now: Millis, hosts: [u64; 2], bytes: &[u8]) {
        self.hasher.update(&[kind]);
        for number in [now, hosts[0], hosts[1], bytes.len() as u64] {
            self.hasher.update(&number.to_le_bytes());
        }
        self.hasher.update(bytes);
    }

    /// The digest of everything taken in so far, as 64 hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}
