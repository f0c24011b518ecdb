//! From bytes to verified values: keys, COSE signatures, quorums, Merkle trees.
//!
//! [`Verified`] is the only proof of a signature that the core accepts, and only this crate makes
//! one. It proves that a key signed; the caller decides whether that key may speak. There is one
//! Ed25519 rule everywhere (C-12): `verify_strict`, with weak and non-canonical keys refused.
//!
//! Whoever stands above the ordering of blocks asks two questions here, and needs not know the
//! answers' form: [`check_commit`] judges what proves a commit, and [`judge_fault`] what proves a
//! fault. **Absent here:** markets, the steps of consensus, I/O, randomness other than
//! [`SecretKey::generate`].

mod commit;
mod fault;
pub mod map;
mod memo;
pub mod merkle;
mod public_key;
mod secret_key;
mod verified;

pub use commit::{CommitError, Decision, check_commit};
pub use fault::{Fault, FaultError, judge_fault};
pub use memo::SignatureMemo;
pub use public_key::{KeyError, check_public_key};
pub use secret_key::SecretKey;
pub use verified::{
    BlockError, Known, NoneKnown, QuorumError, SignatureError, Verified, is_body_of_header, verify,
    verify_block, verify_body, verify_commit, verify_evidence, verify_quorum, verify_statement,
};
