//! From bytes to verified values: keys, COSE signatures, quorums, Merkle trees.
//!
//! [`Verified`] is the only proof of a signature that the core accepts, and only this crate makes
//! one. It proves that a key signed; the caller decides whether that key may speak. There is one
//! Ed25519 rule everywhere (C-12): `verify_strict`, with weak and non-canonical keys refused.
//! **Absent here:** markets, consensus, I/O, randomness other than [`SecretKey::generate`].

pub mod map;
mod memo;
pub mod merkle;
mod public_key;
mod secret_key;
mod verified;

pub use memo::SignatureMemo;
pub use public_key::{KeyError, check_public_key};
pub use secret_key::SecretKey;
pub use verified::{
    BlockError, Known, QuorumError, SignatureError, Verified, is_body_of_header, verify,
    verify_block, verify_body, verify_evidence, verify_quorum, verify_statement,
};
