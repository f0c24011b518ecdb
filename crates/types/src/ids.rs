//! Fixed-size byte strings with names: identifiers, keys, signatures.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The error of a text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hexadecimal digits, got {found} characters or non-hexadecimal ones")]
pub struct ParseHexError {
    /// The number of digits expected: two for each byte.
    pub expected: usize,
    /// The number of characters found.
    pub found: usize,
}

/// Defines a newtype over `[u8; N]`, which is a CBOR byte string, and hexadecimal for people to
/// read.
macro_rules! byte_string {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// The length in bytes.
            pub const LENGTH: usize = $length;

            /// Returns the bytes.
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Returns the first eight hexadecimal digits, for logs and tables.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseHexError;

            fn from_str(text: &str) -> Result<Self, ParseHexError> {
                let mut bytes = [0; $length];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| ParseHexError { expected: 2 * $length, found: text.len() })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                } else {
                    deserializer.deserialize_bytes(Bytes::<$length>).map(Self)
                }
            }
        }
    };
}

byte_string!(
    /// A BLAKE3 or SHA-256 digest. Each use says which one it is.
    Hash, 32);
byte_string!(
    /// The id of a swarm: the BLAKE3 hash of its genesis ([`crate::genesis::Genesis::swarm_id`]).
    SwarmId, 32);
byte_string!(
    /// The id of a block: the BLAKE3 hash of its header ([`crate::block::Header::id`]).
    BlockId, 32);
byte_string!(
    /// The id of an operation: the BLAKE3 hash of what its agent signed, without the signature.
    OperationId, 32);
byte_string!(
    /// The secret that makes a commitment hide its price; see [`crate::operation::Opening`].
    Nonce, 32);
byte_string!(
    /// An Ed25519 public key as it travels. Whether it is a valid point is checked in
    /// `quorate-crypto`.
    PublicKey, 32);
byte_string!(
    /// An Ed25519 signature (RFC 8032) as it travels, unverified.
    Signature, 64);

impl Hash {
    /// The hash of all zeros. It stands for "nothing before this" in the first header.
    pub const ZERO: Self = Self([0; 32]);

    /// Returns the BLAKE3 hash over `parts` in key-derivation mode. `domain` separates the uses of
    /// the hash.
    pub fn derive(domain: &'static str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(domain);
        for part in parts {
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl BlockId {
    /// The id that stands for the block before the first one.
    pub const GENESIS: Self = Self([0; 32]);
}

struct Bytes<const N: usize>;

impl<const N: usize> Visitor<'_> for Bytes<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a byte string of {N} bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        bytes
            .try_into()
            .map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}
